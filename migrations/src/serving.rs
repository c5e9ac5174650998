//! The lock that servers share and that taking a change back needs alone.
//!
//! A server holds it from before its first request until it ends, over a session of the database, so that the database
//! releases it by itself when the server is killed. [`down`](crate::down) takes it exclusively and is refused while a server
//! holds it, and so do others who need the database alone. [`up`](crate::up) does not need it: new changes may be made
//! beside servers.
//!
//! | SQLite | PostgreSQL | MySQL, MariaDB |
//! |---|---|---|
//! | the server owns the file | a shared advisory lock | one of [`MYSQL_SLOTS`] named locks; who is alone has all of them |

use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement};

/// Names the lock on PostgreSQL, where locks have numbers: the eight letters of `zenml-sv` as one.
pub const POSTGRES_KEY: i64 = i64::from_be_bytes(*b"zenml-sv");

/// How many servers can run on one MySQL or MariaDB database. Locks have no shared mode there, so each server holds one of
/// these.
pub const MYSQL_SLOTS: u32 = 128;

/// How often to look whether servers have ended.
pub const LOOKS: u32 = 30;
/// For how many seconds to wait in between.
const PAUSE: &str = "0.1";

/// The name of a server's lock on MySQL and MariaDB, as SQL. A name has at most 64 characters.
#[must_use]
pub fn mysql_lock(slot: u32) -> String {
    format!("CONCAT('zenml-auth ', LEFT(SHA2(DATABASE(), 256), 40), ' {slot}')")
}

/// Takes the lock for the transaction, or tells how many servers hold it. They get a moment to end.
pub(crate) async fn take_alone(transaction: &DatabaseTransaction) -> Result<Result<(), u32>, DbErr> {
    let backend = transaction.get_database_backend();
    let (attempt, pause) = match backend {
        DbBackend::Postgres => (
            postgres_attempt("pg_try_advisory_xact_lock"),
            format!("SELECT pg_sleep({PAUSE})"),
        ),
        DbBackend::MySql => (mysql_alone(), format!("DO SLEEP({PAUSE})")),
        // The file has one owner, who is us.
        _ => return Ok(Ok(())),
    };
    let mut looks = 1;
    loop {
        let row = transaction
            .query_one_raw(Statement::from_string(backend, attempt.as_str()))
            .await?;
        let others = row.map_or(Ok(0), |row| row.try_get::<i64>("", "others"))?;
        if others == 0 {
            return Ok(Ok(()));
        }
        give_back(transaction).await?;
        if looks == LOOKS {
            return Ok(Err(u32::try_from(others).unwrap_or(u32::MAX)));
        }
        looks += 1;
        transaction.execute_unprepared(&pause).await?;
    }
}

/// Lets servers have it again. On PostgreSQL that happens at the end of the transaction.
pub(crate) async fn give_back(transaction: &DatabaseTransaction) -> Result<(), DbErr> {
    if transaction.get_database_backend() == DbBackend::MySql {
        transaction.execute_unprepared(&mysql_give_back()).await?;
    }
    Ok(())
}

/// Tries to take the lock alone for the session, and tells how many servers hold it; 0 when it is ours.
#[must_use]
pub fn postgres_alone() -> String {
    postgres_attempt("pg_try_advisory_lock")
}

fn postgres_attempt(try_lock: &str) -> String {
    // A number of 64 bits is shown as its two halves.
    let (high, low) = (POSTGRES_KEY >> 32, POSTGRES_KEY & 0xffff_ffff);
    format!(
        "SELECT CASE WHEN {try_lock}({POSTGRES_KEY}) THEN 0 ELSE GREATEST(1, (SELECT count(*) FROM pg_locks \
         WHERE locktype = 'advisory' AND granted AND classid::int8 = {high} AND objid::int8 = {low} AND objsubid = 1 \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))) END::int8 AS others"
    )
}

/// Tries to take all of the locks for the session, and tells how many servers hold one; 0 when all are ours. When they are
/// not, [`mysql_give_back`] has to give back what was taken.
#[must_use]
pub fn mysql_alone() -> String {
    let names: Vec<String> = (0..MYSQL_SLOTS)
        .map(|slot| format!("GET_LOCK({}, 0)", mysql_lock(slot)))
        .collect();
    format!(
        "SELECT CAST({MYSQL_SLOTS} - ({}) AS SIGNED) AS others",
        names.join(" + ")
    )
}

/// Gives back all of the locks that the session has.
#[must_use]
pub fn mysql_give_back() -> String {
    let names: Vec<String> = (0..MYSQL_SLOTS)
        .map(|slot| format!("RELEASE_LOCK({})", mysql_lock(slot)))
        .collect();
    format!("DO {}", names.join(", "))
}
