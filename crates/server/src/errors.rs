//! How each refusal looks on the wire: a code, from which status and class follow, and a message that says what to do.
//!
//! Every error type of core is taken apart in one `match` without a wildcard, so that a new way to fail has to be
//! given a face here before it compiles.

use std::time::Duration;

use crate::outages::{Line, Outages};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use zenml_auth_api::login::{LoginFormError, OAuthErrorBody, OAuthErrorCode};
use zenml_auth_api::{ErrorBody, ErrorCode, ValidationErrors};
use zenml_auth_core::caller::{NotAllowed, NotWithThis};
use zenml_auth_core::password::HashingError;
use zenml_auth_core::ports::{Clock as _, StoreError, SystemClock};
use zenml_auth_core::rules::recent_authentication::Refusal;
use zenml_auth_core::rules::{api_key, device};
use zenml_auth_core::services::{
    ActivateUserError, ApiKeySignInError, ApiTokenError, AuthenticateError, ChangeApiKeyError,
    ChangePasswordError, ChangeServiceAccountError, ChangeUserError, ConfirmError, CreateApiKeyError,
    CreateServiceAccountError, CreateUserError, DeactivateUserError, DeleteUserError,
    DeviceAuthorizationError, FindApiKeyError, FindDeviceError, FindServiceAccountError, FindUserError,
    Internal, ListAuditError, PasswordSignInError, PollError, RotateApiKeyError,
};
use zenml_auth_core::strength::WeakPassword;
use zenml_auth_core::throttle::TooMany;
use zenml_auth_core::token::TokenError;
use zenml_auth_model::{DeviceId, Name};

/// A request that failed. Boxed, as most requests do not.
#[derive(Debug)]
pub struct ApiError(Box<Failure>);

#[derive(Debug)]
struct Failure {
    status: StatusCode,
    /// To which the request's id is added on the way out.
    body: ErrorBody,
    retry_after: Option<Duration>,
    challenge: Option<&'static str>,
    /// What happened, for the log only.
    internal: Option<String>,
    /// Whether it happens to every request at the moment, so that one line a second says enough.
    outage: Option<&'static str>,
}

/// The outages that were logged of late.
static OUTAGES: Outages = Outages::new();

/// A body that still lacks the request's id.
#[derive(Debug, Clone)]
pub struct Unfinished(pub ErrorBody);

