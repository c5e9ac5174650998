//! Seals the server's secrets, seals them again under another key, and replaces them when their key is lost.

use zenml_auth_model::{Action, Details, EncryptionKeyId, KeptSecret, ServerIdentity, SigningKey, Version};

use super::maintenance::retired_until;
use super::setup::{new_server_secret, new_signing_key};
use super::transact::Decision;
use super::{Internal, Ports};
use crate::audit_target;
use crate::audit_writer::AuditWriter;
use crate::caller::Caller;
use crate::ports::{Change, Guard};
use crate::sealing::{Place, SealingError};
use crate::settings::Lifetimes;

/// A secret of the server, and how it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRow {
    /// What it is.
    pub place: Place,
    /// The key that it is sealed under; `None` for one in plain.
    pub sealed_by: Option<EncryptionKeyId>,
    /// Why it can't be used here, if it can't.
    pub problem: Option<SealingError>,
}

/// How all secrets of the server are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptionStatus {
    /// The key that seals here, if there is one.
    pub current: Option<EncryptionKeyId>,
    /// All keys that open here, the one that seals first.
    pub known: Vec<EncryptionKeyId>,
    /// The rows; none before the server was set up.
    pub rows: Vec<KeptRow>,
}

/// Why the secrets were not sealed anew.
#[derive(Debug, thiserror::Error)]
pub enum RotateEncryptionError {
    /// There is nothing to seal yet.
    #[error("the database is not set up")]
    NotSetUp,
    /// Another key seals here than the one that was asked for.
    #[error(
        "{} seals here, and not {wanted}; give the new keys to the server and start it again first",
        .current.as_ref().map_or("no encryption key", EncryptionKeyId::as_str)
    )]
    OtherKey {
        /// The key that seals here.
        current: Option<EncryptionKeyId>,
        /// The key that was asked for.
        wanted: EncryptionKeyId,
    },
    /// Anything else.
    #[error(transparent)]
    Internal(#[from] Internal),
}

/// Why the secrets were neither put back in plain nor given up.
#[derive(Debug, thiserror::Error)]
pub enum ChangeEncryptionError {
    /// There is nothing in the database yet.
    #[error("the database is not set up")]
    NotSetUp,
    /// Anything else.
    #[error(transparent)]
    Internal(#[from] Internal),
}

/// Everything of a server that is sealed, as it was at one moment.
struct Kept {
    guard: Version,
    server: ServerIdentity,
    keys: Vec<SigningKey>,
}

/// How the server's secrets are sealed. It works on a store that was not opened, too.
#[derive(Clone, Copy)]
pub struct Encryption<'a> {
    ports: &'a Ports,
    lifetimes: &'a Lifetimes,
}

impl<'a> Encryption<'a> {
    /// Of this store.
    #[must_use]
    pub const fn of(ports: &'a Ports, lifetimes: &'a Lifetimes) -> Self {
        Self { ports, lifetimes }
    }

    /// How each secret is kept, and whether it can be opened.
    ///
    /// # Errors
    /// [`Internal`] when the store does not answer.
    pub async fn status(self) -> Result<EncryptionStatus, Internal> {
        let encryption = &self.ports.encryption;
        let rows = match self.load().await? {
            None => Vec::new(),
            Some(kept) => {
                let row = |(place, secret): (Place, &KeptSecret)| KeptRow {
                    place,
                    sealed_by: secret.sealed_by().cloned(),
                    problem: encryption.open(place, secret).err(),
                };
                kept.secrets().map(row).collect()
            }
        };
        Ok(EncryptionStatus {
            current: encryption.current().cloned(),
            known: encryption.ids().cloned().collect(),
            rows,
        })
    }

