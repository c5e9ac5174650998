//! One of each model, with sensible values, to be changed where a test cares:
//!
//! ```
//! use zenml_auth_model::User;
//! use zenml_auth_testkit::builders::Builders;
//!
//! let make = Builders::new();
//! let alice = User { is_admin: true, ..make.user("alice") };
//! let laptop = make.device(&alice);
//! assert_eq!(laptop.user_id, alice.id);
//! ```

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use uuid::Uuid;
use zenml_auth_model::{
    Action, Actor, ApiKey, ApiKeyId, AuditEvent, AuditEventId, ClientId, CodeMac, Device, DeviceGrant,
    DeviceId, DeviceState, DeviceTraits, EncryptionKeyId, GrantId, GrantState, KeyGeneration, Name, Origin,
    PasswordHash, Polling, Sealed, SecretHash, ServerId, ServerIdentity, ServiceAccount, ServiceAccountId,
    Session, SessionId, SessionPurpose, SigningKey, SigningKeyId, Target, TargetKind, Text, Timestamp,
    UsedFrom, User, UserId, Version,
};

/// The time at which everything is made: 2026-11-23T18:21:01.987471.
pub const NOW: Timestamp = Timestamp::from_micros(1_795_458_061_987_471);

/// Makes models. Ids, hashes and codes follow from a counter: no two are the same, their order is not that in
/// which they were made, and the same calls give the same values.
#[derive(Debug, Default)]
pub struct Builders {
    counter: AtomicU64,
}

