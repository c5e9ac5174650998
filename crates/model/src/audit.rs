//! Who did what, to what, with which credential, from where.

use std::fmt;
use std::net::IpAddr;

use crate::text::Quoted;
use crate::{ApiKeyId, AuditEventId, DeviceId, Name, ServiceAccountId, SessionId, Text, Timestamp, UserId};

mod details;

pub use details::{
    About, ChangedField, Details, FieldChange, FieldValue, RefusalReason, Refusals, RequestFacts, ValueChange,
};

/// What kind of actor did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActorKind {
    /// A person.
    User,
    /// A workload.
    ServiceAccount,
    /// Somebody who did not sign in.
    Anonymous,
    /// The operator of the server, on its own machine.
    Operator,
    /// The server itself.
    Server,
}

impl ActorKind {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::User,
        Self::ServiceAccount,
        Self::Anonymous,
        Self::Operator,
        Self::Server,
    ];

    /// The text that is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ServiceAccount => "service_account",
            Self::Anonymous => "anonymous",
            Self::Operator => "operator",
            Self::Server => "server",
        }
    }
}

/// Who did it. The name is kept as it was at the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A person.
    User {
        /// The account's id.
        id: UserId,
        /// The account's name at the time.
        name: Name,
    },
    /// A workload.
    ServiceAccount {
        /// The account's id.
        id: ServiceAccountId,
        /// The account's name at the time.
        name: Name,
    },
    /// Somebody who did not sign in.
    Anonymous,
    /// The operator of the server, on its own machine.
    Operator,
    /// The server itself.
    Server,
}

impl Actor {
    /// What kind of actor it is.
    #[must_use]
    pub const fn kind(&self) -> ActorKind {
        match self {
            Self::User { .. } => ActorKind::User,
            Self::ServiceAccount { .. } => ActorKind::ServiceAccount,
            Self::Anonymous => ActorKind::Anonymous,
            Self::Operator => ActorKind::Operator,
            Self::Server => ActorKind::Server,
        }
    }
}

impl fmt::Display for Actor {
    /// The kind, and for an account its name in quotes and its id: no name can pass for another kind of actor.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind().as_str();
        match self {
            Self::User { id, name } => write!(f, "{kind} {} {id}", Quoted(name.as_str())),
            Self::ServiceAccount { id, name } => write!(f, "{kind} {} {id}", Quoted(name.as_str())),
            Self::Anonymous | Self::Operator | Self::Server => f.write_str(kind),
        }
    }
}

/// Which credential was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialRef {
    /// The token of a device.
    Device(DeviceId),
    /// An API key or a token made from it.
    ApiKey(ApiKeyId),
    /// A sign-in with a password.
    Session(SessionId),
}

impl fmt::Display for CredentialRef {
    /// The kind and the id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(id) => write!(f, "device {id}"),
            Self::ApiKey(id) => write!(f, "api_key {id}"),
            Self::Session(id) => write!(f, "session {id}"),
        }
    }
}

/// Where a request came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The network address, if the request came over a network.
    pub address: Option<IpAddr>,
    /// The request's id, which its log lines and error answers carry too.
    pub request_id: Option<Text>,
    /// The `User-Agent` of the request.
    pub user_agent: Option<Text>,
}

macro_rules! named_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident => $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The text that is stored and shown.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Reads the text that is stored and shown.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }
    };
}

pub(crate) use named_enum;

