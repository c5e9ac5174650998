//! Which server a command talks to, and with what: environment variables over what is stored.

use zenml_auth_client::{Credentials, ServerAddress};
use zenml_auth_model::{Secret, Timestamp};

use crate::config_files::{ConfigFiles, StoredCredentials, VerifySsl};
use crate::env::{self, Env};
use crate::error::CliError;
use crate::token::Claims;

/// Where something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// In an environment variable.
    Variable(&'static str),
    /// In the files.
    Files,
}

/// What a command signs in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An API key.
    ApiKey,
    /// A user name and a password.
    Password,
    /// The token of a device, or one that was given.
    Token,
}

/// What a command signs in with, and where that comes from.
#[derive(Debug)]
pub(crate) struct SignIn {
    pub(crate) kind: Kind,
    pub(crate) origin: Origin,
    pub(crate) credentials: Credentials,
    /// The token at hand, if any, and when it ends.
    pub(crate) token: Option<Secret>,
    pub(crate) ends: Option<Timestamp>,
}

/// Which server a command talks to, and with what.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) address: ServerAddress,
    pub(crate) origin: Origin,
    pub(crate) verify_ssl: VerifySsl,
    pub(crate) sign_in: Option<SignIn>,
}

impl Connection {
    /// Finds out; `None` when this machine is connected to nothing.
    pub(crate) fn find(env: &Env, files: &ConfigFiles) -> Result<Option<Self>, CliError> {
        let stored = files.server()?;
        let (address, origin) = match (env.get(env::STORE_URL), &stored) {
            (Some(url), _) => {
                let address = url.parse().map_err(|error| {
                    CliError::usage(format!("{}: {error}", env::STORE_URL))
                        .next("Set it to an address such as https://zenml.example.com.")
                })?;
                (address, Origin::Variable(env::STORE_URL))
            }
            (None, Some(stored)) => (stored.address.clone(), Origin::Files),
            (None, None) => return Ok(None),
        };
        let verify_ssl = match (env.get(env::STORE_VERIFY_SSL), stored) {
            (Some(text), _) => verify_ssl_of(text),
            (None, Some(stored)) if stored.address == address => stored.verify_ssl,
            (None, _) => VerifySsl::Check(true),
        };
        let sign_in = match SignIn::from_env(env) {
            Some(sign_in) => Some(sign_in),
            None => files.credentials(&address)?.and_then(SignIn::from_files),
        };
        Ok(Some(Self {
            address,
            origin,
            verify_ssl,
            sign_in,
        }))
    }

    /// The same, when a command can do nothing without.
    pub(crate) fn required(env: &Env, files: &ConfigFiles) -> Result<Self, CliError> {
        Self::find(env, files)?.ok_or_else(CliError::not_connected)
    }
}

/// As the Python client reads it: yes, no, or a file.
fn verify_ssl_of(text: &str) -> VerifySsl {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "y" | "t" | "on" => VerifySsl::Check(true),
        "0" | "false" | "no" | "n" | "f" | "off" => VerifySsl::Check(false),
        _ => VerifySsl::Authorities(text.to_owned()),
    }
}

impl SignIn {
    fn from_env(env: &Env) -> Option<Self> {
        let origin = Origin::Variable;
        if let Some(key) = env.get(env::STORE_API_KEY) {
            let credentials = Credentials::api_key(Secret::new(key.trim()));
            let origin = origin(env::STORE_API_KEY);
            return Some(Self {
                kind: Kind::ApiKey,
                origin,
                credentials,
                token: None,
                ends: None,
            });
        }
        if let Some(token) = env.get(env::STORE_API_TOKEN) {
            let token = Secret::new(token.trim());
            return Some(Self {
                kind: Kind::Token,
                origin: origin(env::STORE_API_TOKEN),
                credentials: Credentials::Token(token.clone()),
                ends: Claims::of(&token).ends(),
                token: Some(token),
            });
        }
        let (username, password) = (env.get(env::STORE_USERNAME)?, env.get(env::STORE_PASSWORD)?);
        Some(Self {
            kind: Kind::Password,
            origin: origin(env::STORE_USERNAME),
            credentials: Credentials::password(username.to_owned(), Secret::new(password)),
            token: None,
            ends: None,
        })
    }

