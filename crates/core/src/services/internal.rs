//! What can go wrong with any operation, through no fault of the caller.

use crate::password::HashingError;
use crate::ports::{CommitError, StoreError};
use crate::sealing::SealingError;
use crate::token::TokenError;

/// Something that is not the caller's fault.
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
    /// The store refused a change that it has no reason to refuse.
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
