//! What can go wrong with any operation, through no fault of whoever asked.

use crate::password::HashingError;
use crate::ports::{CommitError, StoreError};
use crate::sealing::SealingError;
use crate::token::TokenError;

/// How often an operation begins again when others change the same rows. Every round, somebody gets through, so
/// that only more racers than this on one row can make it give up.
const MAX_TRIES: u32 = 256;

/// Something that is not the fault of whoever asked.
#[derive(Debug, thiserror::Error)]
pub enum Internal {
    /// The store could not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too many others change the same thing at the same time.
    #[error("too many changes of the same thing at the same time; try again")]
    Contended,
    /// Too many passwords are being checked, or a stored hash is broken.
    #[error(transparent)]
    Hashing(#[from] HashingError),
    /// A token could not be signed.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A secret of the server can't be sealed or opened.
    #[error(transparent)]
    Sealing(#[from] SealingError),
    /// The store refused what can't be refused.
    #[error("the database refused a change that should be possible: {0}")]
    Refused(String),
}

impl From<CommitError> for Internal {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Store(error) => Self::Store(error),
            CommitError::Stale => Self::Contended,
            error @ (CommitError::Taken(_) | CommitError::ParentMissing) => Self::Refused(error.to_string()),
        }
    }
}

/// Counts the rounds of an operation that others interfere with.
pub(super) struct Tries(u32);

impl Tries {
    pub(super) const fn new() -> Self {
        Self(0)
    }

    /// Begins a round.
    pub(super) async fn next(&mut self) -> Result<(), Internal> {
        if self.0 > 0 {
            tokio::task::yield_now().await;
        }
        self.0 += 1;
        if self.0 > MAX_TRIES {
            Err(Internal::Contended)
        } else {
            Ok(())
        }
    }
}
