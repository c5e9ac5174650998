//! Reading the settings again while the server runs.

use std::sync::Arc;

use zenml_auth_core::services::Engine;
use zenml_auth_storage::SqlStore;

use crate::config::{self, Config, Options};
use crate::telemetry::LogFilter;

/// What is needed to read the settings again, and to act on them.
pub struct Reload {
    /// Where they come from.
    pub options: Options,
    /// Those that were read last.
    pub config: Config,
    /// What limits are for.
    pub engine: Arc<Engine>,
    /// What the database's URL and TLS are for.
    pub store: Arc<SqlStore>,
    /// What is logged.
    pub log: LogFilter,
}

impl Reload {
    /// Reads them, and does what can be done while the server runs: the log filter, the limits, and the database's URL and TLS for
    /// new connections. If any of them can't be used, all stay as they were.
    pub fn perform(&mut self) {
        match self.try_to_perform() {
            Ok(()) => {}
            Err(error) => {
                tracing::error!(%error, "the settings can't be used; those before stay. Correct them, and send SIGHUP again");
            }
        }
    }

    fn try_to_perform(&mut self) -> Result<(), Box<dyn std::error::Error>> {
        let mut new = config::load(self.options.clone())?;
        new.database.schema = self.config.database.schema.clone();
        LogFilter::check(&new.log.filter)?;
        self.store.connect_with(&new.database)?;
        self.engine.set_limits(new.settings.limits);
        self.log.set(&new.log.filter)?;
        let limits = new.settings.limits != self.config.settings.limits;
        let filter = new.log.filter != self.config.log.filter;
        tracing::info!(
            limits,
            filter,
            "read the settings again; new connections to the database use its URL and TLS as they are now"
        );
        for setting in needs_restart(&self.config, &new) {
            tracing::warn!(
                setting,
                "this setting has changed, and takes effect after a restart"
            );
        }
        self.config = new;
        Ok(())
    }
}

/// What has changed and can't be changed while the server runs.
fn needs_restart(before: &Config, after: &Config) -> Vec<&'static str> {
    let (a, b) = (before, after);
    let (x, y) = (&a.database, &b.database);
    [
        ("bind", a.server.bind != b.server.bind),
        ("public_url", a.server.public_url != b.server.public_url),
        (
            "trusted_proxies or forwarded_header",
            a.server.trusted_proxies != b.server.trusted_proxies
                || a.server.forwarded_header != b.server.forwarded_header,
        ),
        (
            "max_connections or max_connections_per_address",
            a.server.max_connections != b.server.max_connections
                || a.server.max_connections_per_address != b.server.max_connections_per_address,
        ),
        (
            "hsts_subdomains",
            a.server.hsts_subdomains != b.server.hsts_subdomains,
        ),
        ("drain_time", a.server.drain_time != b.server.drain_time),
        ("lifetimes", a.settings.lifetimes != b.settings.lifetimes),
        (
            "remembered",
            a.settings.limits.remembered != b.settings.limits.remembered,
        ),
        (
            "parallel_password_checks",
            a.hashing.parallel != b.hashing.parallel,
        ),
        ("log format", a.log.format != b.log.format),
        (
            "database max_connections or min_connections",
            (x.connections, x.min_connections) != (y.connections, y.min_connections),
        ),
        (
            "database time-outs",
            (x.acquire_timeout, x.connect_timeout, x.statement_timeout)
                != (y.acquire_timeout, y.connect_timeout, y.statement_timeout)
                || (x.idle_timeout, x.max_lifetime) != (y.idle_timeout, y.max_lifetime),
        ),
    ]
    .into_iter()
    .filter_map(|(setting, changed)| changed.then_some(setting))
    .collect()
}
