//! Operations: load, decide, save.
//!
//! Each operation reads what it needs, asks the [`rules`](crate::rules) what comes of it, and commits the outcome
//! together with an entry of the audit trail. `transact.rs` is the one place that commits, and that begins again when another
//! operation committed first. Every operation has an error type of its own; what can go wrong with any of them is in [`Internal`].

mod api_keys;
mod api_tokens;
mod attempts;
mod audit;
mod authenticator;
mod by_name;
mod context;
mod device_flow;
mod devices;
mod encryption;
mod internal;
mod maintenance;
mod refusals;
mod requests;
mod service_accounts;
mod setup;
mod sign_in;
mod transact;
mod users;
mod uses;

pub use api_keys::{
    ApiKeyChanges, ApiKeys, ChangeApiKeyError, CreateApiKeyError, FindApiKeyError, IssuedApiKey, NewApiKey,
    RotateApiKeyError,
};
pub use api_tokens::{ApiTokenError, ApiTokens};
pub use audit::{Audit, ListAuditError};
pub use authenticator::{AuthenticateError, Authenticator, Presented};
pub use context::{Engine, OpenError, Ports};
pub use device_flow::{
    ConfirmError, DeviceAuthorizationError, DeviceFlow, LookUpError, PollError, RequestedDevice, UserCode,
};
pub use devices::{Devices, FindDeviceError, FoundDevice};
pub use encryption::{ChangeEncryptionError, Encryption, EncryptionStatus, KeptRow, RotateEncryptionError};
pub use internal::Internal;
pub use maintenance::{Maintenance, Tidied};
pub use service_accounts::{
    ChangeServiceAccountError, CreateServiceAccountError, FindServiceAccountError, NewServiceAccount,
    ServiceAccountChanges, ServiceAccounts,
};
pub use setup::{FirstAdministrator, SetUp, SetUpError, set_up};
pub use sign_in::{AccessToken, ApiKeySignInError, BrowserSignIn, PasswordSignInError, SignIn};
pub use users::{
    Account, ActivateUserError, ChangePasswordError, ChangeUserError, CreateUserError, DeactivateUserError,
    DeleteUserError, FindUserError, NewUser, OperatorUserError, UserChanges, Users,
};