    /// Seals what is in plain, and tells how many secrets that were. A new signing key takes over, as somebody may have
    /// a copy of the ones that were in plain; those verify until their last tokens have ended.
    ///
    /// Where the server's secret is sealed already, nothing is done: what is in plain beside it was not written by a
    /// server of ours, and is not made good by sealing it. Replicas that do this at the same time do it once.
    ///
    /// # Errors
    /// [`Internal`] when there is no key to seal with, or the store does not answer.
    pub async fn seal_plain(self) -> Result<usize, Internal> {
        let entropy = self.ports.entropy.as_ref();
        let encryption = &self.ports.encryption;
        let by = &AuditWriter::server();
        self.ports
            .transact("seal what is in plain", |now| async move {
                let Some(kept) = self.load().await? else {
                    return Ok(Decision::answer(0));
                };
                if kept.server.secret.sealed_by().is_some() {
                    return Ok(Decision::answer(0));
                }
                let fresh = new_signing_key(kept.server.id, encryption, entropy, now)?;
                let retired = retired_until(self.ports.store.as_ref(), self.lifetimes, now).await?;
                let mut sealed = 0;
                let mut resealed = |place, secret: &KeptSecret| match secret {
                    KeptSecret::Plain(plain) => {
                        sealed += 1;
                        encryption.seal(place, plain, entropy).map(KeptSecret::from)
                    }
                    KeptSecret::Sealed(_) => Ok(secret.clone()),
                };
                let changes = kept.changed(&mut resealed, |key| SigningKey {
                    retired_until: key.retired_until.or(Some(retired)),
                    ..key
                })?;
                Ok(self
                    .decision(&kept, changes, by, Action::EncryptionSealed)
                    .audit(by, Action::SigningKeyRotated, audit_target::signing_key(fresh.id))
                    .change(Change::InsertSigningKey(fresh))
                    .map(|()| sealed))
            })
            .await
    }

    /// Seals everything anew that is sealed under another key than the current one, and tells how many secrets that were.
    /// With `wanted`, only if that is the current key.
    ///
    /// # Errors
    /// [`RotateEncryptionError`]; nothing was changed then.
    pub async fn rotate(self, wanted: Option<&EncryptionKeyId>) -> Result<usize, RotateEncryptionError> {
        let encryption = &self.ports.encryption;
        let current = encryption.current();
        if let Some(wanted) = wanted.filter(|wanted| current != Some(*wanted)) {
            return Err(RotateEncryptionError::OtherKey {
                current: current.cloned(),
                wanted: wanted.clone(),
            });
        }
        let by = &AuditWriter::of(&Caller::operator());
        self.ports
            .transact("rotate the encryption key", |_| async move {
                let kept = self.load().await?.ok_or(RotateEncryptionError::NotSetUp)?;
                let mut rotated = 0;
                let mut resealed = |place, secret: &KeptSecret| {
                    // Opened also where nothing changes: that everything can be opened is what is promised afterwards.
                    let opened = encryption.open(place, secret)?;
                    if secret.sealed_by() == current {
                        return Ok(secret.clone());
                    }
                    rotated += 1;
                    encryption
                        .seal(place, &opened, self.ports.entropy.as_ref())
                        .map(KeptSecret::from)
                };
                let changes = kept.changed(&mut resealed, |key| key).map_err(Internal::from)?;
                if rotated == 0 {
                    return Ok(Decision::answer(0));
                }
                Ok(self
                    .decision(&kept, changes, by, Action::EncryptionRotated)
                    .map(|()| rotated))
            })
            .await
    }

    /// Puts everything back in plain, as a schema before `m0013` has it.
    ///
    /// # Errors
    /// [`ChangeEncryptionError`]; nothing was changed then.
    pub async fn unseal(self) -> Result<usize, ChangeEncryptionError> {
        let by = &AuditWriter::of(&Caller::operator());
        self.ports
            .transact("unseal everything", |_| async move {
                let kept = self.load().await?.ok_or(ChangeEncryptionError::NotSetUp)?;
                let mut opened = 0;
                let mut open = |place, secret: &KeptSecret| {
                    if secret.sealed_by().is_none() {
                        return Ok(secret.clone());
                    }
                    opened += 1;
                    self.ports.encryption.open(place, secret).map(KeptSecret::Plain)
                };
                let changes = kept.changed(&mut open, |key| key).map_err(Internal::from)?;
                if opened == 0 {
                    return Ok(Decision::answer(0));
                }
                Ok(self
                    .decision(&kept, changes, by, Action::EncryptionUnsealed)
                    .map(|()| opened))
            })
            .await
    }