    fn from_files(stored: StoredCredentials) -> Option<Self> {
        let (token, ends) = match stored.token {
            Some(token) => {
                let ends = token
                    .expires_at
                    .or_else(|| Claims::of(&token.access_token).ends());
                (Some(token.access_token), ends)
            }
            None => (None, None),
        };
        let (kind, credentials) = match (stored.api_key, stored.password, &token) {
            (Some(key), _, _) => (Kind::ApiKey, Credentials::api_key(key)),
            (None, Some((username, password)), _) => {
                (Kind::Password, Credentials::password(username, password))
            }
            (None, None, Some(token)) => (Kind::Token, Credentials::Token(token.clone())),
            (None, None, None) => return None,
        };
        Some(Self {
            kind,
            origin: Origin::Files,
            credentials,
            token,
            ends,
        })
    }

    /// Whether the token at hand has ended.
    pub(crate) fn has_ended(&self, now: Timestamp) -> bool {
        self.ends.is_some_and(|ends| ends <= now)
    }

    /// What the client gets: with the token at hand, unless it has ended.
    pub(crate) fn credentials_at(&self, now: Timestamp) -> Credentials {
        let token = self.token.clone().filter(|_| !self.has_ended(now));
        self.credentials.clone().with_token(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config_files::{ServerDetails, StoredServer, StoredToken};
    use crate::error::Exit;

    fn stored() -> (tempfile::TempDir, ConfigFiles) {
        let dir = tempfile::tempdir().unwrap();
        let files = ConfigFiles::new(dir.path().to_owned(), true);
        let server = StoredServer {
            address: "http://a.example.com".parse().unwrap(),
            verify_ssl: VerifySsl::Check(false),
        };
        let token = StoredToken {
            access_token: Secret::new("t1"),
            expires_in: None,
            expires_at: Some(Timestamp::from_secs(100)),
            device_id: None,
        };
        let credentials = StoredCredentials {
            token: Some(token),
            ..StoredCredentials::default()
        };
        files
            .save_connection(&server, &credentials, &ServerDetails::default())
            .unwrap();
        (dir, files)
    }

    fn find(env: &[(&str, &str)], files: &ConfigFiles) -> Connection {
        Connection::find(&Env::of(env), files).unwrap().unwrap()
    }

    #[test]
    fn what_is_stored_is_used() {
        let (_dir, files) = stored();
        let connection = find(&[], &files);
        assert_eq!(
            (connection.address.as_str(), connection.origin),
            ("http://a.example.com", Origin::Files)
        );
        assert_eq!(connection.verify_ssl, VerifySsl::Check(false));
        let sign_in = connection.sign_in.unwrap();
        assert_eq!((sign_in.kind, sign_in.origin), (Kind::Token, Origin::Files));
        assert!(!sign_in.has_ended(Timestamp::from_secs(99)) && sign_in.has_ended(Timestamp::from_secs(100)));
    }

    #[test]
    fn variables_come_first() {
        let (_dir, files) = stored();
        let connection = find(
            &[
                ("ZENML_STORE_URL", "https://b.example.com/"),
                ("ZENML_STORE_API_KEY", " k "),
            ],
            &files,
        );
        assert_eq!(connection.address.as_str(), "https://b.example.com");
        assert_eq!(
            connection.verify_ssl,
            VerifySsl::Check(true),
            "what was said of another server"
        );
        assert_eq!(
            connection.sign_in.unwrap().origin,
            Origin::Variable("ZENML_STORE_API_KEY")
        );
        let connection = find(&[("ZENML_STORE_API_KEY", "k")], &files);
        assert_eq!(
            (connection.address.as_str(), connection.origin),
            ("http://a.example.com", Origin::Files)
        );
        let connection = find(&[("ZENML_STORE_URL", "http://A.example.com:80")], &files);
        assert_eq!(
            connection.sign_in.unwrap().kind,
            Kind::Token,
            "the same server, written otherwise"
        );
        let connection = find(&[("ZENML_STORE_VERIFY_SSL", "/ca.pem")], &files);
        assert_eq!(
            connection.verify_ssl,
            VerifySsl::Authorities("/ca.pem".to_owned())
        );
        let connection = find(
            &[("ZENML_STORE_USERNAME", "ann"), ("ZENML_STORE_PASSWORD", "x")],
            &files,
        );
        assert_eq!(connection.sign_in.unwrap().kind, Kind::Password);
    }

    #[test]
    fn without_either_there_is_no_connection() {
        let dir = tempfile::tempdir().unwrap();
        let files = ConfigFiles::new(dir.path().to_owned(), true);
        assert!(Connection::find(&Env::default(), &files).unwrap().is_none());
        let error = Connection::required(&Env::default(), &files).unwrap_err();
        assert_eq!(error.exit, Exit::NotSignedIn);
        let connection = find(&[("ZENML_STORE_URL", "http://b")], &files);
        assert!(connection.sign_in.is_none());
        assert!(Connection::find(&Env::of(&[("ZENML_STORE_URL", "nonsense")]), &files).is_err());
    }
}
