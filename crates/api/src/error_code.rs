//! Codes of errors: what programs decide on.
//!
//! A code says one thing, for good: its meaning, status and class never change, and none is taken away. ZenML's servers send
//! none, and its clients ignore it. It stands in the body as `code`, beside `detail`. Two forms of bodies have no room for one:
//! those of the device flow carry the codes of RFC 6749 §5.2 and RFC 8628 §3.5 as `error`, and a list with status 422 means
//! [`ErrorCode::ValidationFailed`].

use std::fmt;

use crate::ErrorClass;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal, $status:literal $(, $class:ident)?;)+) => {
        /// What went wrong, for programs.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[doc = $doc])+ $name,)+
            /// One that this release does not know.
            Other(String),
        }

        impl ErrorCode {
            /// All that this release knows, each with a sentence about it.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self::$name, concat!($($doc),+))),+];

            /// The code on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => $text,)+
                    Self::Other(code) => code,
                }
            }

            /// The code that is written so on the wire.
            #[must_use]
            pub fn parse(text: &str) -> Self {
                match text {
                    $($text => Self::$name,)+
                    other => Self::Other(other.to_owned()),
                }
            }

            /// The status that our server sends it with.
            #[must_use]
            pub const fn status(&self) -> u16 {
                match self {
                    $(Self::$name => $status,)+
                    Self::Other(_) => 500,
                }
            }

            /// The class that our server sends it with; `None` where ZenML's server sends a text alone.
            #[must_use]
            pub const fn class(&self) -> Option<ErrorClass> {
                match self {
                    $(Self::$name => codes!(@class $($class)?),)+
                    Self::Other(_) => None,
                }
            }
        }
    };
    (@class $class:ident) => { Some(ErrorClass::$class) };
    (@class) => { None };
}

