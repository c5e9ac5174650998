//! Why a server refuses a credential, as far as its words tell.

use crate::connection::Kind;

/// Why a server refuses a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Locked,
    Rotated,
    Expired,
    Switched,
    Deleted,
    PasswordChanged,
    SignedOut,
    NotItsOwn,
    Unknown,
}

/// What servers say, and what that means. The first that fits holds.
const WORDS: [(&str, Cause); 14] = [
    ("is locked", Cause::Locked),
    ("password of", Cause::PasswordChanged),
    ("signed out", Cause::SignedOut),
    ("sign-in has ended", Cause::SignedOut),
    ("mistyped, rotated or deleted", Cause::Unknown),
    ("not a valid token of this server", Cause::NotItsOwn),
    ("was rotated", Cause::Rotated),
    ("expired", Cause::Expired),
    ("is not active", Cause::Switched),
    ("inactive", Cause::Switched),
    ("was deleted", Cause::Deleted),
    ("does not exist", Cause::Deleted),
    ("error decoding", Cause::NotItsOwn),
    ("signature verification", Cause::NotItsOwn),
];

/// Whether it is a device that was locked: connecting again would not help.
pub(crate) fn is_lock(said: &str) -> bool {
    cause(said) == Cause::Locked
}

fn cause(said: &str) -> Cause {
    let said = said.to_ascii_lowercase();
    // ZenML's own server says it so of a locked device.
    if said.starts_with("device") && said.contains("is not active") {
        return Cause::Locked;
    }
    let found = WORDS.iter().find(|(words, _)| said.contains(words));
    found.map_or(Cause::Unknown, |(_, cause)| *cause)
}

/// What to do about it. `connect` is the command to connect again with.
pub(crate) fn remedy(said: &str, kind: Kind, connect: &str) -> String {
    let administrator =
        "an administrator can look with: zenml service-account api-key <account> describe <key>";
    match (cause(said), kind) {
        (Cause::Locked, _) => {
            format!(
                "Unlock the device from another machine (zenml device unlock <id>), or from this one after signing in \
                 with your password: {connect} --username <name>"
            )
        }
        (Cause::Rotated, _) => {
            format!("The key was rotated. Get its new value from the person who rotated it; {administrator}")
        }
        (Cause::Expired, Kind::ApiKey) => "Ask an administrator for a new key.".to_owned(),
        (Cause::Switched, Kind::ApiKey) => {
            format!("The key or its service account was switched off; {administrator}")
        }
        (Cause::Switched, Kind::Token) => format!(
            "The device, the key or the account was switched off. Ask an administrator, or connect again: {connect}"
        ),
        (Cause::Switched, Kind::Password) => {
            "The account was deactivated. An administrator can activate it again.".to_owned()
        }
        (Cause::Deleted, Kind::ApiKey) => "Ask an administrator for a new key.".to_owned(),
        (Cause::NotItsOwn, _) => format!(
            "It is damaged, or another server issued it. Check the server's address, or connect again: {connect}"
        ),
        (Cause::Expired | Cause::Deleted | Cause::PasswordChanged | Cause::SignedOut, _) => {
            format!("Connect again: {connect}")
        }
        (Cause::Unknown, Kind::ApiKey) => format!(
            "It is a key of another server, or was mistyped, rotated more than once or deleted: servers don't tell \
             strangers which. Check the server's address; {administrator}"
        ),
        (Cause::Unknown, Kind::Token) => format!("Connect again: {connect}"),
        (Cause::Unknown, Kind::Password) => {
            "Check the user name and the password. Servers don't tell strangers which of them is wrong."
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_apart() {
        for (said, expected) in [
            (
                "the device 1 is locked. Unlock it from another device",
                Cause::Locked,
            ),
            (
                "the connection of the device 1 has expired. Connect it again",
                Cause::Expired,
            ),
            (
                "the device 1 has signed out or connected again since",
                Cause::SignedOut,
            ),
            ("the device 1 was deleted. Connect it again", Cause::Deleted),
            (
                "the API key a of the service account b was rotated; use its new value",
                Cause::Rotated,
            ),
            (
                "the API key a of the service account b is not active",
                Cause::Switched,
            ),
            (
                "the API key a of the service account b has expired",
                Cause::Expired,
            ),
            (
                "the API key is not valid: it was mistyped, rotated or deleted",
                Cause::Unknown,
            ),
            ("the account ann is not active", Cause::Switched),
            (
                "the password of ann was changed, or the account deactivated",
                Cause::PasswordChanged,
            ),
            (
                "error decoding access token: it is not a valid token of this server",
                Cause::NotItsOwn,
            ),
            ("this sign-in has ended. Sign in again", Cause::SignedOut),
            ("invalid username or password", Cause::Unknown),
            ("API key 4b0a1264 is not active", Cause::Switched),
            ("device 2efa1441 is not active", Cause::Locked),
        ] {
            assert_eq!(cause(said), expected, "{said}");
        }
    }
}
