//! What is set for the database, put together with where it is.

use zenml_auth_storage::{ConnectOptions, Database};

use super::load::{ConfigError, check_range};
use super::options::DatabaseOptions;

const CONNECTIONS: (u32, u32) = (1, 1000);

/// How to connect, with what was set and with what goes for this kind of database where nothing was.
///
/// # Errors
/// [`ConfigError`] says what does not go together.
pub(super) fn settings(
    mut database: ConnectOptions,
    options: DatabaseOptions,
) -> Result<ConnectOptions, ConfigError> {
    check_range("max_connections", options.max_connections, CONNECTIONS)?;
    if database.database()? == Database::Sqlite {
        let of_servers = [
            ("min_connections", options.min_connections.is_some()),
            ("connect_timeout", options.connect_timeout.is_some()),
            ("statement_timeout", options.statement_timeout.is_some()),
            ("idle_timeout", options.idle_timeout.is_some()),
            ("max_lifetime", options.max_lifetime.is_some()),
            ("tls", options.tls.is_some()),
            ("ca_file", options.ca_file.is_some()),
        ];
        if let Some((name, _)) = of_servers.iter().find(|(_, is_set)| *is_set) {
            return Err(ConfigError::NotForSqlite(name));
        }
    }
    let spans = [
        (&mut database.acquire_timeout, options.acquire_timeout),
        (&mut database.connect_timeout, options.connect_timeout),
        (&mut database.statement_timeout, options.statement_timeout),
        (&mut database.idle_timeout, options.idle_timeout),
        (&mut database.max_lifetime, options.max_lifetime),
    ];
    for (setting, span) in spans {
        if let Some(span) = span {
            *setting = span.0;
        }
    }
    let numbers = [
        (&mut database.connections, options.max_connections),
        (&mut database.min_connections, options.min_connections),
    ];
    for (setting, number) in numbers {
        if let Some(number) = number {
            *setting = number;
        }
    }
    database.tls = options.tls.map(Into::into);
    if let Some(path) = options.ca_file {
        // The driver would find out only when it connects.
        std::fs::read(&path).map_err(|source| ConfigError::Unreadable {
            path: path.clone(),
            source,
        })?;
        database.ca_file = Some(path);
    }
    database.describe()?;
    Ok(database)
}
