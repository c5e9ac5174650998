//! PostgreSQL 13 and later.

use std::time::Duration;

use sea_orm::sea_query::{Expr, Func, NullOrdering, Order, SimpleExpr};
use sea_orm::sqlx::error::DatabaseError;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sea_orm::sqlx::{
    self, AssertSqlSafe, ConnectOptions as _, Connection as _, Error as SqlxError, Executor as _, Postgres,
    Row as _,
};
use sea_orm::{AccessMode, DatabaseConnection, IsolationLevel, SqlxPostgresConnector, TransactionOptions};
use zenml_auth_core::ports::StoreError;
use zenml_auth_migrations::compatibility::OLDEST_SCHEMA;

use super::server::{CHANGES, fatal_connect_error, first_connection, passing_connect_error, pool};
use super::{Connections, Dialect, Failure, unique};
use crate::epoch::Authority;
use crate::options::{ConnectOptions, OptionsError, TlsMode};

const OLDEST: i32 = 13;

pub(super) async fn connect(
    options: &ConnectOptions,
    authority: Authority,
) -> Result<Connections, StoreError> {
    let settings = settings(options)?;
    // Once by hand, so that the reason is known if it fails: a pool would only say that it took too long.
    let connection = first_connection(Dialect::Postgres, options, || connect_first(&settings)).await?;
    // It has served its purpose; how it ends does not matter.
    let _ = connection.close().await;
    let connect = settings.connect.clone();
    let pool = pool::<Postgres>(options, authority.clone(), connect, move |connection| {
        let settings = settings.clone();
        Box::pin(async move { prepare(&settings, connection).await })
    });
    let pool = SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
    Ok(Connections {
        writer: (pool.clone(), authority.clone()),
        reader: (pool, authority),
        files: None,
    })
}

/// How to connect, and what to set once connected.
#[derive(Clone)]
pub(super) struct Settings {
    connect: PgConnectOptions,
    statement_timeout: Duration,
}

/// Opens one connection outside of the pool.
pub(super) async fn connect_once(settings: &Settings) -> Result<PgConnection, SqlxError> {
    let mut connection = settings.connect.connect().await?;
    prepare(settings, &mut connection).await?;
    Ok(connection)
}

/// The same for the first one, which also looks at who is in between.
async fn connect_first(settings: &Settings) -> Result<PgConnection, SqlxError> {
    let mut connection = settings.connect.connect().await?;
    let mut other = settings.connect.connect().await?;
    let is_shared = shares_sessions(&mut connection, &mut other).await;
    // It has served its purpose; how it ends does not matter.
    let _ = other.close().await;
    if is_shared? {
        return Err(fatal_connect_error(
            "a connection pooler such as PgBouncer stands in between and hands sessions to others between transactions, by \
             which settings and locks get lost; set pool_mode = session for this database, or connect to PostgreSQL itself"
                .to_owned(),
        ));
    }
    prepare(settings, &mut connection).await?;
    Ok(connection)
}

/// How often to look whether a session is handed to others. A pooler that has several may give the right one by chance.
const LOOKS: u32 = 5;

/// Whether two connections get the same session of the server, or one of them gets another one each time: then a pooler hands
/// sessions over between transactions or statements. Without prepared statements, which do not work there either.
async fn shares_sessions(one: &mut PgConnection, other: &mut PgConnection) -> Result<bool, SqlxError> {
    for _ in 0..LOOKS {
        let session = session_of(one).await?;
        match other.execute(sqlx::raw_sql("BEGIN")).await {
            Ok(_) => {}
            // PgBouncer in the mode `statement`: there are no transactions.
            Err(SqlxError::Database(error)) if error.code().as_deref() == Some("08P01") => return Ok(true),
            Err(error) => return Err(error),
        }
        if session_of(other).await? == session || session_of(one).await? != session {
            return Ok(true);
        }
        other.execute(sqlx::raw_sql("ROLLBACK")).await?;
    }
    Ok(false)
}

async fn session_of(connection: &mut PgConnection) -> Result<i32, SqlxError> {
    let row = connection
        .fetch_one(sqlx::raw_sql("SELECT pg_backend_pid()"))
        .await?;
    row.try_get(0)
}

