//! What was refused, for the audit trail: failed sign-ins, wrong keys and codes, and what was turned away for coming too
//! often.
//!
//! Strangers can fail as often as they like, so they must not be able to fill the trail, nor to learn from it. Noting a
//! refusal only touches memory, whether or not the account, key or code exists; a job writes the entries later.
//! The first refusal of a kind about one thing from one network is written with the next round of that job. Further ones are
//! counted, and written as one entry after a minute, then after ten minutes, then every hour, until there were none for that
//! long. What is remembered is bounded, and so is what is written in a minute: beyond it refusals are not forgotten, but
//! counted together.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use parking_lot::Mutex;
use zenml_auth_model::audit::{About, RefusalReason, Refusals as RefusalDetails};
use zenml_auth_model::{Action, ApiKeyId, Details, GrantId, Origin, Target, TargetKind, Timestamp, User};

use super::transact::Decision;
use super::{Engine, Internal};
use crate::audit_target;
use crate::audit_writer::AuditWriter;
use crate::throttle::Network;

/// After how long the next entry of the same kind is written: after the first one, the second one, and any other.
const WINDOWS: [Duration; 3] = [
    Duration::from_secs(60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(60 * 60),
];
/// The most entries in a minute, of each replica.
const ENTRIES_PER_MINUTE: usize = 60;
/// The most entries that are written when the server stops; the others are summed up in one of each kind.
const LAST_ENTRIES: usize = 200;
/// The most kinds that are counted apart.
const MAX_SLOTS: usize = 10_000;
/// The most things that are counted apart for one network.
const MAX_PER_NETWORK: u32 = 16;
/// The most networks that are counted apart for one thing.
const MAX_PER_SUBJECT: u32 = 256;
/// The most unknown names of one kind that are told apart.
const MAX_NAMES: usize = 1000;

/// What a refused attempt was about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Subject {
    /// Something that exists.
    Known(TargetKind, uuid::Uuid),
    /// An account of this name, if there is one: it is looked up when it is written, if it ever is.
    Named(String),
    /// Nothing that exists.
    Unknown,
    /// Several things.
    Many,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind {
    action: Action,
    reason: RefusalReason,
    subject: Subject,
    /// `None` for many.
    network: Option<Option<Network>>,
}

/// An attempt that was refused.
pub(super) struct Refusal<'a> {
    action: Action,
    reason: RefusalReason,
    subject: Subject,
    /// What the subject is called.
    called: Option<String>,
    unknown_name: Option<&'a str>,
    unknown_key: Option<ApiKeyId>,
    by: AuditWriter,
    origin: &'a Origin,
}

impl<'a> Refusal<'a> {
    fn new(
        action: Action,
        reason: RefusalReason,
        subject: Subject,
        called: Option<String>,
        origin: &'a Origin,
    ) -> Self {
        Self {
            action,
            reason,
            subject,
            called,
            unknown_name: None,
            unknown_key: None,
            by: AuditWriter::anonymous(origin),
            origin,
        }
    }

    /// About a user.
    pub(super) fn of_user(action: Action, reason: RefusalReason, user: &User, origin: &'a Origin) -> Self {
        let subject = Subject::Known(TargetKind::User, user.id.as_uuid());
        Self::new(action, reason, subject, Some(user.name.to_string()), origin)
    }

    /// About a user, or a name that is nobody's.
    pub(super) fn of_account(
        action: Action,
        reason: RefusalReason,
        user: Option<&User>,
        typed: &'a str,
        origin: &'a Origin,
    ) -> Self {
        match user {
            Some(user) => Self::of_user(action, reason, user, origin),
            None => Self {
                unknown_name: Some(typed),
                ..Self::new(
                    action,
                    RefusalReason::UnknownAccount,
                    Subject::Unknown,
                    None,
                    origin,
                )
            },
        }
    }

    /// About an API key.
    pub(super) fn of_key(reason: RefusalReason, key: ApiKeyId, origin: &'a Origin) -> Self {
        let subject = Subject::Known(TargetKind::ApiKey, key.as_uuid());
        Self::new(Action::ApiKeyRefused, reason, subject, None, origin)
    }

    /// About a key that does not exist.
    pub(super) fn of_unknown_key(id: ApiKeyId, origin: &'a Origin) -> Self {
        Self {
            unknown_key: Some(id),
            ..Self::new(
                Action::ApiKeyRefused,
                RefusalReason::UnknownKey,
                Subject::Unknown,
                None,
                origin,
            )
        }
    }

