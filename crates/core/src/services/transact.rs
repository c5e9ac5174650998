//! The one way to change things: load, decide, commit, and begin again when another operation committed first.

use zenml_auth_model::{
    Action, ApiKey, Details, Device, DeviceGrant, ServiceAccount, Target, Timestamp, User,
};

use super::{Engine, Internal, Ports};
use crate::audit_writer::AuditWriter;
use crate::ports::{Change, ChangeSet, CommitError, Unique};

/// How often an operation begins again when others change the same rows. Every round, one of them commits, so only more
/// operations than this on one row at the same time make one fail.
const MAX_ROUNDS: u32 = 256;

/// What an operation decided: what to change, what to tell the audit trail, and what to answer once that is committed.
pub(super) struct Decision<T, E> {
    changes: Vec<Change>,
    entries: Vec<Entry>,
    answer: T,
    conflicts: Vec<(Conflict, OnConflict<E>)>,
}

/// An entry of the audit trail, without its id and time.
struct Entry {
    by: AuditWriter,
    action: Action,
    target: Target,
    details: Option<Details>,
}

/// Why a store refuses a commit, as far as an operation can expect it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conflict {
    /// A row was changed after it was read.
    Stale,
    /// There is one of these.
    Taken(Unique),
    /// The row that another one belongs to was deleted.
    ParentMissing,
}

impl Conflict {
    const fn of(error: &CommitError) -> Option<Self> {
        match error {
            CommitError::Stale => Some(Self::Stale),
            CommitError::Taken(what) => Some(Self::Taken(*what)),
            CommitError::ParentMissing => Some(Self::ParentMissing),
            CommitError::Store(_) => None,
        }
    }
}

/// How an operation goes on after a conflict.
enum OnConflict<E> {
    /// It begins again.
    Again,
    /// It answers as if the commit had succeeded.
    Answer,
    /// It fails.
    Fail(E),
}

/// A row that is updated under the version that was read.
pub(super) trait Versioned: Clone {
    /// The change that updates the row.
    fn update(self) -> Change;
    /// The row as it is after the update.
    fn updated(self) -> Self;
}

macro_rules! versioned {
    ($($row:ident => $change:ident),* $(,)?) => {$(
        impl Versioned for $row {
            fn update(self) -> Change {
                Change::$change(self)
            }

            fn updated(self) -> Self {
                Self {
                    version: self.version.next(),
                    ..self
                }
            }
        }
    )*};
}

versioned! {
    ApiKey => UpdateApiKey,
    Device => UpdateDevice,
    DeviceGrant => UpdateGrant,
    ServiceAccount => UpdateServiceAccount,
    User => UpdateUser,
}

impl<T, E> Decision<T, E> {
    /// Changes nothing yet. If it stays so, there is no commit.
    pub(super) const fn answer(answer: T) -> Self {
        Self {
            changes: Vec::new(),
            entries: Vec::new(),
            answer,
            conflicts: Vec::new(),
        }
    }

    /// Adds a change.
    pub(super) fn change(mut self, change: Change) -> Self {
        self.changes.push(change);
        self
    }

    /// Adds a guard before all changes, so that all operations lock it first.
    pub(super) fn guarded(mut self, guard: Option<Change>) -> Self {
        self.changes.splice(..0, guard);
        self
    }

    /// Adds changes.
    pub(super) fn changes(self, changes: impl IntoIterator<Item = Change>) -> Self {
        changes.into_iter().fold(self, Self::change)
    }

    /// Adds an entry of the audit trail.
    pub(super) fn audit(self, by: &AuditWriter, action: Action, target: Target) -> Self {
        self.audit_with(by, action, target, None)
    }

    /// Adds an entry of the audit trail with details.
    pub(super) fn audit_with(
        mut self,
        by: &AuditWriter,
        action: Action,
        target: Target,
        details: impl Into<Option<Details>>,
    ) -> Self {
        self.entries.push(Entry {
            by: by.clone(),
            action,
            target,
            details: details.into(),
        });
        self
    }

    /// Answers something else.
    pub(super) fn map<U>(self, answer: impl FnOnce(T) -> U) -> Decision<U, E> {
        Decision {
            changes: self.changes,
            entries: self.entries,
            answer: answer(self.answer),
            conflicts: self.conflicts,
        }
    }

