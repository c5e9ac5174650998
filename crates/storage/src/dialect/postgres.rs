//! PostgreSQL 13 and later.

use sea_orm::sea_query::{Expr, Func, NullOrdering, Order, SimpleExpr};
use sea_orm::sqlx::error::DatabaseError;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _, Error as SqlxError, Postgres};
use sea_orm::{AccessMode, IsolationLevel, SqlxPostgresConnector, TransactionOptions};
use zenml_auth_core::ports::StoreError;

use super::server::{first_connection, never_this_one, not_this_one, pool};
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
    let connection = first_connection(Dialect::Postgres, options, || connect_once(&settings)).await?;
    // It has served its purpose; how it ends does not matter.
    let _ = connection.close().await;
    let pool = pool::<Postgres>(options, authority.clone(), settings, |connection| {
        Box::pin(check(connection))
    });
    let pool = SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
    Ok(Connections {
        writer: (pool.clone(), authority.clone()),
        reader: (pool, authority),
        place: None,
    })
}

/// Opens one connection outside of the pool.
pub(super) async fn connect_once(settings: &PgConnectOptions) -> Result<PgConnection, SqlxError> {
    let mut connection = settings.connect().await?;
    check(&mut connection).await?;
    Ok(connection)
}

/// What every connection begins with.
pub(super) fn settings(options: &ConnectOptions) -> Result<PgConnectOptions, OptionsError> {
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
    let statement_timeout = options.statement_timeout.as_millis().to_string();
    Ok(settings
        .options([
            ("statement_timeout", statement_timeout.as_str()),
            // A replica that froze in the middle of a transaction must not hold its locks, of which the epoch's row is one.
            ("idle_in_transaction_session_timeout", statement_timeout.as_str()),
            // Writes are compare-and-swap, for which this is enough. With a stricter one, losers would fail by
            // serialization instead of finding out what they lost to.
            ("default_transaction_isolation", "read committed"),
        ])
        .disable_statement_logging())
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

pub(super) fn describe(options: &ConnectOptions) -> Result<String, OptionsError> {
    let settings = settings(options)?;
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

/// Refuses what can't keep our promises: one that is too old, one that can't store every text, and a standby, which does
/// not know yet what was revoked a moment ago.
async fn check(connection: &mut PgConnection) -> Result<(), SqlxError> {
    let (version, encoding, is_standby): (i32, String, bool) = sqlx::query_as(
        "SELECT current_setting('server_version_num')::int4, current_setting('server_encoding'), pg_is_in_recovery()",
    )
    .fetch_one(connection)
    .await?;
    if version / 10_000 < OLDEST {
        return Err(never_this_one(format!(
            "PostgreSQL {} is too old; {OLDEST} is the oldest that is supported",
            version / 10_000
        )));
    }
    if encoding != "UTF8" {
        return Err(never_this_one(format!(
            "the database has the encoding {encoding}; make one with the encoding UTF8"
        )));
    }
    if is_standby {
        return Err(not_this_one(
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
