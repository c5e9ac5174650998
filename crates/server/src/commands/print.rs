//! What commands say.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is where commands speak"
)]

use std::io::Write as _;

use clap::CommandFactory as _;

use zenml_auth_model::text::{escaped_json, on_several_lines};

use crate::config::options::ENCRYPTION_KEY_VARIABLE;

/// A line on standard output, or several. A reader who has gone away is no error. What could steer a terminal is left out.
pub(super) fn line(text: &str) {
    let _ = writeln!(anstream::stdout(), "{}", on_several_lines(text));
}

/// JSON on standard output. It is the same data, with what could steer a terminal escaped.
pub(super) fn json(text: &str) {
    let _ = writeln!(anstream::stdout(), "{}", escaped_json(text));
}

/// A failed command's last words: what happened, and why.
pub(super) fn error(error: &(dyn std::error::Error + 'static)) {
    let red = anstyle::AnsiColor::Red.on_default().bold();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let reason = cause.to_string();
        if !text.contains(&reason) {
            text = format!("{text}: {reason}");
        }
        source = cause.source();
    }
    let _ = writeln!(
        anstream::stderr(),
        "{red}error:{red:#} {}",
        on_several_lines(&text)
    );
}

/// A variable that is spelled wrong would be silently without effect. It is no error, because Kubernetes sets
/// variables of its own that may begin alike.
pub(super) fn warn_of_unknown_variables() {
    fn variables(command: &clap::Command) -> Vec<std::ffi::OsString> {
        let own = command
            .get_arguments()
            .filter_map(|argument| argument.get_env().map(ToOwned::to_owned));
        own.chain(command.get_subcommands().flat_map(variables)).collect()
    }
    let mut known = variables(&super::Program::command());
    known.push(ENCRYPTION_KEY_VARIABLE.into());
    for (name, _) in std::env::vars_os() {
        let is_ours = name.to_str().is_some_and(|name| name.starts_with("ZENML_AUTH_"));
        if is_ours && !known.contains(&name) {
            tracing::warn!(variable = %name.display(), "this variable is no setting and has no effect");
        }
    }
}
