//! How to connect.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use zenml_auth_core::ports::StoreError;
use zenml_auth_migrations::Schema;

use crate::dialect::Dialect;
use crate::url;

/// Where the database is and how to use it.
#[derive(Clone)]
pub struct ConnectOptions {
    pub(crate) location: Location,
    /// How many connections there are at most. On SQLite they read, and one more writes; on a database server, one more
    /// reads the epoch.
    pub connections: u32,
    /// How many connections are kept open to a database server when there is nothing to do.
    pub min_connections: u32,
    /// How long a statement on SQLite waits for a lock that another program holds.
    pub busy_timeout: Duration,
    /// How long an operation waits for a connection before the database counts as unavailable.
    pub acquire_timeout: Duration,
    /// How long a database server may take to let us in, at the start and later.
    pub connect_timeout: Duration,
    /// How long a database server may work on one statement, waiting for locks included.
    pub statement_timeout: Duration,
    /// After how long without use a connection to a database server is closed.
    pub idle_timeout: Duration,
    /// After how long a connection to a database server is replaced by a new one.
    pub max_lifetime: Duration,
    /// How connections to a database server are protected; `None` leaves it to the URL, and then to [`TlsMode::Prefer`].
    pub tls: Option<TlsMode>,
    /// A file of certificates (PEM) of authorities that are trusted, beside those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// Whether a SQLite file that is not there is made, readable by its owner only.
    pub create_if_missing: bool,
    /// How many bytes a SQLite database keeps beside it for taking rights away when the disk is full; 0 for none.
    pub disk_reserve: u64,
    /// The file that the URL was read from. It is read again when the database refuses the password, which may have been rotated
    /// there, and before the session of the epoch is opened anew.
    pub url_file: Option<PathBuf>,
    /// The schema that is worked with: that of this program, except to try the next one.
    pub schema: Schema,
}

/// How a connection to a database server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// Not at all.
    Disable,
    /// With TLS if the server has it. An attacker in between can talk both out of it.
    Prefer,
    /// With TLS, to any server that answers.
    Require,
    /// With TLS, with a certificate of a trusted authority, whatever name is on it.
    VerifyCa,
    /// With TLS, with a certificate of a trusted authority for the very host that was asked for.
    VerifyFull,
}

/// Where a database is.
#[derive(Clone)]
pub(crate) enum Location {
    Url(String),
    SqliteFile(PathBuf),
}

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// SQLite, in a file of ours.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MySQL or MariaDB.
    MySql,
}

/// Why options can't be used. It never shows a URL, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the database can't be used as it is set: {0}")]
pub struct OptionsError(pub(crate) String);

impl From<OptionsError> for StoreError {
    fn from(error: OptionsError) -> Self {
        Self::Other(error.to_string())
    }
}

impl ConnectOptions {
    /// The database at a URL, such as `postgres://zenml_auth@db.example.com/zenml_auth` or
    /// `sqlite:///var/lib/zenml-auth/zenml-auth.db`.
    #[must_use]
    pub fn url(url: impl Into<String>) -> Self {
        let url = url.into();
        if matches!(url::database_of(&url), Some(Database::Postgres | Database::MySql)) {
            Self {
                connections: 10,
                acquire_timeout: Duration::from_secs(5),
                ..Self::at(Location::Url(url))
            }
        } else {
            Self::at(Location::Url(url))
        }
    }

    /// A SQLite database in a file; any path will do, whatever characters are in it.
    #[must_use]
    pub fn sqlite_file(path: impl Into<PathBuf>) -> Self {
        Self::at(Location::SqliteFile(path.into()))
    }

    fn at(location: Location) -> Self {
        Self {
            location,
            connections: 4,
            min_connections: 1,
            busy_timeout: Duration::from_secs(5),
            acquire_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(10 * 60),
            max_lifetime: Duration::from_secs(30 * 60),
            tls: None,
            ca_file: None,
            create_if_missing: true,
            disk_reserve: 0,
            url_file: None,
            schema: Schema::default(),
        }
    }