    /// About the request of a device, which is called after its host; `None` for one that does not exist.
    pub(super) fn of_grant(
        action: Action,
        reason: RefusalReason,
        grant: Option<GrantId>,
        host: Option<&str>,
        origin: &'a Origin,
    ) -> Self {
        let subject = grant.map_or(Subject::Unknown, |id| {
            Subject::Known(TargetKind::DeviceGrant, id.as_uuid())
        });
        Self::new(action, reason, subject, host.map(ToOwned::to_owned), origin)
    }

    /// Too many attempts before, on an account of this name, if there is one.
    pub(super) fn too_many_on(action: Action, typed: &str, origin: &'a Origin) -> Self {
        // No account has a longer name.
        let named = typed.chars().take(256).collect();
        Self::new(
            action,
            RefusalReason::TooMany,
            Subject::Named(named),
            None,
            origin,
        )
    }

    /// Too many attempts before, whatever they were about.
    pub(super) fn too_many(action: Action, origin: &'a Origin) -> Self {
        Self::new(action, RefusalReason::TooMany, Subject::Unknown, None, origin)
    }

    /// By somebody who is signed in.
    pub(super) fn by(self, by: AuditWriter) -> Self {
        Self { by, ..self }
    }
}

/// The refusals of one kind since the entry before.
#[derive(Clone)]
struct Slot {
    times: u64,
    first: Timestamp,
    last: Timestamp,
    called: Option<String>,
    by: AuditWriter,
    unknown_names: Option<HashSet<u64>>,
    unknown_key: Option<ApiKeyId>,
    written: Option<Timestamp>,
    /// How many entries there were in a row.
    entries: usize,
}

impl Slot {
    fn window(&self) -> Duration {
        let [first, second, later] = WINDOWS;
        match self.entries {
            0 | 1 => first,
            2 => second,
            _ => later,
        }
    }

    fn is_due(&self, now: Timestamp) -> bool {
        self.times > 0 && self.written.is_none_or(|written| written + self.window() <= now)
    }

    /// There was none for as long as an entry waits.
    fn is_idle(&self, now: Timestamp) -> bool {
        self.times == 0 && self.written.is_some_and(|written| written + self.window() <= now)
    }
}

#[derive(Default)]
struct Memory {
    slots: HashMap<Kind, Slot>,
    per_network: HashMap<(Action, Option<Network>), u32>,
    per_subject: HashMap<(Action, Subject), u32>,
    /// When the minute began in which so many entries were written.
    minute: Option<Timestamp>,
    written: usize,
}

impl Memory {
    /// The kind that a refusal is counted under: its own, unless there are too many to count them all apart.
    fn kind(&self, mut kind: Kind) -> Kind {
        if self.slots.contains_key(&kind) {
            return kind;
        }
        if self.slots.len() >= MAX_SLOTS {
            kind.subject = Subject::Many;
            kind.network = None;
            return kind;
        }
        let of_network = kind.network.map(|network| (kind.action, network));
        let in_network = of_network.and_then(|network| self.per_network.get(&network));
        if in_network.is_some_and(|things| *things >= MAX_PER_NETWORK) {
            kind.subject = Subject::Many;
        }
        let networks = self.per_subject.get(&(kind.action, kind.subject.clone()));
        if networks.is_some_and(|networks| *networks >= MAX_PER_SUBJECT) {
            kind.network = None;
        }
        kind
    }

    fn add(&mut self, kind: &Kind, slot: Slot) {
        if let Some(network) = kind.network {
            *self.per_network.entry((kind.action, network)).or_default() += 1;
        }
        let subject = (kind.action, kind.subject.clone());
        *self.per_subject.entry(subject).or_default() += 1;
        self.slots.insert(kind.clone(), slot);
    }

    fn forget_idle(&mut self, now: Timestamp) {
        let Self {
            slots,
            per_network,
            per_subject,
            ..
        } = self;
        slots.retain(|kind, slot| {
            let idle = slot.is_idle(now);
            if idle {
                if let Some(network) = kind.network {
                    count_down(per_network, (kind.action, network));
                }
                count_down(per_subject, (kind.action, kind.subject.clone()));
            }
            !idle
        });
    }

    /// How many more entries may be written in this minute.
    fn room(&mut self, now: Timestamp) -> usize {
        let over = self
            .minute
            .is_none_or(|minute| now < minute || minute + WINDOWS[0] <= now);
        if over {
            self.minute = Some(now);
            self.written = 0;
        }
        ENTRIES_PER_MINUTE.saturating_sub(self.written)
    }
}

fn count_down<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, u32>, key: K) {
    if let std::collections::hash_map::Entry::Occupied(mut count) = counts.entry(key) {
        *count.get_mut() -= 1;
        if *count.get() == 0 {
            count.remove();
        }
    }
}

