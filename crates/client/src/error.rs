//! What can go wrong, and what to do then.

use std::time::Duration;

use uuid::Uuid;
use zenml_auth_api::login::OAuthErrorBody;
use zenml_auth_api::{ErrorClass, ErrorCode};

use crate::address::ServerAddressError;
use crate::tls::TrustError;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server's address can't be used.
    #[error(transparent)]
    Address(#[from] ServerAddressError),
    /// The certificates to trust can't be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The client could not be set up.
    #[error("the HTTP client can't be set up: {0}")]
    Setup(String),
    /// No connection came about.
    #[error("{server} can't be reached: {reason}")]
    Unreachable {
        /// Where.
        server: String,
        /// Why not.
        reason: String,
    },
    /// No answer came in time.
    #[error("{server} did not answer in time")]
    Timeout {
        /// Where.
        server: String,
    },
    /// The connection ended before the answer did. Whether the request was carried out is not known.
    #[error("the connection to {server} broke: {reason}")]
    Interrupted {
        /// Where.
        server: String,
        /// Why.
        reason: String,
    },
    /// The server's certificate was not accepted.
    #[error("the certificate of {server} is not accepted: {fault}")]
    Certificate {
        /// Where.
        server: String,
        /// Why not.
        fault: CertificateFault,
    },
    /// The server sends clients elsewhere, which is not followed: credentials go only where they are meant to.
    #[error("{server} redirects to {to}")]
    Redirected {
        /// Where.
        server: String,
        /// Where to.
        to: String,
    },
    /// Whatever answered is no ZenML server.
    #[error("{server} is not a ZenML server ({reason})")]
    NotAZenmlServer {
        /// Where.
        server: String,
        /// What shows it.
        reason: String,
    },
    /// The server's answer is not what it should be.
    #[error("{server} gave an answer that can't be read: {reason}")]
    BadResponse {
        /// Where.
        server: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The request needs credentials, and the client has none.
    #[error("{server} asks to sign in")]
    NoCredentials {
        /// Where.
        server: String,
    },
    /// The server refused the request.
    #[error("{message}")]
    Api {
        /// The status.
        status: u16,
        /// The class of the error, if it says one.
        class: Option<ErrorClass>,
        /// What went wrong, for programs, if it is a server of ours that says so.
        code: Option<ErrorCode>,
        /// What the server says. It may hold anything: clean it before showing it on a terminal.
        message: String,
        /// Under which id the server logged the request, if it says so.
        request_id: Option<String>,
        /// How long to wait, if the server says so.
        retry_after: Option<Duration>,
        /// Whether it takes a person who has signed in a short while ago (RFC 9470).
        needs_recent_sign_in: bool,
    },
    /// The device flow failed or has not succeeded yet.
    #[error("{}", .0.error_description.as_deref().unwrap_or_else(|| .0.error.as_str()))]
    OAuth(OAuthErrorBody),
    /// Nothing has this name or id.
    #[error("there is no {kind} {text:?}")]
    NoSuch {
        /// What was looked for.
        kind: &'static str,
        /// What it should be called.
        text: String,
    },
    /// Several have an id that begins so.
    #[error("several {kind}s have an id that begins with {text:?}")]
    Ambiguous {
        /// What was looked for.
        kind: &'static str,
        /// The beginning.
        text: String,
        /// Some of them.
        matches: Vec<Uuid>,
    },
}

/// Why a server's certificate is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateFault {
    /// No authority that is trusted has signed it.
    #[error("it is not signed by an authority that this machine trusts")]
    UnknownIssuer,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// Its time has not come.
    #[error("it is not valid yet")]
    NotValidYet,
    /// It is for other names.
    #[error("it is for another name than the one in the address")]
    OtherName,
    /// The authority that signed it has revoked it.
    #[error("it was revoked")]
    Revoked,
    /// Anything else, in the words of the TLS library.
    #[error("{0}")]
    Other(String),
}

impl CertificateFault {
    const fn hint(&self) -> &'static str {
        match self {
            Self::UnknownIssuer | Self::Other(_) => {
                "If your organisation signs its own certificates, name the file of its authority with --ca-file."
            }
            Self::Expired | Self::Revoked => "The server needs a new certificate: tell its operator.",
            Self::NotValidYet => "Check this machine's clock.",
            Self::OtherName => "Use the address that the certificate is for, or have the name added to it.",
        }
    }
}

impl From<&rustls::CertificateError> for CertificateFault {
    fn from(error: &rustls::CertificateError) -> Self {
        use rustls::CertificateError as Error;
        match error {
            Error::UnknownIssuer => Self::UnknownIssuer,
            Error::Expired | Error::ExpiredContext { .. } => Self::Expired,
            Error::NotValidYet | Error::NotValidYetContext { .. } => Self::NotValidYet,
            Error::NotValidForName | Error::NotValidForNameContext { .. } => Self::OtherName,
            Error::Revoked => Self::Revoked,
            // A server's certificate that signed itself.
            Error::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => Self::UnknownIssuer,
            other => Self::Other(other.to_string()),
        }
    }
}

