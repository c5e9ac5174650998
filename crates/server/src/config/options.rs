//! Every setting, once: its flag, its variable, its key in the file, and what it is for.
//!
//! The same types are read from the command line, where clap adds the environment, and from the TOML file; a layer
//! that says nothing about a setting leaves it to the next.

#![allow(
    rustdoc::bare_urls,
    reason = "these texts are shown by --help, where markup would be in the way"
)]

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;

use super::values::{
    ForwardedHeaderName, Keep, LogFormat, Networks, Pause, RateText, Size, Span, Switch, Tls,
};

macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident : $type:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, Args, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: Option<$type>),+
        }

        impl $name {
            /// What is said here, and the lower layer's word where nothing is.
            #[must_use]
            pub fn over(self, lower: Self) -> Self {
                Self { $($field: self.$field.or(lower.$field)),+ }
            }
        }
    };
}

section!(
    /// `[server]`
    ServerOptions {
        /// Where to listen [default: 127.0.0.1:8237]
        #[arg(long, global = true, env = "ZENML_AUTH_BIND", value_name = "ADDRESS:PORT", help_heading = "Server")]
        bind: SocketAddr,
        /// The address under which people and clients reach the server, such as https://auth.example.com
        #[arg(long, global = true, env = "ZENML_AUTH_PUBLIC_URL", value_name = "URL", help_heading = "Server")]
        public_url: String,
        /// Addresses and networks of proxies that are believed on where a request came from, such as 10.1.2.3 or
        /// 10.1.2.0/24, with commas or blanks in between
        #[arg(long, global = true, env = "ZENML_AUTH_TRUSTED_PROXIES", value_name = "NETWORKS",
            help_heading = "Server")]
        trusted_proxies: Vec<Networks>,
        /// The header in which they say it: x-forwarded-for, or forwarded (RFC 7239); the other one is not read
        /// [default: x-forwarded-for]
        #[arg(long, global = true, env = "ZENML_AUTH_FORWARDED_HEADER", value_name = "HEADER", value_enum,
            hide_possible_values = true, help_heading = "Server")]
        forwarded_header: ForwardedHeaderName,
        /// How many connections are served at the same time [default: 512]
        #[arg(id = "server_max_connections", long = "max-connections", global = true, env = "ZENML_AUTH_MAX_CONNECTIONS", value_name = "NUMBER",
            value_parser = clap::value_parser!(u32).range(16..=100_000), help_heading = "Server")]
        max_connections: u32,
        /// How many of them one address may have, or one IPv6 network of 64 bits; the machine itself and trusted proxies
        /// may have all [default: an eighth of them, 8 at least]
        #[arg(long, global = true, env = "ZENML_AUTH_MAX_CONNECTIONS_PER_ADDRESS", value_name = "NUMBER",
            value_parser = clap::value_parser!(u32).range(16..=100_000), help_heading = "Server")]
        max_connections_per_address: u32,
        /// Whether browsers are told to use TLS for all names below the public URL's, too (HSTS with includeSubDomains)
        /// [default: off]
        #[arg(long, global = true, env = "ZENML_AUTH_HSTS_SUBDOMAINS", value_name = "ON|OFF", value_enum,
            hide_possible_values = true, help_heading = "Server")]
        hsts_subdomains: Switch,
        /// How long to go on serving after SIGTERM, while /ready says 503, so that load balancers and proxies turn to others;
        /// 0s for not at all [default: 5s]
        #[arg(long, global = true, env = "ZENML_AUTH_DRAIN_TIME", value_name = "SPAN", help_heading = "Server")]
        drain_time: Pause,
    }
);