    /// Fails with this when there is one of these already.
    pub(super) fn fail_if_taken(self, what: Unique, error: E) -> Self {
        self.on(Conflict::Taken(what), OnConflict::Fail(error))
    }

    /// Fails with this when the row that a new one belongs to was deleted.
    pub(super) fn fail_if_parent_missing(self, error: E) -> Self {
        self.on(Conflict::ParentMissing, OnConflict::Fail(error))
    }

    /// Begins again when there is one of these already.
    pub(super) fn again_if_taken(self, what: Unique) -> Self {
        self.on(Conflict::Taken(what), OnConflict::Again)
    }

    /// Answers the same after this conflict.
    pub(super) fn same_answer_on(self, conflict: Conflict) -> Self {
        self.on(conflict, OnConflict::Answer)
    }

    fn on(mut self, conflict: Conflict, then: OnConflict<E>) -> Self {
        self.conflicts.push((conflict, then));
        self
    }

    fn then(&mut self, conflict: Conflict) -> Option<OnConflict<E>> {
        let found = self.conflicts.iter().position(|(known, _)| *known == conflict);
        match found {
            Some(index) => Some(self.conflicts.swap_remove(index).1),
            None if conflict == Conflict::Stale => Some(OnConflict::Again),
            None => None,
        }
    }
}

impl<R: Versioned, E> Decision<R, E> {
    /// Updates a row, and answers it with the version that it has then.
    pub(super) fn update(row: R) -> Self {
        Self::answer(row.clone().updated()).change(row.update())
    }
}

impl Ports {
    /// Carries out an operation. `decide` loads what it needs and decides at the time it is given; it is called again when
    /// what it loaded has changed before the commit.
    ///
    /// # Errors
    /// What `decide` fails with, what it has chosen for a conflict, or [`Internal`].
    pub(super) async fn transact<T, E, F>(
        &self,
        operation: &'static str,
        mut decide: impl FnMut(Timestamp) -> F + Send,
    ) -> Result<T, E>
    where
        E: From<Internal> + std::error::Error,
        F: Future<Output = Result<Decision<T, E>, E>> + Send,
    {
        for round in 1..=MAX_ROUNDS {
            let now = self.clock.now();
            let ended = match decide(now).await {
                Ok(decision) => self.commit(decision, now).await,
                Err(error) => Err(error),
            };
            match ended {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => {
                    tracing::trace!(operation, round, "another operation was faster");
                    tokio::task::yield_now().await;
                }
                Err(error) => {
                    tracing::debug!(operation, %error, "failed");
                    return Err(error);
                }
            }
        }
        tracing::warn!(
            operation,
            rounds = MAX_ROUNDS,
            "other operations were always faster"
        );
        Err(Internal::Contended.into())
    }

    /// The answer once it is committed; `None` when the operation has to begin again.
    async fn commit<T, E: From<Internal>>(
        &self,
        mut decision: Decision<T, E>,
        now: Timestamp,
    ) -> Result<Option<T>, E> {
        let entries = std::mem::take(&mut decision.entries).into_iter().map(|entry| {
            let Entry {
                by,
                action,
                target,
                details,
            } = entry;
            by.entry(self.entropy.as_ref(), now, action, target, details)
        });
        let changes = std::mem::take(&mut decision.changes).into_iter().chain(entries);
        let changes = changes.fold(ChangeSet::new(), ChangeSet::with);
        if changes.as_slice().is_empty() {
            return Ok(Some(decision.answer));
        }
        let Err(error) = self.store.commit(changes).await else {
            return Ok(Some(decision.answer));
        };
        match Conflict::of(&error).and_then(|conflict| decision.then(conflict)) {
            Some(OnConflict::Again) => Ok(None),
            Some(OnConflict::Answer) => Ok(Some(decision.answer)),
            Some(OnConflict::Fail(error)) => Err(error),
            None => Err(Internal::from(error).into()),
        }
    }
}

impl Engine {
    /// As [`Ports::transact`].
    pub(super) async fn transact<T, E, F>(
        &self,
        operation: &'static str,
        decide: impl FnMut(Timestamp) -> F + Send,
    ) -> Result<T, E>
    where
        E: From<Internal> + std::error::Error,
        F: Future<Output = Result<Decision<T, E>, E>> + Send,
    {
        self.ports.transact(operation, decide).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU32, Ordering};