impl ApiError {
    /// A failure with this code, and what goes with it: status and class.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::with_body(status, ErrorBody::coded(code, message))
    }

    fn with_body(status: StatusCode, body: ErrorBody) -> Self {
        Self(Box::new(Failure {
            status,
            body,
            retry_after: None,
            challenge: None,
            internal: None,
            outage: None,
        }))
    }

    fn after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    fn challenging(mut self, challenge: &'static str) -> Self {
        self.0.challenge = Some(challenge);
        self
    }

    fn logging(mut self, internal: String) -> Self {
        self.0.internal = Some(internal);
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// 404, with the quotes that the recordings show around the message of a `KeyError`.
    pub fn not_found(message: impl std::fmt::Display) -> Self {
        Self::new(ErrorCode::NotFound, format!("\"{message}\""))
    }

    /// 404 for a path that nobody serves.
    #[must_use]
    pub fn no_such_path() -> Self {
        Self::new(ErrorCode::NoSuchPath, "Not Found")
    }

    /// 403: the caller may do this, but not with this credential. The challenge is that of RFC 9470 §3, so that programs need
    /// not read the message; the status is the one that ZenML's clients do not answer by signing in again unasked.
    #[must_use]
    pub fn sign_in_again(error: NotWithThis, page: &str) -> Self {
        let NotWithThis { action, refusal } = error;
        let cause = match refusal {
            Refusal::TooLongAgo => format!("You signed in too long ago to {action}."),
            Refusal::Connection => format!("The connection of a device is not enough to {action}."),
            Refusal::Key => format!("An API key is not enough to {action}."),
            Refusal::Made => format!("A token that was made for use by hand is not enough to {action}."),
        };
        Self::new(
            ErrorCode::RecentSignInRequired,
            format!("{cause} Sign in with your password: in the browser at {page}, or with zenml connect --username."),
        )
        .challenging("Bearer error=\"insufficient_user_authentication\"")
    }

    fn name_taken(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::NameTaken, message)
    }

    /// 401 without any credentials.
    #[must_use]
    pub fn not_authenticated() -> Self {
        Self::new(ErrorCode::NotAuthenticated, "Not authenticated").challenging("Bearer")
    }

    /// 401 with credentials that are not good, or no longer: the Python client signs in again.
    #[must_use]
    pub fn credentials(code: ErrorCode, message: impl std::fmt::Display) -> Self {
        Self::new(code, format!("Authentication error: {message}"))
            .challenging("Bearer error=\"invalid_token\"")
    }

    /// 401 for a text that is not an API key.
    #[must_use]
    pub fn api_key_malformed(problem: impl std::fmt::Display) -> Self {
        let message = format_args!("error decoding API key: {problem}").to_string();
        Self::credentials(ErrorCode::ApiKeyMalformed, message)
    }

    fn unavailable(code: ErrorCode, message: &'static str, internal: String) -> Self {
        let mut error = Self::new(code, message)
            .after(Duration::from_secs(5))
            .logging(internal);
        error.0.outage = Some(message);
        error
    }

    /// 503: the request took too long.
    #[must_use]
    pub fn too_slow() -> Self {
        Self::unavailable(
            ErrorCode::RequestTimeout,
            "The request took too long. Try again in a few seconds.",
            "a request took too long".to_owned(),
        )
    }

    /// 503, whatever the database's trouble is: requests should go to another server, or wait.
    #[must_use]
    pub fn not_ready(error: &StoreError) -> Self {
        Self::unavailable(
            ErrorCode::DatabaseUnavailable,
            "The server's database does not answer, or takes no changes, at the moment. The server's log says why.",
            error.to_string(),
        )
    }

    /// 503: others use up what there is for requests that are under way.
    #[must_use]
    pub fn busy() -> Self {
        Self::unavailable(
            ErrorCode::ServerBusy,
            "The server is busy with other requests. Try again in a second.",
            "the memory for bodies of requests is used up".to_owned(),
        )
        .after(Duration::from_secs(1))
    }

    /// 503: the server is about to stop, and load balancers have to use another one.
    #[must_use]
    pub fn stopping() -> Self {
        let message = "This server is about to stop. Use another one, or try again in a few seconds.";
        Self::new(ErrorCode::ServerStopping, message).after(Duration::from_secs(5))
    }

    /// 500: all there is to know is in the log, under the request's id.
    #[must_use]
    pub fn internal(internal: String) -> Self {
        let message = "The server failed. Its log says why, under the id of this request.";
        Self::new(ErrorCode::InternalError, message).logging(internal)
    }

    fn oauth(code: OAuthErrorCode, description: impl std::fmt::Display) -> Self {
        let body = OAuthErrorBody::new(code, format!("Authentication error: {description}."));
        Self::with_body(StatusCode::BAD_REQUEST, ErrorBody::OAuth(body))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let failure = *self.0;
        if let Some(internal) = &failure.internal {
            let status = failure.status.as_u16();
            match failure.outage.map(|kind| OUTAGES.log(kind, SystemClock.now())) {
                None | Some(Line::Write { left_out: 0 }) => {
                    tracing::error!(error = %internal, status, "a request failed");
                }
                Some(Line::Write { left_out }) => {
                    tracing::error!(error = %internal, status, left_out, "a request failed, as others did");
                }
                Some(Line::LeaveOut) => {}
            }
        }
        let mut response = failure.status.into_response();
        if let Some(wait) = failure.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, retry_after(wait));
        }
        if let Some(challenge) = failure.challenge {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response.extensions_mut().insert(Unfinished(failure.body));
        response
    }
}

