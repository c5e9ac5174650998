//! Random changes, of which some fail: at a random statement, when they are committed, because the database rolls back by
//! itself, or because the connection breaks at any message. What was acknowledged is so, and what was refused is not; only
//! where the connection broke it may be either, as a whole.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use zenml_auth_core::ports::{Change, ChangeSet, CommitError, Store as _, StoreError};
use zenml_auth_model::query::Query;
use zenml_auth_model::{User, Version};
use zenml_auth_storage::sea_orm::{ConnectionTrait as _, Statement};
use zenml_auth_storage::{ConnectOptions, SqlStore};
use zenml_auth_testkit::builders::Builders;
use zenml_auth_testkit::databases::{Cut, Kind, Proxy, fresh};

zenml_auth_testkit::on_servers! {
    what_was_acknowledged_is_so
}

const ROUNDS: u32 = 120;

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Some users that are added, and perhaps one that is deleted.
struct Set {
    added: Vec<User>,
    deleted: Option<User>,
    is_poisoned: bool,
}

impl Set {
    fn changes(&self, dice: &mut Dice) -> ChangeSet {
        let mut changes: Vec<Change> = self.added.iter().cloned().map(Change::InsertUser).collect();
        if let Some(user) = &self.deleted {
            let place = usize::try_from(dice.below(1 + self.added.len() as u64)).unwrap();
            changes.insert(place, Change::DeleteUser(user.id, Version::FIRST));
        }
        changes.into_iter().fold(ChangeSet::new(), ChangeSet::with)
    }

    /// Whether it was made; it has to be as a whole.
    async fn is_made(&self, observer: &SqlStore) -> bool {
        let mut made = Vec::new();
        for user in &self.added {
            made.push(observer.user(user.id).await.unwrap().is_some());
        }
        if let Some(user) = &self.deleted {
            made.push(observer.user(user.id).await.unwrap().is_none());
        }
        let names: Vec<&str> = self.added.iter().map(|user| user.name.as_str()).collect();
        assert!(
            made.iter().all(|one| *one == made[0]),
            "made in part: {names:?}, {:?} deleted, {made:?}",
            self.deleted.as_ref().map(|user| user.name.as_str())
        );
        made[0]
    }
}

/// Makes sets of changes, several at a time. `poisons` are beginnings of names that the database refuses in its way.
async fn history(
    store: &Arc<SqlStore>,
    observer: &SqlStore,
    poisons: &[&str],
    proxy: Option<&Proxy>,
    rounds: u32,
) {
    let build = Builders::new();
    let mut dice = Dice(1);
    let mut good: Vec<User> = Vec::new();
    let (mut refused, mut in_doubt, mut number) = (0, 0, 0);
    for round in 0..rounds {
        let mut sets = Vec::new();
        for _ in 0..=dice.below(3) {
            let poisoned = (dice.below(3) == 0).then(|| dice.below(4));
            let count = 1 + dice.below(4);
            let added: Vec<User> = (0..count)
                .map(|at| {
                    number += 1;
                    let kind = match poisoned {
                        Some(place) if place % count == at => {
                            poisons[dice.below(poisons.len() as u64) as usize]
                        }
                        _ => "good",
                    };
                    build.user(&format!("{kind} {number}"))
                })
                .collect();
            let deleted = (dice.below(3) == 0).then(|| good.pop()).flatten();
            sets.push(Set {
                added,
                deleted,
                is_poisoned: poisoned.is_some(),
            });
        }
        if let Some(proxy) = proxy
            && round % 2 == 0
        {
            let message = u32::try_from(dice.below(24)).unwrap();
            proxy.cut(if dice.below(2) == 0 {
                Cut::BeforeMessage(message)
            } else {
                Cut::AfterMessage(message)
            });
        }
        let mut racing = JoinSet::new();
        for (index, set) in sets.iter().enumerate() {
            let (store, changes) = (Arc::clone(store), set.changes(&mut dice));
            racing.spawn(async move { (index, store.commit(changes).await) });
        }
        let answers = racing.join_all().await;
        let was_cut = proxy.is_some_and(|proxy| round % 2 == 0 && proxy.is_done());
        if let Some(proxy) = proxy {
            proxy.stop_cutting();
        }
        let anything_poisoned = sets.iter().any(|set| set.is_poisoned);
        for (index, answer) in answers {
            let set = &sets[index];
            let is_made = set.is_made(observer).await;
            match answer {
                Ok(()) => {
                    assert!(is_made, "round {round}: acknowledged, and not made");
                    assert!(!set.is_poisoned, "round {round}: the database refused it");
                }
                // Also when the cut came after it.
                Err(CommitError::Store(StoreError::Unavailable(_))) if was_cut => in_doubt += 1,
                Err(error) => {
                    refused += 1;
                    assert!(!is_made, "round {round}: made, and told {error}");
                    assert!(anything_poisoned, "round {round}: {error}");
                }
            }
            if is_made {
                good.extend(set.added.iter().cloned());
            } else {
                good.extend(set.deleted.clone());
            }
        }
        // Nothing is left behind in which the next change would be lost.
        number += 1;
        let next = build.user(&format!("good {number}"));
        store
            .commit(ChangeSet::new().with(Change::InsertUser(next.clone())))
            .await
            .unwrap();
        assert!(
            observer.user(next.id).await.unwrap().is_some(),
            "round {round}: lost"
        );
        store.ping().await.unwrap();
    }
    assert!(refused > 10, "{refused}");
    assert!(proxy.is_none() || in_doubt > 0, "no commit was cut");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_so_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("zenml-auth.db");
    let options = ConnectOptions::sqlite_file(&file);
    let store = Arc::new(SqlStore::connect(&options).await.unwrap());
    store.migrate_up().await.unwrap();
    for statement in [
        "CREATE TABLE late (parent BLOB REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED)",
        "CREATE TRIGGER at_commit AFTER INSERT ON users WHEN NEW.name LIKE 'commit%' \
         BEGIN INSERT INTO late VALUES (x'00'); END",
        // The whole transaction is gone, as after an error of the disk.
        "CREATE TRIGGER by_itself BEFORE INSERT ON users WHEN NEW.name LIKE 'rollback%' \
         BEGIN SELECT RAISE(ROLLBACK, 'rolled back'); END",
        "CREATE TRIGGER aborts BEFORE INSERT ON users WHEN NEW.name LIKE 'abort%' \
         BEGIN SELECT RAISE(ABORT, 'aborted'); END",
        "CREATE TRIGGER fails AFTER INSERT ON users WHEN NEW.name LIKE 'fail%' \
         BEGIN SELECT RAISE(FAIL, 'failed'); END",
    ] {
        store.connection().execute_unprepared(statement).await.unwrap();
    }
    // Through connections of its own, it sees what is in the file.
    let observer = SqlStore::connect(&options).await.unwrap();
    let poisons = ["commit", "rollback", "abort", "fail"];
    history(&store, &observer, &poisons, None, 4 * ROUNDS).await;
}

