//! MySQL 8 and MariaDB 10.6, and later.

use std::time::Duration;

use sea_orm::sea_query::{Expr, Func, SimpleExpr};
use sea_orm::sqlx::error::DatabaseError;
use sea_orm::sqlx::mysql::{MySql, MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlSslMode};
use sea_orm::sqlx::{
    self, AssertSqlSafe, ConnectOptions as _, Connection as _, Error as SqlxError, Executor as _,
};
use sea_orm::{AccessMode, DatabaseConnection, IsolationLevel, SqlxMySqlConnector, TransactionOptions};
use zenml_auth_core::ports::{StoreError, Unique};
use zenml_auth_migrations::compatibility::OLDEST_SCHEMA;
use zenml_auth_migrations::serving;
use zenml_auth_model::text::MAX_TEXT_BYTES;

use super::server::{CHANGES, fatal_connect_error, first_connection, passing_connect_error, pool};
use super::{Connections, Dialect, Failure, unique};
use crate::epoch::Authority;
use crate::options::{ConnectOptions, OptionsError, TlsMode};

const OLDEST_MYSQL: [u32; 3] = [8, 0, 17];
const OLDEST_MARIADB: [u32; 3] = [10, 6, 0];

/// How many bytes of a text MariaDB looks at when it sorts rows by it: three for each letter of the longest ones. By
/// itself it is 1024, and what differs later comes in any order. MySQL looks at all of a text with our collation.
const SORT_LENGTH: usize = 3 * MAX_TEXT_BYTES;
/// The least memory, in bytes, in which to sort such texts: at least fifteen have to fit.
const SORT_BUFFER: usize = 20 * SORT_LENGTH;

/// How to connect, and what to set once connected.
#[derive(Clone)]
pub(super) struct Settings {
    connect: MySqlConnectOptions,
    statement_timeout: Duration,
    idle_timeout: Duration,
}

pub(super) async fn connect(
    options: &ConnectOptions,
    authority: Authority,
) -> Result<Connections, StoreError> {
    let settings = settings(options)?;
    // Once by hand, so that the reason is known if it fails: a pool would only say that it took too long.
    let connection = first_connection(Dialect::MySql, options, || connect_once(&settings)).await?;
    // It has served its purpose; how it ends does not matter.
    let _ = connection.close().await;
    let connect = settings.connect.clone();
    let pool = pool::<MySql>(options, authority.clone(), connect, move |connection| {
        let settings = settings.clone();
        Box::pin(async move { prepare(&settings, connection).await })
    });
    let pool = SqlxMySqlConnector::from_sqlx_mysql_pool(pool);
    Ok(Connections {
        writer: (pool.clone(), authority.clone()),
        reader: (pool, authority),
        files: None,
    })
}

/// Opens one connection outside of the pool.
pub(super) async fn connect_once(settings: &Settings) -> Result<MySqlConnection, SqlxError> {
    let mut connection = settings.connect.connect().await.map_err(explained)?;
    prepare(settings, &mut connection).await?;
    Ok(connection)
}

/// Says what to do where the driver names a feature that it was built without (ADR 0021).
fn explained(error: SqlxError) -> SqlxError {
    match error {
        SqlxError::Configuration(reason) if reason.to_string().contains("RSA") => fatal_connect_error(
            "MySQL wants this user's password, which is only sent over TLS; let the server offer TLS, and leave it on here"
                .to_owned(),
        ),
        other => other,
    }
}