    /// Gives up the server's secret and all signing keys, and makes new ones: for when the key that they are sealed under
    /// is lost, or somebody knows them. All access tokens end with it, and no request of a machine that waits for its
    /// approval can be approved. Users, service accounts and API keys stay.
    ///
    /// Servers that run on the database meanwhile would go on with what they have loaded, so none may.
    ///
    /// # Errors
    /// [`ChangeEncryptionError`]; nothing was changed then.
    pub async fn reset(self) -> Result<(), ChangeEncryptionError> {
        let entropy = self.ports.entropy.as_ref();
        let encryption = &self.ports.encryption;
        let by = &AuditWriter::of(&Caller::operator());
        self.ports
            .transact("reset the server's secrets", |now| async move {
                let kept = self.load().await?.ok_or(ChangeEncryptionError::NotSetUp)?;
                let id = kept.server.id;
                let server = ServerIdentity {
                    secret: new_server_secret(id, encryption, entropy).map_err(Internal::from)?,
                    ..kept.server.clone()
                };
                let fresh = new_signing_key(id, encryption, entropy, now).map_err(Internal::from)?;
                let deleted = kept
                    .keys
                    .iter()
                    .map(|key| Change::DeleteSigningKey(key.id, key.version));
                let changes = deleted
                    .chain([Change::UpdateServer(server), Change::InsertSigningKey(fresh)])
                    .collect();
                Ok(self.decision(&kept, changes, by, Action::EncryptionReset))
            })
            .await
    }

    async fn load(self) -> Result<Option<Kept>, Internal> {
        let store = &self.ports.store;
        let guard = store.guard(Guard::SigningKeys).await?;
        let Some(server) = store.server().await? else {
            return Ok(None);
        };
        let keys = store.signing_keys().await?;
        Ok(Some(Kept { guard, server, keys }))
    }

    /// Changes how everything is kept, unless any of it was changed meanwhile.
    fn decision<E>(
        self,
        kept: &Kept,
        changes: Vec<Change>,
        by: &AuditWriter,
        action: Action,
    ) -> Decision<(), E> {
        let details = match (action, self.ports.encryption.current()) {
            (Action::EncryptionUnsealed, _) | (_, None) => None,
            (_, Some(key)) => Some(Details::SealedUnder { key: key.clone() }),
        };
        Decision::answer(())
            .changes(changes)
            .change(Change::Guard(Guard::SigningKeys, kept.guard))
            .audit_with(by, action, audit_target::server(kept.server.id), details)
    }
}

impl Kept {
    fn secrets(&self) -> impl Iterator<Item = (Place, &KeptSecret)> {
        let id = self.server.id;
        let keys = self
            .keys
            .iter()
            .map(move |key| (Place::SigningKey(id, key.id), &key.seed));
        std::iter::once((Place::ServerSecret(id), &self.server.secret)).chain(keys)
    }

    /// The changes that keep every secret in another way.
    fn changed(
        &self,
        keep: &mut dyn FnMut(Place, &KeptSecret) -> Result<KeptSecret, SealingError>,
        also: impl Fn(SigningKey) -> SigningKey,
    ) -> Result<Vec<Change>, SealingError> {
        let id = self.server.id;
        let server = ServerIdentity {
            secret: keep(Place::ServerSecret(id), &self.server.secret)?,
            ..self.server.clone()
        };
        let mut changes = Vec::new();
        if server != self.server {
            changes.push(Change::UpdateServer(server));
        }
        for key in &self.keys {
            let changed = also(SigningKey {
                seed: keep(Place::SigningKey(id, key.id), &key.seed)?,
                ..key.clone()
            });
            if changed != *key {
                changes.push(Change::UpdateSigningKey(changed));
            }
        }
        Ok(changes)
    }
}
