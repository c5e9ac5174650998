//! Setting a server up on an empty store.

use uuid::Uuid;
use zenml_auth_model::{
    Action, Details, KeptSecret, Name, Secret, ServerId, ServerIdentity, SigningKey, SigningKeyId, Text,
    Timestamp, User, UserId, Version,
};
use zeroize::Zeroizing;

use super::transact::Decision;
use super::{Internal, Ports};
use crate::audit_target;
use crate::audit_writer::AuditWriter;
use crate::password::{HashingCost, Passwords};
use crate::ports::{Change, Entropy, Unique, id_bytes};
use crate::sealing::{EncryptionKeys, Place, SealingError};
use crate::strength::{self, WeakPassword};

/// The administrator of a new server.
#[derive(Debug, Clone)]
pub struct FirstAdministrator {
    /// Their name.
    pub name: Name,
    /// Their password; one is made when none is given.
    pub password: Option<Secret>,
}

/// Why a server can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// The administrator's name is a word for an actor of the audit trail.
    #[error("the administrator's name {0} is reserved; choose another one")]
    NameReserved(Name),
    /// The administrator's password can't be set.
    #[error("the administrator's password: {0}")]
    WeakPassword(#[from] WeakPassword),
    /// Anything else.
    #[error(transparent)]
    Internal(#[from] Internal),
}

/// What came of setting up.
#[derive(Debug)]
pub enum SetUp {
    /// The store was set up before.
    Already,
    /// It is set up now.
    Now {
        /// The administrator's name.
        administrator: Name,
        /// The password that was made; to be shown once. `None` when one was given.
        made_password: Option<Secret>,
    },
}

/// Sets a server up, unless that was done before: its identity, a signing key and an administrator, all at once.
/// Of several replicas that start on one empty store, one does it.
///
/// # Errors
/// [`SetUpError`] when the password is too long, the name is reserved or the store does not answer.
pub async fn set_up(
    ports: &Ports,
    administrator: FirstAdministrator,
    cost: HashingCost,
) -> Result<SetUp, SetUpError> {
    if ports.store.server().await.map_err(Internal::from)?.is_some() {
        return Ok(SetUp::Already);
    }
    if administrator.name.is_reserved() {
        return Err(SetUpError::NameReserved(administrator.name));
    }
    let entropy = ports.entropy.as_ref();
    let (password, made_password) = match administrator.password {
        Some(given) => {
            // The operator may choose a weak one; the program warns about it.
            strength::check_usable(&given)?;
            (given, None)
        }
        None => {
            let made = readable_password(entropy);
            (made.clone(), Some(made))
        }
    };
    let hasher = Passwords::new(cost, entropy).map_err(Internal::from)?;
    let hash = hasher.hash(password, entropy).await.map_err(Internal::from)?;
    let id = ServerId::from_random(id_bytes(entropy));
    let encryption = ports.encryption.as_ref();
    let by = &AuditWriter::server();
    let (name, hash, made_password) = (&administrator.name, &hash, &made_password);
    ports
        .transact("set up", |now| async move {
            // Another replica was faster.
            if ports.store.server().await.map_err(Internal::from)?.is_some() {
                return Ok(Decision::answer(SetUp::Already));
            }
            let server = ServerIdentity {
                id,
                secret: new_server_secret(id, encryption, entropy).map_err(Internal::from)?,
                project_id: random_uuid(entropy),
                stack_id: random_uuid(entropy),
                orchestrator_id: random_uuid(entropy),
                artifact_store_id: random_uuid(entropy),
                created: now,
            };
            let user = User {
                id: UserId::from_random(id_bytes(entropy)),
                name: name.clone(),
                full_name: Text::default(),
                email: None,
                email_opted_in: None,
                active: true,
                is_admin: true,
                password: Some(hash.clone()),
                password_changed: Some(now),
                invitation: None,
                credentials_gen: 1,
                metadata: None,
                default_project_id: None,
                avatar_url: None,
                created: now,
                updated: now,
                version: Version::FIRST,
            };
            let signing_key = new_signing_key(id, encryption, entropy, now).map_err(Internal::from)?;
            let created = Details::UserCreated {
                administrator: true,
                invited_until: None,
            };
            Ok(Decision::answer(SetUp::Now {
                administrator: user.name.clone(),
                made_password: made_password.clone(),
            })
            .audit(by, Action::ServerInitialized, audit_target::server(id))
            .audit_with(by, Action::UserCreated, audit_target::user(&user), created)
            .audit(by, Action::UserAdminGranted, audit_target::user(&user))
            .change(Change::InsertServer(server))
            .change(Change::InsertSigningKey(signing_key))
            .change(Change::InsertUser(user))
            .again_if_taken(Unique::Server))
        })
        .await
}

pub(super) fn new_signing_key(
    server: ServerId,
    encryption: &EncryptionKeys,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<SigningKey, SealingError> {
    let id = SigningKeyId::from_random(id_bytes(entropy));
    let seed = encryption.seal(Place::SigningKey(server, id), &random_bytes(entropy), entropy)?;
    Ok(SigningKey {
        id,
        seed: seed.into(),
        created: now,
        retired_until: None,
        version: Version::FIRST,
    })
}

pub(super) fn new_server_secret(
    server: ServerId,
    encryption: &EncryptionKeys,
    entropy: &dyn Entropy,
) -> Result<KeptSecret, SealingError> {
    let sealed = encryption.seal(Place::ServerSecret(server), &random_bytes(entropy), entropy)?;
    Ok(sealed.into())
}

fn random_bytes(entropy: &dyn Entropy) -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    entropy.fill(bytes.as_mut_slice());
    bytes
}

fn random_uuid(entropy: &dyn Entropy) -> Uuid {
    uuid::Builder::from_random_bytes(id_bytes(entropy)).into_uuid()
}

/// A password of about 100 random bits that can be read out: four groups of five.
pub(super) fn readable_password(entropy: &dyn Entropy) -> Secret {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = Zeroizing::new([0_u8; 20]);
    entropy.fill(bytes.as_mut_slice());
    let mut text = String::with_capacity(23);
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 && index % 5 == 0 {
            text.push('-');
        }
        text.push(
            LETTERS
                .get(usize::from(byte % 32))
                .map_or('x', |letter| char::from(*letter)),
        );
    }
    Secret::new(text)
}
