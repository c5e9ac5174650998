//! Merging the layers, and checking what comes of it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use zenml_auth_core::password::HashingCost;
use zenml_auth_core::settings::{Lifetimes, Limits, Rate, Settings};
use zenml_auth_core::strength::{LEAST_PASSWORD_CHARS, MOST_PASSWORD_CHARS};
use zenml_auth_model::{Name, NameError, Secret};
use zenml_auth_storage::{ConnectOptions, OptionsError};

use super::options::{
    AdminOptions, DatabaseOptions, File, LifetimeOptions, LimitOptions, Options, StorageOptions,
};
use super::values::{LogFormat, RateText, Span, Switch};
use super::{Admin, Config, Log, Server};
use crate::encryption::{self, EncryptionError, Keys};
use crate::permissions::Access;
use crate::serve::DEFAULT_MAX_CONNECTIONS;

/// Where to listen unless told otherwise: ZenML's own port, on this machine only.
const DEFAULT_BIND: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8237);

/// How long to go on serving once told to stop: a load balancer asks `/ready` a few times meanwhile.
const DRAIN_TIME: Duration = Duration::from_secs(5);

const USER_CODE_ATTEMPTS: (u32, u32) = (1, 100);
const LEAST_IDLE: Duration = Duration::from_secs(60);
const REMEMBERED: (u32, u32) = (64, 16_777_216);
const PARALLEL_PASSWORD_CHECKS: (u32, u32) = (1, 256);
const MAX_CONNECTIONS: (u32, u32) = (16, 100_000);

/// The file with settings that is read when no other is given, if it is there, so that `admin` finds the database of a service.
const CONFIG_FILE: &str = "/etc/zenml-auth/zenml-auth.toml";

/// The embedded database's file in the data folder.
const DATABASE_FILE: &str = "zenml-auth.db";
/// What an embedded database keeps for a full disk unless told otherwise, in bytes: room for a few hundred changes.
const DISK_RESERVE: u64 = 16 * 1024 * 1024;

/// What to log unless told otherwise; what migrations do is said in our own words, without the database's remarks.
const DEFAULT_FILTER: &str = "info,sea_orm_migration=warn,sqlx=warn";