    use uuid::Uuid;
    use zenml_auth_model::query::Query;
    use zenml_auth_model::{
        AuditEvent, Name, ServiceAccountId, SessionId, SessionPurpose, Text, UserId, Version,
    };

    use super::*;
    use crate::audit_target;
    use crate::memory::MemoryStore;
    use crate::ports::{Clock, Counting, Guard, Store as _};
    use crate::sealing::EncryptionKeys;

    /// A second passes each time it is looked at.
    struct Ticking(AtomicI64);

    impl Clock for Ticking {
        fn now(&self) -> Timestamp {
            Timestamp::from_secs(self.0.fetch_add(1, Ordering::SeqCst))
        }
    }

    struct World {
        store: Arc<MemoryStore>,
        ports: Ports,
        rounds: AtomicU32,
    }

    impl World {
        fn new() -> Self {
            let store = Arc::new(MemoryStore::new());
            Self {
                ports: Ports {
                    store: store.clone(),
                    clock: Arc::new(Ticking(AtomicI64::new(1))),
                    entropy: Arc::new(Counting(AtomicU8::new(1))),
                    encryption: Arc::new(EncryptionKeys::none()),
                },
                store,
                rounds: AtomicU32::new(0),
            }
        }

        fn begin_round(&self) -> u32 {
            self.rounds.fetch_add(1, Ordering::SeqCst) + 1
        }

        fn rounds(&self) -> u32 {
            self.rounds.load(Ordering::SeqCst)
        }

        async fn guard(&self) -> Version {
            self.store.guard(Guard::SigningKeys).await.unwrap()
        }

        /// As another operation does.
        async fn move_guard(&self) {
            let change = Change::Guard(Guard::SigningKeys, self.guard().await);
            self.store.commit(ChangeSet::new().with(change)).await.unwrap();
        }

        async fn trail(&self) -> Vec<AuditEvent> {
            self.store
                .list_audit_events(&Query::default())
                .await
                .unwrap()
                .items
        }
    }

    fn account(name: &str, id: u8) -> ServiceAccount {
        ServiceAccount {
            id: ServiceAccountId::from_random([id; 16]),
            name: Name::new(name).unwrap(),
            full_name: Text::default(),
            description: Text::default(),
            avatar_url: None,
            active: true,
            created: Timestamp::UNIX_EPOCH,
            updated: Timestamp::UNIX_EPOCH,
            version: Version::FIRST,
        }
    }

    fn told<T, E>(decision: Decision<T, E>) -> Decision<T, E> {
        let target = audit_target::unnamed(zenml_auth_model::TargetKind::Server, Uuid::nil());
        decision.audit(&AuditWriter::server(), Action::SigningKeyRotated, target)
    }

    #[tokio::test]
    async fn it_begins_again_when_another_operation_was_faster() {
        let world = &World::new();
        let answer = world
            .ports
            .transact::<_, Internal, _>("test", |now| async move {
                let read = world.guard().await;
                if world.begin_round() == 1 {
                    world.move_guard().await;
                }
                Ok(told(
                    Decision::answer(now).change(Change::Guard(Guard::SigningKeys, read)),
                ))
            })
            .await
            .unwrap();
        assert_eq!((world.rounds(), answer), (2, Timestamp::from_secs(2)));
        assert_eq!(world.guard().await, Version::FIRST.next().next());
        let times: Vec<_> = world.trail().await.iter().map(|entry| entry.at).collect();
        assert_eq!(times, [answer], "one entry, at the time of the round that counts");
    }

    #[tokio::test]
    async fn it_gives_up_when_others_are_always_faster() {
        let world = &World::new();
        let ended = world
            .ports
            .transact::<(), Internal, _>("test", |_| async move {
                let read = world.guard().await;
                world.begin_round();
                world.move_guard().await;
                Ok(told(
                    Decision::answer(()).change(Change::Guard(Guard::SigningKeys, read)),
                ))
            })
            .await;
        assert!(matches!(ended, Err(Internal::Contended)));
        assert_eq!(world.rounds(), MAX_ROUNDS);
        assert!(world.trail().await.is_empty());
    }