section!(
    /// `[storage]`
    StorageOptions {
        /// The folder of the embedded database [default: the platform's folder for application data]
        #[arg(long, global = true, env = "ZENML_AUTH_DATA_DIR", value_name = "FOLDER", help_heading = "Storage")]
        data_dir: PathBuf,
        /// The database: postgres://user@host/name, mysql://user@host/name, mariadb://… or sqlite:… [default: SQLite in the
        /// data folder]; other users of the machine can see flags, so give a password by the variable or the file
        #[arg(long, global = true, env = "ZENML_AUTH_DATABASE_URL", value_name = "URL", hide_env_values = true,
            help_heading = "Storage")]
        database_url: String,
        /// A file that holds the database URL
        #[arg(long, global = true, env = "ZENML_AUTH_DATABASE_URL_FILE", value_name = "FILE",
            help_heading = "Storage")]
        database_url_file: PathBuf,
        /// A file with the keys that signing keys and the server secret are sealed under, one ID:BASE64 a line; the first
        /// seals, all open; `encryption generate` makes one [default: a key that the embedded database makes for itself; on
        /// a database server one has to be given]
        #[arg(long, global = true, env = "ZENML_AUTH_ENCRYPTION_KEY_FILE", value_name = "FILE",
            help_heading = "Storage")]
        encryption_key_file: PathBuf,
        /// The keys themselves. They come from the variable alone: others can see flags, and a file has permissions.
        #[arg(skip)]
        #[serde(skip)]
        encryption_key: String,
        /// Whether the group of the database's files may have access to them, as on a volume of Kubernetes with an fsGroup
        /// [default: off]
        #[arg(long, global = true, env = "ZENML_AUTH_ALLOW_GROUP_ACCESS", value_name = "ON|OFF", value_enum,
            hide_possible_values = true, help_heading = "Storage")]
        allow_group_access: Switch,
        /// The room that an embedded database keeps beside it, so that rights can still be taken away when the disk is full;
        /// 0 for none [default: 16MiB]
        #[arg(long, global = true, env = "ZENML_AUTH_DISK_RESERVE", value_name = "SIZE", help_heading = "Storage")]
        disk_reserve: Size,
    }
);

section!(
    /// `[database]`
    DatabaseOptions {
        /// The most connections to the database at the same time; on a database server one more reads the revocation
        /// epoch [default: 10, with SQLite 4]
        #[arg(long = "database-max-connections", global = true, env = "ZENML_AUTH_DATABASE_MAX_CONNECTIONS",
            value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1000), help_heading = "Database")]
        max_connections: u32,
        /// How many connections are kept open to a database server when there is nothing to do [default: 1]
        #[arg(long = "database-min-connections", global = true, env = "ZENML_AUTH_DATABASE_MIN_CONNECTIONS",
            value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(0..=1000), help_heading = "Database")]
        min_connections: u32,
        /// How long a request waits for a connection before it is turned away [default: 5s, with SQLite 30s]
        #[arg(long = "database-acquire-timeout", global = true, env = "ZENML_AUTH_DATABASE_ACQUIRE_TIMEOUT",
            value_name = "SPAN", help_heading = "Database")]
        acquire_timeout: Span,
        /// How long a database server may take to let the server in, at the start and later [default: 10s]
        #[arg(long = "database-connect-timeout", global = true, env = "ZENML_AUTH_DATABASE_CONNECT_TIMEOUT",
            value_name = "SPAN", help_heading = "Database")]
        connect_timeout: Span,
        /// How long a database server may work on one statement, waiting for locks included [default: 10s]
        #[arg(long = "database-statement-timeout", global = true, env = "ZENML_AUTH_DATABASE_STATEMENT_TIMEOUT",
            value_name = "SPAN", help_heading = "Database")]
        statement_timeout: Span,
        /// After how long without use a connection to a database server is closed [default: 10m]
        #[arg(long = "database-idle-timeout", global = true, env = "ZENML_AUTH_DATABASE_IDLE_TIMEOUT",
            value_name = "SPAN", help_heading = "Database")]
        idle_timeout: Span,
        /// After how long a connection to a database server is replaced by a new one [default: 30m]
        #[arg(long = "database-max-lifetime", global = true, env = "ZENML_AUTH_DATABASE_MAX_LIFETIME",
            value_name = "SPAN", help_heading = "Database")]
        max_lifetime: Span,
        /// How connections to a database server are protected: disable, prefer, require, verify-ca or verify-full; only
        /// the last is safe from an attacker in between [default: what the URL says, or else prefer]
        #[arg(long = "database-tls", global = true, env = "ZENML_AUTH_DATABASE_TLS", value_name = "MODE", value_enum,
            hide_possible_values = true, help_heading = "Database")]
        tls: Tls,
        /// A file of certificates (PEM) of authorities that are trusted beside the system's, for verify-ca and verify-full
        #[arg(long = "database-ca-file", global = true, env = "ZENML_AUTH_DATABASE_CA_FILE", value_name = "FILE",
            help_heading = "Database")]
        ca_file: PathBuf,
    }
);