/// What every connection begins with.
pub(super) fn settings(options: &ConnectOptions) -> Result<Settings, OptionsError> {
    let url = options.server_url()?;
    let mut settings: PgConnectOptions = url
        .parse()
        .map_err(|error: SqlxError| OptionsError(error.to_string()))?;
    if let Some(mode) = options.tls {
        settings = settings.ssl_mode(match mode {
            TlsMode::Disable => PgSslMode::Disable,
            TlsMode::Prefer => PgSslMode::Prefer,
            TlsMode::Require => PgSslMode::Require,
            TlsMode::VerifyCa => PgSslMode::VerifyCa,
            TlsMode::VerifyFull => PgSslMode::VerifyFull,
        });
    }
    let has_ca_file = options.ca_file.is_some() || crate::url::sets_ca_file(url);
    options.check_tls(tls_mode(&settings), has_ca_file)?;
    if let Some(file) = &options.ca_file {
        settings = settings.ssl_root_cert(file);
    }
    if settings.get_application_name().is_none() {
        settings = settings.application_name("zenml-auth");
    }
    Ok(Settings {
        // A pooler such as PgBouncer refuses parameters at the start of a connection that it does not know, of which this is
        // one. It is about numbers with a fraction, which we do not have.
        connect: settings.extra_float_digits(None).disable_statement_logging(),
        statement_timeout: options.statement_timeout,
    })
}

fn tls_mode(settings: &PgConnectOptions) -> TlsMode {
    match settings.get_ssl_mode() {
        // The driver does not ask for TLS by itself when it is merely allowed.
        PgSslMode::Disable | PgSslMode::Allow => TlsMode::Disable,
        PgSslMode::Prefer => TlsMode::Prefer,
        PgSslMode::Require => TlsMode::Require,
        PgSslMode::VerifyCa => TlsMode::VerifyCa,
        PgSslMode::VerifyFull => TlsMode::VerifyFull,
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
    pool.get_postgres_connection_pool().set_connect_options(connect);
    Ok(())
}

/// Whether this is about the password.
pub(super) fn refuses_login(error: &dyn DatabaseError) -> bool {
    matches!(error.code().as_deref(), Some("28P01" | "28000"))
}

pub(super) fn describe(options: &ConnectOptions) -> Result<String, OptionsError> {
    let settings = settings(options)?.connect;
    let place = match settings.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", settings.get_host(), settings.get_port()),
    };
    Ok(format!(
        "PostgreSQL at {place}, database {}, as {}, TLS {}",
        settings.get_database().unwrap_or_else(|| settings.get_username()),
        settings.get_username(),
        tls_mode(&settings)
    ))
}

/// Checks the server, and sets what a session needs. It is set by statements, as a pooler in between refuses it at the start
/// of a connection.
async fn prepare(settings: &Settings, connection: &mut PgConnection) -> Result<(), SqlxError> {
    check(connection).await?;
    let limit = settings.statement_timeout.as_millis();
    // A replica that froze in the middle of a transaction must not hold its locks, of which the epoch's row is one. Writes are
    // compare-and-swap, for which `read committed` is enough. With a stricter isolation, losers would fail by serialization
    // instead of finding out what they lost to.
    let session = format!(
        "SET statement_timeout = {limit}; \
         SET idle_in_transaction_session_timeout = {limit}; \
         SET default_transaction_isolation = 'read committed'"
    );
    connection.execute(sqlx::raw_sql(AssertSqlSafe(session))).await?;
    Ok(())
}

/// Asks the server what it is, and whether that will do.
async fn check(connection: &mut PgConnection) -> Result<(), SqlxError> {
    let (version, encoding, is_standby): (i32, String, bool) = sqlx::query_as(
        "SELECT current_setting('server_version_num')::int4, current_setting('server_encoding'), pg_is_in_recovery()",
    )
    .fetch_one(connection)
    .await?;
    accept(version, &encoding, is_standby)
}

/// Refuses what can't keep our promises: one that is too old, one that can't store every text, and a standby, which does
/// not know yet what was revoked a moment ago.
fn accept(version: i32, encoding: &str, is_standby: bool) -> Result<(), SqlxError> {
    // `150013`: two digits for the major version before four for the minor one, since version 10.
    let major = version / 10_000;
    if major < OLDEST {
        return Err(fatal_connect_error(format!(
            "PostgreSQL {major} is too old; {OLDEST} is the oldest that is supported"
        )));
    }
    if encoding != "UTF8" {
        return Err(fatal_connect_error(format!(
            "the database has the encoding {encoding}; make one with the encoding UTF8"
        )));
    }
    if is_standby {
        return Err(passing_connect_error(
            "this PostgreSQL is a standby; connect to the primary",
        ));
    }
    Ok(())
}

/// The epoch, and whether the server is a standby by now.
pub(super) async fn read_epoch(connection: &mut PgConnection) -> Result<(i64, bool), SqlxError> {
    sqlx::query_as("SELECT epoch, pg_is_in_recovery() FROM revocation_epoch")
        .fetch_one(connection)
        .await
}

/// Takes this session's share of the lock that servers hold, unless somebody has it alone.
pub(super) async fn join_servers(connection: &mut PgConnection) -> Result<bool, SqlxError> {
    sqlx::query_scalar("SELECT pg_try_advisory_lock_shared($1)")
        .bind(zenml_auth_migrations::serving::POSTGRES_KEY)
        .fetch_one(connection)
        .await
}