    #[tokio::test]
    async fn what_fails_or_changes_nothing_commits_nothing() {
        let world = &World::new();
        let failed = world
            .ports
            .transact::<(), Internal, _>("test", |_| async { Err(Internal::Contended) })
            .await;
        assert!(failed.is_err());
        let answer = world
            .ports
            .transact::<_, Internal, _>("test", |_| async { Ok(Decision::answer(7)) })
            .await;
        assert_eq!(answer.unwrap(), 7);
        assert_eq!(world.guard().await, Version::FIRST);
        assert!(world.trail().await.is_empty());
    }

    #[tokio::test]
    async fn an_update_answers_the_row_as_it_is_then() {
        let world = &World::new();
        let made = account("ci", 1);
        let inserted = ChangeSet::new().with(Change::InsertServiceAccount(made.clone()));
        world.store.commit(inserted).await.unwrap();
        let changed = &ServiceAccount {
            active: false,
            ..made.clone()
        };
        let answer = world
            .ports
            .transact::<_, Internal, _>("test", |_| async move { Ok(Decision::update(changed.clone())) })
            .await
            .unwrap();
        assert_eq!(answer.version, Version::FIRST.next());
        assert_eq!(world.store.service_account(made.id).await.unwrap(), Some(answer));
    }

    #[tokio::test]
    async fn a_conflict_ends_as_was_decided() {
        let world = &World::new();
        let inserted = ChangeSet::new().with(Change::InsertServiceAccount(account("ci", 1)));
        world.store.commit(inserted).await.unwrap();
        let insert = |name: &'static str| {
            Decision::answer(name).change(Change::InsertServiceAccount(account(name, 2)))
        };
        let taken = Unique::ServiceAccountName;

        let unexpected = world
            .ports
            .transact::<_, Internal, _>("test", |_| async move { Ok(insert("ci")) })
            .await;
        assert!(matches!(unexpected, Err(Internal::Refused(_))));

        let failed = world
            .ports
            .transact("test", |_| async move {
                Ok(insert("ci").fail_if_taken(taken, Internal::Contended))
            })
            .await;
        assert!(matches!(failed, Err(Internal::Contended)));

        let same = world
            .ports
            .transact::<_, Internal, _>("test", |_| async move {
                Ok(insert("ci").same_answer_on(Conflict::Taken(taken)))
            })
            .await;
        assert_eq!(same.unwrap(), "ci");

        let again = world
            .ports
            .transact::<_, Internal, _>("test", |_| async move {
                let name = if world.begin_round() == 1 { "ci" } else { "other" };
                Ok(insert(name).again_if_taken(taken))
            })
            .await;
        assert_eq!((again.unwrap(), world.rounds()), ("other", 2));

        let orphan = zenml_auth_model::Session {
            id: SessionId::from_random([1; 16]),
            user_id: UserId::from_random([9; 16]),
            purpose: SessionPurpose::Api,
            credentials_gen: 1,
            created: Timestamp::UNIX_EPOCH,
            authenticated: Timestamp::UNIX_EPOCH,
            last_active: Timestamp::UNIX_EPOCH,
            expires: Timestamp::UNIX_EPOCH,
            version: Version::FIRST,
        };
        let orphan = &orphan;
        let parentless = world
            .ports
            .transact("test", |_| async move {
                Ok(Decision::answer(())
                    .change(Change::InsertSession(orphan.clone()))
                    .fail_if_parent_missing(Internal::Contended))
            })
            .await;
        assert!(matches!(parentless, Err(Internal::Contended)));
    }

    #[test]
    fn nothing_else_in_services_commits() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/services");
        let files = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let commits = |path: &std::path::PathBuf| std::fs::read_to_string(path).unwrap().contains(".commit(");
        let names: Vec<_> = files
            .filter(commits)
            .map(|path| path.file_name().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["transact.rs"]);
    }

    #[test]
    fn a_guard_comes_before_all_changes() {
        let guard = Change::Guard(Guard::Administrators, Version::FIRST);
        let decision: Decision<_, Internal> = Decision::update(account("ci", 1)).guarded(Some(guard));
        assert!(matches!(
            decision.changes.as_slice(),
            [Change::Guard(..), Change::UpdateServiceAccount(_)]
        ));
    }
}
