//! Changes that fail at every statement, and at every message to a database server: what was acknowledged is so, what was
//! refused is not, and nothing is ever made in part. The changes are random ones, until each kind was made once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use zenml_auth_core::memory::MemoryStore;
use zenml_auth_core::ports::Store as _;
use zenml_auth_storage::sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};
use zenml_auth_storage::{ConnectOptions, SqlStore};
use zenml_auth_testkit::databases::{Cut, Kind, Proxy, TestDatabase, fresh};

use crate::history::{Cast, Event, event, outcome};

zenml_auth_testkit::on_servers! {
    at_every_message
    at_every_row
    a_migration_that_breaks_off_goes_on
}

/// How many kinds of changes and other writes there are.
const KINDS: usize = 30;
/// How many events a history has.
const EVENTS: usize = 400;
/// How many histories it takes at most to see all moments of all kinds.
const HISTORIES: u64 = 60;

/// What makes writes fail.
trait Faults {
    /// Whether the store asks again when it is unknown whether something was done that may be done twice.
    const REPEATS: bool;

    /// How many moments there are from one that is tried to the next.
    const STRIDE: u32;

    /// Whether a change may have been made although its commit failed.
    fn leaves_doubt(&self) -> bool;

    /// Has the write after so many others fail.
    async fn arm(&self, moment: u32);

    /// Ends that, and tells whether one has failed.
    async fn disarm(&self) -> bool;
}

/// The names of what an event does.
fn kinds(event: &Event) -> Vec<String> {
    let name = |text: String| text.split(['(', ' ']).next().unwrap().to_owned();
    match event {
        Event::Commit(changes) => changes.iter().map(|change| name(format!("{change:?}"))).collect(),
        other => vec![name(format!("{other:?}"))],
    }
}

/// Shows what is not the same.
#[track_caller]
fn assert_same(actual: &[String], expected: &[String], told: &str) {
    let pairs = actual.iter().zip(expected);
    let other: Vec<_> = pairs.filter(|(actual, expected)| actual != expected).collect();
    assert!(other.is_empty(), "{told}: {other:#?}");
}

/// How far each kind of change has come.
#[derive(Default)]
struct Moments {
    /// The next moment at which a write of a kind fails.
    next: BTreeMap<String, u32>,
    /// The kinds of which one was made without a failure, as all its moments are through.
    through: BTreeSet<String>,
    failures: u32,
    /// How many were made in spite of a failure.
    healed: u32,
    /// How many histories there were.
    histories: u64,
}

impl Moments {
    fn are_through(&self) -> bool {
        self.through.len() == KINDS
    }

    #[track_caller]
    fn assert_through(&self, name: &str) {
        assert!(self.are_through(), "{name}: {:?}, {:?}", self.through, self.next);
        println!(
            "{name}: {} writes failed, and {} more were made in spite of it",
            self.failures, self.healed
        );
        assert!(self.failures + self.healed > 25, "{name}");
    }

