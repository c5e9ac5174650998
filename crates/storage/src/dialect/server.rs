//! What database servers have in common: pools of connections over a network.

use std::time::Duration;

use sea_orm::sqlx::pool::{Pool, PoolOptions};
use sea_orm::sqlx::{Connection, Database, Error as SqlxError};
use tokio::time::{sleep, timeout};
use zenml_auth_core::ports::StoreError;

use super::Dialect;
use crate::epoch::Authority;
use crate::error;
use crate::options::ConnectOptions;

/// Asks for the changes that the schema has.
pub(super) const CHANGES: &str = "SELECT version FROM migrations";

/// A connection that was used a moment ago is taken to be alive. What breaks in the meantime is noticed when it is used.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// Tries to connect until the time for it is over: a database server may start after us.
pub(super) async fn first_connection<C, F>(
    dialect: Dialect,
    options: &ConnectOptions,
    connect: impl Fn() -> F,
) -> Result<C, StoreError>
where
    F: Future<Output = Result<C, SqlxError>>,
{
    let mut reason = None;
    let attempts = async {
        let mut pause = Duration::from_millis(50);
        loop {
            match connect().await {
                Ok(connection) => return Ok(connection),
                Err(error) if may_pass(&error) => reason = Some(error::of_sqlx(dialect, &error)),
                Err(error) => return Err(error::of_sqlx(dialect, &error)),
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    };
    let connected = timeout(options.connect_timeout, attempts).await;
    connected.unwrap_or_else(|_| {
        Err(reason.unwrap_or_else(|| StoreError::Unavailable("it did not answer in time".to_owned())))
    })
}

fn may_pass(error: &SqlxError) -> bool {
    match error {
        SqlxError::Io(_) | SqlxError::Protocol(_) => true,
        SqlxError::Database(error) => error.is_transient_in_connect_phase(),
        _ => false,
    }
}

/// A pool with our settings. Each new connection goes through `prepare` before it is used.
pub(super) fn pool<DB: Database>(
    options: &ConnectOptions,
    authority: Authority,
    connect: <DB::Connection as Connection>::Options,
    prepare: impl for<'c> Fn(&'c mut DB::Connection) -> BoxFuture<'c> + Send + Sync + 'static,
) -> Pool<DB> {
    let release_within = options.statement_timeout;
    PoolOptions::<DB>::new()
        .min_connections(options.min_connections)
        .max_connections(options.connections)
        .acquire_timeout(options.acquire_timeout)
        .idle_timeout(options.idle_timeout)
        .max_lifetime(options.max_lifetime)
        .after_connect(move |connection, _| prepare(connection))
        .test_before_acquire(false)
        .before_acquire(move |connection, meta| {
            let outdated = authority.is_younger_than(meta.age) || connection.is_in_transaction();
            Box::pin(async move {
                Ok(!outdated && (meta.idle_for < TRUSTED_FOR || connection.ping().await.is_ok()))
            })
        })
        // The pool tests what comes back as well, but would wait without end for a server that fell silent.
        .after_release(move |connection, _| {
            Box::pin(async move {
                match timeout(release_within, connection.ping()).await {
                    Ok(answer) => answer.map(|()| true),
                    Err(_) => Err(SqlxError::WorkerCrashed),
                }
            })
        })
        .connect_lazy_with(connect)
}

/// What comes of preparing a connection.
pub(super) type BoxFuture<'c> = std::pin::Pin<Box<dyn Future<Output = Result<(), SqlxError>> + Send + 'c>>;

/// For what makes a server useless, for now at least.
pub(super) fn passing_connect_error(why: &str) -> SqlxError {
    SqlxError::Protocol(why.to_owned())
}

/// For what makes a server useless for good.
pub(super) fn fatal_connect_error(why: String) -> SqlxError {
    SqlxError::Configuration(why.into())
}
