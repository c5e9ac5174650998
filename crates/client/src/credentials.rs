//! What a client signs in with.

use zenml_auth_api::SecretText;
use zenml_auth_api::login::{LoginRequest, TokenResponse};
use zenml_auth_model::Secret;

/// What a client signs in with.
#[derive(Debug, Clone, Default)]
pub enum Credentials {
    /// Nothing: for what everyone may ask.
    #[default]
    None,
    /// An access token, sent as it is. When it is no longer good, nothing can be done about it.
    Token(Secret),
    /// Something that is exchanged for an access token when one is needed, and again when the token is no longer good.
    Exchanged {
        /// What is exchanged: an API key, or a user name and a password.
        login: LoginRequest,
        /// A token from an earlier exchange.
        token: Option<Secret>,
    },
}

impl Credentials {
    /// An API key.
    #[must_use]
    pub const fn api_key(key: Secret) -> Self {
        Self::Exchanged {
            login: LoginRequest::ApiKey { key },
            token: None,
        }
    }

    /// A user name and a password.
    #[must_use]
    pub const fn password(username: String, password: Secret) -> Self {
        Self::Exchanged {
            login: LoginRequest::Password { username, password },
            token: None,
        }
    }

    /// The same with a token from an earlier exchange, which saves one.
    #[must_use]
    pub fn with_token(self, token: Option<Secret>) -> Self {
        match self {
            Self::Exchanged { login, .. } => Self::Exchanged { login, token },
            other => other,
        }
    }

    /// What can be exchanged for a new token, if anything.
    pub(crate) const fn login(&self) -> Option<&LoginRequest> {
        match self {
            Self::Exchanged { login, .. } => Some(login),
            Self::None | Self::Token(_) => None,
        }
    }

    /// The token at hand, if any.
    pub(crate) fn token(&self) -> Option<Secret> {
        match self {
            Self::None => None,
            Self::Token(token) => Some(token.clone()),
            Self::Exchanged { token, .. } => token.clone(),
        }
    }
}

/// An access token that was issued to the client while it ran; worth keeping for the next time.
#[derive(Debug, Clone)]
pub struct IssuedToken {
    /// The token.
    pub access_token: SecretText,
    /// How long it was good when it was issued, in seconds; `None` when it never ends by itself.
    pub expires_in: Option<u64>,
}

impl From<&TokenResponse> for IssuedToken {
    fn from(response: &TokenResponse) -> Self {
        Self {
            access_token: response.access_token.clone(),
            expires_in: response.expires_in,
        }
    }
}