section!(
    /// `[admin]`
    AdminOptions {
        /// The first administrator's name, on the first start [default: default]
        #[arg(long, global = true, env = "ZENML_AUTH_ADMIN_USERNAME", value_name = "NAME",
            help_heading = "First administrator")]
        admin_username: String,
        /// The first administrator's password; other users of the machine can see flags, so use the variable or the
        /// file [default: one is made and shown once]
        #[arg(long, global = true, env = "ZENML_AUTH_ADMIN_PASSWORD", value_name = "PASSWORD",
            hide_env_values = true, help_heading = "First administrator")]
        admin_password: String,
        /// A file that holds the first administrator's password
        #[arg(long, global = true, env = "ZENML_AUTH_ADMIN_PASSWORD_FILE", value_name = "FILE",
            help_heading = "First administrator")]
        admin_password_file: PathBuf,
    }
);

section!(
    /// `[lifetimes]`
    LifetimeOptions {
        /// How long a trusted device stays connected [default: 30d]
        #[arg(long = "trusted-device-lifetime", global = true, env = "ZENML_AUTH_TRUSTED_DEVICE_LIFETIME",
            value_name = "SPAN", help_heading = "Lifetimes")]
        trusted_device: Span,
        /// How long any other device stays connected [default: 24h]
        #[arg(long = "untrusted-device-lifetime", global = true, env = "ZENML_AUTH_UNTRUSTED_DEVICE_LIFETIME",
            value_name = "SPAN", help_heading = "Lifetimes")]
        untrusted_device: Span,
        /// How long a token made from an API key or a password is good [default: 1h]
        #[arg(long = "access-token-lifetime", global = true, env = "ZENML_AUTH_ACCESS_TOKEN_LIFETIME",
            value_name = "SPAN", help_heading = "Lifetimes")]
        access_token: Span,
        /// The longest that a token for use by hand may be asked for [default: 7d]
        #[arg(long = "max-api-token-lifetime", global = true, env = "ZENML_AUTH_MAX_API_TOKEN_LIFETIME",
            value_name = "SPAN", help_heading = "Lifetimes")]
        max_api_token: Span,
        /// How long a browser stays signed in [default: 12h]
        #[arg(long = "browser-session-lifetime", global = true, env = "ZENML_AUTH_BROWSER_SESSION_LIFETIME",
            value_name = "SPAN", help_heading = "Lifetimes")]
        browser_session: Span,
        /// How long a browser's sign-in may stay unused before it ends [default: 2h]
        #[arg(long = "browser-idle-lifetime", global = true, env = "ZENML_AUTH_BROWSER_IDLE_LIFETIME",
            value_name = "SPAN", help_heading = "Lifetimes")]
        browser_idle: Span,
        /// For how long after signing in a person may approve, trust and unlock devices, change their password and make
        /// administrators; later they sign in again for it [default: 1h]
        #[arg(long = "recent-sign-in", global = true, env = "ZENML_AUTH_RECENT_SIGN_IN", value_name = "SPAN",
            help_heading = "Lifetimes")]
        recent_sign_in: Span,
        /// How long an activation token is good [default: 72h]
        #[arg(long = "invitation-lifetime", global = true, env = "ZENML_AUTH_INVITATION_LIFETIME",
            value_name = "SPAN", help_heading = "Lifetimes")]
        invitation: Span,
        /// How long a device waits for approval [default: 5m]
        #[arg(long = "device-grant-lifetime", global = true, env = "ZENML_AUTH_DEVICE_GRANT_LIFETIME",
            value_name = "SPAN", help_heading = "Lifetimes")]
        device_grant: Span,
        /// The least time between two polls of a waiting device [default: 5s]
        #[arg(long, global = true, env = "ZENML_AUTH_POLLING_INTERVAL", value_name = "SPAN",
            help_heading = "Lifetimes")]
        polling_interval: Span,
        /// How long one key signs tokens before the next takes over [default: 90d]
        #[arg(long = "signing-key-lifetime", global = true, env = "ZENML_AUTH_SIGNING_KEY_LIFETIME",
            value_name = "SPAN", help_heading = "Lifetimes")]
        signing_key: Span,
        /// How long entries of the audit trail are kept, or forever [default: 365d]
        #[arg(long, global = true, env = "ZENML_AUTH_AUDIT_RETENTION", value_name = "SPAN|forever",
            help_heading = "Lifetimes")]
        audit_retention: Keep,
    }
);

