//! What names each kind of row, and what it is the only one of.

use zenml_auth_model::{
    ApiKey, ApiKeyId, AuditEvent, AuditEventId, Device, DeviceGrant, DeviceId, GrantId, GrantState,
    ServiceAccount, ServiceAccountId, Session, SessionId, SessionPurpose, SigningKey, SigningKeyId, User,
    UserId, Version,
};

use super::table::{Key, Row, Versioned};
use crate::ports::Unique;

macro_rules! versioned {
    ($row:ident) => {
        impl Versioned for $row {
            fn version(&self) -> Version {
                self.version
            }

            fn set_version(&mut self, version: Version) {
                self.version = version;
            }
        }
    };
    ($row:ident, last_use) => {
        impl Versioned for $row {
            fn version(&self) -> Version {
                self.version
            }

            fn set_version(&mut self, version: Version) {
                self.version = version;
            }

            fn keep_notes_of(&mut self, replaced: &Self) {
                let is_later = self
                    .last_login
                    .is_some_and(|at| replaced.last_login <= Some(at));
                if !is_later {
                    self.last_login = replaced.last_login;
                    self.last_used_from = replaced.last_used_from.clone();
                }
            }
        }
    };
}

versioned!(SigningKey);
versioned!(User);
versioned!(Session);
versioned!(DeviceGrant);
versioned!(Device, last_use);
versioned!(ServiceAccount);
versioned!(ApiKey, last_use);

impl Row for SigningKey {
    type Id = SigningKeyId;

    fn id(&self) -> SigningKeyId {
        self.id
    }

    fn keys(&self) -> Vec<(Unique, Key)> {
        Vec::new()
    }
}

impl Row for User {
    type Id = UserId;

    fn id(&self) -> UserId {
        self.id
    }

    fn keys(&self) -> Vec<(Unique, Key)> {
        vec![(Unique::UserName, Key::Name(self.name.as_str().to_owned()))]
    }
}

impl Row for Session {
    type Id = SessionId;

    fn id(&self) -> SessionId {
        self.id
    }

    fn keys(&self) -> Vec<(Unique, Key)> {
        match self.purpose {
            SessionPurpose::Browser { cookie } => vec![(Unique::Code, Key::Cookie(*cookie.as_bytes()))],
            SessionPurpose::Api => Vec::new(),
        }
    }
}

impl Row for DeviceGrant {
    type Id = GrantId;

    fn id(&self) -> GrantId {
        self.id
    }

    fn keys(&self) -> Vec<(Unique, Key)> {
        vec![(Unique::Code, Key::UserCode(*self.user_code.as_bytes()))]
    }
}

impl Row for Device {
    type Id = DeviceId;

    fn id(&self) -> DeviceId {
        self.id
    }

    fn keys(&self) -> Vec<(Unique, Key)> {
        vec![(
            Unique::DeviceOfClient,
            Key::Pair(self.client_id.as_uuid(), self.user_id.as_uuid()),
        )]
    }
}

impl Row for ServiceAccount {
    type Id = ServiceAccountId;

    fn id(&self) -> ServiceAccountId {
        self.id
    }

    fn keys(&self) -> Vec<(Unique, Key)> {
        vec![(
            Unique::ServiceAccountName,
            Key::Name(self.name.as_str().to_owned()),
        )]
    }
}

impl Row for ApiKey {
    type Id = ApiKeyId;

    fn id(&self) -> ApiKeyId {
        self.id
    }

    fn keys(&self) -> Vec<(Unique, Key)> {
        let name = self.name.as_str().to_owned();
        vec![(
            Unique::ApiKeyName,
            Key::NameIn(self.service_account_id.as_uuid(), name),
        )]
    }
}

impl Row for AuditEvent {
    type Id = AuditEventId;

    fn id(&self) -> AuditEventId {
        self.id
    }

    fn keys(&self) -> Vec<(Unique, Key)> {
        Vec::new()
    }
}

/// The person who approved a request, if somebody did.
pub(super) fn approver(grant: &DeviceGrant) -> Option<UserId> {
    match grant.state {
        GrantState::Approved { by, .. } | GrantState::Exchanged { by, .. } => Some(by),
        GrantState::Pending | GrantState::Denied { .. } => None,
    }
}
