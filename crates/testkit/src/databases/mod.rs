//! Throwaway database servers, started from the programs that are installed.
//!
//! [`fresh`] gives a test an empty database on a server that the tests of one program share; [`own_server`] starts one
//! that a test may stop and start. A server listens on a free port of the loopback interface, keeps its files in a
//! temporary folder, and ends with the program that started it, however that ends.
//!
//! Where a database is not installed, its tests say so and do nothing. `TEST_DATABASES=all` makes that an
//! error instead, and `none` leaves all database servers out. Which databases a program ran on, and which it did not find,
//! goes to the [`report`].

mod mysql;
mod pgbouncer;
mod postgres;
mod process;
mod proxy;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::OnceCell;
use zenml_auth_storage::sea_orm::{
    ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, Statement, TransactionTrait as _,
};
use zenml_auth_storage::{ConnectOptions, SqlStore};

pub use pgbouncer::PgBouncer;
pub use proxy::{Cut, Proxy};

use process::{Certificate, Process};

use crate::report;

/// Runs tests on each kind of server: functions `async fn name(kind: Kind)`, which get an empty hand from [`fresh`] where
/// it is not installed.
#[macro_export]
macro_rules! on_servers {
    ($($test:ident)+) => {
        $crate::on_servers! { @on postgres Postgres $($test)+ }
        $crate::on_servers! { @on mysql MySql $($test)+ }
    };
    (@on $module:ident $kind:ident $($test:ident)+) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    Box::pin(super::$test($crate::databases::Kind::$kind)).await;
                }
            )+
        }
    };
}

/// A kind of database server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PostgreSQL.
    Postgres,
    /// MariaDB or MySQL, whichever is installed.
    MySql,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Postgres, Self::MySql];

    const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::MySql => "MariaDB or MySQL",
        }
    }

    fn programs(self) -> Option<Programs> {
        match self {
            Self::Postgres => postgres::find().map(Programs::Postgres),
            Self::MySql => mysql::find().map(Programs::MySql),
        }
    }
}

/// The installed programs of a server.
#[derive(Debug, Clone)]
enum Programs {
    Postgres(postgres::Programs),
    MySql(mysql::Programs),
}

impl Programs {
    fn is_mysql(&self) -> bool {
        matches!(self, Self::MySql(programs) if programs.is_mysql())
    }
}

/// A running database server. It stops, and its files go, when it is dropped or the program ends.
#[derive(Debug)]
pub struct Server {
    /// What it is.
    pub kind: Kind,
    /// Where it listens.
    pub port: u16,
    /// Whether it is MySQL itself, and not MariaDB.
    pub is_mysql: bool,
    certificate: Option<Certificate>,
    process: Mutex<Process>,
    databases: AtomicU32,
    done_with: Mutex<Vec<String>>,
}

impl Server {
    async fn start(kind: Kind, programs: &Programs, certificate: Option<Certificate>) -> Self {
        let mut reason = String::new();
        // A port that was free a moment ago may be taken by now.
        for _ in 0..5 {
            let port = process::free_port();
            let process = match programs {
                Programs::Postgres(programs) => programs.make(port, certificate.as_ref()),
                Programs::MySql(programs) => programs.make(port, certificate.as_ref()),
            };
            let server = Self {
                kind,
                port,
                is_mysql: programs.is_mysql(),
                certificate: certificate.clone(),
                process: Mutex::new(process),
                databases: AtomicU32::new(0),
                done_with: Mutex::default(),
            };
            match server.wait_until_it_answers().await {
                Ok(()) => return server,
                Err(error) => {
                    reason = format!("{error}; its log ends with:\n{}", server.process.lock().log_end());
                }
            }
        }
        panic!("{} does not start: {reason}", kind.name());
    }

