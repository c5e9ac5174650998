//! What has to be done from time to time. The program calls these.

use std::time::Duration;

use zenml_auth_model::{Action, Details, SigningKey, Timestamp};

use super::attempts::FAMILIAR_FOR;
use super::setup::new_signing_key;
use super::transact::Decision;
use super::{Engine, Internal};
use crate::audit_target;
use crate::audit_writer::AuditWriter;
use crate::ports::{Change, Guard, PurgeBefore, Store, StoreError};
use crate::rules::slow_down;
use crate::settings::Lifetimes;

/// For how long the key before may go on signing: until every replica has loaded the new one, and their clocks may differ.
const HANDOVER: Duration = Duration::from_secs(24 * 60 * 60);

/// How often the audit trail tells of entries that were removed from it.
const PURGES_TOLD_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// The entries that were removed from the audit trail and of which it does not tell yet.
#[derive(Debug, Default)]
pub(super) struct Purged {
    entries: u64,
    told: Option<Timestamp>,
}

/// What tidying up came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tidied {
    /// How many rows were cleaned away.
    pub rows: u64,
    /// Whether there may be more.
    pub more: bool,
}

/// Until when a signing key is needed that stops signing now: until the last token has ended that it can have signed.
pub(super) async fn retired_until(
    store: &dyn Store,
    lifetimes: &Lifetimes,
    now: Timestamp,
) -> Result<Timestamp, StoreError> {
    let longest = now + lifetimes.longest_token();
    // Under other settings, tokens may have been made that last longer.
    let last = store.last_end().await?.map_or(longest, |end| end.max(longest));
    Ok(last + HANDOVER)
}

/// What has to be done from time to time.
#[derive(Clone, Copy)]
pub struct Maintenance<'a>(pub(super) &'a Engine);

