//! How a command fails: what happened, what to do about it, and the exit code.

use std::fmt;

use zenml_auth_client::ClientError;

use crate::config_files::ConfigFilesError;
use crate::rejection::Rejection;
use crate::ui::clean;

/// The exit codes. Documented in the README and at the end of `zenml --help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// The server refused, or something else went wrong.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// Not signed in, or no longer.
    NotSignedIn = 3,
    /// There is no such thing.
    NotFound = 4,
    /// Signed in, but not allowed.
    Forbidden = 5,
    /// The name is taken.
    Exists = 6,
    /// The server can't be talked to, or is none.
    Unreachable = 7,
    /// A file of the configuration can't be used.
    Files = 8,
    /// The old key ended while it was still used.
    StillUsed = 9,
    /// The server does not tell what was asked.
    NotTold = 10,
    /// Ctrl-C.
    Interrupted = 130,
    /// SIGTERM.
    Terminated = 143,
}

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct CliError {
    /// What happened, on one line.
    pub(crate) what: String,
    /// What to do about it, on one line.
    pub(crate) next: Option<String>,
    /// The exit code.
    pub(crate) exit: Exit,
}

impl CliError {
    pub(crate) fn new(exit: Exit, what: impl fmt::Display) -> Self {
        Self {
            what: clean(&what.to_string()),
            next: None,
            exit,
        }
    }

    /// The command line makes no sense.
    pub(crate) fn usage(what: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// This machine is connected to nothing.
    pub(crate) fn not_connected() -> Self {
        Self::new(Exit::NotSignedIn, "not connected to a ZenML server")
            .next("Type: zenml connect --url <the server's address>")
    }

    /// Says what to do about it.
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// A request that the server was asked failed. `url` is named where signing in again helps.
    pub(crate) fn from_client(error: &ClientError, url: &str) -> Self {
        let exit = match error {
            ClientError::Address(_) | ClientError::Trust(_) => Exit::Usage,
            _ if error.is_unauthenticated() => Exit::NotSignedIn,
            _ if error.is_not_found() => Exit::NotFound,
            _ if error.is_forbidden() => Exit::Forbidden,
            _ if error.is_conflict() => Exit::Exists,
            ClientError::Ambiguous { .. } => Exit::NotFound,
            _ if error.is_unreachable() => Exit::Unreachable,
            ClientError::Redirected { .. }
            | ClientError::NotAZenmlServer { .. }
            | ClientError::BadResponse { .. } => Exit::Unreachable,
            _ => Exit::Failed,
        };
        if exit == Exit::NotSignedIn {
            let said = reason_of(&error.to_string());
            return Self::signed_out(url, Some(&said), Rejection::of(error));
        }
        let mut failed = Self::new(exit, error);
        if let ClientError::Api {
            request_id: Some(id),
            status: 500..,
            ..
        } = error
        {
            failed.what = format!("{} (request {})", failed.what, clean(id));
        }
        if let ClientError::Ambiguous { matches, .. } = error {
            let ids: Vec<_> = matches.iter().map(ToString::to_string).collect();
            failed.what = format!("{}: {}", failed.what, ids.join(", "));
        }
        match error.hint() {
            Some(hint) => failed.next(hint),
            None => failed,
        }
    }

    /// The connection is no longer good. One line says it all.
    pub(crate) fn signed_out(url: &str, reason: Option<&str>, rejection: Rejection) -> Self {
        let remedy = if rejection == Rejection::Locked {
            format!(
                "unlock the device from another machine, or from this one after: zenml connect --url {url} --username <name>"
            )
        } else {
            format!("type: zenml connect --url {url}")
        };
        let reason = reason.map(|text| format!(" ({text})")).unwrap_or_default();
        Self::new(
            Exit::NotSignedIn,
            format!("your connection to {url} is no longer good{reason}; {remedy}"),
        )
    }
}

/// What a server says of a credential, fit to stand in brackets: without the introduction that ZenML's puts before all of them.
pub(crate) fn reason_of(text: &str) -> String {
    let text = clean(text);
    text.strip_prefix("Authentication error: ")
        .unwrap_or(&text)
        .trim_end_matches('.')
        .to_owned()
}

impl From<ConfigFilesError> for CliError {
    fn from(error: ConfigFilesError) -> Self {
        let next = error.next();
        Self::new(Exit::Files, &error).next(next)
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

#[cfg(test)]
mod tests {
    use zenml_auth_api::{ErrorClass, ErrorCode};

    use super::*;

    fn refused(status: u16, message: &str) -> CliError {
        refused_with(status, None, message)
    }

    fn refused_with(status: u16, code: Option<ErrorCode>, message: &str) -> CliError {
        let error = ClientError::Api {
            status,
            class: Some(ErrorClass::RuntimeError),
            code,
            message: message.to_owned(),
            request_id: Some("r-1".to_owned()),
            retry_after: None,
            needs_recent_sign_in: false,
        };
        CliError::from_client(&error, "http://x")
    }

    #[test]
    fn exit_codes_tell_failures_apart() {
        for (status, exit) in [
            (400, Exit::Failed),
            (401, Exit::NotSignedIn),
            (403, Exit::Forbidden),
            (404, Exit::NotFound),
            (409, Exit::Exists),
            (429, Exit::Failed),
            (500, Exit::Failed),
        ] {
            assert_eq!(refused(status, "x").exit, exit, "{status}");
        }
    }

    #[test]
    fn nobody_is_told_to_connect_a_locked_device() {
        for (code, said) in [
            (
                Some(ErrorCode::DeviceLocked),
                "the device 1 is not yours to use at the moment",
            ),
            (None, "device 1 is not active"),
        ] {
            let error = refused_with(401, code, &format!("Authentication error: {said}."));
            assert_eq!(
                error.what,
                format!(
                    "your connection to http://x is no longer good ({said}); unlock the device from another machine, or \
                     from this one after: zenml connect --url http://x --username <name>"
                )
            );
        }
    }

    #[test]
    fn a_connection_that_ended_takes_one_line() {
        let error = refused(401, "Authentication error: device has expired.\n");
        assert_eq!(
            error.what,
            "your connection to http://x is no longer good (device has expired); type: zenml connect --url http://x"
        );
        assert_eq!(error.next, None);
    }

    #[test]
    fn what_a_server_says_cannot_steer_the_terminal() {
        assert_eq!(refused(400, "\u{1b}[31mred\u{7}\nnext").what, "[31mred next");
        assert_eq!(refused(500, "oh").what, "oh (request r-1)");
    }
}