named_enum!(
    /// What was done.
    Action {
        /// The server was set up on an empty database.
        ServerInitialized => "server.initialized",
        /// A new signing key took over.
        SigningKeyRotated => "signing_key.rotated",
        /// Signing keys and the server secret that were in plain were sealed.
        EncryptionSealed => "encryption.sealed",
        /// They were sealed anew under another encryption key.
        EncryptionRotated => "encryption.rotated",
        /// They were put back in plain, to take the schema back.
        EncryptionUnsealed => "encryption.unsealed",
        /// They were given up, and new ones were made.
        EncryptionReset => "encryption.reset",
        /// Entries of the audit trail that were older than it is kept were removed.
        AuditPurged => "audit.purged",
        /// Machines asked to be connected: how many, from one network, in about an hour.
        DeviceRequested => "device.requested",
        /// A wrong user code was tried on a request, or a wrong device code was polled with.
        DeviceCodeRejected => "device.code_rejected",
        /// Too many wrong codes, or too many polls with one code: further ones were turned away.
        DeviceCodeThrottled => "device.code_throttled",
        /// Too many requests of machines: further ones were turned away.
        DeviceRequestThrottled => "device.request_throttled",
        /// A person let a machine in.
        DeviceApproved => "device.approved",
        /// A person turned a machine away, or it was turned away after too many wrong codes.
        DeviceDenied => "device.denied",
        /// A machine fetched its token.
        DeviceConnected => "device.connected",
        /// A device was locked.
        DeviceLocked => "device.locked",
        /// A device was unlocked.
        DeviceUnlocked => "device.unlocked",
        /// A device signed out.
        DeviceSignedOut => "device.signed_out",
        /// A device was deleted.
        DeviceDeleted => "device.deleted",
        /// A sign-in with a password failed.
        SignInFailed => "sign_in.failed",
        /// Too many sign-ins failed: further ones were turned away.
        SignInThrottled => "sign_in.throttled",
        /// A person signed in with a password.
        SessionStarted => "session.started",
        /// A person signed out.
        SessionEnded => "session.ended",
        /// A user was created.
        UserCreated => "user.created",
        /// A user was changed.
        UserUpdated => "user.updated",
        /// A user became an administrator.
        UserAdminGranted => "user.admin_granted",
        /// A user is no longer an administrator.
        UserAdminRevoked => "user.admin_revoked",
        /// A wrong current password was given to change a user's password.
        UserPasswordRefused => "user.password_refused",
        /// A wrong activation token was given, or one that has ended.
        UserActivationRefused => "user.activation_refused",
        /// A user's password was changed.
        UserPasswordChanged => "user.password_changed",
        /// An operator set a user's password.
        UserPasswordReset => "user.password_reset",
        /// A user was deactivated.
        UserDeactivated => "user.deactivated",
        /// A user was activated.
        UserActivated => "user.activated",
        /// A user was deleted.
        UserDeleted => "user.deleted",
        /// A service account was created.
        ServiceAccountCreated => "service_account.created",
        /// A service account was changed.
        ServiceAccountUpdated => "service_account.updated",
        /// A service account was activated.
        ServiceAccountActivated => "service_account.activated",
        /// A service account was deactivated.
        ServiceAccountDeactivated => "service_account.deactivated",
        /// A service account was deleted.
        ServiceAccountDeleted => "service_account.deleted",
        /// An API key was created.
        ApiKeyCreated => "api_key.created",
        /// An API key was shown and refused.
        ApiKeyRefused => "api_key.refused",
        /// Too many wrong API keys: further ones were turned away.
        ApiKeyThrottled => "api_key.throttled",
        /// An API key was changed.
        ApiKeyUpdated => "api_key.updated",
        /// An API key was activated.
        ApiKeyActivated => "api_key.activated",
        /// An API key was deactivated.
        ApiKeyDeactivated => "api_key.deactivated",
        /// An API key was rotated.
        ApiKeyRotated => "api_key.rotated",
        /// An API key was deleted.
        ApiKeyDeleted => "api_key.deleted",
        /// A token was made for use by hand.
        ApiTokenIssued => "api_token.issued",
    }
);

named_enum!(
    /// What kind of thing it was done to.
    TargetKind {
        /// The server.
        Server => "server",
        /// A signing key.
        SigningKey => "signing_key",
        /// A device authorization request.
        DeviceGrant => "device_grant",
        /// A device.
        Device => "device",
        /// A sign-in.
        Session => "session",
        /// A user.
        User => "user",
        /// A service account.
        ServiceAccount => "service_account",
        /// An API key.
        ApiKey => "api_key",
    }
);

/// What it was done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What kind of thing.
    pub kind: TargetKind,
    /// Its id.
    pub id: uuid::Uuid,
    /// What people call it, if they do: a name, or a device's host name.
    pub name: Option<Text>,
}

impl fmt::Display for Target {
    /// The kind, the name in quotes if there is one, and the id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        if let Some(name) = &self.name {
            write!(f, " {}", Quoted(name.as_str()))?;
        }
        write!(f, " {}", self.id)
    }
}

/// One entry of the audit trail. One that tells of a change is written in the transaction of that change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// The entry's id.
    pub id: AuditEventId,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// With what.
    pub credential: Option<CredentialRef>,
    /// What was done.
    pub action: Action,
    /// To what.
    pub target: Target,
    /// From where.
    pub origin: Origin,
    /// More about it; never anything secret.
    pub details: Option<Details>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_passes_for_another_actor() {
        let id = UserId::from_random([1; 16]);
        let named = |name: &str| Actor::User {
            id,
            name: Name::from_stored(name.to_owned()),
        };
        assert_eq!(named("ann").to_string(), format!("user \"ann\" {id}"));
        // Names that were kept before they were checked so closely.
        assert_eq!(named("operator").to_string(), format!("user \"operator\" {id}"));
        assert_eq!(
            named("a\"\n\u{202e}operator").to_string(),
            format!(r#"user "a\"\u{{a}}\u{{202e}}operator" {id}"#)
        );
        assert_eq!(Actor::Operator.to_string(), "operator");
        assert_eq!(Actor::Anonymous.to_string(), "anonymous");
    }
}