    /// Random events on an empty database, which fail at one moment after the other.
    async fn history<F: Faults>(&mut self, store: &SqlStore, observer: &SqlStore, faults: &F, name: &str) {
        let cast = Cast::new();
        let memory = MemoryStore::new();
        let strategy = event(&cast);
        self.histories += 1;
        let seed = [self.histories.to_le_bytes(); 4].concat();
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let mut runner = TestRunner::new_with_rng(Config::default(), random);
        for number in 0..EVENTS {
            if self.are_through() {
                return;
            }
            let mut draw = || strategy.new_tree(&mut runner).unwrap().current();
            let is_wanted = |event: &Event| kinds(event).iter().any(|kind| !self.through.contains(kind));
            // Every other one is any, so that there are rows to change.
            let event = match number % 2 {
                0 => draw(),
                _ => (0..30).map(|_| draw()).find(is_wanted).unwrap_or_else(&mut draw),
            };
            let before = cast.read(&memory).await;
            let expected = outcome(&memory, &event).await;
            let after = cast.read(&memory).await;
            let mut kinds = kinds(&event);
            kinds.retain(|kind| !self.through.contains(kind));
            let may_repeat = F::REPEATS && matches!(event, Event::Fail(..));
            if expected.is_err() || before == after || kinds.is_empty() || may_repeat {
                // Where a change can be refused for two reasons, databases do not agree on which they name.
                let came_to = outcome(store, &event).await;
                let agrees = came_to == expected || (came_to.is_err() && expected.is_err());
                assert!(agrees, "event {number}: {event:?}: {came_to:?}, not {expected:?}");
                self.through
                    .extend(may_repeat.then_some(kinds).into_iter().flatten());
                continue;
            }
            let mut moment = kinds
                .iter()
                .map(|kind| *self.next.get(kind).unwrap_or(&0))
                .min()
                .unwrap();
            let has_failed = loop {
                faults.arm(moment).await;
                let came_to = outcome(store, &event).await;
                let has_failed = faults.disarm().await;
                let now = cast.read(observer).await;
                let told = format!("{name}, event {number} ({event:?}) at moment {moment}: {came_to:?}");
                moment += F::STRIDE;
                if came_to.is_ok() {
                    assert_same(&now, &after, &format!("{told}, and it is not so"));
                    self.healed += u32::from(has_failed);
                    break has_failed;
                }
                assert!(has_failed, "{told}, for no reason");
                self.failures += 1;
                if now != before {
                    assert!(faults.leaves_doubt(), "{told}, and it was made");
                    assert_same(&now, &after, &format!("{told}, and it was made in part"));
                    break true;
                }
            };
            for kind in kinds {
                if has_failed {
                    self.next.insert(kind, moment);
                } else {
                    self.through.insert(kind);
                }
            }
            // Nothing is left behind in which the next change would be lost; at most the memory of what failed.
            let recovered = async {
                while store.ping().await.is_err() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(10), recovered)
                .await
                .unwrap_or_else(|_| panic!("{name}, event {number}: it does not recover"));
        }
    }
}

/// What happens to the one connection over which SQLite writes.
struct SqliteFaults<'s> {
    store: &'s SqlStore,
    plan: Arc<Plan>,
    mode: Mode,
}

/// How a statement fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// It is broken off, and all that come after it work. SQLite rolls back by itself.
    Once,
    /// It is broken off, and so are all that come after it, `ROLLBACK` among them.
    Stays,
    /// The commit becomes a rollback.
    Commit,
}

#[derive(Default)]
struct Plan {
    is_armed: AtomicBool,
    left: AtomicI64,
    has_failed: AtomicBool,
}

impl Plan {
    /// Whether the next step may be made.
    fn goes_on(&self, mode: Mode) -> bool {
        if !self.is_armed.load(Ordering::SeqCst) || self.left.fetch_sub(1, Ordering::SeqCst) > 0 {
            return true;
        }
        self.has_failed.store(true, Ordering::SeqCst);
        if mode != Mode::Stays {
            self.is_armed.store(false, Ordering::SeqCst);
        }
        false
    }
}

impl Faults for SqliteFaults<'_> {
    const REPEATS: bool = false;
    // Steps of SQLite's machine; a statement takes at least as many.
    const STRIDE: u32 = 5;

    /// A `COMMIT` can be broken off when it is done.
    fn leaves_doubt(&self) -> bool {
        self.mode != Mode::Commit
    }

    async fn arm(&self, moment: u32) {
        let pool = self.store.connection().get_sqlite_connection_pool();
        let mut connection = pool.acquire().await.unwrap();
        let mut handle = connection.lock_handle().await.unwrap();
        let (plan, mode) = (Arc::clone(&self.plan), self.mode);
        if mode == Mode::Commit {
            handle.set_commit_hook(move || plan.goes_on(mode));
        } else {
            handle.set_progress_handler(1, move || plan.goes_on(mode));
        }
        self.plan.has_failed.store(false, Ordering::SeqCst);
        self.plan.left.store(i64::from(moment), Ordering::SeqCst);
        self.plan.is_armed.store(true, Ordering::SeqCst);
    }

    async fn disarm(&self) -> bool {
        self.plan.is_armed.store(false, Ordering::SeqCst);
        self.plan.has_failed.load(Ordering::SeqCst)
    }
}