section!(
    /// `[limits]`
    LimitOptions {
        /// Whether guessing and flooding is limited; off is for load tests only [default: on]
        #[arg(long, global = true, env = "ZENML_AUTH_RATE_LIMIT", value_name = "ON|OFF", value_enum,
            hide_possible_values = true, help_heading = "Limits")]
        rate_limit: Switch,
        /// Failed sign-ins on one account that cost nothing, and the longest that the next one has to wait after more
        /// [default: 10/15m]
        #[arg(long, global = true, env = "ZENML_AUTH_SIGN_IN_PER_ACCOUNT", value_name = "RATE",
            help_heading = "Limits")]
        sign_in_per_account: RateText,
        /// Failed sign-ins from one address; eight times as many from an IPv6 /48 [default: 50/15m]
        #[arg(long, global = true, env = "ZENML_AUTH_SIGN_IN_PER_ADDRESS", value_name = "RATE",
            help_heading = "Limits")]
        sign_in_per_address: RateText,
        /// Failed sign-ins from all addresses together that the accounts are not known to use [default: 1000/15m]
        #[arg(long, global = true, env = "ZENML_AUTH_SIGN_IN_TOTAL", value_name = "RATE", help_heading = "Limits")]
        sign_in_total: RateText,
        /// Wrong user codes by one person [default: 10/15m]
        #[arg(long, global = true, env = "ZENML_AUTH_USER_CODE_PER_PERSON", value_name = "RATE",
            help_heading = "Limits")]
        user_code_per_person: RateText,
        /// Wrong user codes from one address [default: 50/15m]
        #[arg(long, global = true, env = "ZENML_AUTH_USER_CODE_PER_ADDRESS", value_name = "RATE",
            help_heading = "Limits")]
        user_code_per_address: RateText,
        /// Requests of devices from one address; eight times as many from an IPv6 /48 [default: 60/1m]
        #[arg(long, global = true, env = "ZENML_AUTH_DEVICE_AUTHORIZATION_PER_ADDRESS", value_name = "RATE",
            help_heading = "Limits")]
        device_authorization_per_address: RateText,
        /// Requests from all addresses together of devices that were not connected before [default: 600/1m]
        #[arg(long, global = true, env = "ZENML_AUTH_DEVICE_AUTHORIZATION_TOTAL", value_name = "RATE",
            help_heading = "Limits")]
        device_authorization_total: RateText,
        /// Wrong user codes that end a device's request [default: 3]
        #[arg(long, global = true, env = "ZENML_AUTH_USER_CODE_ATTEMPTS", value_name = "NUMBER",
            value_parser = clap::value_parser!(u32).range(1..=100), help_heading = "Limits")]
        user_code_attempts: u32,
        /// The fewest characters of a new password [default: 12]
        #[arg(long, global = true, env = "ZENML_AUTH_PASSWORD_MIN_LENGTH", value_name = "NUMBER",
            value_parser = clap::value_parser!(u32).range(8..=64), help_heading = "Limits")]
        password_min_length: u32,
        /// How many users, devices, keys, accounts, sessions and verified tokens are kept in memory, each for itself; half a KiB
        /// each [default: 16384]
        #[arg(long, global = true, env = "ZENML_AUTH_REMEMBERED", value_name = "NUMBER",
            value_parser = clap::value_parser!(u32).range(64..=16_777_216), help_heading = "Limits")]
        remembered: u32,
        /// How many passwords are checked at the same time [default: 2]
        #[arg(long, global = true, env = "ZENML_AUTH_PARALLEL_PASSWORD_CHECKS", value_name = "NUMBER",
            value_parser = clap::value_parser!(u32).range(1..=256), help_heading = "Limits")]
        parallel_password_checks: u32,
    }
);

