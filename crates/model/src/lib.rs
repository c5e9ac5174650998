//! The nouns of zenml-auth, and nothing else.
//!
//! Everything here is plain data: no I/O, no clock, no SQL, no HTTP and no wire format. What may happen to
//! these values is decided in `zenml-auth-core`; how they look on the wire is decided in `zenml-auth-api`.
//!
//! | module | holds |
//! |---|---|
//! | [`id`] | typed identifiers |
//! | [`time`] | [`Timestamp`], UTC with microseconds |
//! | [`text`] | validated [`Name`]s and [`Text`] |
//! | [`secret`] | secrets that cannot be printed, and their hashes |
//! | [`user`], [`session`] | people and their sign-ins |
//! | [`grant`], [`device`] | sign-in requests of machines, and the machines themselves |
//! | [`service_account`], [`api_key`] | workloads and their keys |
//! | [`usage`] | from where keys and devices are used |
//! | [`signing_key`], [`server`] | what a server owns itself |
//! | [`sealed`] | how its secrets are kept |
//! | [`audit`] | who did what, with which credential |
//! | [`query`] | filters, sorting and pages |

pub mod api_key;
pub mod audit;
pub mod device;
pub mod grant;
pub mod id;
pub mod query;
pub mod sealed;
pub mod secret;
pub mod server;
pub mod service_account;
pub mod session;
pub mod signing_key;
pub mod text;
pub mod time;
pub mod usage;
pub mod user;
pub mod version;

pub use api_key::{ApiKey, KeyGeneration, RetainedKey};
pub use audit::{Action, Actor, ActorKind, AuditEvent, CredentialRef, Details, Origin, Target, TargetKind};
pub use device::{Device, DeviceState, DeviceTraits};
pub use grant::{DenialReason, DeviceGrant, GrantState, Polling};
pub use id::{
    ApiKeyId, AuditEventId, ClientId, DeviceId, GrantId, ParseIdError, ServerId, ServiceAccountId, SessionId,
    SigningKeyId, UserId,
};
pub use sealed::{EncryptionKeyId, EncryptionKeyIdError, KeptSecret, Sealed};
pub use secret::{CodeMac, PasswordHash, Secret, SecretHash};
pub use server::ServerIdentity;
pub use service_account::ServiceAccount;
pub use session::{Session, SessionPurpose};
pub use signing_key::SigningKey;
pub use text::{Name, NameError, Text, TextError};
pub use time::{ParseTimestampError, Timestamp};
pub use usage::{KeyUse, UsedFrom};
pub use user::{Invitation, User};
pub use version::Version;