/// What every connection begins with.
pub(super) fn settings(options: &ConnectOptions) -> Result<Settings, OptionsError> {
    let url = options.server_url()?;
    let connect: MySqlConnectOptions = url
        .parse()
        .map_err(|error: SqlxError| OptionsError(error.to_string()))?;
    if connect.get_database().is_none() {
        return Err(OptionsError(
            "the URL names no database; write mysql://user@host/database".to_owned(),
        ));
    }
    let mut connect = connect
        // Texts that belong to no column, such as that of an id, are compared letter by letter as well.
        .collation("utf8mb4_bin")
        .disable_statement_logging();
    if let Some(mode) = options.tls {
        connect = connect.ssl_mode(match mode {
            TlsMode::Disable => MySqlSslMode::Disabled,
            TlsMode::Prefer => MySqlSslMode::Preferred,
            TlsMode::Require => MySqlSslMode::Required,
            TlsMode::VerifyCa => MySqlSslMode::VerifyCa,
            TlsMode::VerifyFull => MySqlSslMode::VerifyIdentity,
        });
    }
    let has_ca_file = options.ca_file.is_some() || crate::url::sets_ca_file(url);
    options.check_tls(tls_mode(&connect), has_ca_file)?;
    if let Some(file) = &options.ca_file {
        connect = connect.ssl_ca(file);
    }
    Ok(Settings {
        connect,
        statement_timeout: options.statement_timeout,
        idle_timeout: options.idle_timeout,
    })
}

fn tls_mode(connect: &MySqlConnectOptions) -> TlsMode {
    match connect.get_ssl_mode() {
        MySqlSslMode::Disabled => TlsMode::Disable,
        MySqlSslMode::Preferred => TlsMode::Prefer,
        MySqlSslMode::Required => TlsMode::Require,
        MySqlSslMode::VerifyCa => TlsMode::VerifyCa,
        MySqlSslMode::VerifyIdentity => TlsMode::VerifyFull,
    }
}

/// Where the database is.
pub(super) fn place(options: &ConnectOptions) -> Result<String, OptionsError> {
    let connect = settings(options)?.connect;
    Ok(format!(
        "{:?} {} {} {:?}",
        connect.get_socket(),
        connect.get_host(),
        connect.get_port(),
        connect.get_database()
    ))
}

/// Has a pool open its next connections like this.
pub(super) fn set_options(pool: &DatabaseConnection, options: &ConnectOptions) -> Result<(), OptionsError> {
    let connect = settings(options)?.connect;
    pool.get_mysql_connection_pool().set_connect_options(connect);
    Ok(())
}

/// Whether this is about the password.
pub(super) fn refuses_login(error: &dyn DatabaseError) -> bool {
    error
        .try_downcast_ref::<MySqlDatabaseError>()
        .is_some_and(|error| matches!(error.number(), 1045 | 1698))
}

pub(super) fn describe(options: &ConnectOptions) -> Result<String, OptionsError> {
    let connect = settings(options)?.connect;
    let place = match connect.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", connect.get_host(), connect.get_port()),
    };
    Ok(format!(
        "MySQL or MariaDB at {place}, database {}, as {}, TLS {}",
        connect.get_database().unwrap_or_default(),
        connect.get_username(),
        tls_mode(&connect)
    ))
}

/// Refuses what can't keep our promises: a server that is too old, and one that takes no changes, as it most likely
/// follows another and does not know yet what was revoked a moment ago.
async fn prepare(settings: &Settings, connection: &mut MySqlConnection) -> Result<(), SqlxError> {
    let (version, read_only): (String, String) =
        sqlx::query_as("SELECT VERSION(), CONCAT(@@global.read_only, '')")
            .fetch_one(&mut *connection)
            .await?;
    let is_mariadb = version.contains("MariaDB");
    let (product, oldest) = if is_mariadb {
        ("MariaDB", OLDEST_MARIADB)
    } else {
        ("MySQL", OLDEST_MYSQL)
    };
    if is_older(&version, oldest) {
        let [major, minor, patch] = oldest;
        return Err(fatal_connect_error(format!(
            "{product} {version} is too old; {major}.{minor}.{patch} is the oldest that is supported"
        )));
    }
    if is_read_only(&read_only) {
        return Err(passing_connect_error(
            "this server takes no changes; connect to the one that does",
        ));
    }
    let seconds = |span: Duration| span.as_secs().max(1);
    let statement = settings.statement_timeout;
    let limits = if is_mariadb {
        format!(
            "max_statement_time = {}, idle_transaction_timeout = {}, max_sort_length = {SORT_LENGTH}, \
             sort_buffer_size = GREATEST(@@SESSION.sort_buffer_size, {SORT_BUFFER})",
            statement.as_secs_f64(),
            seconds(statement)
        )
    } else {
        // There it is about reads alone; writes are bounded by how long they wait for locks.
        format!("max_execution_time = {}", statement.as_millis())
    };
    let session = format!(
        // Errors are told apart by their text, which has to be in one language. What else is set here may have been changed
        // for the whole server.
        "SET SESSION lc_messages = 'en_US', \
         autocommit = 1, completion_type = 'NO_CHAIN', foreign_key_checks = 1, unique_checks = 1, \
         sql_safe_updates = 0, \
         sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,PIPES_AS_CONCAT', \
         innodb_lock_wait_timeout = {}, wait_timeout = {}, {limits}",
        seconds(statement),
        // The pool closes it first. A program that froze in the middle of a transaction loses it, and its locks, then.
        seconds(settings.idle_timeout) + 60,
    );
    connection.execute(AssertSqlSafe(session)).await?;
    // Writes are compare-and-swap, for which this is enough, and it locks no gaps that others would run into.
    connection
        .execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        .await?;
    Ok(())
}