/// Takes the lock that servers hold for this session alone, or tells how many servers hold it.
pub(super) async fn take_alone(connection: &mut PgConnection) -> Result<i64, SqlxError> {
    sqlx::query_scalar(AssertSqlSafe(zenml_auth_migrations::serving::postgres_alone()))
        .persistent(false)
        .fetch_one(connection)
        .await
}

/// The changes that the schema has.
pub(super) async fn changes(connection: &mut PgConnection) -> Result<Vec<String>, SqlxError> {
    sqlx::query_scalar(CHANGES).fetch_all(connection).await
}

/// The number of the oldest schema whose programs work with this one.
pub(super) async fn oldest(connection: &mut PgConnection) -> Result<Option<i64>, SqlxError> {
    sqlx::query_scalar(OLDEST_SCHEMA).fetch_optional(connection).await
}

/// All reads from one snapshot, which the default isolation would take anew for each statement.
pub(super) fn read_transaction() -> TransactionOptions {
    TransactionOptions {
        isolation_level: Some(IsolationLevel::RepeatableRead),
        access_mode: Some(AccessMode::ReadOnly),
        ..TransactionOptions::default()
    }
}

/// By <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
pub(super) fn failure(error: &dyn DatabaseError) -> Failure {
    let code = error.code().unwrap_or_default();
    match code.as_ref() {
        "23505" => error
            .constraint()
            .and_then(violated)
            .map_or(Failure::Other, Failure::Taken),
        "23503" => Failure::ParentMissing,
        // Serialization failure, deadlock.
        "40001" | "40P01" => Failure::Conflict,
        "25006" => Failure::ReadOnly,
        "53100" => Failure::Full,
        // Checksums and indexes that do not add up.
        "XX001" | "XX002" => Failure::Corrupt,
        // A lock that did not come free, a statement that took too long, a database that is not there (any more).
        "55P03" | "57014" | "3D000" | "25P03" => Failure::Unavailable,
        // A table or a column is not there: the schema was changed behind our back, and may be put right again.
        "42P01" | "42703" => Failure::Unavailable,
        code => match code.get(..2) {
            // Connections, credentials, resources, intervention of an operator, the operating system.
            Some("08" | "28" | "53" | "57" | "58") => Failure::Unavailable,
            _ => Failure::Other,
        },
    }
}

/// Told to stop by an operator, by the server itself, or for idling in a transaction.
pub(super) fn ends_connection(error: &dyn DatabaseError) -> bool {
    matches!(
        error.code().as_deref(),
        Some("57P01" | "57P02" | "57P03" | "57P05" | "25P03")
    )
}

fn violated(constraint: &str) -> Option<zenml_auth_core::ports::Unique> {
    match unique::of_index(constraint) {
        None if constraint.ends_with("_pkey") => Some(zenml_auth_core::ports::Unique::Id),
        unique => unique,
    }
}

/// Missing values are larger than all others here, while listings want them to be smaller.
pub(super) fn null_ordering(order: &Order) -> NullOrdering {
    match order {
        Order::Desc => NullOrdering::Last,
        _ => NullOrdering::First,
    }
}

pub(super) fn id_text(id: SimpleExpr) -> SimpleExpr {
    let text = Func::cast_as(id, "text");
    Func::cust("replace").arg(text).arg("-").arg("").into()
}

pub(super) fn position(text: SimpleExpr, part: &str) -> SimpleExpr {
    Func::cust("strpos").arg(text).arg(part).into()
}

pub(super) fn last_chars(text: SimpleExpr, count: i64) -> SimpleExpr {
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    Func::cust("right").arg(text).arg(count).into()
}

/// A number from 0 up to, but not including, the given one.
pub(super) fn random_below(limit: i64) -> SimpleExpr {
    Expr::cust(format!("floor(random() * {limit})::bigint"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_postgresql_and_another_encoding_are_refused_by_name() {
        let said = |version, encoding| {
            let accepted = accept(version, encoding, false);
            accepted.map_err(|error| error.to_string())
        };
        for good in [130_000, 130_023, 150_013, 180_001] {
            assert_eq!(said(good, "UTF8"), Ok(()));
        }
        for (old, name) in [
            (120_022, "PostgreSQL 12"),
            (100_000, "PostgreSQL 10"),
            (90_624, "PostgreSQL 9"),
        ] {
            let refused = said(old, "UTF8").unwrap_err();
            assert!(
                refused.contains(&format!("{name} is too old; 13 is")),
                "{refused}"
            );
        }
        for other in ["SQL_ASCII", "LATIN1"] {
            let refused = said(150_013, other).unwrap_err();
            assert!(refused.contains(&format!("the encoding {other};")), "{refused}");
        }
    }
}