/// Counts what was refused.
#[derive(Default)]
pub(super) struct Refusals {
    memory: Mutex<Memory>,
    /// Hashes names under a key that ends with the process.
    hasher: RandomState,
    /// One writes at a time.
    writing: tokio::sync::Mutex<()>,
}

impl Refusals {
    fn note(&self, refusal: Refusal<'_>, now: Timestamp) {
        let network = refusal.origin.address.map(Network::from);
        let mut memory = self.memory.lock();
        let kind = memory.kind(Kind {
            action: refusal.action,
            reason: refusal.reason,
            subject: refusal.subject,
            network: Some(network),
        });
        if !memory.slots.contains_key(&kind) {
            let slot = Slot {
                times: 0,
                first: now,
                last: now,
                called: None,
                by: refusal.by.clone(),
                unknown_names: None,
                unknown_key: None,
                written: None,
                entries: 0,
            };
            memory.add(&kind, slot);
        }
        let Some(slot) = memory.slots.get_mut(&kind) else {
            return;
        };
        if slot.times == 0 {
            slot.first = now;
        }
        slot.times = slot.times.saturating_add(1);
        slot.last = slot.last.max(now);
        slot.called = refusal.called;
        slot.by = refusal.by;
        slot.unknown_key = refusal.unknown_key.or(slot.unknown_key);
        if let Some(name) = refusal.unknown_name {
            let names = slot.unknown_names.get_or_insert_default();
            if names.len() < MAX_NAMES {
                names.insert(self.hasher.hash_one(name));
            }
        }
    }

    /// What is to be written now: what is about things that exist before the rest, and the oldest first.
    fn due(&self, now: Timestamp, all: bool) -> Vec<(Kind, Slot)> {
        let mut memory = self.memory.lock();
        memory.forget_idle(now);
        let room = if all { usize::MAX } else { memory.room(now) };
        let mut due: Vec<_> = memory
            .slots
            .iter()
            .filter(|(_, slot)| slot.is_due(now) || (all && slot.times > 0))
            .map(|(kind, slot)| (matches!(kind.subject, Subject::Unknown), slot.first, kind))
            .collect();
        due.sort_unstable_by_key(|(unknown, first, _)| (*unknown, *first));
        let due = due.into_iter().take(room).map(|(_, _, kind)| kind.clone());
        due.filter_map(|kind| memory.slots.get(&kind).cloned().map(|slot| (kind, slot)))
            .collect()
    }

    /// What was written need not be written again.
    fn written(&self, entries: &[(Kind, Slot)], now: Timestamp) {
        let mut memory = self.memory.lock();
        memory.written = memory.written.saturating_add(entries.len());
        for (kind, written) in entries {
            if let Some(slot) = memory.slots.get_mut(kind) {
                slot.times = slot.times.saturating_sub(written.times);
                slot.first = written.last;
                slot.written = Some(now);
                slot.entries = slot.entries.saturating_add(1);
                slot.unknown_names = None;
                slot.unknown_key = None;
            }
        }
    }
}

/// Sums all beyond the first few up, by kind.
fn summed_up(due: Vec<(Kind, Slot)>) -> Vec<(Kind, Slot)> {
    let mut due = due.into_iter();
    let mut entries: Vec<_> = due.by_ref().take(LAST_ENTRIES).collect();
    let mut sums: HashMap<Kind, Slot> = HashMap::new();
    for (kind, slot) in due {
        let kind = Kind {
            subject: Subject::Many,
            network: None,
            ..kind
        };
        match sums.entry(kind) {
            std::collections::hash_map::Entry::Occupied(mut sum) => {
                let sum = sum.get_mut();
                sum.times = sum.times.saturating_add(slot.times);
                sum.first = sum.first.min(slot.first);
                sum.last = sum.last.max(slot.last);
            }
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(slot);
            }
        }
    }
    entries.extend(sums);
    entries
}

impl Engine {
    /// Notes that an attempt was refused. Nothing is written yet, and nothing is looked up.
    pub(super) fn refused(&self, refusal: Refusal<'_>) {
        self.refusals.note(refusal, self.now());
    }