/// Whether a version such as `10.11.6-MariaDB-log` comes before another. What it does not say, as Amazon Aurora's
/// `8.0.mysql_aurora.3.08.0`, is taken to be new enough.
fn is_older(version: &str, oldest: [u32; 3]) -> bool {
    let said = version
        .split(['.', '-'])
        .map_while(|part| part.parse::<u32>().ok());
    said.zip(oldest)
        .find(|(said, oldest)| said != oldest)
        .is_some_and(|(said, oldest)| said < oldest)
}

/// It is a number, or a word on some.
fn is_read_only(value: &str) -> bool {
    !matches!(value, "0" | "OFF" | "")
}

/// The epoch, and whether the server follows another by now.
pub(super) async fn read_epoch(connection: &mut MySqlConnection) -> Result<(i64, bool), SqlxError> {
    let (epoch, read_only): (i64, String) =
        sqlx::query_as("SELECT epoch, CONCAT(@@global.read_only, '') FROM revocation_epoch")
            .fetch_one(connection)
            .await?;
    Ok((epoch, is_read_only(&read_only)))
}

/// Takes one of the locks that servers hold, unless all are taken, as by somebody who wants to be alone.
pub(super) async fn join_servers(connection: &mut MySqlConnection) -> Result<bool, SqlxError> {
    for slot in 0..serving::MYSQL_SLOTS {
        let lock = format!("SELECT CAST(GET_LOCK({}, 0) AS CHAR)", serving::mysql_lock(slot));
        let got: Option<String> = sqlx::query_scalar(AssertSqlSafe(lock))
            .persistent(false)
            .fetch_one(&mut *connection)
            .await?;
        if got.as_deref() == Some("1") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Takes all of the locks that servers hold, or tells how many servers hold one.
pub(super) async fn take_alone(connection: &mut MySqlConnection) -> Result<i64, SqlxError> {
    let others = sqlx::query_scalar(AssertSqlSafe(serving::mysql_alone()))
        .persistent(false)
        .fetch_one(&mut *connection)
        .await?;
    if others > 0 {
        sqlx::query(AssertSqlSafe(serving::mysql_give_back()))
            .persistent(false)
            .execute(connection)
            .await?;
    }
    Ok(others)
}

/// The changes that the schema has.
pub(super) async fn changes(connection: &mut MySqlConnection) -> Result<Vec<String>, SqlxError> {
    sqlx::query_scalar(CHANGES).fetch_all(connection).await
}

/// The number of the oldest schema whose programs work with this one.
pub(super) async fn oldest(connection: &mut MySqlConnection) -> Result<Option<i64>, SqlxError> {
    sqlx::query_scalar(OLDEST_SCHEMA).fetch_optional(connection).await
}

/// All reads from one snapshot, which the default of our connections would take anew for each statement.
pub(super) fn read_transaction() -> TransactionOptions {
    TransactionOptions {
        isolation_level: Some(IsolationLevel::RepeatableRead),
        access_mode: Some(AccessMode::ReadOnly),
        ..TransactionOptions::default()
    }
}

/// By <https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html> and
/// <https://mariadb.com/docs/server/reference/error-codes>.
pub(super) fn failure(error: &dyn DatabaseError) -> Failure {
    let number = error
        .try_downcast_ref::<MySqlDatabaseError>()
        .map_or(0, MySqlDatabaseError::number);
    match number {
        1062 | 1586 => violated(error.message()).map_or(Failure::Other, Failure::Taken),
        1216 | 1452 => Failure::ParentMissing,
        // Deadlock; a row that changed under a snapshot; taken back by a plugin, such as group replication.
        1213 | 1020 | 3101 => Failure::Conflict,
        // --read-only, a read-only transaction, a read-only mode.
        1290 | 1792 | 1836 => Failure::ReadOnly,
        // Disk, table, temporary files.
        1021 | 1114 | 1135 => Failure::Full,
        // Indexes and tables that do not add up.
        1034 | 1194 | 1195 => Failure::Corrupt,
        // A table or a column is not there: the schema was changed behind our back, and may be put right again.
        1054 | 1146 => Failure::Unavailable,
        // Out of memory or connections, shutting down, access denied, a cluster's node that is not ready, no such database,
        // network trouble, lock wait timeout, more than this user may, interrupted, took too long, killed.
        1037..=1045
        | 1047
        | 1049
        | 1053
        | 1130
        | 1152..=1161
        | 1203
        | 1205
        | 1226
        | 1317
        | 1698
        | 1927
        | 1969
        | 3024
        | 3032
        | 3159
        | 3169
        | 4031 => Failure::Unavailable,
        _ => Failure::Other,
    }
}

/// Shutting down, killed, idle for too long.
pub(super) fn ends_connection(error: &dyn DatabaseError) -> bool {
    let number = error
        .try_downcast_ref::<MySqlDatabaseError>()
        .map_or(0, MySqlDatabaseError::number);
    matches!(number, 1053 | 1927 | 3169 | 4031)
}

/// Reads `Duplicate entry 'alice' for key 'users.users_name'`, where some leave the table out. What somebody chose
/// comes before it.
fn violated(message: &str) -> Option<Unique> {
    let key = message.trim_end_matches('\'').rsplit('\'').next()?;
    let name = key.rsplit('.').next().unwrap_or(key);
    if name == "PRIMARY" {
        Some(Unique::Id)
    } else {
        unique::of_index(name)
    }
}

pub(super) fn id_text(id: SimpleExpr) -> SimpleExpr {
    Func::lower(Func::cust("hex").arg(id)).into()
}

pub(super) fn position(text: SimpleExpr, part: &str) -> SimpleExpr {
    Func::cust("instr").arg(text).arg(part).into()
}

pub(super) fn last_chars(text: SimpleExpr, count: i64) -> SimpleExpr {
    Func::cust("right").arg(text).arg(count).into()
}

/// A number from 0 up to, but not including, the given one.
pub(super) fn random_below(limit: i64) -> SimpleExpr {
    Expr::cust(format!("FLOOR(RAND() * {limit})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_are_told_apart() {
        let of = |key: &str| violated(&format!("Duplicate entry 'for key 'users_name'' for key '{key}'"));
        assert_eq!(of("users_name"), Some(Unique::UserName));
        assert_eq!(
            of("service_accounts.service_accounts_name"),
            Some(Unique::ServiceAccountName)
        );
        assert_eq!(of("PRIMARY"), Some(Unique::Id));
        assert_eq!(of("users.PRIMARY"), Some(Unique::Id));
        assert_eq!(of("users_email"), None);
    }

    #[test]
    fn versions_are_read() {
        for old in ["5.7.44", "8.0.16", "8.0.11-log", "5.7.mysql_aurora.2.11.1"] {
            assert!(is_older(old, OLDEST_MYSQL), "{old}");
        }
        for good in ["8.0.17", "8.0.36-28", "8.4.3", "9.7.4", "8.0.mysql_aurora.3.08.0"] {
            assert!(!is_older(good, OLDEST_MYSQL), "{good}");
        }
        assert!(is_older("10.5.29-MariaDB", OLDEST_MARIADB));
        assert!(!is_older("10.11.6-MariaDB-0+deb12u1", OLDEST_MARIADB));
    }
}