/// The value of `Retry-After` (RFC 9110 §10.2.3): whole seconds, so that nobody comes too early.
pub fn retry_after(wait: Duration) -> HeaderValue {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    HeaderValue::from(seconds.max(1))
}

impl From<ValidationErrors> for ApiError {
    fn from(errors: ValidationErrors) -> Self {
        Self::with_body(StatusCode::UNPROCESSABLE_ENTITY, errors.to_body())
    }
}

impl From<LoginFormError> for ApiError {
    fn from(error: LoginFormError) -> Self {
        Self::with_body(StatusCode::BAD_REQUEST, error.to_body())
    }
}

impl From<TooMany> for ApiError {
    fn from(error: TooMany) -> Self {
        Self::new(ErrorCode::RateLimited, format!("There were {error}.")).after(error.retry_after)
    }
}

impl From<NotAllowed> for ApiError {
    fn from(error: NotAllowed) -> Self {
        Self::new(
            ErrorCode::AdministratorRequired,
            format!("Only administrators can {}.", error.action),
        )
    }
}

impl From<NotWithThis> for ApiError {
    fn from(error: NotWithThis) -> Self {
        Self::sign_in_again(error, "/devices")
    }
}

impl From<WeakPassword> for ApiError {
    fn from(error: WeakPassword) -> Self {
        ValidationErrors::body_field("password", error).into()
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        match error {
            StoreError::Unavailable(_) => Self::unavailable(
                ErrorCode::DatabaseUnavailable,
                "The server's database does not answer at the moment. Try again in a few seconds.",
                text,
            ),
            StoreError::ReadOnly(_) => Self::unavailable(
                ErrorCode::DatabaseReadOnly,
                "The server's database takes no changes at the moment. Tell the server's operator.",
                text,
            ),
            StoreError::Full(_) => Self::unavailable(
                ErrorCode::DiskFull,
                "The disk of the server's database is full, so the change was refused. Ask the operator to make room, then try again.",
                text,
            ),
            StoreError::Corrupt(_) | StoreError::Other(_) => Self::internal(text),
        }
    }
}

impl From<Internal> for ApiError {
    fn from(error: Internal) -> Self {
        match error {
            Internal::Store(error) => error.into(),
            Internal::Contended => Self::unavailable(
                ErrorCode::Contended,
                "Too many others change the same thing at the moment. Try again in a few seconds.",
                error.to_string(),
            ),
            Internal::Hashing(HashingError::Overloaded) => Self::unavailable(
                ErrorCode::SignInBusy,
                "Too many people sign in at the moment. Try again in a few seconds.",
                error.to_string(),
            ),
            Internal::Sealing(_) | Internal::Token(TokenError::Sealed(_)) => Self::unavailable(
                ErrorCode::EncryptionKeyMissing,
                "This server lacks an encryption key that it needs. Tell its operator.",
                error.to_string(),
            ),
            Internal::Hashing(HashingError::Broken) | Internal::Token(_) | Internal::Refused(_) => {
                Self::internal(error.to_string())
            }
        }
    }
}

/// 422: the name is kept for the audit trail.
fn name_reserved(name: &Name) -> ApiError {
    let problem = format_args!("{name:?} is reserved; choose another name").to_string();
    ValidationErrors::body_field("name", problem).into()
}

fn refused_device(id: DeviceId, refusal: device::Refusal) -> ApiError {
    let (code, message) = match refusal {
        device::Refusal::Locked => (
            ErrorCode::DeviceLocked,
            format!(
                "the device {id} is locked. Unlock it from another device, or after signing in with a password, to use it again"
            ),
        ),
        device::Refusal::Expired => (
            ErrorCode::DeviceExpired,
            format!("the connection of the device {id} has expired. Connect it again"),
        ),
        device::Refusal::Superseded => (
            ErrorCode::DeviceSuperseded,
            format!("the device {id} has signed out or connected again since. Connect it again"),
        ),
    };
    ApiError::credentials(code, message)
}