impl Builders {
    /// Starts to count.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            counter: AtomicU64::new(0),
        }
    }

    /// Sixteen bytes for an id.
    pub fn id_bytes(&self) -> [u8; 16] {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&scrambled(number).to_be_bytes());
        bytes[8..].copy_from_slice(&number.to_be_bytes());
        bytes
    }

    /// A version 4 UUID.
    pub fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.id_bytes()).into_uuid()
    }

    fn bytes32(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&self.id_bytes());
        bytes[16..].copy_from_slice(&self.id_bytes());
        bytes
    }

    /// The hash of some secret.
    pub fn hash(&self) -> SecretHash {
        SecretHash::from_bytes(self.bytes32())
    }

    /// The MAC of some user code.
    pub fn mac(&self) -> CodeMac {
        CodeMac::from_bytes(self.bytes32())
    }

    /// Some client installation.
    pub fn client(&self) -> ClientId {
        ClientId::from_random(self.id_bytes())
    }

    /// Something that was sealed, which a store keeps as it is; it can't be opened.
    pub fn sealed(&self) -> Sealed {
        let mut bytes = vec![1; 9];
        bytes.extend_from_slice(&self.bytes32());
        bytes.extend_from_slice(&self.bytes32());
        Sealed {
            key: EncryptionKeyId::new("k1").unwrap(),
            bytes,
        }
    }

    /// A server that was set up.
    pub fn server(&self) -> ServerIdentity {
        ServerIdentity {
            id: ServerId::from_random(self.id_bytes()),
            secret: self.sealed().into(),
            project_id: self.uuid(),
            stack_id: self.uuid(),
            orchestrator_id: self.uuid(),
            artifact_store_id: self.uuid(),
            created: NOW,
        }
    }

    /// A key that signs.
    pub fn signing_key(&self) -> SigningKey {
        SigningKey {
            id: SigningKeyId::from_random(self.id_bytes()),
            seed: self.sealed().into(),
            created: NOW,
            retired_until: None,
            version: Version::FIRST,
        }
    }

    /// An active user with a password, no administrator.
    pub fn user(&self, name: &str) -> User {
        User {
            id: UserId::from_random(self.id_bytes()),
            name: name_of(name),
            full_name: Text::default(),
            email: None,
            email_opted_in: None,
            active: true,
            is_admin: false,
            password: Some(PasswordHash::from_phc(
                "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA".to_owned(),
            )),
            password_changed: Some(NOW),
            invitation: None,
            credentials_gen: 1,
            metadata: None,
            default_project_id: None,
            avatar_url: None,
            created: NOW,
            updated: NOW,
            version: Version::FIRST,
        }
    }

    /// A browser's session of a user, good for a day.
    pub fn session(&self, user: &User) -> Session {
        Session {
            id: SessionId::from_random(self.id_bytes()),
            user_id: user.id,
            purpose: SessionPurpose::Browser { cookie: self.hash() },
            credentials_gen: user.credentials_gen,
            created: NOW,
            authenticated: NOW,
            last_active: NOW,
            expires: NOW + Duration::from_secs(24 * 3600),
            version: Version::FIRST,
        }
    }

    /// What a laptop says of itself.
    #[must_use]
    pub fn traits(&self) -> DeviceTraits {
        let text = |text: &str| Some(text_of(text));
        DeviceTraits {
            hostname: text("laptop"),
            os: text("Linux"),
            ip_address: text("192.0.2.7"),
            python_version: text("3.11.7"),
            zenml_version: text("0.98.0"),
        }
    }

    /// A machine's request that nobody has decided on, good for five minutes.
    pub fn grant(&self) -> DeviceGrant {
        DeviceGrant {
            id: GrantId::from_random(self.id_bytes()),
            client_id: self.client(),
            device_code: self.hash(),
            user_code: self.mac(),
            traits: self.traits(),
            polling: Polling {
                interval: Duration::from_secs(5),
                last: None,
            },
            failed_attempts: 0,
            state: GrantState::Pending,
            created: NOW,
            updated: NOW,
            expires: NOW + Duration::from_secs(300),
            version: Version::FIRST,
        }
    }

    /// An active, trusted device of a user on a client of its own, good for thirty days.
    pub fn device(&self, user: &User) -> Device {
        Device {
            id: DeviceId::from_random(self.id_bytes()),
            user_id: user.id,
            client_id: self.client(),
            state: DeviceState::Active,
            trusted: true,
            expires: NOW + Duration::from_secs(30 * 24 * 3600),
            traits: self.traits(),
            token_gen: 1,
            last_login: Some(NOW),
            last_used_from: UsedFrom::default(),
            created: NOW,
            updated: NOW,
            version: Version::FIRST,
        }
    }

    /// An active service account.
    pub fn service_account(&self, name: &str) -> ServiceAccount {
        ServiceAccount {
            id: ServiceAccountId::from_random(self.id_bytes()),
            name: name_of(name),
            full_name: Text::default(),
            description: Text::default(),
            avatar_url: None,
            active: true,
            created: NOW,
            updated: NOW,
            version: Version::FIRST,
        }
    }

    /// An active key of a service account that was never rotated or used.
    pub fn api_key(&self, account: &ServiceAccount, name: &str) -> ApiKey {
        ApiKey {
            id: ApiKeyId::from_random(self.id_bytes()),
            service_account_id: account.id,
            name: name_of(name),
            description: Text::default(),
            active: true,
            current: KeyGeneration {
                number: 1,
                hash: self.hash(),
            },
            retained: None,
            retain_period_minutes: 0,
            expires: None,
            last_login: None,
            last_used_from: UsedFrom::default(),
            last_rotated: None,
            created: NOW,
            updated: NOW,
            version: Version::FIRST,
        }
    }

    /// The server's word that it did something to itself.
    pub fn audit_event(&self, action: Action) -> AuditEvent {
        AuditEvent {
            id: AuditEventId::from_random(self.id_bytes()),
            at: NOW,
            actor: Actor::Server,
            credential: None,
            action,
            target: Target {
                kind: TargetKind::Server,
                id: self.uuid(),
                name: None,
            },
            origin: Origin::default(),
            details: None,
        }
    }
}

/// A name as a store may have it from a build that checked names less closely: a store keeps whatever it has.
#[must_use]
pub fn name_of(name: &str) -> Name {
    Name::from_stored(name.to_owned())
}

/// A text from a literal.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn text_of(text: &str) -> Text {
    Text::new(text).expect("a valid text")
}

/// Spreads a counter over all numbers, so that ids do not come in order. No two counts give the same.
const fn scrambled(number: u64) -> u64 {
    // SplitMix64's finalizer, which is a bijection.
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_can_be_repeated() {
        let (one, other) = (Builders::new(), Builders::new());
        let ids: Vec<Uuid> = (0..100).map(|_| one.uuid()).collect();
        assert!((0..100).map(|_| other.uuid()).eq(ids.iter().copied()));
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        assert_ne!(sorted, ids);
        sorted.dedup();
        assert_eq!(sorted.len(), 100);
    }

    #[test]
    fn now_is_what_it_says() {
        assert_eq!(NOW.to_string(), "2026-11-23T18:21:01.987471");
    }
}