    /// The certificate (PEM) of the authority that has signed its own for `localhost`, if it has TLS.
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        self.certificate
            .as_ref()
            .map(|certificate| certificate.authority.as_str())
    }

    /// Stops it as a crash would, and keeps its files. Connections break.
    pub fn stop(&self) {
        self.process.lock().stop();
    }

    /// Adds an empty file to its files, or removes it, while it is stopped.
    pub fn set_marker(&self, name: &str, is_there: bool) {
        self.process.lock().set_marker(name, is_there);
    }

    /// Starts it again, on the same port with the same files.
    pub async fn start_again(&self) {
        self.process.lock().start();
        if let Err(error) = self.wait_until_it_answers().await {
            panic!(
                "{} does not start again: {error}; its log ends with:\n{}",
                self.kind.name(),
                self.process.lock().log_end()
            );
        }
    }

    /// Makes an empty database on it.
    pub async fn fresh(self: &Arc<Self>) -> TestDatabase {
        let number = self.databases.fetch_add(1, Ordering::SeqCst);
        let name = format!("test_{number}");
        let admin = self.admin().await.unwrap();
        let done_with = std::mem::take(&mut *self.done_with.lock());
        for old in done_with {
            // Whatever was left open is closed by it.
            let drop = match self.kind {
                Kind::Postgres => format!("DROP DATABASE IF EXISTS {old} WITH (FORCE)"),
                Kind::MySql => format!("DROP DATABASE IF EXISTS {old}"),
            };
            admin.execute_unprepared(&drop).await.unwrap();
        }
        let create = match self.kind {
            Kind::Postgres => format!("CREATE DATABASE {name}"),
            // Neither the character set nor the collation that the tables need: they have to bring their own.
            Kind::MySql => format!("CREATE DATABASE {name} CHARACTER SET latin1"),
        };
        admin.execute_unprepared(&create).await.unwrap();
        admin.close().await.unwrap();
        TestDatabase {
            server: Arc::clone(self),
            name,
        }
    }

    fn url(&self, database: &str) -> String {
        match self.kind {
            Kind::Postgres => format!("postgres://zenml:secret@127.0.0.1:{}/{database}", self.port),
            Kind::MySql => format!("mysql://zenml:secret@127.0.0.1:{}/{database}", self.port),
        }
    }

    async fn admin(&self) -> Result<DatabaseConnection, String> {
        let database = match self.kind {
            Kind::Postgres => "postgres",
            Kind::MySql => "mysql",
        };
        let mut options = zenml_auth_storage::sea_orm::ConnectOptions::new(self.url(database));
        options
            .max_connections(1)
            .connect_timeout(Duration::from_secs(5))
            .sqlx_logging(false);
        Database::connect(options)
            .await
            .map_err(|error| error.to_string())
    }

    async fn version(&self) -> String {
        let sql = match self.kind {
            Kind::Postgres => "SELECT 'PostgreSQL ' || current_setting('server_version') AS version",
            Kind::MySql => {
                "SELECT CONCAT(IF(VERSION() LIKE '%MariaDB%', '', 'MySQL '), VERSION()) AS version"
            }
        };
        let admin = self.admin().await.unwrap();
        let row = admin
            .query_one_raw(Statement::from_string(admin.get_database_backend(), sql))
            .await
            .unwrap()
            .unwrap();
        row.try_get("", "version").unwrap()
    }

    async fn wait_until_it_answers(&self) -> Result<(), String> {
        let mut reason = String::new();
        for _ in 0..600 {
            match self.admin().await {
                Ok(admin) => {
                    admin.close().await.map_err(|error| error.to_string())?;
                    return Ok(());
                }
                Err(error) => reason = error,
            }
            if self.process.lock().has_ended() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(reason)
    }
}

/// A database of one test.
#[derive(Debug)]
pub struct TestDatabase {
    server: Arc<Server>,
    name: String,
}

