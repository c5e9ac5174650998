//! Why a server refuses a credential.
//!
//! Our server says it in a code. ZenML's servers say it in a sentence; this file holds the sentences that were observed, and
//! nothing else reads what a server says to people.

use zenml_auth_api::ErrorCode;
use zenml_auth_client::ClientError;

use crate::connection::Kind;

/// Why a server refuses a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// The device is locked: connecting again does not help.
    Locked,
    /// The API key has another value now.
    Rotated,
    /// Its time is over.
    Expired,
    /// The key or the account is switched off.
    Switched,
    /// The device, the key or the account is gone.
    Deleted,
    /// The password was changed since.
    PasswordChanged,
    /// It has signed out, or connected again, since.
    SignedOut,
    /// It is damaged, or another server's.
    NotItsOwn,
    /// The server does not tell.
    Unknown,
}

/// What ZenML's servers 0.58.2 and 0.98.0 say, and what that means. The first that fits holds.
const SENTENCES: [(&[&str], Rejection); 8] = [
    (&["error decoding", "expired"], Rejection::Expired),
    (&["error decoding"], Rejection::NotItsOwn),
    (&["device ", "is not active"], Rejection::Locked),
    (&["is not active"], Rejection::Switched),
    (&["error retrieving token device"], Rejection::Deleted),
    (&["generation that is no longer valid"], Rejection::Rotated),
    (
        &["issued before the user's password was changed"],
        Rejection::PasswordChanged,
    ),
    (&["expired"], Rejection::Expired),
];

impl Rejection {
    /// Of a request that was refused.
    pub(crate) fn of(error: &ClientError) -> Self {
        match error.code() {
            Some(code) => Self::of_code(code),
            None => Self::of_sentence(&error.to_string()),
        }
    }

    fn of_code(code: &ErrorCode) -> Self {
        match code {
            ErrorCode::DeviceLocked | ErrorCode::DeviceLockedByOwner => Self::Locked,
            ErrorCode::ApiKeyRotated => Self::Rotated,
            ErrorCode::TokenExpired | ErrorCode::DeviceExpired | ErrorCode::ApiKeyExpired => Self::Expired,
            ErrorCode::AccountInactive | ErrorCode::ApiKeyInactive => Self::Switched,
            ErrorCode::DeviceDeleted | ErrorCode::ApiKeyDeleted | ErrorCode::AccountDeleted => Self::Deleted,
            ErrorCode::CredentialsChanged => Self::PasswordChanged,
            ErrorCode::DeviceSuperseded | ErrorCode::SessionEnded => Self::SignedOut,
            ErrorCode::TokenInvalid | ErrorCode::ApiKeyMalformed => Self::NotItsOwn,
            _ => Self::Unknown,
        }
    }

    fn of_sentence(said: &str) -> Self {
        let said = said.to_ascii_lowercase();
        let found = SENTENCES
            .iter()
            .find(|(parts, _)| parts.iter().all(|part| said.contains(part)));
        found.map_or(Self::Unknown, |(_, rejection)| *rejection)
    }

    /// What to do about it. `connect` is the command to connect again with.
    pub(crate) fn remedy(self, kind: Kind, connect: &str) -> String {
        let administrator =
            "an administrator can look with: zenml service-account api-key <account> describe <key>";
        match (self, kind) {
            (Self::Locked, _) => {
                format!(
                    "Unlock the device from another machine (zenml device unlock <id>), or from this one after signing in \
                     with your password: {connect} --username <name>"
                )
            }
            (Self::Rotated, _) => {
                format!(
                    "The key was rotated. Get its new value from the person who rotated it; {administrator}"
                )
            }
            (Self::Expired | Self::Deleted, Kind::ApiKey) => "Ask an administrator for a new key.".to_owned(),
            (Self::Switched, Kind::ApiKey) => {
                format!("The key or its service account was switched off; {administrator}")
            }
            (Self::Switched, Kind::Token) => format!(
                "The device, the key or the account was switched off. Ask an administrator, or connect again: {connect}"
            ),
            (Self::Switched, Kind::Password) => {
                "The account was deactivated. An administrator can activate it again.".to_owned()
            }
            (Self::NotItsOwn, _) => format!(
                "It is damaged, or another server issued it. Check the server's address, or connect again: {connect}"
            ),
            (Self::Expired | Self::Deleted | Self::PasswordChanged | Self::SignedOut, _) => {
                format!("Connect again: {connect}")
            }
            (Self::Unknown, Kind::ApiKey) => format!(
                "It is a key of another server, or was mistyped, rotated more than once or deleted: servers don't tell \
                 strangers which. Check the server's address; {administrator}"
            ),
            (Self::Unknown, Kind::Token) => format!("Connect again: {connect}"),
            (Self::Unknown, Kind::Password) => {
                "Check the user name and the password. Servers don't tell strangers which of them is wrong."
                    .to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_of_zenml_are_told_apart() {
        for (said, expected) in [
            ("device 2efa1441 is not active", Rejection::Locked),
            (
                "API key default associated with service account ci is not active",
                Rejection::Switched,
            ),
            (
                "service account ci associated with API key main is not active",
                Rejection::Switched,
            ),
            ("account ann-612591 is not active", Rejection::Switched),
            ("error retrieving token device 2efa1441", Rejection::Deleted),
            (
                "access token for API key default was issued for an API key generation that is no longer valid",
                Rejection::Rotated,
            ),
            (
                "access token for user ann was issued before the user's password was changed",
                Rejection::PasswordChanged,
            ),
            (
                "error decoding access token: Invalid JWT token: Not enough segments.",
                Rejection::NotItsOwn,
            ),
            (
                "error decoding access token: Invalid JWT token: Signature has expired",
                Rejection::Expired,
            ),
            ("error decoding API key", Rejection::NotItsOwn),
            ("error retrieving API key e0d315dc", Rejection::Unknown),
            (
                "could not verify key value for API key default",
                Rejection::Unknown,
            ),
            ("invalid username or password", Rejection::Unknown),
        ] {
            let said = format!("Authentication error: {said}");
            assert_eq!(Rejection::of_sentence(&said), expected, "{said}");
        }
    }

    #[test]
    fn every_code_of_a_credential_has_a_meaning() {
        let refused = ErrorCode::ALL.iter().filter(|(code, _)| code.status() == 401);
        let unknown: Vec<_> = refused
            .filter(|(code, _)| Rejection::of_code(code) == Rejection::Unknown)
            .map(|(code, _)| code.as_str())
            .collect();
        let without_a_cause = [
            "not_authenticated",
            "invalid_credentials",
            "api_key_invalid",
            "activation_token_invalid",
        ];
        assert_eq!(unknown, without_a_cause);
    }
}