fn refused_key(key: &Name, account: &Name, refusal: api_key::Refusal) -> ApiError {
    let of = format!("the API key {key} of the service account {account}");
    let (code, message) = match refusal {
        api_key::Refusal::WrongValue => return invalid_key(),
        api_key::Refusal::Inactive => (ErrorCode::ApiKeyInactive, format!("{of} is not active")),
        api_key::Refusal::Expired => (ErrorCode::ApiKeyExpired, format!("{of} has expired")),
        api_key::Refusal::RotatedAway => (
            ErrorCode::ApiKeyRotated,
            format!("{of} was rotated; use its new value"),
        ),
        api_key::Refusal::GenerationEnded => (
            ErrorCode::ApiKeyRotated,
            format!("{of} was rotated since this token was made"),
        ),
    };
    ApiError::credentials(code, message)
}

fn invalid_key() -> ApiError {
    let message = "the API key is not valid: it was mistyped, rotated or deleted";
    ApiError::credentials(ErrorCode::ApiKeyInvalid, message)
}

impl From<AuthenticateError> for ApiError {
    fn from(error: AuthenticateError) -> Self {
        let (code, message) = match error {
            AuthenticateError::Token(TokenError::Expired) => (
                ErrorCode::TokenExpired,
                "the access token has expired. Sign in again".to_owned(),
            ),
            AuthenticateError::Token(TokenError::Invalid | TokenError::UnknownKey) => (
                ErrorCode::TokenInvalid,
                "error decoding access token: it is not a valid token of this server".to_owned(),
            ),
            AuthenticateError::Token(TokenError::Sealed(problem)) => return Internal::from(problem).into(),
            AuthenticateError::Token(TokenError::Signing(reason)) => return Self::internal(reason),
            AuthenticateError::DeviceGone(id) => (
                ErrorCode::DeviceDeleted,
                format!("the device {id} was deleted. Connect it again"),
            ),
            AuthenticateError::Device { id, refusal } => return refused_device(id, refusal),
            AuthenticateError::ApiKeyUnknown => return invalid_key(),
            AuthenticateError::ApiKeyGone(id) => {
                (ErrorCode::ApiKeyDeleted, format!("the API key {id} was deleted"))
            }
            AuthenticateError::ApiKey {
                key,
                account,
                refusal,
            } => return refused_key(&key, &account, refusal),
            AuthenticateError::SessionEnded(_) | AuthenticateError::CookieUnknown => (
                ErrorCode::SessionEnded,
                "this sign-in has ended. Sign in again".to_owned(),
            ),
            AuthenticateError::AccountInactive(name) => (
                ErrorCode::AccountInactive,
                format!("the account {name} is not active"),
            ),
            AuthenticateError::AccountGone => {
                (ErrorCode::AccountDeleted, "the account was deleted".to_owned())
            }
            AuthenticateError::CredentialsChanged(name) => (
                ErrorCode::CredentialsChanged,
                format!(
                    "the password of {name} was changed, or the account deactivated, since this token was made. \
                     Sign in again"
                ),
            ),
            AuthenticateError::Internal(error) => return error.into(),
        };
        Self::credentials(code, message)
    }
}

impl From<PasswordSignInError> for ApiError {
    fn from(error: PasswordSignInError) -> Self {
        match error {
            PasswordSignInError::Invalid => {
                Self::credentials(ErrorCode::InvalidCredentials, "invalid username or password")
            }
            PasswordSignInError::Inactive(name) => Self::credentials(
                ErrorCode::AccountInactive,
                format_args!("the user {name} is not active"),
            ),
            PasswordSignInError::TooMany(error) => error.into(),
            PasswordSignInError::Internal(error) => error.into(),
        }
    }
}

impl From<ApiKeySignInError> for ApiError {
    fn from(error: ApiKeySignInError) -> Self {
        match error {
            ApiKeySignInError::TooMany(error) => error.into(),
            ApiKeySignInError::Refused(error) => error.into(),
        }
    }
}