codes! {
    /// The request has no credential, or more than one.
    NotAuthenticated = "not_authenticated", 401;
    /// The user name or the password is wrong.
    InvalidCredentials = "invalid_credentials", 401, CredentialsNotValid;
    /// The account of the person or of the workload is switched off.
    AccountInactive = "account_inactive", 401, CredentialsNotValid;
    /// The account was deleted.
    AccountDeleted = "account_deleted", 401, CredentialsNotValid;
    /// The password was changed, or the account deactivated, since the token was made.
    CredentialsChanged = "credentials_changed", 401, CredentialsNotValid;
    /// The sign-in has ended.
    SessionEnded = "session_ended", 401, CredentialsNotValid;
    /// The access token has expired.
    TokenExpired = "token_expired", 401, CredentialsNotValid;
    /// The access token is damaged, or another server issued it.
    TokenInvalid = "token_invalid", 401, CredentialsNotValid;
    /// The device was deleted.
    DeviceDeleted = "device_deleted", 401, CredentialsNotValid;
    /// The device is locked; its owner has to unlock it before it can connect again.
    DeviceLocked = "device_locked", 401, CredentialsNotValid;
    /// The connection of the device has expired.
    DeviceExpired = "device_expired", 401, CredentialsNotValid;
    /// The device has signed out, or connected again, since the token was made.
    DeviceSuperseded = "device_superseded", 401, CredentialsNotValid;
    /// The text is not an API key.
    ApiKeyMalformed = "api_key_malformed", 401, CredentialsNotValid;
    /// The API key was mistyped, rotated more than once, or deleted; which of them is not told.
    ApiKeyInvalid = "api_key_invalid", 401, CredentialsNotValid;
    /// The API key that the token was made from was deleted.
    ApiKeyDeleted = "api_key_deleted", 401, CredentialsNotValid;
    /// The API key is switched off.
    ApiKeyInactive = "api_key_inactive", 401, CredentialsNotValid;
    /// The API key has expired.
    ApiKeyExpired = "api_key_expired", 401, CredentialsNotValid;
    /// The API key was rotated, and its old value is no longer retained.
    ApiKeyRotated = "api_key_rotated", 401, CredentialsNotValid;
    /// The activation token is wrong, spent or expired.
    ActivationTokenInvalid = "activation_token_invalid", 401, CredentialsNotValid;
    /// Only administrators may do this.
    AdministratorRequired = "administrator_required", 403, IllegalOperationError;
    /// It takes a person who signed in a short while ago (RFC 9470).
    RecentSignInRequired = "recent_sign_in_required", 403, IllegalOperationError;
    /// Only people may do this, and no workloads.
    PersonRequired = "person_required", 403, IllegalOperationError;
    /// The current password is missing.
    CurrentPasswordRequired = "current_password_required", 403, IllegalOperationError;
    /// The current password is wrong.
    CurrentPasswordWrong = "current_password_wrong", 403, IllegalOperationError;
    /// Only the owner of an account may do this to it.
    OwnerRequired = "owner_required", 403, IllegalOperationError;
    /// Nobody may do this to their own account.
    OwnAccount = "own_account", 403, IllegalOperationError;
    /// It would leave the server without an administrator who can sign in.
    LastAdministrator = "last_administrator", 403, IllegalOperationError;
    /// There is nothing with this name or id, or it is somebody else's.
    NotFound = "not_found", 404, KeyError;
    /// There is no such path.
    NoSuchPath = "no_such_path", 404;
    /// The path does not take this method.
    MethodNotAllowed = "method_not_allowed", 405;
    /// The body did not arrive in time.
    BodyTimeout = "body_timeout", 408;
    /// There is one of this name already.
    NameTaken = "name_taken", 409, EntityExistsError;
    /// The body is larger than the path takes.
    BodyTooLarge = "body_too_large", 413, ValueError;
    /// The body did not arrive as a whole.
    BodyIncomplete = "body_incomplete", 400, ValueError;
    /// The login form lacks something, or has it twice.
    LoginFormInvalid = "login_form_invalid", 400;
    /// The page is after the last one.
    PageOutOfRange = "page_out_of_range", 400, ValueError;
    /// The device authorization request was decided already.
    DeviceRequestNotPending = "device_request_not_pending", 400, ValueError;
    /// The device authorization request has expired.
    DeviceRequestExpired = "device_request_expired", 400, ValueError;
    /// The user code is wrong.
    UserCodeWrong = "user_code_wrong", 400, ValueError;
    /// The device authorization request was ended after too many wrong user codes.
    UserCodeAttemptsExceeded = "user_code_attempts_exceeded", 400, ValueError;
    /// The device can't be approved, as its owner has locked it.
    DeviceLockedByOwner = "device_locked_by_owner", 400, ValueError;
    /// An API key that has expired can't be rotated.
    RotationOfExpiredKey = "rotation_of_expired_key", 400, ValueError;
    /// A token can't be good for so long, or for so short a time.
    LifetimeOutOfRange = "lifetime_out_of_range", 400, ValueError;
    /// The user has never set a password, and so can't be activated without a token.
    UserNeverActivated = "user_never_activated", 400, ValueError;
    /// A field of the path, the query or the body has a value that can't be used.
    ValidationFailed = "validation_failed", 422, ValueError;
    /// Too many attempts; `Retry-After` says when to try again.
    RateLimited = "rate_limited", 429, MaxConcurrentTasksError;
    /// The server failed; its log says why, under the request's id.
    InternalError = "internal_error", 500, RuntimeError;
    /// This server does not offer it.
    NotImplemented = "not_implemented", 501, NotImplementedError;
    /// The database does not answer.
    DatabaseUnavailable = "database_unavailable", 503, RuntimeError;
    /// The database takes no changes.
    DatabaseReadOnly = "database_read_only", 503, RuntimeError;
    /// Too many others change the same thing at the moment.
    Contended = "contended", 503, RuntimeError;
    /// Too many people sign in at the moment.
    SignInBusy = "sign_in_busy", 503, RuntimeError;
    /// The server is busy with other requests.
    ServerBusy = "server_busy", 503, RuntimeError;
    /// The server is about to stop.
    ServerStopping = "server_stopping", 503, RuntimeError;
    /// The request took too long.
    RequestTimeout = "request_timeout", 503, RuntimeError;
    /// The server lacks an encryption key.
    EncryptionKeyMissing = "encryption_key_missing", 503, RuntimeError;
    /// The disk of the database is full.
    DiskFull = "disk_full", 507, RuntimeError;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_read_as_they_are_written() {
        for (code, about) in ErrorCode::ALL {
            assert_eq!(ErrorCode::parse(code.as_str()), *code);
            assert!(
                code.as_str()
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            );
            assert!(about.ends_with('.'), "{about}");
            assert!((400..600).contains(&code.status()));
        }
        let texts: BTreeSet<_> = ErrorCode::ALL.iter().map(|(code, _)| code.as_str()).collect();
        assert_eq!(texts.len(), ErrorCode::ALL.len());
        assert_eq!(
            ErrorCode::parse("of_tomorrow"),
            ErrorCode::Other("of_tomorrow".to_owned())
        );
    }
}
