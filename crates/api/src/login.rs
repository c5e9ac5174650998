//! `POST /api/v1/login`: exchanges a credential for an access token; `GET /api/v1/logout` ends it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;
use zenml_auth_model::{ClientId, Secret};
use zeroize::Zeroizing;

use crate::{ErrorBody, ErrorCode, SecretText};

/// The grants of the login endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GrantType {
    /// A user name and a password (RFC 6749 §4.3).
    Password,
    /// An API key.
    ApiKey,
    /// A device code (RFC 8628 §3.4).
    DeviceCode,
    /// The cookie of another service; only ZenML Pro knows it.
    External,
}

impl GrantType {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::ApiKey => "zenml-api-key",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::External => "zenml-external",
        }
    }

    /// The grant that is called so on the wire.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Password, Self::ApiKey, Self::DeviceCode, Self::External]
            .into_iter()
            .find(|it| it.as_str() == name)
    }
}

/// A login, read from its form.
#[derive(Debug, Clone)]
pub enum LoginRequest {
    /// With a user name and a password.
    Password {
        /// The user's name.
        username: String,
        /// The password; may be empty.
        password: Secret,
    },
    /// With an API key.
    ApiKey {
        /// The key as its owner has it, `ZENKEY_…`.
        key: Secret,
    },
    /// With a device code.
    DeviceCode {
        /// The client installation.
        client_id: ClientId,
        /// The code.
        device_code: Secret,
    },
}

/// Why a form is no login. Answered with status 400 and `{"detail": message}`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginFormError {
    /// Another grant type.
    #[error("Unsupported grant type: {0}")]
    UnsupportedGrant(String),
    /// A password without a user name, or nothing at all.
    #[error("Invalid request: a user name is required.")]
    MissingUsername,
    /// The API key grant without a key.
    #[error("Invalid request: an API key is required.")]
    MissingApiKey,
    /// The device grant without a device code or without a client id.
    #[error("Invalid request: a device code and a client ID are required.")]
    MissingDeviceCode,
    /// A client id that is none.
    #[error("Invalid request: the client ID is not a UUID.")]
    InvalidClientId,
    /// A parameter that came twice (RFC 6749 §3.2 forbids it).
    #[error("Invalid request: `{0}` was given more than once.")]
    Repeated(&'static str),
}

impl LoginFormError {
    /// The body of the answer; the status is 400.
    #[must_use]
    pub fn to_body(&self) -> ErrorBody {
        ErrorBody::coded(ErrorCode::LoginFormInvalid, self.to_string())
    }
}

#[derive(Default)]
struct Form {
    grant_type: Option<String>,
    username: Option<String>,
    password: Option<Secret>,
    client_id: Option<String>,
    device_code: Option<Secret>,
}

fn once<T>(slot: &mut Option<T>, name: &'static str, value: T) -> Result<(), LoginFormError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(LoginFormError::Repeated(name)),
    }
}

impl Form {
    fn parse(body: &[u8]) -> Result<Self, LoginFormError> {
        let mut form = Self::default();
        // Field by field, so that many fields take no more memory than one. Any text can be read so.
        for (name, value) in form_urlencoded::parse(body) {
            let value = value.into_owned();
            match &*name {
                "grant_type" => once(&mut form.grant_type, "grant_type", value)?,
                "username" => once(&mut form.username, "username", value)?,
                "password" => once(&mut form.password, "password", Secret::new(value))?,
                "client_id" => once(&mut form.client_id, "client_id", value)?,
                "device_code" => once(&mut form.device_code, "device_code", Secret::new(value))?,
                _ => {}
            }
        }
        // RFC 6749 §3.2: a parameter without a value counts as left out.
        form.password = form.password.filter(|password| !password.expose().is_empty());
        form.device_code = form.device_code.filter(|code| !code.expose().is_empty());
        Ok(form)
    }

    /// What is meant when no grant type is given, as ZenML's server sees it.
    fn detected_grant(&self) -> GrantType {
        let is_key = self
            .password
            .as_ref()
            .is_some_and(|it| it.expose().starts_with(crate::key::PREFIX));
        match &self.username {
            Some(name) if !name.is_empty() || !is_key => GrantType::Password,
            _ if self.password.is_some() => GrantType::ApiKey,
            _ if self.device_code.is_some() => GrantType::DeviceCode,
            _ => GrantType::Password,
        }
    }
}

