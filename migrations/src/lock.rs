//! One program at a time changes the schema.

use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement};

/// Names the lock on PostgreSQL, where locks have numbers: the first eight letters of `zenml-auth` as one.
const POSTGRES_KEY: i64 = i64::from_be_bytes(*b"zenml-au");
/// How long to wait for another program on MySQL, in seconds. A migration of a large table may take long.
const MYSQL_LOCK_SECONDS: u32 = 3_600;

/// The right to change the schema, held by one connection.
///
/// | SQLite | PostgreSQL | MySQL, MariaDB |
/// |---|---|---|
/// | the lock that every writer takes | an advisory lock that ends with the transaction | a named lock that ends with the connection |
///
/// While it is held, statements may take as long as they take: limits on them are for requests.
pub(crate) struct Lock {
    /// The limit to put back on MySQL, where it belongs to the connection and not to the transaction.
    limit: Option<Limit>,
}

impl Lock {
    /// Waits for everybody who has it.
    pub(crate) async fn take(transaction: &DatabaseTransaction) -> Result<Self, DbErr> {
        let mut limit = None;
        match transaction.get_database_backend() {
            DbBackend::Postgres => {
                let unlimited = "SET LOCAL statement_timeout = 0; \
                                 SET LOCAL idle_in_transaction_session_timeout = 0";
                transaction.execute_unprepared(unlimited).await?;
                let lock = format!("SELECT pg_advisory_xact_lock({POSTGRES_KEY})");
                transaction.execute_unprepared(&lock).await?;
            }
            DbBackend::MySql => {
                let lifted = Limit::of(transaction).await?;
                lifted.set(transaction, "0").await?;
                limit = Some(lifted);
                let lock = format!("SELECT CAST(GET_LOCK({LOCK_NAME}, {MYSQL_LOCK_SECONDS}) AS CHAR) AS got");
                if text(transaction, &lock, "got").await?.as_deref() != Some("1") {
                    return Err(DbErr::Custom(
                        "another program has been changing the schema for an hour; try again when it is done"
                            .to_owned(),
                    ));
                }
            }
            _ => {}
        }
        Ok(Self { limit })
    }

    /// Lets others have it. On PostgreSQL that happens at the end of the transaction, which may have failed by now.
    pub(crate) async fn give_back(self, transaction: &DatabaseTransaction) -> Result<(), DbErr> {
        if transaction.get_database_backend() == DbBackend::MySql {
            transaction
                .execute_unprepared(&format!("DO RELEASE_LOCK({LOCK_NAME})"))
                .await?;
            if let Some(limit) = &self.limit {
                limit.set(transaction, &limit.value).await?;
            }
        }
        Ok(())
    }
}

/// Locks are the server's there, while several databases may be on it. A name has at most 64 characters.
const LOCK_NAME: &str = "CONCAT('zenml-auth ', LEFT(SHA2(DATABASE(), 256), 40))";

/// How long a statement of a connection may take, by the name that the server has for it.
struct Limit {
    variable: &'static str,
    value: String,
}

impl Limit {
    /// MariaDB's is about all statements; MySQL's is about those that read, as waiting for the lock does.
    async fn of(transaction: &DatabaseTransaction) -> Result<Self, DbErr> {
        let version = text(transaction, "SELECT VERSION() AS version", "version").await?;
        let variable = if version.is_some_and(|version| version.contains("MariaDB")) {
            "max_statement_time"
        } else {
            "max_execution_time"
        };
        let value = format!("SELECT CAST(@@SESSION.{variable} AS CHAR) AS value");
        let value = text(transaction, &value, "value").await?;
        Ok(Self {
            variable,
            value: value.unwrap_or_else(|| "0".to_owned()),
        })
    }

    async fn set(&self, transaction: &DatabaseTransaction, value: &str) -> Result<(), DbErr> {
        transaction
            .execute_unprepared(&format!("SET SESSION {} = {value}", self.variable))
            .await?;
        Ok(())
    }
}

async fn text(transaction: &DatabaseTransaction, sql: &str, column: &str) -> Result<Option<String>, DbErr> {
    let question = Statement::from_string(transaction.get_database_backend(), sql);
    let row = transaction.query_one_raw(question).await?;
    row.map(|row| row.try_get("", column)).transpose()
}