impl From<PollError> for ApiError {
    fn from(error: PollError) -> Self {
        let description = error.to_string();
        let code = match error {
            PollError::Pending => OAuthErrorCode::AuthorizationPending,
            PollError::SlowDown { .. } => OAuthErrorCode::SlowDown,
            PollError::Denied => OAuthErrorCode::AccessDenied,
            PollError::Expired | PollError::Spent => OAuthErrorCode::ExpiredToken,
            PollError::TooMany(error) => return error.into(),
            PollError::InvalidGrant => OAuthErrorCode::InvalidGrant,
            PollError::InvalidClient => OAuthErrorCode::InvalidClient,
            PollError::Internal(error) => return error.into(),
        };
        Self::oauth(code, description)
    }
}

impl From<DeviceAuthorizationError> for ApiError {
    fn from(error: DeviceAuthorizationError) -> Self {
        match error {
            DeviceAuthorizationError::TooMany(error) => error.into(),
            DeviceAuthorizationError::Internal(error) => error.into(),
        }
    }
}

impl From<ConfirmError> for ApiError {
    fn from(error: ConfirmError) -> Self {
        match error {
            ConfirmError::NotWithThis(error) => error.into(),
            ConfirmError::NotFound => Self::not_found("There is no request of a device with this ID."),
            ConfirmError::NotPending => Self::new(
                ErrorCode::DeviceRequestNotPending,
                "Invalid request: device not pending verification.",
            ),
            ConfirmError::Expired => Self::new(
                ErrorCode::DeviceRequestExpired,
                "Invalid request: device verification expired.",
            ),
            ConfirmError::WrongCode => {
                Self::new(ErrorCode::UserCodeWrong, "Invalid request: invalid user code.")
            }
            ConfirmError::TooManyWrongCodes => Self::new(
                ErrorCode::UserCodeAttemptsExceeded,
                "Invalid request: ended after too many wrong user codes. Connect again.",
            ),
            ConfirmError::DeviceLocked => Self::new(
                ErrorCode::DeviceLockedByOwner,
                "Invalid request: you have locked this device. Unlock it first.",
            ),
            ConfirmError::NotAllowed(_) => {
                Self::new(ErrorCode::PersonRequired, "Only people decide about devices.")
            }
            ConfirmError::TooMany(error) => error.into(),
            ConfirmError::Internal(error) => error.into(),
        }
    }
}

impl From<FindDeviceError> for ApiError {
    fn from(error: FindDeviceError) -> Self {
        match error {
            FindDeviceError::NotWithThis(error) => error.into(),
            FindDeviceError::NotFound => Self::not_found("You have no device with this ID."),
            FindDeviceError::TooMany(error) => error.into(),
            FindDeviceError::Internal(error) => error.into(),
        }
    }
}

impl From<CreateServiceAccountError> for ApiError {
    fn from(error: CreateServiceAccountError) -> Self {
        match error {
            CreateServiceAccountError::NotWithThis(error) => error.into(),
            CreateServiceAccountError::NotAllowed(error) => error.into(),
            CreateServiceAccountError::NameTaken(name) => Self::name_taken(format!(
                "There is a service account with the name '{name}' already."
            )),
            CreateServiceAccountError::NameReserved(name) => name_reserved(&name),
            CreateServiceAccountError::Internal(error) => error.into(),
        }
    }
}

impl From<FindServiceAccountError> for ApiError {
    fn from(error: FindServiceAccountError) -> Self {
        match error {
            FindServiceAccountError::NotAllowed(error) => error.into(),
            FindServiceAccountError::NotFound(which) => Self::not_found(format_args!(
                "There is no service account with the name or ID '{which}'."
            )),
            FindServiceAccountError::Internal(error) => error.into(),
        }
    }
}