impl Maintenance<'_> {
    /// Gives back the memory that passwords are hashed in when none was since the last call.
    pub fn release_memory(self) {
        self.0.passwords.release_memory();
    }

    /// Loads the signing keys, after a new one took over if the current one has signed long enough. Replicas that
    /// call it at the same time agree on one new key.
    ///
    /// # Errors
    /// [`Internal`] when the store does not answer.
    pub async fn rotate_signing_key_if_due(self) -> Result<(), Internal> {
        let engine = self.0;
        let rotated = engine
            .transact::<_, Internal, _>("rotate the signing key", |now| async move {
                let guard = engine.store().guard(Guard::SigningKeys).await?;
                let keys = self.load_signing_keys(now).await?;
                let signing = keys.iter().filter(|key| key.retired_until.is_none());
                let due = signing
                    .clone()
                    .all(|key| now >= key.created + engine.settings.lifetimes.signing_key);
                if !due {
                    return Ok(Decision::answer(false));
                }
                let encryption = engine.ports.encryption.as_ref();
                let fresh = new_signing_key(engine.server.id, encryption, engine.entropy(), now)?;
                let retired_until =
                    Some(retired_until(engine.store(), &engine.settings.lifetimes, now).await?);
                let target = audit_target::signing_key(fresh.id);
                let retired = signing.map(|key| {
                    Change::UpdateSigningKey(SigningKey {
                        retired_until,
                        ..key.clone()
                    })
                });
                Ok(Decision::answer(true)
                    .changes(retired)
                    .change(Change::InsertSigningKey(fresh))
                    .change(Change::Guard(Guard::SigningKeys, guard))
                    .audit(&AuditWriter::server(), Action::SigningKeyRotated, target))
            })
            .await?;
        if rotated {
            self.load_signing_keys(engine.now()).await?;
        }
        Ok(())
    }

    async fn load_signing_keys(self, now: Timestamp) -> Result<Vec<SigningKey>, Internal> {
        let engine = self.0;
        let keys = engine.store().signing_keys().await?;
        engine.keyring.load(&keys, &engine.ports.encryption, now)?;
        Ok(keys)
    }

    /// Writes down when keys and devices were last used, those that were written a moment ago excepted.
    ///
    /// # Errors
    /// [`Internal`] when the store does not answer; nothing is forgotten then.
    pub async fn flush_uses(self) -> Result<(), Internal> {
        Ok(self.0.uses.flush(self.0.store(), self.0.now(), false).await?)
    }

    /// Writes down all uses that are not written yet, before the program ends.
    ///
    /// # Errors
    /// As [`Maintenance::flush_uses`].
    pub async fn flush_all_uses(self) -> Result<(), Internal> {
        Ok(self.0.uses.flush(self.0.store(), self.0.now(), true).await?)
    }

    /// Writes down how many requests of machines there were, once an hour.
    ///
    /// # Errors
    /// [`Internal`] when the store does not answer; nothing is forgotten then.
    pub async fn write_requests(self) -> Result<(), Internal> {
        self.write_requests_now(false).await
    }

    /// Writes down what was counted since, before the program ends.
    ///
    /// # Errors
    /// As [`Maintenance::write_requests`].
    pub async fn write_all_requests(self) -> Result<(), Internal> {
        self.write_requests_now(true).await
    }

    async fn write_requests_now(self, all: bool) -> Result<(), Internal> {
        if let Some((taken, entries)) = self.0.counted_requests(all) {
            let entries = &entries;
            self.0
                .transact::<(), Internal, _>("tell of requests", |_| async move {
                    Ok(Decision::answer(()).changes(entries.clone()))
                })
                .await?;
            taken.written();
        }
        Ok(())
    }

    /// Cleans away a small batch of the entries of the audit trail that are older than it is kept. The trail says so itself,
    /// once a day.
    ///
    /// # Errors
    /// [`Internal`] when the store does not answer.
    pub async fn purge_audit(self, batch: u32) -> Result<Tidied, Internal> {
        let engine = self.0;
        let now = engine.now();
        let Some(kept) = engine.settings.lifetimes.keep_audit else {
            return Ok(Tidied { rows: 0, more: false });
        };
        let rows = engine.store().purge_audit(now - kept, batch).await?;
        let more = rows >= u64::from(batch);
        let due = {
            let mut purged = engine.purged.lock();
            purged.entries = purged.entries.saturating_add(rows);
            let told = purged.told.is_some_and(|told| now < told + PURGES_TOLD_EVERY);
            (purged.entries > 0 && !more && !told).then_some(purged.entries)
        };
        if let Some(entries) = due {
            let details = Details::Purged {
                entries,
                kept_days: kept.as_secs() / 86_400,
            };
            let (target, details) = (&audit_target::server(engine.server.id), &details);
            let by = &AuditWriter::server();
            engine
                .transact::<(), Internal, _>("tell of a purge", |_| async move {
                    let (target, details) = (target.clone(), details.clone());
                    Ok(Decision::answer(()).audit_with(by, Action::AuditPurged, target, details))
                })
                .await?;
            let mut purged = engine.purged.lock();
            purged.entries = purged.entries.saturating_sub(entries);
            purged.told = Some(now);
        }
        Ok(Tidied { rows, more })
    }

    /// Writes what was refused of late to the audit trail, as far as it is time: what was not written at all before, and what
    /// has added up since. At most sixty entries in a minute.
    ///
    /// # Errors
    /// [`Internal`] when the store does not answer; nothing is forgotten then.
    pub async fn flush_refusals(self) -> Result<(), Internal> {
        self.0.write_refusals(false).await
    }

    /// Writes all that was refused and is not written yet, before the program ends.
    ///
    /// # Errors
    /// As [`Maintenance::flush_refusals`].
    pub async fn flush_all_refusals(self) -> Result<(), Internal> {
        self.0.write_refusals(true).await
    }

    /// Cleans away a small batch of what has ended.
    ///
    /// # Errors
    /// [`Internal`] when the store does not answer.
    pub async fn tidy_up(self, batch: u32) -> Result<Tidied, Internal> {
        let now = self.0.now();
        let kept_since = now - self.0.settings.lifetimes.keep_finished;
        let before = PurgeBefore {
            grants: kept_since,
            // Later than they end, as clocks may differ.
            sessions: kept_since,
            signing_keys: now,
            failures: now - slow_down::remembered(self.0.limits().sign_in_per_account),
            networks: now - FAMILIAR_FOR,
        };
        let rows = self.0.store().purge(before, batch).await?;
        Ok(Tidied {
            rows,
            more: rows >= u64::from(batch),
        })
    }
}