/// Why the settings can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file can't be read.
    #[error("can't read {path}: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML, or has a key that is not a setting.
    #[error("{path}: {reason}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A secret was given twice.
    #[error("{0} was given as itself and as a file; give one of them")]
    Twice(&'static str),
    /// The encryption keys can't be used.
    #[error(transparent)]
    Encryption(#[from] EncryptionError),
    /// The name of the first administrator can't be one.
    #[error("the first administrator's name: {0}")]
    AdminName(#[from] NameError),
    /// The public address is none.
    #[error("the public URL {0:?} has to begin with http:// or https:// and name a host, without a query")]
    PublicUrl(String),
    /// There is no folder for application data.
    #[error("there is no home folder to keep data in; use --data-dir")]
    NoDataDir,
    /// A number is out of range.
    #[error("{setting} is {least} to {most}, not {given}")]
    Range {
        /// Which setting.
        setting: &'static str,
        /// The least it can be.
        least: u32,
        /// The most it can be.
        most: u32,
        /// What was given.
        given: u32,
    },
    /// The database's URL, or what is set for it, can't be used.
    #[error(transparent)]
    Database(#[from] OptionsError),
    /// Something is set that SQLite has no use for.
    #[error("{0} is a setting for PostgreSQL, MySQL and MariaDB, but the database is SQLite")]
    NotForSqlite(&'static str),
    /// A lifetime does not go with another one.
    #[error("{0}")]
    Lifetimes(&'static str),
}

/// Puts the layers together.
///
/// # Errors
/// [`ConfigError`] says what can't be used, and where it was said.
pub fn load(options: Options) -> Result<Config, ConfigError> {
    let file = match &options.config {
        Some(path) => read_file(path)?,
        None => read_file_if_there(Path::new(CONFIG_FILE))?,
    };
    let server = options.server.over(file.server);
    let limits = options.limits.over(file.limits);
    let log = options.log.over(file.log);
    check_range(
        "user_code_attempts",
        limits.user_code_attempts,
        USER_CODE_ATTEMPTS,
    )?;
    check_range("remembered", limits.remembered, REMEMBERED)?;
    check_range(
        "password_min_length",
        limits.password_min_length,
        (LEAST_PASSWORD_CHARS, MOST_PASSWORD_CHARS),
    )?;
    check_range(
        "parallel_password_checks",
        limits.parallel_password_checks,
        PARALLEL_PASSWORD_CHECKS,
    )?;
    check_range("max_connections", server.max_connections, MAX_CONNECTIONS)?;
    check_range(
        "max_connections_per_address",
        server.max_connections_per_address,
        MAX_CONNECTIONS,
    )?;
    let hashing = HashingCost::default();
    let parallel = limits
        .parallel_password_checks
        .and_then(|number| usize::try_from(number).ok());
    let storage = options.storage.over(file.storage);
    let access = match storage.allow_group_access {
        Some(Switch::On) => Access::Group,
        Some(Switch::Off) | None => Access::Owner,
    };
    Ok(Config {
        access,
        encryption: encryption_keys(&storage, access)?,
        server: Server {
            bind: server.bind.unwrap_or(DEFAULT_BIND),
            public_url: server.public_url.as_deref().map(public_url).transpose()?,
            trusted_proxies: server
                .trusted_proxies
                .into_iter()
                .flatten()
                .flat_map(|networks| networks.0)
                .collect(),
            forwarded_header: server.forwarded_header.map_or_else(Default::default, Into::into),
            max_connections: server.max_connections.unwrap_or(DEFAULT_MAX_CONNECTIONS),
            max_connections_per_address: server.max_connections_per_address,
            hsts_subdomains: server.hsts_subdomains == Some(Switch::On),
            drain_time: server.drain_time.map_or(DRAIN_TIME, |time| time.0),
        },
        database: database(storage, options.database.over(file.database))?,
        admin: admin(options.admin.over(file.admin))?,
        settings: Settings {
            lifetimes: lifetimes(&options.lifetimes.over(file.lifetimes))?,
            limits: self::limits(&limits),
        },
        hashing: HashingCost {
            parallel: parallel.unwrap_or(hashing.parallel),
            ..hashing
        },
        log: Log {
            format: log.format.unwrap_or(LogFormat::Text),
            filter: log.filter.unwrap_or_else(|| DEFAULT_FILTER.to_owned()),
        },
    })
}

/// Flags are checked where they are read; this is for what the file says.
pub(super) fn check_range(
    setting: &'static str,
    given: Option<u32>,
    range: (u32, u32),
) -> Result<(), ConfigError> {
    let (least, most) = range;
    match given {
        Some(given) if given < least || given > most => Err(ConfigError::Range {
            setting,
            least,
            most,
            given,
        }),
        _ => Ok(()),
    }
}

/// Whether there is such a file. One that can't be looked at is no missing one.
fn is_there(path: &Path) -> Result<bool, ConfigError> {
    path.try_exists().map_err(|source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

fn read_file_if_there(path: &Path) -> Result<File, ConfigError> {
    if is_there(path)? {
        read_file(path)
    } else {
        Ok(File::default())
    }
}

fn read_file(path: &Path) -> Result<File, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    toml::from_str(&text).map_err(|error| ConfigError::File {
        path: path.to_owned(),
        reason: without_values(&text, &error),
    })
}

/// What is wrong with a file, without the values in it, which may be secrets: the whole error shows the line, and its
/// message shows a value of the wrong type.
fn without_values(text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let message = error.message();
    let is_about_a_value = ["invalid type: ", "invalid value: "]
        .iter()
        .any(|kind| message.starts_with(kind));
    if !is_about_a_value {
        return format!("line {line}: {message}");
    }
    let key = text.lines().nth(line - 1).and_then(key_of);
    let what = key.map_or("a value".to_owned(), |key| format!("the value of `{key}`"));
    // The last part is ours, and what comes before it shows the value.
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => format!("line {line}: {what} has to be {expected}"),
        None => format!("line {line}: {what} has the wrong type"),
    }
}

/// The key that a line of a TOML file sets, if it sets one.
fn key_of(line: &str) -> Option<&str> {
    let key = line.split_once('=')?.0.trim();
    let is_key = !key.is_empty()
        && key
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || "_.".contains(letter));
    is_key.then_some(key)
}

fn secret(
    what: &'static str,
    given: Option<String>,
    file: Option<PathBuf>,
) -> Result<Option<Secret>, ConfigError> {
    match (given, file) {
        (Some(_), Some(_)) => Err(ConfigError::Twice(what)),
        (Some(text), None) => Ok(Some(Secret::new(text))),
        (None, Some(path)) => {
            let text =
                std::fs::read_to_string(&path).map_err(|source| ConfigError::Unreadable { path, source })?;
            Ok(Some(Secret::new(text.trim_end_matches(['\r', '\n']))))
        }
        (None, None) => Ok(None),
    }
}

fn encryption_keys(options: &StorageOptions, access: Access) -> Result<Option<Keys>, ConfigError> {
    Ok(match (&options.encryption_key, &options.encryption_key_file) {
        (Some(_), Some(_)) => return Err(ConfigError::Twice("the encryption key")),
        (Some(text), None) => Some(encryption::from_variable(text)?),
        (None, Some(path)) => Some(encryption::from_file(path, access)?),
        (None, None) => None,
    })
}

fn database(options: StorageOptions, settings: DatabaseOptions) -> Result<ConnectOptions, ConfigError> {
    let default_dir = || {
        directories::ProjectDirs::from("", "", "zenml-auth")
            .map(|dirs| dirs.data_dir().to_owned())
            .ok_or(ConfigError::NoDataDir)
    };
    let url_file = options.database_url_file.clone();
    let url = secret(
        "the database URL",
        options.database_url,
        options.database_url_file,
    )?;
    let mut location = match url {
        Some(url) => ConnectOptions::url(url.expose()),
        None => {
            let folder = options.data_dir.map_or_else(default_dir, Ok)?;
            ConnectOptions::sqlite_file(folder.join(DATABASE_FILE))
        }
    };
    location.url_file = url_file;
    location.disk_reserve = options.disk_reserve.map_or(DISK_RESERVE, |size| size.0);
    super::database::settings(location, settings)
}

fn admin(options: AdminOptions) -> Result<Admin, ConfigError> {
    let username = options.admin_username.unwrap_or_else(|| "default".to_owned());
    // It is for the first start, after which the file may be gone.
    let (file, missing_file) = match options.admin_password_file {
        Some(path) if options.admin_password.is_none() && !is_there(&path)? => (None, Some(path)),
        file => (file, None),
    };
    let password = secret("the administrator's password", options.admin_password, file)?;
    Ok(Admin {
        missing_file,
        username: Name::new(username)?,
        // A variable that is set to nothing is as good as one that is not set.
        password: password.filter(|password| !password.expose().is_empty()),
    })
}

fn public_url(text: &str) -> Result<String, ConfigError> {
    let refused = || ConfigError::PublicUrl(text.to_owned());
    let url: http::Uri = text.parse().map_err(|_| refused())?;
    let scheme = url
        .scheme_str()
        .filter(|scheme| matches!(*scheme, "http" | "https"))
        .ok_or_else(refused)?;
    let authority = url
        .authority()
        .filter(|authority| !authority.as_str().contains('@'))
        .ok_or_else(refused)?;
    if url.query().is_some() {
        return Err(refused());
    }
    Ok(format!(
        "{scheme}://{authority}{}",
        url.path().trim_end_matches('/')
    ))
}

fn lifetimes(options: &LifetimeOptions) -> Result<Lifetimes, ConfigError> {
    let default = Lifetimes::default();
    let or = |span: Option<Span>, default| span.map_or(default, |span| span.0);
    let lifetimes = Lifetimes {
        trusted_device: or(options.trusted_device, default.trusted_device),
        untrusted_device: or(options.untrusted_device, default.untrusted_device),
        access_token: or(options.access_token, default.access_token),
        max_api_token: or(options.max_api_token, default.max_api_token),
        browser_session: or(options.browser_session, default.browser_session),
        browser_idle: or(options.browser_idle, default.browser_idle),
        recent_sign_in: or(options.recent_sign_in, default.recent_sign_in),
        invitation: or(options.invitation, default.invitation),
        device_grant: or(options.device_grant, default.device_grant),
        polling_interval: or(options.polling_interval, default.polling_interval),
        signing_key: or(options.signing_key, default.signing_key),
        keep_finished: default.keep_finished,
        keep_audit: options.audit_retention.map_or(default.keep_audit, |kept| kept.0),
    };
    if lifetimes.browser_idle < LEAST_IDLE {
        return Err(ConfigError::Lifetimes(
            "browser_idle is at least one minute: uses are written down every ten seconds",
        ));
    }
    if lifetimes.polling_interval >= lifetimes.device_grant {
        return Err(ConfigError::Lifetimes(
            "the polling interval has to be shorter than the time a device waits for approval",
        ));
    }
    Ok(lifetimes)
}

fn limits(options: &LimitOptions) -> Limits {
    let default = Limits::default();
    let or = |rate: Option<RateText>, default: Rate| rate.map_or(default, |rate| rate.0);
    Limits {
        enabled: options.rate_limit != Some(Switch::Off),
        sign_in_per_account: or(options.sign_in_per_account, default.sign_in_per_account),
        sign_in_per_address: or(options.sign_in_per_address, default.sign_in_per_address),
        sign_in_total: or(options.sign_in_total, default.sign_in_total),
        user_code_per_person: or(options.user_code_per_person, default.user_code_per_person),
        user_code_per_address: or(options.user_code_per_address, default.user_code_per_address),
        device_authorization_per_address: or(
            options.device_authorization_per_address,
            default.device_authorization_per_address,
        ),
        device_authorization_total: or(
            options.device_authorization_total,
            default.device_authorization_total,
        ),
        user_code_attempts: options.user_code_attempts.unwrap_or(default.user_code_attempts),
        password_min_length: options.password_min_length.unwrap_or(default.password_min_length),
        remembered: options.remembered.unwrap_or(default.remembered),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::Parser;

    use super::super::guide;
    use super::super::values::Size;
    use super::*;
    use crate::extract::proxies::ForwardedHeader;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        options: Options,
    }

    fn load_with(toml: &str, flags: &[&str]) -> Result<Config, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), toml).unwrap();
        let path = file.path().to_str().unwrap();
        let arguments = ["program", "--config", path, "--data-dir", "data"].into_iter();
        let program = Program::try_parse_from(arguments.chain(flags.iter().copied()))
            .map_err(|error| error.to_string())?;
        load(program.options).map_err(|error| error.to_string())
    }

    /// A cell of the guide without its backticks. Spans, rates and sizes are written in one way, as `72h` and `3d` are the same.
    fn plain(cell: &str) -> String {
        let pieces = cell.split('`').enumerate();
        pieces
            .map(|(index, piece)| {
                if index % 2 == 0 {
                    piece.to_owned()
                } else {
                    value(piece)
                }
            })
            .collect()
    }

    fn value(text: &str) -> String {
        if let Ok(Span(given)) = text.parse() {
            span(given)
        } else if let Ok(RateText(given)) = text.parse() {
            rate(given)
        } else if let Ok(Size(given)) = text.parse() {
            given.to_string()
        } else {
            text.to_owned()
        }
    }

    fn span(span: Duration) -> String {
        humantime::format_duration(span).to_string()
    }

    fn rate(rate: Rate) -> String {
        format!("{}/{}", rate.burst, span(rate.per))
    }

    fn or_none<T: ToString>(given: Option<T>) -> String {
        given.map_or_else(|| "none".to_owned(), |given| given.to_string())
    }

    /// What the guide says of it if nothing is set.
    fn if_nothing<T>(given: Option<&T>, told: &str) -> String {
        assert!(given.is_none(), "{told}");
        told.to_owned()
    }

    fn on_or_off(is_on: bool) -> String {
        if is_on { "on" } else { "off" }.to_owned()
    }

    #[test]
    fn the_guide_names_the_default_of_each_setting() {
        let config = load_with("", &[]).unwrap();
        let on_server = |url: &str| load_with("", &["--database-url", url]).unwrap().database;
        let (sqlite, postgres) = (&config.database, on_server("postgres://me@db/auth"));
        let tls_of = |database: &ConnectOptions| {
            let described = database.describe().unwrap();
            described.rsplit(' ').next().unwrap().to_owned()
        };
        assert_eq!(
            tls_of(&on_server("postgres://me@db/auth?sslmode=require")),
            "require"
        );
        assert_eq!(config.access, Access::Owner);
        let (server, admin, log) = (&config.server, &config.admin, &config.log);
        let Settings { lifetimes, limits } = config.settings;
        let real = [
            ("server", "bind", server.bind.to_string()),
            ("server", "public_url", or_none(server.public_url.as_ref())),
            ("server", "hsts_subdomains", on_or_off(server.hsts_subdomains)),
            (
                "server",
                "trusted_proxies",
                or_none(server.trusted_proxies.first()),
            ),
            (
                "server",
                "forwarded_header",
                match server.forwarded_header {
                    ForwardedHeader::XForwardedFor => "x-forwarded-for",
                    ForwardedHeader::Forwarded => "forwarded",
                }
                .to_owned(),
            ),
            ("server", "max_connections", server.max_connections.to_string()),
            (
                "server",
                "max_connections_per_address",
                if_nothing(
                    server.max_connections_per_address.as_ref(),
                    "an eighth of them, 8 at least",
                ),
            ),
            ("server", "drain_time", span(server.drain_time)),
            // Where that is depends on the platform, and on the variables of the process.
            (
                "storage",
                "data_dir",
                "the platform's folder for application data".to_owned(),
            ),
            (
                "storage",
                "database_url",
                match sqlite.describe().unwrap().as_str() {
                    "SQLite in data/zenml-auth.db" => "SQLite in the data folder".to_owned(),
                    other => other.to_owned(),
                },
            ),
            (
                "storage",
                "database_url_file",
                or_none(sqlite.url_file.as_ref().map(|path| path.display())),
            ),
            (
                "storage",
                "encryption_key_file",
                if_nothing(
                    config.encryption.as_ref(),
                    "a key that the embedded database makes for itself; on a database server one has to be given",
                ),
            ),
            (
                "storage",
                "allow_group_access",
                on_or_off(config.access == Access::Group),
            ),
            ("storage", "disk_reserve", sqlite.disk_reserve.to_string()),
            (
                "database",
                "max_connections",
                format!("{}, with SQLite {}", postgres.connections, sqlite.connections),
            ),
            (
                "database",
                "min_connections",
                postgres.min_connections.to_string(),
            ),
            (
                "database",
                "acquire_timeout",
                format!(
                    "{}, with SQLite {}",
                    span(postgres.acquire_timeout),
                    span(sqlite.acquire_timeout)
                ),
            ),
            ("database", "connect_timeout", span(postgres.connect_timeout)),
            ("database", "statement_timeout", span(postgres.statement_timeout)),
            ("database", "idle_timeout", span(postgres.idle_timeout)),
            ("database", "max_lifetime", span(postgres.max_lifetime)),
            (
                "database",
                "tls",
                format!("what the URL says, or else {}", tls_of(&postgres)),
            ),
            (
                "database",
                "ca_file",
                or_none(postgres.ca_file.as_ref().map(|path| path.display())),
            ),
            ("admin", "admin_username", admin.username.to_string()),
            (
                "admin",
                "admin_password",
                if_nothing(admin.password.as_ref(), "one is made and shown once"),
            ),
            (
                "admin",
                "admin_password_file",
                or_none(admin.missing_file.as_ref().map(|path| path.display())),
            ),
            ("lifetimes", "trusted_device", span(lifetimes.trusted_device)),
            ("lifetimes", "untrusted_device", span(lifetimes.untrusted_device)),
            ("lifetimes", "access_token", span(lifetimes.access_token)),
            ("lifetimes", "max_api_token", span(lifetimes.max_api_token)),
            ("lifetimes", "browser_session", span(lifetimes.browser_session)),
            ("lifetimes", "browser_idle", span(lifetimes.browser_idle)),
            ("lifetimes", "recent_sign_in", span(lifetimes.recent_sign_in)),
            ("lifetimes", "invitation", span(lifetimes.invitation)),
            ("lifetimes", "device_grant", span(lifetimes.device_grant)),
            ("lifetimes", "polling_interval", span(lifetimes.polling_interval)),
            ("lifetimes", "signing_key", span(lifetimes.signing_key)),
            (
                "lifetimes",
                "audit_retention",
                or_none(lifetimes.keep_audit.map(span)),
            ),
            ("limits", "rate_limit", on_or_off(limits.enabled)),
            ("limits", "sign_in_per_account", rate(limits.sign_in_per_account)),
            ("limits", "sign_in_per_address", rate(limits.sign_in_per_address)),
            ("limits", "sign_in_total", rate(limits.sign_in_total)),
            (
                "limits",
                "user_code_per_person",
                rate(limits.user_code_per_person),
            ),
            (
                "limits",
                "user_code_per_address",
                rate(limits.user_code_per_address),
            ),
            (
                "limits",
                "device_authorization_per_address",
                rate(limits.device_authorization_per_address),
            ),
            (
                "limits",
                "device_authorization_total",
                rate(limits.device_authorization_total),
            ),
            (
                "limits",
                "user_code_attempts",
                limits.user_code_attempts.to_string(),
            ),
            (
                "limits",
                "password_min_length",
                limits.password_min_length.to_string(),
            ),
            ("limits", "remembered", limits.remembered.to_string()),
            (
                "limits",
                "parallel_password_checks",
                config.hashing.parallel.to_string(),
            ),
            (
                "log",
                "format",
                match log.format {
                    LogFormat::Text => "text",
                    LogFormat::Json => "json",
                }
                .to_owned(),
            ),
            ("log", "filter", log.filter.clone()),
        ];
        let told = guide::rows().into_iter().filter_map(|row| {
            let name = format!("[{}] {}", row.section, row.key?);
            Some((name, plain(row.default?)))
        });
        let real = real
            .into_iter()
            .map(|(section, key, default)| (format!("[{section}] {key}"), default));
        assert_eq!(told.collect::<BTreeMap<_, _>>(), real.collect::<BTreeMap<_, _>>());
    }

    /// In a flag, and in the file.
    #[test]
    fn settings_out_of_range_are_refused() {
        let spans = (&["0s", "999ms", "11y"][..], &["1s", "10y"][..]);
        let connections = (&["15", "100001"][..], &["16", "100000"][..]);
        for (section, key, flag, (refused, taken)) in [
            ("lifetimes", "access_token", "--access-token-lifetime", spans),
            ("lifetimes", "trusted_device", "--trusted-device-lifetime", spans),
            ("database", "acquire_timeout", "--database-acquire-timeout", spans),
            (
                "limits",
                "sign_in_per_account",
                "--sign-in-per-account",
                (&["10/0s", "10/999ms", "10/11y"][..], &["10/1s", "10/10y"][..]),
            ),
            (
                "lifetimes",
                "browser_idle",
                "--browser-idle-lifetime",
                (&["1s", "59s"][..], &["1m"][..]),
            ),
            (
                "server",
                "drain_time",
                "--drain-time",
                (&["10m 1s", "1h"][..], &["0s", "10m"][..]),
            ),
            ("server", "max_connections", "--max-connections", connections),
            (
                "server",
                "max_connections_per_address",
                "--max-connections-per-address",
                connections,
            ),
            (
                "database",
                "max_connections",
                "--database-max-connections",
                (&["0", "1001"][..], &["1", "1000"][..]),
            ),
            (
                "limits",
                "password_min_length",
                "--password-min-length",
                (&["0", "7", "65"][..], &["8", "64"][..]),
            ),
        ] {
            let in_file = |text: &str| {
                let quote = if text.parse::<u32>().is_ok() { "" } else { "\"" };
                load_with(&format!("[{section}]\n{key} = {quote}{text}{quote}\n"), &[])
            };
            for text in refused {
                let error = load_with("", &[flag, text]).unwrap_err();
                assert!(
                    error.contains(flag) || error.contains(key),
                    "{flag} {text}: {error}"
                );
                let error = in_file(text).unwrap_err();
                assert!(
                    error.contains(key) || error.contains("line 2: "),
                    "{key} {text}: {error}"
                );
            }
            for text in taken {
                assert!(load_with("", &[flag, text]).is_ok(), "{flag} {text}");
                assert!(in_file(text).is_ok(), "{key} {text}");
            }
        }
    }

    #[test]
    fn flags_win_over_the_file() {
        let toml = "[server]\nbind = \"0.0.0.0:1\"\n[lifetimes]\ntrusted_device = \"60d\"\n";
        assert_eq!(load_with(toml, &[]).unwrap().server.bind.to_string(), "0.0.0.0:1");
        let config = load_with(toml, &["--bind", "127.0.0.1:2"]).unwrap();
        assert_eq!(config.server.bind.to_string(), "127.0.0.1:2");
        assert_eq!(
            config.settings.lifetimes.trusted_device,
            Duration::from_secs(60 * 86_400)
        );
    }

    #[test]
    fn unknown_keys_are_refused() {
        for toml in [
            "colour = 1",
            "[server]\nport = 1",
            "[paint]\n",
            "[lifetimes]\ntrusted = \"1d\"",
        ] {
            let error = load_with(toml, &[]).unwrap_err();
            assert!(error.contains("unknown field"), "{toml}: {error}");
        }
    }

    #[test]
    fn the_file_is_checked_like_the_flags() {
        for toml in [
            "[limits]\nuser_code_attempts = 0",
            "[limits]\nparallel_password_checks = 1000",
            "[server]\nmax_connections = 1",
            "[limits]\nremembered = 1",
        ] {
            assert!(load_with(toml, &[]).unwrap_err().contains(" to "), "{toml}");
        }
    }

    #[test]
    fn an_error_shows_no_secret() {
        let error = load_with("[admin]\nadmin_password = hunter2\n", &[]).unwrap_err();
        assert!(error.contains("line 2") && !error.contains("hunter2"), "{error}");
    }

    /// Whatever a secret is written as: TOML has numbers, truths, times, lists and tables beside texts.
    #[test]
    fn a_secret_of_the_wrong_type_is_not_shown() {
        for value in [
            "84239842",
            "-84239842",
            "0x84239842",
            "84239842.5",
            "84239842e3",
            "99999999999999999984239842",
            "1984-12-31T08:42:39.842398Z",
            "1984-12-31",
            "[84239842]",
            "[\n  84239842,\n]",
            "{ hunter2 = 84239842 }",
            "{ \"84239842\" = 1 }",
            "true",
            "hunter2",
            "'hunter2",
            "\"hunter2",
            "\"hunter2\\q\"",
            "\"\"\"\nhunter2\n",
            "hunter2, expected 84239842",
            "84239842 hunter2",
        ] {
            for (section, key) in [("admin", "admin_password"), ("storage", "database_url")] {
                let error = load_with(&format!("# one\n\n[{section}]\n{key} = {value}\n"), &[]).unwrap_err();
                let line = ["line 4", "line 5", "line 6", "line 7"];
                assert!(line.iter().any(|line| error.contains(line)), "{value}: {error}");
                for secret in ["84239842", "hunter2", "1984", "0x842", "true", "5034"] {
                    assert!(!error.contains(secret), "{value}: {error}");
                }
            }
        }
        let error = load_with("[admin]\nadmin_password = 84239842\n", &[]).unwrap_err();
        assert!(
            error.ends_with("line 2: the value of `admin_password` has to be a string"),
            "{error}"
        );
        // A secret that ended up where a number belongs.
        let error = load_with("[limits]\nremembered = \"hunter2, expected u32\"\n", &[]).unwrap_err();
        assert!(
            error.ends_with("line 2: the value of `remembered` has to be u32"),
            "{error}"
        );
    }

    #[test]
    fn an_error_names_its_line() {
        let error = load_with("[server]\nbind = \"127.0.0.1:1\"\n\nport = 1\n", &[]).unwrap_err();
        assert!(error.contains("line 4: unknown field"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_cannot_be_looked_at_is_no_missing_one() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        assert!(read_file_if_there(&missing).is_ok());
        // As with a folder that is closed to us, but for root as well.
        let closed = folder.path().join("closed");
        std::os::unix::fs::symlink(&closed, &closed).unwrap();
        let refused = read_file_if_there(&closed).unwrap_err();
        assert!(matches!(refused, ConfigError::Unreadable { .. }), "{refused}");
        let error = load_with("", &["--admin-password-file", closed.to_str().unwrap()]).unwrap_err();
        assert!(error.contains("can't read"), "{error}");
    }

    /// What systemd puts in the place of the password file when it was deleted.
    #[test]
    fn a_password_file_with_an_empty_line_holds_no_password() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        for text in ["\n", "\r\n", ""] {
            std::fs::write(path, text).unwrap();
            let config = load_with("", &["--admin-password-file", path]).unwrap();
            assert!(config.admin.password.is_none(), "{text:?}");
        }
    }

    #[test]
    fn the_file_for_hosting_is_good() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/systemd/zenml-auth.toml");
        load_with(&std::fs::read_to_string(path).unwrap(), &[]).unwrap();
    }

    #[test]
    fn bad_values_say_what_to_do() {
        for (flags, expected) in [
            (["--trusted-device-lifetime", "30"], "write a time span as 30d"),
            (["--sign-in-per-account", "10"], "10/15m"),
            (["--public-url", "auth.example.com"], "http://"),
            (["--public-url", "https://u:p@example.com"], "http://"),
            (["--admin-username", ""], "at least one character"),
            (["--user-code-attempts", "0"], "1..=100"),
            (["--trusted-proxies", "proxy"], "10.1.2.0/24"),
            (["--polling-interval", "5m"], "polling interval"),
        ] {
            let error = load_with("", &flags).unwrap_err();
            assert!(error.contains(expected), "{flags:?}: {error}");
        }
    }

    #[test]
    fn proxies_are_read_from_flags_and_from_the_file() {
        let read = |toml: &str, flags: &[&str]| {
            let networks = load_with(toml, flags).unwrap().server.trusted_proxies;
            networks
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(read("", &[]), "");
        let toml = "[server]\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]\nforwarded_header = \"forwarded\"";
        assert_eq!(read(toml, &[]), "10.0.0.0/8 ::1/128");
        let flags = [
            "--trusted-proxies",
            "10.0.0.1, 10.0.0.2",
            "--trusted-proxies",
            "fd00::/8",
        ];
        assert_eq!(read(toml, &flags), "10.0.0.1/32 10.0.0.2/32 fd00::/8");
    }

    #[test]
    fn a_public_url_loses_its_last_slash() {
        let config = load_with("", &["--public-url", "https://example.com/auth/"]).unwrap();
        assert_eq!(
            config.server.public_url.as_deref(),
            Some("https://example.com/auth")
        );
    }

    #[test]
    fn databases_are_described_without_their_password() {
        let describe =
            |flags: &[&str]| load_with("", flags).map(|config| config.database.describe().unwrap());
        assert_eq!(describe(&[]).unwrap(), "SQLite in data/zenml-auth.db");
        assert_eq!(
            describe(&[
                "--database-url",
                "postgres://me:hunter2@db.example.com/auth",
                "--database-tls",
                "verify-full"
            ]),
            Ok("PostgreSQL at db.example.com:5432, database auth, as me, TLS verify-full".to_owned())
        );
        assert_eq!(
            describe(&[
                "--database-url",
                "mariadb://me:hunter2@db:3307/auth?ssl-mode=REQUIRED"
            ]),
            Ok("MySQL or MariaDB at db:3307, database auth, as me, TLS require".to_owned())
        );
    }

    #[test]
    fn database_settings_have_to_go_together() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let ca = file.path().to_str().unwrap();
        let postgres = "postgres://me:hunter2@db/auth";
        for (url, flags, expected) in [
            (None, vec!["--database-tls", "require"], "the database is SQLite"),
            (
                Some("sqlite::memory:"),
                vec!["--database-min-connections", "2"],
                "the database is SQLite",
            ),
            (Some("db.example.com"), vec![], "has to begin with postgres://"),
            (
                Some("oracle://me:hunter2@db/auth"),
                vec![],
                "\"oracle\" are not supported",
            ),
            (
                Some("postgres://me:hunter2@db/auth?sslmod=require"),
                vec![],
                "\"sslmod\"",
            ),
            (Some("postgres://me:hunter2@db:port/auth"), vec![], "port"),
            (Some("mysql://me:hunter2@db"), vec![], "names no database"),
            (
                Some("postgres://me:hunter2@db/auth?sslmode=require"),
                vec!["--database-tls", "require"],
                "say it once",
            ),
            (
                Some("mysql://me:hunter2@db/auth?ssl-mode=VERIFY_CA&ssl-ca=/ca.pem"),
                vec!["--database-ca-file", ca],
                "give it once",
            ),
            (
                Some(postgres),
                vec!["--database-ca-file", ca],
                "not set to verify-ca",
            ),
            (
                Some(postgres),
                vec!["--database-tls", "verify-ca"],
                "use verify-full",
            ),
            (
                Some(postgres),
                vec![
                    "--database-tls",
                    "verify-full",
                    "--database-ca-file",
                    "/not/there.pem",
                ],
                "/not/there.pem",
            ),
            (
                Some(postgres),
                vec![
                    "--database-min-connections",
                    "5",
                    "--database-max-connections",
                    "4",
                ],
                "at least the fewest",
            ),
            (
                Some(postgres),
                vec!["--database-max-connections", "0"],
                "1..=1000",
            ),
        ] {
            let mut all: Vec<&str> = url.map_or(vec![], |url| vec!["--database-url", url]);
            all.extend(&flags);
            let error = load_with("", &all).unwrap_err();
            assert!(error.contains(expected), "{all:?}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn sqlite_has_two_settings_and_refuses_the_others_by_name() {
        for (name, value) in [
            ("min_connections", "2"),
            ("connect_timeout", "10s"),
            ("statement_timeout", "10s"),
            ("idle_timeout", "10m"),
            ("max_lifetime", "30m"),
            ("tls", "disable"),
            ("ca_file", "/ca.pem"),
        ] {
            let flag = format!("--database-{}", name.replace('_', "-"));
            let in_the_file = format!("[database]\n{name} = \"{value}\"\n").replace("\"2\"", "2");
            let expected = format!("{name} is a setting for PostgreSQL, MySQL and MariaDB");
            for error in [load_with("", &[&flag, value]), load_with(&in_the_file, &[])] {
                let error = error.unwrap_err();
                assert!(error.contains(&expected), "{error}");
            }
        }
        let toml = "[database]\nmax_connections = 2\nacquire_timeout = \"3s\"\n";
        let database = load_with(toml, &[]).unwrap().database;
        assert_eq!(
            (database.connections, database.acquire_timeout),
            (2, Duration::from_secs(3))
        );
    }

    #[test]
    fn defaults_of_the_database_are_those_of_the_guide() {
        let seconds = Duration::from_secs;
        let load = |flags: &[&str]| load_with("", flags).unwrap().database;
        for url in [
            "postgres://me@db/auth",
            "mysql://me@db/auth",
            "mariadb://me@db/auth",
        ] {
            let server = load(&["--database-url", url]);
            assert_eq!((server.connections, server.min_connections), (10, 1), "{url}");
            assert_eq!(server.acquire_timeout, seconds(5), "{url}");
            assert_eq!(server.connect_timeout, seconds(10), "{url}");
            assert_eq!(server.statement_timeout, seconds(10), "{url}");
            assert_eq!(server.idle_timeout, seconds(10 * 60), "{url}");
            assert_eq!(server.max_lifetime, seconds(30 * 60), "{url}");
            assert!(server.describe().unwrap().ends_with("TLS prefer"), "{url}");
        }
        for sqlite in [load(&[]), load(&["--database-url", "sqlite:///a/file.db"])] {
            assert_eq!((sqlite.connections, sqlite.acquire_timeout), (4, seconds(30)));
        }
    }

    #[test]
    fn database_settings_come_from_the_file_as_well() {
        let toml = "[storage]\ndatabase_url = \"postgres://me@db/auth\"\n\
                    [database]\nmax_connections = 7\nstatement_timeout = \"3s\"\ntls = \"verify-full\"\n";
        let database = load_with(toml, &[]).unwrap().database;
        assert_eq!(
            (database.connections, database.statement_timeout),
            (7, Duration::from_secs(3))
        );
        assert!(database.describe().unwrap().ends_with("TLS verify-full"));
        let sqlite = load_with("[database]\nmax_connections = 2\n", &[])
            .unwrap()
            .database;
        assert_eq!(sqlite.connections, 2);
        let toml = "[database]\nmax_connections = 5000\n";
        assert!(load_with(toml, &[]).unwrap_err().contains("1 to 1000"));
    }

    #[test]
    fn how_much_is_remembered_and_how_long_to_drain_are_settings() {
        let config = load_with(
            "[server]\ndrain_time = \"0s\"\n[limits]\nremembered = 100000\n",
            &[],
        )
        .unwrap();
        assert_eq!(config.settings.limits.remembered, 100_000);
        assert_eq!(config.server.drain_time, Duration::ZERO);
        assert_eq!(
            load_with("", &[]).unwrap().server.drain_time,
            Duration::from_secs(5)
        );
    }

    #[test]
    fn a_file_for_the_first_password_may_be_gone() {
        let config = load_with("", &["--admin-password-file", "/not/there"]).unwrap();
        assert!(config.admin.password.is_none());
        assert_eq!(
            config.admin.missing_file.as_deref(),
            Some(Path::new("/not/there"))
        );
    }

    #[test]
    fn secrets_come_from_files() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        // Line breaks at its end are left out, and nothing else.
        for (text, password) in [
            ("correct horse", "correct horse"),
            ("correct horse\n", "correct horse"),
            ("correct horse\r\n\r\n", "correct horse"),
            (" correct\nhorse \n", " correct\nhorse "),
        ] {
            std::fs::write(file.path(), text).unwrap();
            let config = load_with("", &["--admin-password-file", path]).unwrap();
            assert_eq!(config.admin.password.unwrap().expose(), password);
        }
        let twice = ["--admin-password-file", path, "--admin-password", "x"];
        assert!(load_with("", &twice).unwrap_err().contains("one of them"));
    }
}