impl ClientError {
    /// What to do about it, in one sentence; `None` when the error says it all.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Address(ServerAddressError::NoScheme { .. }) => {
                Some("Write the whole address, such as http://127.0.0.1:8237 or https://zenml.example.com.")
            }
            Self::Address(ServerAddressError::NotAUrl { .. }) => {
                Some("Write an address such as https://zenml.example.com.")
            }
            Self::Address(ServerAddressError::HoldsCredentials) => {
                Some("Leave them out: sign in through the browser or with an API key.")
            }
            Self::Trust(_) => Some("Give a file of certificates in PEM form (-----BEGIN CERTIFICATE-----)."),
            Self::Setup(_) | Self::OAuth(_) => None,
            Self::Unreachable { .. } => {
                Some("Check the address, that the server runs, and HTTPS_PROXY if there is a proxy.")
            }
            Self::Interrupted { server, .. } if server.starts_with("http://") => Some(
                "Try again; if it keeps failing, check the server: if it speaks TLS, its address begins with https://.",
            ),
            Self::Timeout { .. } | Self::Interrupted { .. } => {
                Some("Try again; if it keeps failing, check the network and the server.")
            }
            Self::Certificate { fault, .. } => Some(fault.hint()),
            Self::Redirected { .. } => Some("Use the address it redirects to."),
            Self::NotAZenmlServer { .. } => {
                Some("Check the address; it has to be the server's own, without a page's path.")
            }
            Self::BadResponse { .. } => {
                Some("The server may be of a release that this client does not know.")
            }
            Self::NoCredentials { .. } => Some("Sign in first."),
            Self::Api { .. } if self.is_unauthenticated() => Some("Sign in again."),
            Self::Api { status: 407, .. } => {
                Some("Put them into HTTPS_PROXY, as in http://user:password@proxy.example.com:3128.")
            }
            // The server has said what to do.
            Self::Api {
                needs_recent_sign_in: true,
                ..
            } => None,
            Self::Api { status: 403, .. } => Some("If you need this, ask an administrator of the server."),
            Self::Api {
                class: Some(ErrorClass::EntityExistsError),
                ..
            } => Some("Choose another name, or change the one that has it."),
            Self::Api { status: 429, .. } => Some("Wait a while, then try again."),
            Self::Api { status: 500.., .. } => {
                Some("Try again; if it keeps failing, tell the operator of the server.")
            }
            Self::Api { .. } => None,
            Self::NoSuch { .. } => Some("Names are compared as a whole; ids may be cut short."),
            Self::Ambiguous { .. } => Some("Give more of the id."),
        }
    }

    /// Whether the server does not, or no longer, accept the credentials.
    #[must_use]
    pub const fn is_unauthenticated(&self) -> bool {
        matches!(self, Self::NoCredentials { .. } | Self::Api { status: 401, .. })
    }

    /// The code, if it is a server of ours that refused the request.
    #[must_use]
    pub const fn code(&self) -> Option<&ErrorCode> {
        match self {
            Self::Api { code, .. } => code.as_ref(),
            _ => None,
        }
    }

    /// Whether there is no such thing, or none for the one who asks.
    #[must_use]
    pub const fn is_not_found(&self) -> bool {
        matches!(self, Self::NoSuch { .. } | Self::Api { status: 404, .. })
    }

    /// Whether the one who asks may not do this.
    #[must_use]
    pub const fn is_forbidden(&self) -> bool {
        matches!(self, Self::Api { status: 403, .. })
    }

    /// Whether the one who asks may do this after signing in with a factor of their own again (RFC 9470), and not with the
    /// credential that was shown.
    #[must_use]
    pub const fn needs_recent_sign_in(&self) -> bool {
        matches!(
            self,
            Self::Api {
                needs_recent_sign_in: true,
                ..
            }
        )
    }

    /// Whether the name is taken.
    #[must_use]
    pub const fn is_conflict(&self) -> bool {
        matches!(self, Self::Api { status: 409, .. })
    }

    /// Whether the server could not be talked to at all.
    #[must_use]
    pub const fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Timeout { .. }
                | Self::Interrupted { .. }
                | Self::Certificate { .. }
        )
    }

    /// Whether the same request may well succeed a little later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Timeout { .. }
                | Self::Interrupted { .. }
                | Self::Api {
                    status: 429 | 500 | 502 | 503 | 504,
                    ..
                }
        )
    }
}