impl LoginRequest {
    /// Reads the form (`application/x-www-form-urlencoded`), detecting the grant when none is named.
    ///
    /// # Errors
    /// [`LoginFormError`] when it is no login.
    pub fn from_form(body: &[u8]) -> Result<Self, LoginFormError> {
        let form = Form::parse(body)?;
        let grant = match form.grant_type.as_deref() {
            None | Some("") => form.detected_grant(),
            Some(name) => {
                GrantType::parse(name).ok_or_else(|| LoginFormError::UnsupportedGrant(shortened(name)))?
            }
        };
        match grant {
            GrantType::Password => match form.username {
                Some(username) if !username.is_empty() => Ok(Self::Password {
                    username,
                    password: form.password.unwrap_or_else(|| Secret::new("")),
                }),
                _ => Err(LoginFormError::MissingUsername),
            },
            GrantType::ApiKey => form
                .password
                .map(|key| Self::ApiKey { key })
                .ok_or(LoginFormError::MissingApiKey),
            GrantType::DeviceCode => match (form.client_id.filter(|id| !id.is_empty()), form.device_code) {
                (Some(client_id), Some(device_code)) => Ok(Self::DeviceCode {
                    client_id: client_id.parse().map_err(|_| LoginFormError::InvalidClientId)?,
                    device_code,
                }),
                _ => Err(LoginFormError::MissingDeviceCode),
            },
            GrantType::External => Err(LoginFormError::UnsupportedGrant(grant.as_str().to_owned())),
        }
    }

    /// The grant.
    #[must_use]
    pub const fn grant_type(&self) -> GrantType {
        match self {
            Self::Password { .. } => GrantType::Password,
            Self::ApiKey { .. } => GrantType::ApiKey,
            Self::DeviceCode { .. } => GrantType::DeviceCode,
        }
    }

    /// The form, with the grant named.
    #[must_use]
    pub fn to_form(&self) -> Zeroizing<String> {
        let client;
        let grant = ("grant_type", self.grant_type().as_str());
        let pairs = match self {
            Self::Password { username, password } => {
                vec![
                    grant,
                    ("username", username.as_str()),
                    ("password", password.expose()),
                ]
            }
            Self::ApiKey { key } => vec![grant, ("password", key.expose())],
            Self::DeviceCode {
                client_id,
                device_code,
            } => {
                client = client_id.to_string();
                vec![
                    grant,
                    ("client_id", client.as_str()),
                    ("device_code", device_code.expose()),
                ]
            }
        };
        // Pairs of texts can always be written as a form.
        Zeroizing::new(serde_urlencoded::to_string(pairs).unwrap_or_default())
    }
}

/// Enough of a foreign text to recognise it by.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

/// The answer of a login that succeeded (RFC 6749 §5.1), with all fields that any release sends.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenResponse {
    /// The access token.
    pub access_token: SecretText,
    /// `bearer`
    pub token_type: String,
    /// How long it lives, in seconds; `null` from servers whose tokens never end.
    #[serde(default)]
    pub expires_in: Option<u64>,
    /// Never given.
    #[serde(default)]
    pub refresh_token: Option<SecretText>,
    /// Only given to browsers.
    #[serde(default)]
    pub csrf_token: Option<SecretText>,
    /// Never given.
    #[serde(default)]
    pub scope: Option<String>,
    /// Only given by releases in between: the name of the cookie that holds the token.
    #[serde(default)]
    pub cookie_name: Option<String>,
    /// Only given by ZenML Pro.
    #[serde(default)]
    pub device_id: Option<Uuid>,
    /// Only given by ZenML Pro.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub device_metadata: Option<serde_json::Value>,
}

impl TokenResponse {
    /// The answer for a token that lives for so many seconds; `None` when it never ends by itself.
    #[must_use]
    pub fn bearer(token: &Secret, expires_in: Option<u64>) -> Self {
        Self {
            access_token: token.into(),
            token_type: "bearer".to_owned(),
            expires_in,
            refresh_token: None,
            csrf_token: None,
            scope: None,
            cookie_name: None,
            device_id: None,
            device_metadata: None,
        }
    }
}

/// The error codes of the device flow (RFC 6749 §5.2, RFC 8628 §3.5).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OAuthErrorCode {
    /// Nobody has decided yet.
    AuthorizationPending,
    /// Nobody has decided yet, and the client asks too often: it has to wait 5 seconds longer from now on.
    SlowDown,
    /// The person said no.
    AccessDenied,
    /// The code is too old.
    ExpiredToken,
    /// The code is not good.
    InvalidGrant,
    /// The client is not known.
    InvalidClient,
    /// The request lacks something.
    InvalidRequest,
    /// The client may not use this grant.
    UnauthorizedClient,
    /// No server knows this grant.
    UnsupportedGrantType,
    /// One that this release does not know.
    Other(String),
}

