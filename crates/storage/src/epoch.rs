//! The revocation epoch: in memory where this process makes every commit, in the database where others commit, too.

#[cfg(any(feature = "postgres", feature = "mysql"))]
mod alone;
mod authority;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod reader;

use std::sync::Arc;

use zenml_auth_core::epoch_log::EpochLog;

#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) use alone::take_alone;
pub(crate) use authority::Authority;
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) use reader::EpochReader;

use crate::dialect::Dialect;
#[cfg(any(feature = "postgres", feature = "mysql"))]
use crate::endpoint::Endpoint;
use crate::group_commit::GroupCommit;
use crate::transaction::Transactions;

/// How the epoch of a store is kept.
#[derive(Clone)]
pub(crate) enum Epochs {
    /// In memory: the server is the only program that commits to a SQLite file.
    Own {
        /// The epoch, and what was revoked at which.
        log: Arc<EpochLog>,
        /// Makes the commits that move it on.
        commits: Arc<GroupCommit>,
    },
    /// In the database, where each commit of each replica moves it on.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    Shared {
        /// Reads it.
        reader: EpochReader,
        /// Since when the connections lead to the right server.
        authority: Authority,
        /// How new connections are opened.
        endpoint: Endpoint,
    },
}

impl Epochs {
    /// Begins to count in memory, for the only one who commits over this connection.
    pub(crate) fn own(dialect: Dialect, writer: &Transactions) -> Self {
        let log = Arc::<EpochLog>::default();
        let commits = GroupCommit::start(dialect, writer.clone(), Arc::clone(&log));
        Self::Own {
            log,
            commits: Arc::new(commits),
        }
    }

    /// Once nobody asks any more.
    pub(crate) async fn close(&self) {
        match self {
            Self::Own { commits, .. } => commits.close().await,
            #[cfg(any(feature = "postgres", feature = "mysql"))]
            Self::Shared { reader, .. } => reader.close().await,
        }
    }
}
