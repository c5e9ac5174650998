//! Commits to SQLite, in groups: what waits at the same time shares one transaction, and so one sync of the disk.
//!
//! SQLite takes one writer at a time, and a commit is safe only when the disk says so, which takes far longer than
//! writing the rows. While one group is on its way to the disk, the next one gathers.
//!
//! A task of its own makes them. What was handed to it is carried to its end, and the epoch moved on, even when
//! the caller who waits for it goes away in the middle: a revocation in the database that the epoch does not tell of would
//! leave a revoked identity in somebody's memory.

use std::sync::Arc;

use sea_orm::DbErr;
use tokio::sync::{mpsc, oneshot};
use zenml_auth_core::epoch_log::EpochLog;
use zenml_auth_core::ports::{ChangeSet, CommitError, Need, StoreError};

use crate::commit::Writer;
use crate::dialect::Dialect;
use crate::error;
use crate::new_rows::NewRows;
use crate::reserve::Reserve;
use crate::transaction::{Transaction, Transactions};

/// How many sets of changes share a transaction at most, so that the first one is not kept waiting by the last.
const LARGEST_GROUP: usize = 256;
/// How many sets of changes may wait; callers beyond them wait for a place.
const QUEUE: usize = 1024;

/// What one set of changes came to.
type Outcome = Result<(), CommitError>;

/// A set of changes, and who wants to know what came of it.
struct Waiting {
    changes: ChangeSet,
    outcome: oneshot::Sender<Outcome>,
}

enum Message {
    Commit(Waiting),
    /// No more after those that are in the queue already.
    Close(oneshot::Sender<()>),
}

/// Hands changes to the task that commits them.
pub(crate) struct GroupCommit {
    queue: mpsc::Sender<Message>,
}

impl GroupCommit {
    /// Starts the task. It ends when this is dropped.
    pub(crate) fn start(dialect: Dialect, writer: Transactions, epochs: Arc<EpochLog>) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let committer = Committer {
            dialect,
            writer,
            epochs,
        };
        tokio::spawn(committer.run(waiting));
        Self { queue }
    }

    /// Makes all of the changes, durably, or none of them.
    pub(crate) async fn commit(&self, changes: ChangeSet) -> Outcome {
        let (outcome, made) = oneshot::channel();
        let waiting = Waiting { changes, outcome };
        self.queue
            .send(Message::Commit(waiting))
            .await
            .map_err(|_| closed())?;
        made.await.unwrap_or_else(|_| Err(closed().into()))
    }

    /// Fails when changes are no longer taken.
    pub(crate) fn check_open(&self) -> Result<(), StoreError> {
        if self.queue.is_closed() {
            Err(closed())
        } else {
            Ok(())
        }
    }

    /// Waits until everything that was handed over is made, and takes nothing more.
    pub(crate) async fn close(&self) {
        let (closed, is_closed) = oneshot::channel();
        if self.queue.send(Message::Close(closed)).await.is_ok() {
            // Where nobody answers any more, nothing is left to be made.
            let _ = is_closed.await;
        }
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the database was closed".to_owned())
}

struct Committer {
    dialect: Dialect,
    writer: Transactions,
    epochs: Arc<EpochLog>,
}

impl Committer {
    async fn run(self, mut queue: mpsc::Receiver<Message>) {
        while let Some(message) = queue.recv().await {
            let mut group = Vec::new();
            let mut closing = None;
            let mut next = Some(message);
            while let Some(message) = next.take() {
                match message {
                    Message::Commit(waiting) => group.push(waiting),
                    Message::Close(closed) => {
                        closing = Some(closed);
                        break;
                    }
                }
                if group.len() < LARGEST_GROUP {
                    next = queue.try_recv().ok();
                }
            }
            self.commit(group).await;
            if let Some(closed) = closing {
                queue.close();
                let _ = closed.send(());
                return;
            }
        }
    }

    async fn commit(&self, group: Vec<Waiting>) {
        let made = self.make(&group).await;
        let mut outcomes: Vec<Outcome> = match made {
            Ok(outcomes) => outcomes,
            Err(error) => group.iter().map(|_| Err(error.clone().into())).collect(),
        };
        if let Some(reserve) = self.writer.reserve() {
            for (waiting, outcome) in group.iter().zip(&mut outcomes) {
                if is_full(outcome) && waiting.changes.need() != Need::Ordinary {
                    *outcome = self.make_in_reserve(reserve, waiting).await;
                }
            }
        }
        // Before anybody is told. Also of what failed in the database: nobody can be sure then whether it was made.
        let revoked = group
            .iter()
            .zip(&outcomes)
            .filter(|(_, outcome)| may_be_made(outcome));
        self.epochs.revoke(
            revoked
                .flat_map(|(waiting, _)| waiting.changes.revoked())
                .collect(),
        );
        for (waiting, outcome) in group.into_iter().zip(outcomes) {
            // A caller that went away does not need to know.
            let _ = waiting.outcome.send(outcome);
        }
    }