impl OAuthErrorCode {
    /// The code on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::AccessDenied => "access_denied",
            Self::ExpiredToken => "expired_token",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidClient => "invalid_client",
            Self::InvalidRequest => "invalid_request",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::Other(code) => code,
        }
    }

    /// The error with this code.
    #[must_use]
    pub fn parse(code: &str) -> Self {
        match code {
            "authorization_pending" => Self::AuthorizationPending,
            "slow_down" => Self::SlowDown,
            "access_denied" => Self::AccessDenied,
            "expired_token" => Self::ExpiredToken,
            "invalid_grant" => Self::InvalidGrant,
            "invalid_client" => Self::InvalidClient,
            "invalid_request" => Self::InvalidRequest,
            "unauthorized_client" => Self::UnauthorizedClient,
            "unsupported_grant_type" => Self::UnsupportedGrantType,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for OAuthErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for OAuthErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for OAuthErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|code| Self::parse(&code))
    }
}

/// The answer of a device flow request that failed; the status is 400.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OAuthErrorBody {
    /// The code.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub error: OAuthErrorCode,
    /// What it means here.
    #[serde(default)]
    pub error_description: Option<String>,
    /// Where to read more.
    #[serde(default)]
    pub error_uri: Option<String>,
}

impl OAuthErrorBody {
    /// An error and what it means here.
    #[must_use]
    pub fn new(error: OAuthErrorCode, description: impl Into<String>) -> Self {
        Self {
            error,
            error_description: Some(description.into()),
            error_uri: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: &str) -> Result<LoginRequest, LoginFormError> {
        LoginRequest::from_form(form.as_bytes())
    }

    #[test]
    fn grants_are_detected_as_recorded() {
        assert!(matches!(
            read("username=a&password=b"),
            Ok(LoginRequest::Password { .. })
        ));
        assert!(matches!(read("username=a"), Ok(LoginRequest::Password { .. })));
        assert!(matches!(
            read("password=ZENKEY_x"),
            Ok(LoginRequest::ApiKey { .. })
        ));
        assert!(matches!(
            read("username=&password=ZENKEY_x"),
            Ok(LoginRequest::ApiKey { .. })
        ));
        assert!(matches!(
            read("username=a&password=ZENKEY_x"),
            Ok(LoginRequest::Password { .. })
        ));
        assert!(matches!(
            read("grant_type=zenml-api-key&password=k"),
            Ok(LoginRequest::ApiKey { .. })
        ));
        assert!(matches!(
            read("client_id=77ec22a2-335b-4130-ba6c-1e1c371236a7&device_code=c"),
            Ok(LoginRequest::DeviceCode { .. })
        ));
    }

    #[test]
    fn what_is_no_login_is_refused_as_recorded() {
        let device = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code";
        assert_eq!(
            read("grant_type=foo").unwrap_err().to_string(),
            "Unsupported grant type: foo"
        );
        assert_eq!(read("").unwrap_err(), LoginFormError::MissingUsername);
        assert_eq!(
            read("username=&password=x").unwrap_err(),
            LoginFormError::MissingUsername
        );
        assert_eq!(read(device).unwrap_err(), LoginFormError::MissingDeviceCode);
        assert_eq!(
            read(&format!("{device}&client_id=x&device_code=y")).unwrap_err(),
            LoginFormError::InvalidClientId
        );
        assert_eq!(
            read("grant_type=zenml-api-key").unwrap_err(),
            LoginFormError::MissingApiKey
        );
        assert_eq!(
            read("password=a&password=b").unwrap_err(),
            LoginFormError::Repeated("password")
        );
        assert!(matches!(
            read("grant_type=zenml-external"),
            Err(LoginFormError::UnsupportedGrant(_))
        ));
    }

    #[test]
    fn what_is_written_is_read_again() {
        for form in [
            "grant_type=password&username=a+%26&password=b%3D",
            "grant_type=zenml-api-key&password=ZENKEY_x%3D%3D",
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&client_id=77ec22a2-335b-4130-ba6c-1e1c371236a7&device_code=c",
        ] {
            assert_eq!(read(form).unwrap().to_form().as_str(), form);
        }
    }

    #[test]
    fn a_login_prints_no_secret() {
        let printed = format!("{:?}", read("username=ann&password=hunter2").unwrap());
        assert!(!printed.contains("hunter2"), "{printed}");
    }
}
