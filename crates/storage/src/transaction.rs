//! The one place where transactions begin and end.
//!
//! What a transaction has written counts only when its own `COMMIT` was sent and answered. Three things get in the way:
//!
//! - SQLite rolls a transaction back by itself when it runs out of room or the disk fails. The driver then counts a level
//!   too many, and takes the next transaction for a part of one that is not there: its commit would commit nothing.
//! - PostgreSQL answers `COMMIT` with success when a statement before it has failed, and has rolled back.
//! - When a `BEGIN`, `COMMIT` or `ROLLBACK` gets no answer, nobody knows what the connection is in the middle of.
//!
//! So a connection whose end is in doubt is never used again, every connection is outside of a transaction when one begins
//! (the pools see to it, see `dialect/`), and a transaction with a statement that failed is not committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult,
    RuntimeErr, Statement, TransactionOptions, TransactionTrait,
};

use crate::dialect::{Dialect, Files};
use crate::epoch::Authority;
use crate::error;
use crate::health::WriteHealth;
use crate::reserve::Reserve;

/// Begins transactions over the connections of one pool. Clones share everything.
#[derive(Clone)]
pub(crate) struct Transactions {
    dialect: Dialect,
    connection: DatabaseConnection,
    /// Whose connections are not used again once the end of one is in doubt.
    authority: Authority,
    options: TransactionOptions,
    /// What there is to know about writing; `None` for those that only read.
    writing: Option<Writing>,
    /// How long a `BEGIN` may take on a database server.
    patience: Duration,
}

#[derive(Clone)]
struct Writing {
    health: Arc<WriteHealth>,
    files: Option<Files>,
}

impl Transactions {
    /// Those that change something.
    pub(crate) fn writing(
        dialect: Dialect,
        connection: DatabaseConnection,
        authority: Authority,
        files: Option<Files>,
        patience: Duration,
    ) -> Self {
        Self {
            dialect,
            connection,
            authority,
            options: dialect.write_transaction(),
            writing: Some(Writing {
                health: Arc::default(),
                files,
            }),
            patience,
        }
    }

    /// Those that read several times from one state.
    pub(crate) fn reading(
        dialect: Dialect,
        connection: DatabaseConnection,
        authority: Authority,
        patience: Duration,
    ) -> Self {
        Self {
            dialect,
            connection,
            authority,
            options: dialect.read_transaction(),
            writing: None,
            patience,
        }
    }

    /// The pool.
    pub(crate) const fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }

    /// Whether writing works, as far as is known; `None` for those that only read.
    pub(crate) fn health(&self) -> Option<&Arc<WriteHealth>> {
        self.writing.as_ref().map(|writing| &writing.health)
    }

    /// What is kept for a full disk, if anything is.
    pub(crate) fn reserve(&self) -> Option<&Reserve> {
        self.writing.as_ref()?.files.as_ref()?.reserve.as_ref()
    }

    /// Begins one, unless what room there is on the disk is kept for others.
    pub(crate) async fn begin(&self) -> Result<Transaction, DbErr> {
        if let Some(reserve) = self.reserve() {
            let whole = reserve.keep_whole().await.map_err(error::by_system);
            self.note(&whole);
            whole?;
        }
        self.begin_in_reserve().await
    }

    /// Begins one that may use the room that is kept for a full disk.
    pub(crate) async fn begin_in_reserve(&self) -> Result<Transaction, DbErr> {
        self.check_place().await?;
        let begun = if self.dialect.has_replicas() {
            // In a task of its own, so that it is not broken off when the caller goes away: after half a `BEGIN`, the driver
            // and the server would not agree on whether there is a transaction.
            let (this, patience) = (self.clone(), self.patience);
            let begun = tokio::spawn(async move { tokio::time::timeout(patience, this.send_begin()).await });
            match begun.await {
                Ok(Ok(begun)) => begun,
                Ok(Err(_)) => Err(unavailable("the database server does not answer")),
                Err(_) => Err(unavailable("the server is stopping")),
            }
        } else {
            self.send_begin().await
        };
        self.note(&begun);
        Ok(Transaction {
            inner: begun?,
            of: self.clone(),
            level: Level::default(),
        })
    }

    async fn send_begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let doubt = self.doubt();
        let begun = self.connection.begin_with_options(self.options).await;
        // Without a connection there is none to be in doubt about.
        if matches!(begun, Ok(_) | Err(DbErr::ConnectionAcquire(_))) {
            doubt.settle();
        }
        begun
    }

    /// Does one thing that begins and ends a transaction by itself over the same connections, as a migration does. On a
    /// database server it may leave settings and locks behind when it fails, and they go with the connection.
    pub(crate) async fn around<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E>
    where
        E: From<DbErr>,
    {
        self.check_place().await?;
        let doubt = self.dialect.has_replicas().then(|| self.doubt());
        let done = work.await?;
        if let Some(doubt) = doubt {
            doubt.settle();
        }
        self.check_place().await?;
        Ok(done)
    }

    /// Fails when the database is not where it was, and nothing that is written to it will be found again.
    pub(crate) async fn check_place(&self) -> Result<(), DbErr> {
        let Some(Writing {
            health,
            files: Some(files),
        }) = &self.writing
        else {
            return Ok(());
        };
        files.place.check().await.map_err(|lost| {
            let error = unavailable(&lost);
            health.failed(error::of_read(self.dialect, &error));
            error
        })
    }

    /// Until it is settled, the end of a connection is in doubt.
    fn doubt(&self) -> Doubt {
        Doubt(Some(self.authority.clone()))
    }

    /// Keeps in mind what a failure says about writing.
    fn note<T>(&self, result: &Result<T, DbErr>) {
        if let (Some(writing), Err(error)) = (&self.writing, result)
            && !error::is_conflict(self.dialect, error)
        {
            writing.health.failed(error::of_read(self.dialect, error));
        }
    }

    /// Commits or rolls back.
    async fn end(&self, end: impl Future<Output = Result<(), DbErr>>) -> Result<(), DbErr> {
        let doubt = self.doubt();
        let ended = end.await;
        if ended.is_ok() {
            doubt.settle();
        }
        ended
    }
}