    /// What came of each set; or why none of them was made.
    async fn make(&self, group: &[Waiting]) -> Result<Vec<Outcome>, StoreError> {
        if let Some(rows) = NewRows::of(group.iter().map(|waiting| &waiting.changes))
            && self.make_at_once(rows).await?
        {
            return Ok(group.iter().map(|_| Ok(())).collect());
        }
        if group.len() > 1
            && let Some(outcomes) = self.make_together(group).await?
        {
            return Ok(outcomes);
        }
        // One of them breaks the transaction that it is in. It does not take the others with it.
        let mut outcomes = Vec::with_capacity(group.len());
        for waiting in group {
            outcomes.push(self.make_alone(waiting).await);
        }
        Ok(outcomes)
    }

    /// Makes all sets in one transaction, or none when one of them breaks it.
    async fn make_together(&self, group: &[Waiting]) -> Result<Option<Vec<Outcome>>, StoreError> {
        let transaction = self.begin().await?;
        let mut outcomes = Vec::with_capacity(group.len());
        for waiting in group {
            match self.make_one(&transaction, &waiting.changes).await {
                Ok(outcome) => outcomes.push(outcome),
                Err(_) => {
                    transaction.rollback().await;
                    return Ok(None);
                }
            }
        }
        transaction.commit().await.map_err(|error| self.error(&error))?;
        Ok(Some(outcomes))
    }

    /// Makes one set in a transaction of its own.
    async fn make_alone(&self, waiting: &Waiting) -> Outcome {
        self.make_in(self.begin().await?, waiting).await
    }

    /// Makes one set in the room that is kept for a full disk: first in what was given up before, then in as much more as it
    /// takes.
    async fn make_in_reserve(&self, reserve: &Reserve, waiting: &Waiting) -> Outcome {
        loop {
            let begun = self.writer.begin_in_reserve().await;
            let outcome = match begun {
                Ok(transaction) => self.make_in(transaction, waiting).await,
                Err(error) => Err(self.error(&error).into()),
            };
            if !is_full(&outcome) || !reserve.give_up(waiting.changes.need()).await {
                return outcome;
            }
        }
    }

    async fn make_in(&self, transaction: Transaction, waiting: &Waiting) -> Outcome {
        let outcome = self.make_one(&transaction, &waiting.changes).await?;
        transaction.commit().await.map_err(|error| self.error(&error))?;
        outcome
    }

    /// Writes new rows with few statements. When that fails, none is made, and it takes a look at each set to tell
    /// whose fault it was.
    async fn make_at_once(&self, rows: NewRows) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        match rows.write(&self.writer_in(&transaction)).await {
            Ok(()) => {
                transaction.commit().await.map_err(|error| self.error(&error))?;
                Ok(true)
            }
            Err(_) => {
                transaction.rollback().await;
                Ok(false)
            }
        }
    }

    /// Makes one set within the transaction of its group, or takes it back alone. Fails when the whole transaction
    /// can't go on.
    async fn make_one(&self, transaction: &Transaction, changes: &ChangeSet) -> Result<Outcome, StoreError> {
        let savepoint = transaction
            .savepoint()
            .await
            .map_err(|error| self.error(&error))?;
        match self.writer_in(&savepoint).apply_all(changes).await {
            Ok(()) => {
                savepoint.commit().await.map_err(|error| self.error(&error))?;
                Ok(Ok(()))
            }
            Err(CommitError::Store(broken)) => Err(broken),
            Err(refused) => {
                savepoint.rollback().await;
                Ok(Err(refused))
            }
        }
    }

    async fn begin(&self) -> Result<Transaction, StoreError> {
        self.writer.begin().await.map_err(|error| self.error(&error))
    }

    const fn writer_in<'t>(&self, transaction: &'t Transaction) -> Writer<'t> {
        Writer {
            dialect: self.dialect,
            transaction,
        }
    }

    fn error(&self, error: &DbErr) -> StoreError {
        error::of_read(self.dialect, error)
    }
}

const fn is_full(outcome: &Outcome) -> bool {
    matches!(outcome, Err(CommitError::Store(StoreError::Full(_))))
}

fn may_be_made(outcome: &Outcome) -> bool {
    match outcome {
        Ok(()) | Err(CommitError::Store(_)) => true,
        Err(CommitError::Stale | CommitError::Taken(_) | CommitError::ParentMissing) => false,
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::Database;

    use super::*;
    use crate::epoch::Authority;

    /// What the server's readiness is about: reads would go on, but nothing could be changed any more.
    #[tokio::test]
    async fn what_takes_no_more_changes_says_so() {
        let writer = Database::connect("sqlite::memory:").await.unwrap();
        let patience = std::time::Duration::from_secs(1);
        let writer = Transactions::writing(Dialect::Sqlite, writer, Authority::default(), None, patience);
        let commits = GroupCommit::start(Dialect::Sqlite, writer, Arc::default());
        commits.check_open().unwrap();
        commits.commit(ChangeSet::new()).await.unwrap();
        commits.close().await;
        assert!(matches!(commits.check_open(), Err(StoreError::Unavailable(_))));
        let refused = commits.commit(ChangeSet::new()).await;
        assert!(matches!(
            refused,
            Err(CommitError::Store(StoreError::Unavailable(_)))
        ));
    }
}