impl From<ChangeServiceAccountError> for ApiError {
    fn from(error: ChangeServiceAccountError) -> Self {
        match error {
            ChangeServiceAccountError::NotWithThis(error) => error.into(),
            ChangeServiceAccountError::Find(error) => error.into(),
            ChangeServiceAccountError::NameTaken(name) => Self::name_taken(format!(
                "There is a service account with the name '{name}' already."
            )),
            ChangeServiceAccountError::NameReserved(name) => name_reserved(&name),
        }
    }
}

fn key_name_taken(name: impl std::fmt::Display, account: impl std::fmt::Display) -> ApiError {
    ApiError::name_taken(format!(
        "The service account '{account}' has an API key with the name '{name}' already."
    ))
}

impl From<CreateApiKeyError> for ApiError {
    fn from(error: CreateApiKeyError) -> Self {
        match error {
            CreateApiKeyError::NotWithThis(error) => error.into(),
            CreateApiKeyError::Account(error) => error.into(),
            CreateApiKeyError::NameTaken { name, account } => key_name_taken(name, account),
            CreateApiKeyError::ExpiresInThePast => {
                ValidationErrors::body_field("expires_in", "has to be at least one second").into()
            }
        }
    }
}

impl From<FindApiKeyError> for ApiError {
    fn from(error: FindApiKeyError) -> Self {
        match error {
            FindApiKeyError::Account(error) => error.into(),
            FindApiKeyError::NotFound { which, account } => Self::not_found(format_args!(
                "The service account '{account}' has no API key with the name or ID '{which}'."
            )),
        }
    }
}

impl From<ChangeApiKeyError> for ApiError {
    fn from(error: ChangeApiKeyError) -> Self {
        match error {
            ChangeApiKeyError::NotWithThis(error) => error.into(),
            ChangeApiKeyError::Find(error) => error.into(),
            ChangeApiKeyError::NameTaken { name, account } => key_name_taken(name, account),
        }
    }
}

impl From<RotateApiKeyError> for ApiError {
    fn from(error: RotateApiKeyError) -> Self {
        match error {
            RotateApiKeyError::NotWithThis(error) => error.into(),
            RotateApiKeyError::Find(error) => error.into(),
            RotateApiKeyError::Expired(name) => Self::new(
                ErrorCode::RotationOfExpiredKey,
                format!("The API key '{name}' has expired. Create a new one."),
            ),
        }
    }
}

impl From<ApiTokenError> for ApiError {
    fn from(error: ApiTokenError) -> Self {
        match error {
            ApiTokenError::TooLong { max } => Self::new(
                ErrorCode::LifetimeOutOfRange,
                format!(
                    "Tokens for use by hand are good for at most {} seconds on this server.",
                    max.as_secs()
                ),
            ),
            ApiTokenError::TooShort => Self::new(
                ErrorCode::LifetimeOutOfRange,
                "A token is good for at least one second.",
            ),
            ApiTokenError::NoCredential => Self::not_authenticated(),
            ApiTokenError::Internal(error) => error.into(),
        }
    }
}

impl From<CreateUserError> for ApiError {
    fn from(error: CreateUserError) -> Self {
        match error {
            CreateUserError::NotWithThis(error) => error.into(),
            CreateUserError::NotAllowed(error) => error.into(),
            CreateUserError::NameTaken(name) => {
                Self::name_taken(format!("There is a user with the name '{name}' already."))
            }
            CreateUserError::NameReserved(name) => name_reserved(&name),
            CreateUserError::WeakPassword(error) => error.into(),
            CreateUserError::Internal(error) => error.into(),
        }
    }
}

impl From<FindUserError> for ApiError {
    fn from(error: FindUserError) -> Self {
        match error {
            FindUserError::NotAllowed(error) => error.into(),
            FindUserError::NotFound(which) => {
                Self::not_found(format_args!("There is no user with the name or ID '{which}'."))
            }
            FindUserError::Internal(error) => error.into(),
        }
    }
}

