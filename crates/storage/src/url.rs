//! What a database URL says, without ever repeating it: it may hold a password.

use crate::options::{Database, OptionsError};

/// What may be said behind the `?`. Anything else is a slip of the keyboard, and one in `sslmode` would be a dangerous one
/// to pass over.
const SQLITE: &[&str] = &["mode", "cache", "immutable", "vfs"];
const POSTGRES: &[&str] = &[
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "statement-cache-capacity",
];
const MYSQL: &[&str] = &[
    "ssl-mode",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "socket",
    "statement-cache-capacity",
];
/// Those of them that say what the settings for TLS say, too.
#[cfg(any(feature = "postgres", feature = "mysql"))]
const TLS_MODE: &[&str] = &["sslmode", "ssl-mode"];
#[cfg(any(feature = "postgres", feature = "mysql"))]
const CA_FILE: &[&str] = &["sslrootcert", "ssl-ca"];

/// The kind of database, if it is one of those that there are.
pub(crate) fn database_of(url: &str) -> Option<Database> {
    match url.split_once(':')?.0 {
        "sqlite" => Some(Database::Sqlite),
        "postgres" | "postgresql" => Some(Database::Postgres),
        "mysql" | "mariadb" => Some(Database::MySql),
        _ => None,
    }
}

/// The kind of database, or what is wrong with the URL.
pub(crate) fn database(url: &str) -> Result<Database, OptionsError> {
    let database = database_of(url).ok_or_else(|| {
        // Without a colon there is no telling where a password might begin.
        let scheme = url
            .split_once("://")
            .map(|(scheme, _)| scheme)
            .filter(|scheme| scheme.len() <= 20 && scheme.chars().all(|c| c.is_ascii_alphanumeric()));
        OptionsError(match scheme {
            Some(scheme) => format!("databases of the kind {scheme:?} are not supported"),
            None => "the URL has to begin with postgres://, mysql://, mariadb:// or sqlite:".to_owned(),
        })
    })?;
    check_parameters(database, url)?;
    Ok(database)
}

/// Refuses parameters that mean nothing.
fn check_parameters(database: Database, url: &str) -> Result<(), OptionsError> {
    let known = match database {
        Database::Sqlite => SQLITE,
        Database::Postgres => POSTGRES,
        Database::MySql => MYSQL,
    };
    let Some(unknown) = parameters(url).find(|name| !known.contains(name)) else {
        return Ok(());
    };
    let harmless = unknown.len() <= 40
        && unknown
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    let shown = if harmless {
        format!(" {unknown:?}")
    } else {
        String::new()
    };
    Err(OptionsError(format!(
        "the URL has an unknown parameter{shown}; there are {}",
        known.join(", ")
    )))
}

/// Whether the URL says itself how to protect the connection.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) fn sets_tls_mode(url: &str) -> bool {
    parameters(url).any(|name| TLS_MODE.contains(&name))
}

/// Whether the URL says itself whose certificates to trust.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) fn sets_ca_file(url: &str) -> bool {
    parameters(url).any(|name| CA_FILE.contains(&name))
}

fn parameters(url: &str) -> impl Iterator<Item = &str> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_the_scheme() {
        assert_eq!(database("sqlite::memory:"), Ok(Database::Sqlite));
        assert_eq!(database("postgresql://db/x?port=5"), Ok(Database::Postgres));
        assert_eq!(database("mariadb://db/x"), Ok(Database::MySql));
        assert_eq!(database_of("db/x"), None);
    }

    #[test]
    fn slips_are_refused_and_not_repeated() {
        let refusal = |url: &str| database(url).unwrap_err().to_string();
        let slip = refusal("postgres://me:hunter2@db/x?sslmod=verify-full");
        assert!(slip.contains("\"sslmod\"") && slip.contains("sslmode"), "{slip}");
        for url in [
            "me:hunter2@db/x",
            "hunter2",
            "oracle://me:hunter2@db/x",
            "mysql://me@db/x?%3Dhunter2",
            "mysql://me@db/x?hunter2%40=1",
        ] {
            let refusal = refusal(url);
            assert!(!refusal.contains("hunter2"), "{refusal}");
        }
    }

    #[cfg(any(feature = "postgres", feature = "mysql"))]
    #[test]
    fn what_the_url_says_of_tls_is_seen() {
        assert!(sets_tls_mode("mysql://db/x?ssl-mode=required#sslmode"));
        assert!(!sets_tls_mode("postgres://db/sslmode?user=sslmode"));
        assert!(sets_ca_file("postgres://db/x?a=b&sslrootcert=/ca.pem"));
    }

    #[test]
    fn the_parameters_are_those_of_the_guide() {
        let guide = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operating.md"));
        let lists = guide.split("- Parameters of the URL: ").skip(1).map(|rest| {
            let sentence = rest.split('.').next().unwrap_or_default();
            sentence.split('`').skip(1).step_by(2).collect::<Vec<_>>()
        });
        assert_eq!(lists.collect::<Vec<_>>(), [POSTGRES, MYSQL]);
    }

    #[cfg(all(feature = "postgres", feature = "mysql"))]
    #[test]
    fn parameters_are_used() {
        for (url, place) in [
            (
                "postgres://?host=db&port=5&dbname=d&user=me&password=hunter2&sslmode=require",
                "PostgreSQL at db:5, database d, as me, TLS require",
            ),
            (
                "postgres://me@db:5/d?hostaddr=192.0.2.1&sslmode=disable",
                "PostgreSQL at 192.0.2.1:5, database d, as me, TLS disable",
            ),
            (
                "postgres://me@db/d?host=/run/postgresql&sslmode=verify-ca&sslrootcert=/ca.pem",
                "PostgreSQL at /run/postgresql, database d, as me, TLS verify-ca",
            ),
            (
                "mysql://me@db/d?socket=/run/mysqld.sock&ssl-mode=VERIFY_CA&ssl-ca=/ca.pem",
                "MySQL or MariaDB at /run/mysqld.sock, database d, as me, TLS verify-ca",
            ),
        ] {
            assert_eq!(crate::ConnectOptions::url(url).describe(), Ok(place.to_owned()));
        }
    }
}
