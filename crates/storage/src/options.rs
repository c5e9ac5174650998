//! How to connect.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Where the database is and how to use it.
#[derive(Clone)]
pub struct ConnectOptions {
    pub(crate) location: Location,
    /// How many connections may read at the same time. On SQLite, one more writes.
    pub connections: u32,
    /// How long a statement waits for a lock that another program holds.
    pub busy_timeout: Duration,
    /// How long an operation waits for a connection before the database counts as unavailable.
    pub acquire_timeout: Duration,
    /// Whether a SQLite file that is not there is made, readable by its owner only.
    pub create_if_missing: bool,
}

/// Where a database is.
#[derive(Clone)]
pub(crate) enum Location {
    Url(String),
    SqliteFile(PathBuf),
}

impl ConnectOptions {
    /// The database at a URL, such as `sqlite:///var/lib/zenml-auth/zenml-auth.db`.
    #[must_use]
    pub fn url(url: impl Into<String>) -> Self {
        Self::at(Location::Url(url.into()))
    }

    /// A SQLite database in a file; any path will do, whatever characters are in it.
    #[must_use]
    pub fn sqlite_file(path: impl Into<PathBuf>) -> Self {
        Self::at(Location::SqliteFile(path.into()))
    }

    const fn at(location: Location) -> Self {
        Self {
            location,
            connections: 4,
            busy_timeout: Duration::from_secs(5),
            acquire_timeout: Duration::from_secs(30),
            create_if_missing: true,
        }
    }
}

impl fmt::Debug for ConnectOptions {
    /// Leaves the location out: a URL may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("connections", &self.connections)
            .field("busy_timeout", &self.busy_timeout)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("create_if_missing", &self.create_if_missing)
            .finish_non_exhaustive()
    }
}
