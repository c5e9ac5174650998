//! Settings: flags over `ZENML_AUTH_*` variables over a TOML file over defaults.
//!
//! Each setting is declared once, in [`options`], with its flag, its variable and its key in the file. [`load`]
//! merges the layers and checks them, and everything after it works with the typed [`Config`].

mod database;
#[cfg(test)]
mod guide;
mod load;
pub mod options;
mod values;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use zenml_auth_core::password::HashingCost;
use zenml_auth_core::settings::Settings;
use zenml_auth_model::{Name, Secret};
use zenml_auth_storage::ConnectOptions;

use crate::encryption::Keys;
use crate::extract::proxies::ForwardedHeader;
use crate::permissions::Access;

pub use load::{ConfigError, load};
pub use options::Options;
pub use values::{LogFormat, Span, Switch, Tls};

/// Everything that can be set, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// How it is reached.
    pub server: Server,
    /// Where it keeps things.
    pub database: ConnectOptions,
    /// Whose access to files with secrets is accepted.
    pub access: Access,
    /// The keys that secrets are sealed under, if they were given.
    pub encryption: Option<Keys>,
    /// Who administers it at first.
    pub admin: Admin,
    /// How long things last and how much is allowed.
    pub settings: Settings,
    /// What hashing a password costs.
    pub hashing: HashingCost,
    /// What it says of itself.
    pub log: Log,
}

/// How the server is reached.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where it listens.
    pub bind: SocketAddr,
    /// Under which address people and clients reach it, without a slash at its end.
    pub public_url: Option<String>,
    /// Who is believed on where a request came from.
    pub trusted_proxies: Vec<IpNet>,
    /// In which header they say it.
    pub forwarded_header: ForwardedHeader,
    /// How many connections are served at the same time.
    pub max_connections: u32,
    /// How many of them one address may have.
    pub max_connections_per_address: Option<u32>,
    /// Whether browsers are told to use TLS for all names below the public URL's, too.
    pub hsts_subdomains: bool,
    /// How long it goes on serving once it was told to stop.
    pub drain_time: Duration,
}

/// Who administers a new server.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Their name.
    pub username: Name,
    /// Their password; one is made when none is given.
    pub password: Option<Secret>,
    /// The file that should hold it, if it is not there. That is an error on the first start only.
    pub missing_file: Option<PathBuf>,
}

/// What the server says of itself.
#[derive(Debug, Clone)]
pub struct Log {
    /// For people or for machines.
    pub format: LogFormat,
    /// What to say, as in `info` or `warn,zenml_auth_server=debug`.
    pub filter: String,
}