/// One transaction, or a savepoint in one. When it is dropped, it is rolled back.
pub(crate) struct Transaction {
    inner: DatabaseTransaction,
    of: Transactions,
    level: Level,
}

impl Transaction {
    /// Begins a part that can be taken back alone.
    pub(crate) async fn savepoint(&self) -> Result<Self, DbErr> {
        let begun = self.inner.begin().await;
        Ok(Self {
            inner: self.level.noted(&self.of, begun)?,
            of: self.of.clone(),
            level: Level {
                failed: Arc::default(),
                parent: Some(Arc::clone(&self.level.failed)),
                ended: false,
            },
        })
    }

    /// Makes what was written durable, and tells whether that was done. After an error it may have been made or not.
    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        let Self { inner, of, mut level } = self;
        if level.has_failed() {
            // How that ends makes no difference to the answer.
            let _ = of.end(inner.rollback()).await;
            return Err(DbErr::Custom(
                "a statement has failed, and so its transaction was not committed".to_owned(),
            ));
        }
        let committed = of.end(inner.commit()).await;
        of.note(&committed);
        committed?;
        level.ended = true;
        if level.parent.is_none() {
            // What went to a file that was removed meanwhile is as good as not made.
            of.check_place().await?;
            if let Some(writing) = &of.writing {
                writing.health.wrote();
            }
        }
        Ok(())
    }

    /// Takes back what was written.
    pub(crate) async fn rollback(self) {
        let Self { inner, of, mut level } = self;
        match of.end(inner.rollback()).await {
            Ok(()) => level.ended = true,
            // The database has rolled back by itself, or will when it finds the connection gone.
            Err(error) => {
                tracing::debug!(%error, "a transaction could not be rolled back; its connection is closed");
            }
        }
    }
}

#[async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.level
            .noted(&self.of, self.inner.execute_raw(statement).await)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.level
            .noted(&self.of, self.inner.execute_unprepared(sql).await)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.level
            .noted(&self.of, self.inner.query_one_raw(statement).await)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.level
            .noted(&self.of, self.inner.query_all_raw(statement).await)
    }
}

/// What is known about a transaction or a savepoint in one.
#[derive(Default)]
struct Level {
    /// Whether a statement has failed, or a savepoint did not end well.
    failed: Arc<AtomicBool>,
    /// The same of the transaction that this is a savepoint in.
    parent: Option<Arc<AtomicBool>>,
    /// Whether it ended, and the database has said so.
    ended: bool,
}

impl Level {
    fn has_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    fn noted<T>(&self, of: &Transactions, result: Result<T, DbErr>) -> Result<T, DbErr> {
        if result.is_err() {
            self.failed.store(true, Ordering::SeqCst);
        }
        of.note(&result);
        result
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        if let Some(parent) = &self.parent
            && !self.ended
        {
            parent.store(true, Ordering::SeqCst);
        }
    }
}

/// Has connections closed instead of used again, unless it is settled.
struct Doubt(Option<Authority>);

impl Doubt {
    fn settle(mut self) {
        self.0 = None;
    }
}

impl Drop for Doubt {
    fn drop(&mut self) {
        if let Some(authority) = &self.0 {
            authority.begins();
        }
    }
}

fn unavailable(why: &str) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(why.to_owned()))
}