section!(
    /// `[log]`
    LogOptions {
        /// How log lines look: text or json [default: text]
        #[arg(long = "log-format", global = true, env = "ZENML_AUTH_LOG_FORMAT", value_name = "FORMAT", value_enum,
            hide_possible_values = true, help_heading = "Log")]
        format: LogFormat,
        /// What to log, such as warn, or info,zenml_auth_core=debug [default: info,sea_orm_migration=warn,sqlx=warn]
        #[arg(long = "log-filter", global = true, env = "ZENML_AUTH_LOG_FILTER", value_name = "FILTER",
            help_heading = "Log")]
        filter: String,
    }
);

/// The variable that holds encryption keys themselves. It is read by [`Options::with_variables`] and not by clap, as that
/// would come with a flag.
pub const ENCRYPTION_KEY_VARIABLE: &str = "ZENML_AUTH_ENCRYPTION_KEY";

impl Options {
    /// The same with what comes from variables that have no flag.
    #[must_use]
    pub fn with_variables(mut self) -> Self {
        let given = std::env::var(ENCRYPTION_KEY_VARIABLE).ok();
        self.storage.encryption_key = given.filter(|text| !text.is_empty());
        self
    }
}

/// One layer of settings.
#[derive(Debug, Clone, Default, Args)]
pub struct Options {
    /// A TOML file with settings; flags and variables win over it [default: /etc/zenml-auth/zenml-auth.toml, if it is there]
    #[arg(long, global = true, env = "ZENML_AUTH_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How the server is reached.
    #[command(flatten)]
    pub server: ServerOptions,
    /// Where it keeps things.
    #[command(flatten)]
    pub storage: StorageOptions,
    /// How it uses the database.
    #[command(flatten)]
    pub database: DatabaseOptions,
    /// Who administers it at first.
    #[command(flatten)]
    pub admin: AdminOptions,
    /// How long things last.
    #[command(flatten)]
    pub lifetimes: LifetimeOptions,
    /// How much is allowed.
    #[command(flatten)]
    pub limits: LimitOptions,
    /// What it says of itself.
    #[command(flatten)]
    pub log: LogOptions,
}

/// The TOML file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) server: ServerOptions,
    pub(super) storage: StorageOptions,
    pub(super) database: DatabaseOptions,
    pub(super) admin: AdminOptions,
    pub(super) lifetimes: LifetimeOptions,
    pub(super) limits: LimitOptions,
    pub(super) log: LogOptions,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;

    use super::super::guide::rows;
    use super::*;
    use crate::commands::Program;

    /// Flag and variable of each setting of the program, those of its subcommands included.
    fn settings_of(command: &clap::Command) -> BTreeSet<(Option<String>, String)> {
        let own = command.get_arguments().filter_map(|argument| {
            let variable = argument.get_env()?.to_str()?.to_owned();
            Some((argument.get_long().map(str::to_owned), variable))
        });
        own.chain(command.get_subcommands().flat_map(settings_of))
            .collect()
    }

    #[test]
    fn each_setting_is_called_what_the_guide_says() {
        let mut real = settings_of(&Program::command());
        real.insert((None, ENCRYPTION_KEY_VARIABLE.to_owned()));
        let told = rows()
            .into_iter()
            .map(|row| (row.flag.map(str::to_owned), row.variable.to_owned()));
        assert_eq!(told.collect::<BTreeSet<_>>(), real);
        for row in rows() {
            let Some(key) = row.key else { continue };
            let section = row.section;
            // None takes a table, but those that are known say so.
            let error = toml::from_str::<File>(&format!("[{section}]\n{key} = {{ x = 1 }}\n")).unwrap_err();
            assert!(
                !error.message().contains("unknown field"),
                "[{section}] {key}: {error}"
            );
        }
    }

    #[test]
    fn help_shows_the_defaults_that_the_guide_names() {
        let command = Options::augment_args(clap::Command::new("program"));
        let mut shown = 0;
        for row in rows() {
            let (Some(flag), Some(told)) = (row.flag, row.default) else {
                continue;
            };
            let mut arguments = command.get_arguments();
            let argument = arguments
                .find(|argument| argument.get_long() == Some(flag))
                .unwrap();
            let help = argument.get_help().unwrap().to_string();
            let default = help
                .split_once("[default: ")
                .and_then(|(_, rest)| rest.split_once(']'))
                .map_or("none", |(default, _)| default);
            assert_eq!(default, told.replace('`', ""), "--{flag}");
            shown += usize::from(default != "none");
        }
        assert!(shown > 40, "{shown}");
    }
}
