//! What has to be done from time to time. Whoever composes a program calls these.

use std::time::Duration;

use zenml_auth_model::{Action, Details, SigningKey, TargetKind, Timestamp};

use super::attempts::FAMILIAR_FOR;
use super::internal::Tries;
use super::setup::new_signing_key;
use super::{Engine, Internal};
use crate::caller::{Scribe, target};
use crate::ports::{Change, ChangeSet, Guard, PurgeBefore, Store, StoreError};
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
    /// Loads the signing keys, after a new one took over if the current one has signed long enough. Replicas that
    /// call it at the same time agree on one new key.
    ///
    /// # Errors
    /// [`Internal`] when the store does not answer.
    pub async fn rotate_signing_key_if_due(self) -> Result<(), Internal> {
        let engine = self.0;
        let mut tries = Tries::new();
        loop {
            tries.next().await?;
            let now = engine.now();
            let guard = engine.store().guard(Guard::SigningKeys).await?;
            let keys = engine.store().signing_keys().await?;
            engine.keyring.load(&keys, &engine.ports.encryption, now)?;
            let signing = keys.iter().filter(|key| key.retired_until.is_none());
            let due = signing
                .clone()
                .all(|key| now >= key.created + engine.settings.lifetimes.signing_key);
            if !due {
                return Ok(());
            }
            let encryption = engine.ports.encryption.as_ref();
            let fresh = new_signing_key(engine.server.id, encryption, engine.entropy(), now)?;
            let entry = Scribe::server().entry(
                engine.entropy(),
                now,
                Action::SigningKeyRotated,
                target(TargetKind::SigningKey, fresh.id.as_uuid(), ""),
            );
            let retired_until = Some(retired_until(engine.store(), &engine.settings.lifetimes, now).await?);
            let changes = signing
                .map(|key| {
                    Change::UpdateSigningKey(SigningKey {
                        retired_until,
                        ..key.clone()
                    })
                })
                .fold(ChangeSet::new(), ChangeSet::with)
                .with(Change::InsertSigningKey(fresh))
                .with(Change::Guard(Guard::SigningKeys, guard))
                .with(entry);
            // The next round loads what was committed, by whomever.
            engine.committed(changes).await?;
        }
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
            let changes = entries.into_iter().fold(ChangeSet::new(), ChangeSet::with);
            self.0.store().commit(changes).await?;
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
            let entry = Scribe::server().entry_with(
                engine.entropy(),
                now,
                Action::AuditPurged,
                target(TargetKind::Server, engine.server.id.as_uuid(), ""),
                Some(details),
            );
            engine.store().commit(ChangeSet::new().with(entry)).await?;
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