    /// Writes refusals to the audit trail; with `all`, those too that would be held back.
    pub(super) async fn write_refusals(&self, all: bool) -> Result<(), Internal> {
        let _one = self.refusals.writing.lock().await;
        let now = self.now();
        let due = self.refusals.due(now, all);
        let kinds = if all { summed_up(due.clone()) } else { due.clone() };
        for batch in kinds.chunks(ENTRIES_PER_MINUTE) {
            let mut entries = Vec::new();
            for (kind, slot) in batch {
                let (about, target) = self.about(kind, slot).await?;
                let told = RefusalDetails {
                    reason: kind.reason,
                    times: slot.times,
                    first: slot.first,
                    last: slot.last,
                    about,
                    many_networks: kind.network.is_none(),
                    unknown_names: slot
                        .unknown_names
                        .as_ref()
                        .map(|names| u32::try_from(names.len()).unwrap_or(u32::MAX)),
                    unknown_key: slot.unknown_key,
                };
                let details = Some(Details::Refused(told));
                entries.push((slot.by.clone(), kind.action, target, details));
            }
            let entries = &entries;
            self.transact::<(), Internal, _>("tell of refusals", |_| async move {
                let told = Decision::answer(());
                Ok(entries.iter().fold(told, |told, (by, action, target, details)| {
                    told.audit_with(by, *action, target.clone(), details.clone())
                }))
            })
            .await?;
            if !all {
                self.refusals.written(batch, now);
            }
        }
        if all {
            self.refusals.written(&due, now);
        }
        Ok(())
    }

    /// What the refusals were about, and what to name it in the trail.
    async fn about(&self, kind: &Kind, slot: &Slot) -> Result<(About, Target), Internal> {
        let server = || audit_target::server(self.server.id);
        Ok(match &kind.subject {
            Subject::Known(of, id) => {
                let called = match of {
                    TargetKind::ApiKey => self.key_called(ApiKeyId::from_uuid(*id)).await?,
                    _ => slot.called.clone(),
                };
                (
                    About::Target,
                    audit_target::named(*of, *id, called.unwrap_or_default()),
                )
            }
            Subject::Named(name) => match self.user_by_name(name).await? {
                Some(user) => (About::Target, audit_target::user(&user)),
                None => (About::Unknown, server()),
            },
            Subject::Unknown => (About::Unknown, server()),
            Subject::Many => (About::Many, server()),
        })
    }

    /// What a key is called in the trail, if it is still there.
    async fn key_called(&self, id: ApiKeyId) -> Result<Option<String>, Internal> {
        let Some(key) = self.store().api_key(id).await? else {
            return Ok(None);
        };
        let account = self.store().service_account(key.service_account_id).await?;
        Ok(account.map(|account| format!("{}/{}", account.name, key.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    /// Everything at once: more things than are counted apart, from more networks than are counted apart.
    #[test]
    fn memory_and_the_last_entries_are_bounded_and_nothing_is_lost() {
        let refusals = Refusals::default();
        let attempts = 4 * u32::try_from(MAX_SLOTS).unwrap();
        for number in 0..attempts {
            let origin = Origin {
                address: Some(std::net::Ipv4Addr::from_bits(number / 20).into()),
                ..Origin::default()
            };
            let thing = uuid::Uuid::from_u128(u128::from(number % 12_345));
            let refusal = Refusal::new(
                Action::SignInFailed,
                RefusalReason::WrongPassword,
                Subject::Known(TargetKind::User, thing),
                None,
                &origin,
            );
            refusals.note(refusal, NOW);
        }
        let slots = refusals.memory.lock().slots.len();
        assert!(slots <= MAX_SLOTS + 1, "{slots} slots");
        let due = refusals.due(NOW, true);
        let entries = summed_up(due.clone());
        assert!(entries.len() <= LAST_ENTRIES + 1, "{} entries", entries.len());
        let times: u64 = entries.iter().map(|(_, slot)| slot.times).sum();
        assert_eq!(times, u64::from(attempts));

        // When all of it is written and an hour has passed, nothing is left, nor any of the counts.
        refusals.written(&due, NOW);
        assert!(refusals.due(NOW + WINDOWS[2], false).is_empty());
        let memory = refusals.memory.lock();
        assert!(memory.slots.is_empty() && memory.per_network.is_empty() && memory.per_subject.is_empty());
    }

    #[test]
    fn no_more_than_sixty_entries_fall_due_in_a_minute() {
        let refusals = Refusals::default();
        for number in 0..1000 {
            let origin = Origin {
                address: Some(std::net::Ipv4Addr::from_bits(number).into()),
                ..Origin::default()
            };
            refusals.note(Refusal::too_many(Action::ApiKeyThrottled, &origin), NOW);
        }
        let mut written = 0;
        for second in 0..120 {
            let now = NOW + Duration::from_secs(second);
            let due = refusals.due(now, false);
            written += due.len();
            refusals.written(&due, now);
        }
        assert_eq!(written, 2 * ENTRIES_PER_MINUTE);
    }
}
