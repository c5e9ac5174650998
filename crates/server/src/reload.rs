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
        // What may fail comes first, and is taken back when what follows fails.
        self.log.set(&new.log.filter)?;
        if let Err(error) = self.store.connect_with(&new.database) {
            self.log.set(&self.latest.log.filter)?;
            return Err(error.into());
        }
        self.engine.set_limits(new.settings.limits);
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
    use zenml_auth_testkit::encryption::encryption_keys;

    use super::*;
    use crate::compose::{self, IfMissing};
    use crate::encryption::KeySource;

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

    /// A server's settings in a file, and what it logs by.
    async fn reload_of(
        folder: &std::path::Path,
        log: LogFilter,
    ) -> (Reload, Arc<Engine>, std::path::PathBuf) {
        let file = folder.join("settings.toml");
        std::fs::write(&file, "").unwrap();
        let data = folder.join("data");
        let flags = ["program", "--data-dir", data.to_str().unwrap()];
        let flags = flags.into_iter().chain(["--config", file.to_str().unwrap()]);
        let options = Program::parse_from(flags).options;
        let started = config::load(options.clone()).unwrap();
        let store = compose::connect(&started.database, IfMissing::Create)
            .await
            .unwrap();
        store.migrate_up().await.unwrap();
        let store = Arc::new(store);
        let keys = Keys {
            keys: encryption_keys(),
            source: KeySource::Memory,
        };
        let (engine, _) = compose::open(&store, &keys, &started).await.unwrap();
        let engine = Arc::new(engine);
        let reload = Reload::new(options, started, engine.clone(), store, log);
        (reload, engine, file)
    }

    const STRICTER: &str = "[log]\nfilter = \"warn\"\n[limits]\nsign_in_per_account = \"1/1m\"\n";

    #[tokio::test]
    async fn all_stays_as_it_was_when_the_log_filter_cannot_be_changed() {
        let folder = tempfile::tempdir().unwrap();
        let (mut reload, engine, file) = reload_of(folder.path(), LogFilter::with(|_| false)).await;
        let before = engine.limits();
        std::fs::write(&file, STRICTER).unwrap();
        let error = reload.try_to_perform().unwrap_err().to_string();
        assert!(error.contains("another logger is installed"), "{error}");
        assert_eq!(engine.limits(), before);
        assert_eq!(reload.latest.log.filter, reload.started.log.filter);
    }

    #[tokio::test]
    async fn the_log_filter_stays_when_the_database_would_be_another() {
        let folder = tempfile::tempdir().unwrap();
        let set = Arc::<std::sync::Mutex<Vec<String>>>::default();
        let log = {
            let set = set.clone();
            LogFilter::with(move |filter| {
                set.lock().unwrap().push(filter.to_string());
                true
            })
        };
        let (mut reload, engine, file) = reload_of(folder.path(), log).await;
        let before = engine.limits();
        let other = format!("{STRICTER}[storage]\ndatabase_url = \"sqlite:///another.db\"\n");
        std::fs::write(&file, other).unwrap();
        let error = reload.try_to_perform().unwrap_err().to_string();
        assert!(error.contains("restart"), "{error}");
        assert_eq!(engine.limits(), before);
        let filters = set.lock().unwrap().clone();
        let [changed, put_back] = &filters[..] else {
            panic!("{filters:?}")
        };
        assert_eq!(changed, "warn");
        assert!(put_back.contains("info"), "{put_back}");

        std::fs::write(&file, STRICTER).unwrap();
        reload.try_to_perform().unwrap();
        assert_eq!(set.lock().unwrap().len(), 3);
        assert_ne!(engine.limits(), before);
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
