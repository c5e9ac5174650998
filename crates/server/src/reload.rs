//! Reading the settings again while the server runs.

use std::sync::Arc;
use std::time::Duration;

use zenml_auth_core::services::Engine;
use zenml_auth_core::settings::Settings;
use zenml_auth_model::EncryptionKeyId;
use zenml_auth_storage::SqlStore;

use crate::config::{self, Config, Log, Options, Server};
use crate::encryption::Keys;
use crate::telemetry::LogFilter;

/// What is needed to read the settings again, and to act on them.
pub struct Reload {
    options: Options,
    /// Those that the server started with.
    started: Config,
    /// Those that were read last.
    latest: Config,
    /// What limits are for.
    engine: Arc<Engine>,
    /// What the database's URL and TLS are for.
    store: Arc<SqlStore>,
    /// What is logged.
    log: LogFilter,
}

impl Reload {
    /// For a server that has just started with these settings, which came from these options.
    #[must_use]
    pub fn new(
        options: Options,
        started: Config,
        engine: Arc<Engine>,
        store: Arc<SqlStore>,
        log: LogFilter,
    ) -> Self {
        Self {
            options,
            latest: started.clone(),
            started,
            engine,
            store,
            log,
        }
    }

    /// How long to go on serving once told to stop, as it was read last.
    #[must_use]
    pub const fn drain_time(&self) -> Duration {
        self.latest.server.drain_time
    }

    /// Reads them, and applies what can be applied while the server runs: the log filter, the limits, the drain time, and
    /// the database's URL and TLS for new connections. If any of them can't be used, all stay as they were.
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
        new.database.schema = self.started.database.schema.clone();
        LogFilter::check(&new.log.filter)?;
        self.store.connect_with(&new.database)?;
        self.engine.set_limits(new.settings.limits);
        self.log.set(&new.log.filter)?;
        let limits = new.settings.limits != self.latest.settings.limits;
        let filter = new.log.filter != self.latest.log.filter;
        tracing::info!(
            limits,
            filter,
            "read the settings again; new connections to the database use its URL and TLS as they are now"
        );
        for setting in needs_restart(&self.started, &new) {
            tracing::warn!(
                setting,
                "this setting has changed, and takes effect after a restart"
            );
        }
        self.latest = new;
        Ok(())
    }
}

/// What is not as it was when the server started, and can't be changed while it runs.
fn needs_restart(started: &Config, new: &Config) -> Vec<&'static str> {
    // Taken apart, so that a setting that is added has to be thought of here.
    let Config {
        server,
        database,
        access,
        encryption,
        // For the first start only.
        admin: _,
        settings: Settings { lifetimes, limits },
        hashing,
        log,
    } = started;
    let Server {
        bind,
        public_url,
        trusted_proxies,
        forwarded_header,
        max_connections,
        max_connections_per_address,
        hsts_subdomains,
        drain_time: _,
    } = server;
    let Log { format, filter: _ } = log;
    let key_ids = |encryption: &Option<Keys>| -> Option<Vec<EncryptionKeyId>> {
        let given = encryption.as_ref()?;
        Some(given.keys.ids().cloned().collect())
    };
    let (x, y) = (database, &new.database);
    [
        ("bind", *bind != new.server.bind),
        ("public_url", *public_url != new.server.public_url),
        (
            "trusted_proxies or forwarded_header",
            *trusted_proxies != new.server.trusted_proxies
                || *forwarded_header != new.server.forwarded_header,
        ),
        (
            "max_connections or max_connections_per_address",
            *max_connections != new.server.max_connections
                || *max_connections_per_address != new.server.max_connections_per_address,
        ),
        ("hsts_subdomains", *hsts_subdomains != new.server.hsts_subdomains),
        ("allow_group_access", *access != new.access),
        ("encryption keys", key_ids(encryption) != key_ids(&new.encryption)),
        ("lifetimes", *lifetimes != new.settings.lifetimes),
        ("remembered", limits.remembered != new.settings.limits.remembered),
        ("parallel_password_checks", *hashing != new.hashing),
        ("log format", *format != new.log.format),
        (
            "database max_connections or min_connections",
            (x.connections, x.min_connections) != (y.connections, y.min_connections),
        ),
        ("disk_reserve", x.disk_reserve != y.disk_reserve),
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        options: Options,
    }

    fn with(flags: &[&str]) -> Config {
        let given = ["program", "--data-dir", "data"].into_iter();
        config::load(Program::parse_from(given.chain(flags.iter().copied())).options).unwrap()
    }

    fn with_key(id: &str) -> Config {
        let mut options = Program::parse_from(["program", "--data-dir", "data"]).options;
        options.storage.encryption_key = Some(format!("{id}:{}=", "A".repeat(43)));
        config::load(options).unwrap()
    }

    #[test]
    fn what_takes_effect_after_a_restart_is_known() {
        let changed = |flags: &[&str]| needs_restart(&with(&[]), &with(flags));
        for same in [
            &[][..],
            &["--drain-time", "1s"],
            &["--log-filter", "warn"],
            &["--sign-in-per-account", "1/1m"],
            &["--admin-username", "ann"],
        ] {
            assert_eq!(changed(same), Vec::<&str>::new(), "{same:?}");
        }
        for (flags, setting) in [
            (["--bind", "127.0.0.1:1"], "bind"),
            (["--public-url", "https://auth.example.com"], "public_url"),
            (
                ["--trusted-proxies", "10.0.0.1"],
                "trusted_proxies or forwarded_header",
            ),
            (
                ["--forwarded-header", "forwarded"],
                "trusted_proxies or forwarded_header",
            ),
            (
                ["--max-connections", "100"],
                "max_connections or max_connections_per_address",
            ),
            (
                ["--max-connections-per-address", "50"],
                "max_connections or max_connections_per_address",
            ),
            (["--hsts-subdomains", "on"], "hsts_subdomains"),
            (["--allow-group-access", "on"], "allow_group_access"),
            (["--disk-reserve", "1GiB"], "disk_reserve"),
            (["--access-token-lifetime", "2h"], "lifetimes"),
            (["--remembered", "100"], "remembered"),
            (["--parallel-password-checks", "3"], "parallel_password_checks"),
            (["--log-format", "json"], "log format"),
        ] {
            assert_eq!(changed(&flags), [setting], "{flags:?}");
        }
        assert_eq!(
            needs_restart(&with_key("one"), &with_key("two")),
            ["encryption keys"]
        );
        assert_eq!(needs_restart(&with(&[]), &with_key("one")), ["encryption keys"]);
        assert_eq!(
            needs_restart(&with_key("one"), &with_key("one")),
            Vec::<&str>::new()
        );
        let database = |flags: &[&str]| {
            let url = ["--database-url", "postgres://localhost/zenml"];
            with(&[&url[..], flags].concat())
        };
        for (flags, setting) in [
            (
                ["--database-max-connections", "5"],
                "database max_connections or min_connections",
            ),
            (["--database-statement-timeout", "5s"], "database time-outs"),
        ] {
            assert_eq!(
                needs_restart(&database(&[]), &database(&flags)),
                [setting],
                "{flags:?}"
            );
        }
    }
}