async fn on_sqlite(mode: Mode) {
    let name = format!("SQLite, {mode:?}");
    let mut moments = Moments::default();
    while !moments.are_through() && moments.histories < HISTORIES {
        let folder = tempfile::tempdir().unwrap();
        let options = ConnectOptions::sqlite_file(folder.path().join("zenml-auth.db"));
        let store = SqlStore::connect(&options).await.unwrap();
        store.migrate_up().await.unwrap();
        // Through connections of its own, it sees what is in the file.
        let observer = SqlStore::connect(&options).await.unwrap();
        let faults = SqliteFaults {
            store: &store,
            plan: Arc::default(),
            mode,
        };
        moments.history(&store, &observer, &faults, &name).await;
    }
    moments.assert_through(&name);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_every_step_of_sqlite_for_a_moment() {
    on_sqlite(Mode::Once).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_every_step_of_sqlite_from_then_on() {
    on_sqlite(Mode::Stays).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_every_commit_of_sqlite() {
    on_sqlite(Mode::Commit).await;
}

/// A wire that is cut before a message reaches the server, or before its answer comes back.
struct Cuts<'p> {
    proxy: &'p Proxy,
    cut: fn(u32) -> Cut,
}

impl Faults for Cuts<'_> {
    const REPEATS: bool = true;
    const STRIDE: u32 = 1;

    fn leaves_doubt(&self) -> bool {
        true
    }

    async fn arm(&self, moment: u32) {
        self.proxy.cut((self.cut)(moment));
    }

    async fn disarm(&self) -> bool {
        let was_cut = self.proxy.is_done();
        self.proxy.stop_cutting();
        was_cut
    }
}

async fn at_every_message(kind: Kind) {
    for cut in [Cut::BeforeMessage, Cut::AfterMessage] {
        let name = format!("{kind:?}, {:?}", cut(0));
        let mut moments = Moments::default();
        while !moments.are_through() && moments.histories < HISTORIES {
            let Some(database) = fresh(kind).await else { return };
            let observer = database.store().await;
            let proxy = Proxy::to(database.server().port).await;
            let options = ConnectOptions::url(database.url_through(&proxy));
            let store = SqlStore::connect(&options).await.unwrap();
            let faults = Cuts { proxy: &proxy, cut };
            moments.history(&store, &observer, &faults, &name).await;
        }
        moments.assert_through(&name);
    }
}

/// Triggers that refuse a row, counted where no transaction takes it back.
struct Triggers {
    connection: DatabaseConnection,
    kind: Kind,
}

impl Triggers {
    async fn on(database: &TestDatabase) -> Self {
        let (connection, kind) = (database.connection().await, database.kind());
        let this = Self { connection, kind };
        let schema = match kind {
            Kind::Postgres => "current_schema()",
            Kind::MySql => "database()",
        };
        let tables = format!(
            "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = {schema} AND \
             table_name <> 'migrations'"
        );
        let tables = this
            .connection
            .query_all_raw(this.statement(&tables))
            .await
            .unwrap();
        this.execute(match kind {
            Kind::Postgres => "CREATE SEQUENCE faults MINVALUE -1000000 START 1",
            Kind::MySql => "CREATE TABLE faults (number INT NOT NULL) ENGINE = MEMORY",
        })
        .await;
        if kind == Kind::Postgres {
            this.execute(
                "CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 IF nextval('faults') = 0 THEN RAISE EXCEPTION 'refused'; END IF; RETURN NULL; END $$",
            )
            .await;
        } else {
            this.execute("INSERT INTO faults VALUES (1)").await;
        }
        for table in tables {
            let table: String = table.try_get("", "name").unwrap();
            for change in ["INSERT", "UPDATE", "DELETE"] {
                let statement = match kind {
                    Kind::Postgres => format!(
                        "CREATE TRIGGER fault_{change} AFTER {change} ON {table} FOR EACH ROW EXECUTE FUNCTION fault()"
                    ),
                    Kind::MySql => format!(
                        "CREATE TRIGGER fault_{change}_{table} AFTER {change} ON {table} FOR EACH ROW BEGIN \
                         UPDATE faults SET number = number + 1; \
                         IF (SELECT number FROM faults) = 0 THEN SIGNAL SQLSTATE '45000'; END IF; END"
                    ),
                };
                this.execute(&statement).await;
            }
        }
        this
    }

    fn statement(&self, sql: &str) -> Statement {
        Statement::from_string(self.connection.get_database_backend(), sql)
    }

    async fn execute(&self, sql: &str) {
        self.connection.execute_unprepared(sql).await.unwrap();
    }

    async fn number(&self) -> i64 {
        let question = match self.kind {
            Kind::Postgres => "SELECT last_value AS number FROM faults",
            Kind::MySql => "SELECT CAST(number AS SIGNED) AS number FROM faults",
        };
        let row = self.connection.query_one_raw(self.statement(question)).await;
        row.unwrap().unwrap().try_get("", "number").unwrap()
    }

    async fn set(&self, number: i64) {
        self.execute(&match self.kind {
            Kind::Postgres => format!("SELECT setval('faults', {number})"),
            Kind::MySql => format!("UPDATE faults SET number = {number}"),
        })
        .await;
    }
}

impl Faults for Triggers {
    const REPEATS: bool = false;
    const STRIDE: u32 = 1;

    fn leaves_doubt(&self) -> bool {
        false
    }

    async fn arm(&self, moment: u32) {
        self.set(-i64::from(moment) - 1).await;
    }

    async fn disarm(&self) -> bool {
        let has_failed = self.number().await >= 0;
        self.set(1).await;
        has_failed
    }
}

async fn at_every_row(kind: Kind) {
    let name = format!("{kind:?}, rows");
    let mut moments = Moments::default();
    while !moments.are_through() && moments.histories < HISTORIES {
        let Some(database) = fresh(kind).await else { return };
        let store = database.store().await;
        let faults = Triggers::on(&database).await;
        moments.history(&store, &store, &faults, &name).await;
    }
    moments.assert_through(&name);
}

/// However often it is broken off, a migration goes on where it was.
async fn a_migration_that_breaks_off_goes_on(kind: Kind) {
    let mut breaks = 0;
    for cut in [Cut::BeforeMessage, Cut::AfterMessage] {
        for first in (0..90).step_by(18) {
            let Some(database) = fresh(kind).await else { return };
            let observer = SqlStore::connect(&database.options()).await.unwrap();
            let proxy = Proxy::to(database.server().port).await;
            // Each attempt comes a few messages further, as the first of each only look at what was done.
            for patience in (first..).step_by(19) {
                let options = ConnectOptions::url(database.url_through(&proxy));
                proxy.cut(cut(patience));
                let migrated = match SqlStore::connect(&options).await {
                    Ok(store) => store
                        .migrate_up()
                        .await
                        .map(drop)
                        .map_err(|error| error.to_string()),
                    Err(error) => Err(error.to_string()),
                };
                let was_cut = proxy.is_done();
                proxy.stop_cutting();
                match migrated {
                    Ok(()) => break,
                    Err(error) => assert!(was_cut, "{kind:?} after {breaks} breaks: {error}"),
                }
                breaks += 1;
            }
            observer.check_schema().await.unwrap();
            let cast = Cast::new();
            assert_eq!(cast.read(&observer).await, cast.read(&MemoryStore::new()).await);
        }
    }
    println!("{kind:?}: migrations broke off {breaks} times");
    assert!(breaks > 15, "{kind:?}: {breaks} breaks");
}