impl TestDatabase {
    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.server.kind
    }

    /// The server that it is on.
    #[must_use]
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// The same through a proxy, in plain text.
    #[must_use]
    pub fn url_through(&self, proxy: &Proxy) -> String {
        let mode = match self.kind() {
            Kind::Postgres => "sslmode=disable",
            Kind::MySql => "ssl-mode=DISABLED",
        };
        let direct = format!(":{}/", self.server.port);
        let through = format!(":{}/", proxy.port);
        format!("{}?{mode}", self.url().replace(&direct, &through))
    }

    /// How to connect to it.
    #[must_use]
    pub fn options(&self) -> ConnectOptions {
        ConnectOptions::url(self.url())
    }

    /// A connection to it, whose session is as the server makes it.
    pub async fn connection(&self) -> DatabaseConnection {
        let mut options = zenml_auth_storage::sea_orm::ConnectOptions::new(self.url());
        options.max_connections(4).sqlx_logging(false);
        Database::connect(options).await.unwrap()
    }

    /// Executes statements, such as a dump's, over a connection of their own, whose settings they may change.
    pub async fn execute(&self, sql: &str) {
        let connection = self.connection().await;
        connection.execute_unprepared(sql).await.unwrap();
        connection.close().await.unwrap();
    }

    /// A store on it, with the schema up to date.
    pub async fn store(&self) -> SqlStore {
        self.store_with(self.options()).await
    }

    /// The same, with options of its own. It waits longer for its connections than by default: other tests want the
    /// processors, too.
    pub async fn store_with(&self, mut options: ConnectOptions) -> SqlStore {
        options.acquire_timeout = Duration::from_secs(60);
        let store = SqlStore::connect(&options).await.unwrap();
        store.migrate_up().await.unwrap();
        store
    }

    /// Cuts the connections of everybody else, and tells how many there were.
    pub async fn cut_connections(&self) -> usize {
        let ids = self.connections().await;
        let admin = self.server.admin().await.unwrap();
        for id in &ids {
            let cut = match self.kind() {
                Kind::Postgres => format!("SELECT pg_terminate_backend({id})"),
                Kind::MySql => format!("KILL {id}"),
            };
            // It may have gone by itself.
            let _ = admin.execute_unprepared(&cut).await;
        }
        ids.len()
    }

    /// The connections to it that there are, by the numbers that the server gave them.
    pub async fn connections(&self) -> BTreeSet<i64> {
        let admin = self.server.admin().await.unwrap();
        let sql = match self.kind() {
            Kind::Postgres => format!(
                "SELECT CAST(pid AS bigint) AS id FROM pg_stat_activity WHERE datname = '{}'",
                self.name
            ),
            // Where there is a choice: MySQL's other list fails over the bytes in statements that it would show.
            Kind::MySql if self.server.is_mysql => format!(
                "SELECT CAST(processlist_id AS SIGNED) AS id FROM performance_schema.threads \
                 WHERE processlist_db = '{}'",
                self.name
            ),
            Kind::MySql => format!(
                "SELECT CAST(id AS SIGNED) AS id FROM information_schema.processlist WHERE db = '{}'",
                self.name
            ),
        };
        let rows = admin
            .query_all_raw(Statement::from_string(admin.get_database_backend(), sql))
            .await
            .unwrap();
        admin.close().await.unwrap();
        rows.iter().map(|row| row.try_get("", "id").unwrap()).collect()
    }

    /// Waits until the connections that there are, without these, are as wanted, and hands them out.
    ///
    /// # Panics
    /// When they do not become so within half a minute.
    pub async fn connections_when(
        &self,
        without: &BTreeSet<i64>,
        wanted: impl Fn(&BTreeSet<i64>) -> bool,
    ) -> BTreeSet<i64> {
        let mut found = BTreeSet::new();
        for _ in 0..600 {
            found = &self.connections().await - without;
            if wanted(&found) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the connections stay {found:?}");
    }

    /// Keeps everybody else from reading and writing a table, who wait as long as they may.
    pub async fn hold(&self, table: &str) -> HeldTable {
        let transaction = self.connection().await.begin().await.unwrap();
        let lock = match self.kind() {
            Kind::Postgres => format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"),
            Kind::MySql => format!("LOCK TABLES {table} WRITE"),
        };
        transaction.execute_unprepared(&lock).await.unwrap();
        HeldTable {
            kind: self.kind(),
            transaction,
        }
    }
}

/// A table that nobody else can read or write.
#[derive(Debug)]
#[must_use = "the table is everybody's again once it is dropped"]
pub struct HeldTable {
    kind: Kind,
    transaction: DatabaseTransaction,
}

impl HeldTable {
    /// Lets the others go on.
    pub async fn release(self) {
        if self.kind == Kind::MySql {
            // There it is the session's, and not the transaction's.
            self.transaction
                .execute_unprepared("UNLOCK TABLES")
                .await
                .unwrap();
        }
        self.transaction.rollback().await.unwrap();
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        self.server.done_with.lock().push(self.name.clone());
    }
}

/// An empty database on the server of this kind that all tests of this program share, or `None` if it is not installed.
pub async fn fresh(kind: Kind) -> Option<TestDatabase> {
    static POSTGRES: OnceCell<Option<Arc<Server>>> = OnceCell::const_new();
    static MYSQL: OnceCell<Option<Arc<Server>>> = OnceCell::const_new();
    let shared = match kind {
        Kind::Postgres => &POSTGRES,
        Kind::MySql => &MYSQL,
    };
    let server = shared.get_or_init(|| own_server(kind)).await.as_ref()?;
    Some(server.fresh().await)
}

/// A server for one test alone, or `None` if it is not installed.
pub async fn own_server(kind: Kind) -> Option<Arc<Server>> {
    start(kind, None).await
}

/// The same with TLS, and a certificate for `localhost`.
pub async fn own_server_with_tls(kind: Kind) -> Option<Arc<Server>> {
    start(kind, Some(Certificate::new())).await
}

/// The certificate (PEM) of an authority that has nothing to do with any server here.
#[must_use]
pub fn authority_of_others() -> String {
    Certificate::new().authority
}

async fn start(kind: Kind, certificate: Option<Certificate>) -> Option<Arc<Server>> {
    let wanted = std::env::var("TEST_DATABASES").unwrap_or_default();
    assert!(
        matches!(wanted.as_str(), "" | "all" | "none"),
        "TEST_DATABASES is \"all\", \"none\" or not set"
    );
    let programs = if wanted == "none" { None } else { kind.programs() };
    let Some(programs) = programs else {
        report::missing(kind.name());
        return None;
    };
    let server = Server::start(kind, &programs, certificate).await;
    report::ran(&server.version().await);
    Some(Arc::new(server))
}