async fn what_was_acknowledged_is_so(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let observer = database.store().await;
    let (statements, poisons): (&[&str], &[&str]) = match kind {
        Kind::Postgres => (
            &[
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN RAISE EXCEPTION 'refused'; END $$",
                "CREATE TRIGGER aborts BEFORE INSERT ON users FOR EACH ROW WHEN (NEW.name LIKE 'abort%') \
                 EXECUTE FUNCTION refuse()",
                "CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED \
                 FOR EACH ROW WHEN (NEW.name LIKE 'commit%') EXECUTE FUNCTION refuse()",
            ],
            &["abort", "commit"],
        ),
        Kind::MySql => (
            &["CREATE TRIGGER aborts BEFORE INSERT ON users FOR EACH ROW \
               BEGIN IF NEW.name LIKE 'abort%' THEN SIGNAL SQLSTATE '45000'; END IF; END"],
            &["abort"],
        ),
    };
    for statement in statements {
        observer.connection().execute_unprepared(statement).await.unwrap();
    }
    let proxy = Proxy::to(database.server().port).await;
    let store = SqlStore::connect(&ConnectOptions::url(database.url_through(&proxy)))
        .await
        .unwrap();
    let store = Arc::new(store);
    history(&store, &observer, poisons, Some(&proxy), ROUNDS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_goes_away_leaves_no_transaction_behind() {
    let Some(database) = fresh(Kind::Postgres).await else {
        return;
    };
    database.store().await.close().await.unwrap();
    let mut options = database.options();
    options.connections = 3;
    // PostgreSQL ends a transaction that is left behind after as long, which would hide it.
    options.statement_timeout = Duration::from_secs(120);
    let store = SqlStore::connect(&options).await.unwrap();
    let build = Builders::new();
    for patience in 0..300_u32 {
        let user = build.user(&format!("user {patience}"));
        let work = async {
            if patience % 2 == 0 {
                store
                    .list_users(&Query::default(), None)
                    .await
                    .map(|_| ())
                    .unwrap();
            } else {
                let insertion = ChangeSet::new().with(Change::InsertUser(user.clone()));
                store.commit(insertion).await.unwrap();
            }
        };
        let leaving = async {
            for _ in 0..patience / 2 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            () = work => {}
            () = leaving => {}
        }
    }
    let observer = database.connection().await;
    let none_is_open = async {
        loop {
            let question = "SELECT count(*) AS open FROM pg_stat_activity \
                            WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
            let question = Statement::from_string(observer.get_database_backend(), question);
            let row = observer.query_one_raw(question).await.unwrap().unwrap();
            if row.try_get::<i64>("", "open").unwrap() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), none_is_open)
        .await
        .expect("a transaction was left open");
}