    /// What the file with the URL says now, if that is something else than before.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(crate) fn reread(&self) -> Result<Option<Self>, OptionsError> {
        let (Some(file), Location::Url(before)) = (&self.url_file, &self.location) else {
            return Ok(None);
        };
        let text = std::fs::read_to_string(file)
            .map_err(|error| OptionsError(format!("{}: {error}", file.display())))?;
        let url = text.trim_end_matches(['\r', '\n']);
        if url == before {
            return Ok(None);
        }
        let options = Self {
            location: Location::Url(url.to_owned()),
            ..self.clone()
        };
        options.check_leads_to(&self.leads_to()?)?;
        Ok(Some(options))
    }

    /// Which database they lead to: its kind, and where it is. Users and TLS make no difference.
    pub(crate) fn leads_to(&self) -> Result<(Database, String), OptionsError> {
        Dialect::of(self)?.place(self)
    }

    /// Refuses options that lead to another database: what is known of one must not be believed of another.
    pub(crate) fn check_leads_to(&self, before: &(Database, String)) -> Result<(), OptionsError> {
        if self.leads_to()? == *before {
            Ok(())
        } else {
            Err(OptionsError(
                "where the database is can't change while the server runs; restart it".to_owned(),
            ))
        }
    }

    /// The kind of database, without connecting to it.
    ///
    /// # Errors
    /// [`OptionsError`] says what is wrong with the URL.
    pub fn database(&self) -> Result<Database, OptionsError> {
        match &self.location {
            Location::SqliteFile(_) => Ok(Database::Sqlite),
            Location::Url(url) => url::database(url),
        }
    }

    /// Where the database is, for people, without connecting to it: never with a password.
    ///
    /// # Errors
    /// [`OptionsError`] says why these options can't be used.
    pub fn describe(&self) -> Result<String, OptionsError> {
        Dialect::of(self)?.describe(self)
    }

    /// The file, if the database is SQLite in one.
    ///
    /// # Errors
    /// [`OptionsError`] says what is wrong with the URL.
    #[cfg(feature = "sqlite")]
    pub fn file(&self) -> Result<Option<PathBuf>, OptionsError> {
        match self.database()? {
            Database::Sqlite => crate::dialect::sqlite::file(self),
            Database::Postgres | Database::MySql => Ok(None),
        }
    }

    /// Refuses what does not go together, and hands out the URL of a database server.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(crate) fn server_url(&self) -> Result<&str, OptionsError> {
        let refused = |why: &str| Err(OptionsError(why.to_owned()));
        let Location::Url(url) = &self.location else {
            return refused("there is no URL");
        };
        if self.connections == 0 || self.min_connections > self.connections {
            return refused("the most connections have to be at least one, and at least the fewest");
        }
        if self.tls.is_some() && url::sets_tls_mode(url) {
            return refused("how to use TLS is said in the URL and as a setting; say it once");
        }
        if self.ca_file.is_some() && url::sets_ca_file(url) {
            return refused("the file of authorities is given in the URL and as a setting; give it once");
        }
        Ok(url)
    }

    /// What goes with a way to use TLS, wherever it was said.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(crate) fn check_tls(&self, mode: TlsMode, has_ca_file: bool) -> Result<(), OptionsError> {
        let refused = |why: &str| Err(OptionsError(why.to_owned()));
        match mode {
            TlsMode::Disable | TlsMode::Prefer | TlsMode::Require if has_ca_file => {
                refused("a file of authorities is given, but TLS is not set to verify-ca or verify-full")
            }
            TlsMode::VerifyCa if !has_ca_file => refused(
                "verify-ca without a file of authorities would accept a server with any certificate; use verify-full",
            ),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for TlsMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        })
    }
}

impl fmt::Debug for ConnectOptions {
    /// Leaves the location out: a URL may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("connections", &self.connections)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("tls", &self.tls)
            .field("create_if_missing", &self.create_if_missing)
            .finish_non_exhaustive()
    }
}