impl From<ChangePasswordError> for ApiError {
    fn from(error: ChangePasswordError) -> Self {
        match error {
            ChangePasswordError::OldPasswordMissing => Self::new(
                ErrorCode::CurrentPasswordRequired,
                "The current password is needed to change the password.",
            ),
            ChangePasswordError::OldPasswordWrong => Self::new(
                ErrorCode::CurrentPasswordWrong,
                "The current password is incorrect.",
            ),
            ChangePasswordError::WeakPassword(error) => error.into(),
            ChangePasswordError::TooMany(error) => error.into(),
        }
    }
}

const LAST_ADMINISTRATOR: &str =
    "This is the last administrator of the server. Make somebody else an administrator first.";

impl From<ChangeUserError> for ApiError {
    fn from(error: ChangeUserError) -> Self {
        match error {
            ChangeUserError::NotWithThis(error) => Self::sign_in_again(error, "/password"),
            ChangeUserError::Find(error) => error.into(),
            ChangeUserError::NameTaken(name) => {
                Self::name_taken(format!("There is a user with the name '{name}' already."))
            }
            ChangeUserError::NameReserved(name) => name_reserved(&name),
            ChangeUserError::NotAllowed(error) => error.into(),
            ChangeUserError::Password(error) => error.into(),
            ChangeUserError::OthersPassword => Self::new(
                ErrorCode::OwnerRequired,
                "Nobody sets the password of somebody else. Deactivate the account; with the activation token, \
                 its owner sets a new password.",
            ),
            ChangeUserError::OthersEmail => Self::new(
                ErrorCode::OwnerRequired,
                "Nobody changes the e-mail settings of somebody else.",
            ),
            ChangeUserError::OwnAdminFlag => Self::new(
                ErrorCode::OwnAccount,
                "Nobody changes whether they are an administrator themselves.",
            ),
            ChangeUserError::OwnActiveFlag => Self::new(
                ErrorCode::OwnAccount,
                "Nobody activates or deactivates their own account.",
            ),
            ChangeUserError::LastAdministrator => Self::new(ErrorCode::LastAdministrator, LAST_ADMINISTRATOR),
            ChangeUserError::NeverActivated => Self::new(
                ErrorCode::UserNeverActivated,
                "This user has not set a password yet. Deactivate the account for a new activation token.",
            ),
            ChangeUserError::EmailMissing => {
                ValidationErrors::body_field("email", "is needed to share it").into()
            }
        }
    }
}

impl From<DeactivateUserError> for ApiError {
    fn from(error: DeactivateUserError) -> Self {
        match error {
            DeactivateUserError::NotWithThis(error) => error.into(),
            DeactivateUserError::Find(error) => error.into(),
            DeactivateUserError::Oneself => {
                Self::new(ErrorCode::OwnAccount, "Nobody deactivates their own account.")
            }
            DeactivateUserError::LastAdministrator => {
                Self::new(ErrorCode::LastAdministrator, LAST_ADMINISTRATOR)
            }
        }
    }
}

impl From<DeleteUserError> for ApiError {
    fn from(error: DeleteUserError) -> Self {
        match error {
            DeleteUserError::Find(error) => error.into(),
            DeleteUserError::Oneself => Self::new(
                ErrorCode::OwnAccount,
                "Nobody deletes the account they are signed in with. Ask another administrator to do it.",
            ),
            DeleteUserError::LastAdministrator => Self::new(ErrorCode::LastAdministrator, LAST_ADMINISTRATOR),
        }
    }
}

impl From<ActivateUserError> for ApiError {
    fn from(error: ActivateUserError) -> Self {
        match error {
            ActivateUserError::Invalid => Self::credentials(
                ErrorCode::ActivationTokenInvalid,
                "the activation token is not valid. Ask an administrator for a new one",
            ),
            ActivateUserError::WeakPassword(error) => error.into(),
            ActivateUserError::TooMany(error) => error.into(),
            ActivateUserError::Internal(error) => error.into(),
        }
    }
}

impl From<ListAuditError> for ApiError {
    fn from(error: ListAuditError) -> Self {
        match error {
            ListAuditError::NotAllowed(error) => error.into(),
            ListAuditError::Internal(error) => error.into(),
        }
    }
}
