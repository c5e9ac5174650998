//! Transactions on a database server, where many write at a time and connections break.

use sea_orm::DbErr;
use tokio::time::timeout;
use zenml_auth_core::ports::{ChangeSet, CommitError, IdentityRef, StoreError};

use crate::attempts::Attempts;
use crate::commit::{WriteError, Writer};
use crate::error::{self, Fate};
use crate::revocations;
use crate::store::SqlStore;
use crate::transaction::Transaction;

/// How an attempt failed.
enum Failed {
    /// Nothing of it was made, and the same again may work.
    ForNow(CommitError),
    /// Trying again is of no use, or would be wrong.
    ForGood(CommitError),
}

impl SqlStore {
    /// Makes all of the changes or none, and moves the epoch on with them if they revoke anything.
    ///
    /// What the server took back for the sake of another transaction is tried again, and so is what broke off before the
    /// server was told to commit: it can't have been made. When the connection breaks while it commits, nobody knows
    /// whether it was made, and doing it again could do it twice; that is an error.
    ///
    /// A task of its own does it, and carries it to its end when the caller goes away: a commit that is broken off leaves
    /// a connection behind that nobody can trust.
    pub(crate) async fn commit_on_server(&self, changes: ChangeSet) -> Result<(), CommitError> {
        let this = self.clone();
        let made = tokio::spawn(async move { this.make_on_server(&changes).await });
        made.await.unwrap_or_else(|_| {
            Err(StoreError::Unavailable(
                "the server is stopping; it is unknown whether it was made".to_owned(),
            )
            .into())
        })
    }

    async fn make_on_server(&self, changes: &ChangeSet) -> Result<(), CommitError> {
        let revoked = changes.revoked();
        let mut attempts = Attempts::default();
        loop {
            match self.attempt(changes, &revoked).await {
                Ok(()) => return Ok(()),
                Err(Failed::ForGood(error)) => return Err(error),
                Err(Failed::ForNow(error)) => {
                    tracing::debug!(%error, "trying a transaction again");
                    if !attempts.again().await {
                        return Err(error);
                    }
                }
            }
        }
    }

    async fn attempt(&self, changes: &ChangeSet, revoked: &[IdentityRef]) -> Result<(), Failed> {
        let limit = self.patience() + self.patience();
        let written = timeout(limit, self.write(changes, revoked));
        let transaction = written
            .await
            .unwrap_or_else(|_| Err(Failed::ForGood(error::silent().into())))?;
        // From here on the server may have committed, whatever comes back.
        match timeout(limit, transaction.commit()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(match error::fate(self.dialect(), &error) {
                Fate::TakenBack => Failed::ForNow(error::of_change(self.dialect(), &error)),
                Fate::BrokenOff => Failed::ForGood(unknown(&error).into()),
                Fate::Refused => Failed::ForGood(error::of_change(self.dialect(), &error)),
            }),
            Err(elapsed) => Err(Failed::ForGood(unknown(&elapsed).into())),
        }
    }

    /// Does all but the commit.
    async fn write(&self, changes: &ChangeSet, revoked: &[IdentityRef]) -> Result<Transaction, Failed> {
        let dialect = self.dialect();
        let failed = |error: DbErr| {
            let told = error::of_change(dialect, &error);
            match error::fate(dialect, &error) {
                Fate::TakenBack => Failed::ForNow(told),
                // The connections that are as old are most likely as broken.
                Fate::BrokenOff if self.is_broken_off(&error) => Failed::ForNow(told),
                Fate::Refused if self.has_new_password(&error) => Failed::ForNow(told),
                Fate::BrokenOff | Fate::Refused => Failed::ForGood(told),
            }
        };
        let transaction = self.writer().begin().await.map_err(failed)?;
        let writer = Writer {
            dialect,
            transaction: &transaction,
        };
        for change in changes.as_slice() {
            let failed = match writer.write(change).await {
                Ok(()) => continue,
                Err(WriteError::Database(error)) if error::fate(dialect, &error) != Fate::Refused => {
                    failed(error)
                }
                Err(error) => Failed::ForGood(error.into_commit_error(dialect, change)),
            };
            transaction.rollback().await;
            return Err(failed);
        }
        if !revoked.is_empty()
            && let Err(error) = revocations::move_on(dialect, &transaction, revoked).await
        {
            transaction.rollback().await;
            return Err(failed(error));
        }
        Ok(transaction)
    }

    /// Shortens the log of what was revoked.
    pub(crate) async fn trim_revocations(&self) -> Result<(), StoreError> {
        self.until_done(|| revocations::trim(self.connection())).await
    }

    /// For what may be done twice.
    pub(crate) async fn until_done<T, F>(&self, work: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, DbErr>>,
    {
        let mut attempts = Attempts::default();
        loop {
            let error = match timeout(self.patience() + self.patience(), work()).await {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(error)) => error,
                Err(_) => return Err(error::silent()),
            };
            let may_work = error::fate(self.dialect(), &error) == Fate::TakenBack
                || self.is_broken_off(&error)
                || self.has_new_password(&error);
            if !may_work || !attempts.again().await {
                return Err(error::of_read(self.dialect(), &error));
            }
        }
    }
}

fn unknown(error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unavailable(format!(
        "the connection broke while a change was committed, so that it is unknown whether it was made: {error}"
    ))
}
