//! `serve`

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
#[cfg(unix)]
use zenml_auth_core::services::Engine;
use zenml_auth_core::services::SetUp;
use zenml_auth_storage::Database;

use super::CommandError;
use super::print::line;
use crate::compose::{IfMissing, connect, open};
use crate::config::{Config, Options};
use crate::encryption::{IfSealed, known_or_made, require_given};
use crate::extract::proxies::TrustedProxies;
use crate::jobs::Jobs;
#[cfg(unix)]
use crate::operators::socket_server::SocketServer;
use crate::ownership::DatabaseFile;
use crate::reload::Reload;
use crate::serve::body_budget::BodyBudget;
use crate::serve::{self, ConnectionLimits, Entrance, Leaving, Stop};
use crate::signals::{Signal, Signals};
use crate::state::{App, Facts};
use crate::telemetry::LogFilter;

/// How long stopping may take after the drain time, a database that has fallen silent included. Whatever stops the server
/// gives it 30 seconds with the default drain time of 5.
const STOP_WITHIN: Duration = Duration::from_secs(23);

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Refuse to start on a database whose schema is not up to date, instead of bringing it up to date
    #[arg(long, env = "ZENML_AUTH_NO_MIGRATE", value_parser = clap::builder::FalseyValueParser::new())]
    no_migrate: bool,
}

pub(super) async fn run(
    args: &ServeArgs,
    config: Config,
    options: Options,
    log: LogFilter,
) -> Result<(), CommandError> {
    let signals = Signals::while_starting();
    // Everything that can go wrong goes wrong before anything is changed: the port first.
    let entrance = Entrance::open(config.server.bind)
        .map_err(|error| format!("can't listen on {}: {error}", config.server.bind))?;
    let address = entrance.address()?;
    require_given(&config)?;
    let database = DatabaseFile::locate(&config.database, IfMissing::Create)?;
    let lock = match &database {
        Some(database) => Some(database.lock().await?),
        None => None,
    };
    let store = Arc::new(connect(&config.database, IfMissing::Create).await?);
    if args.no_migrate {
        store.check_schema().await?;
    } else {
        for name in store.migrate_up().await? {
            tracing::info!(migration = name, "brought the schema up to date");
        }
    }
    // Nobody takes schema changes back while we run.
    store.begin_serving().await?;
    let keys = known_or_made(&config, database.as_ref(), &store, IfSealed::Refuse).await?;
    let (engine, set_up) = open(&store, &keys, &config).await?;
    let engine = Arc::new(engine);
    let app = App {
        engine: engine.clone(),
        facts: Arc::new(Facts {
            public_url: config.server.public_url.clone(),
            proxies: TrustedProxies::new(config.server.trusted_proxies.clone())
                .reading(config.server.forwarded_header),
            bodies: BodyBudget::default(),
            hsts_subdomains: config.server.hsts_subdomains,
            database_type: database_type(store.database()),
        }),
        leaving: Leaving::default(),
    };
    #[cfg(unix)]
    let operators = database.and_then(|database| serve_operators(database, engine.clone()));
    let signals = signals.all();
    welcome(address, &config, &set_up);

    let (stop, stopped) = watch::channel(Stop::No);
    let jobs = Jobs::start(engine.clone(), &stopped);
    let limits =
        ConnectionLimits::within_open_files(config.server.max_connections, config.database.connections)
            .per_address(config.server.max_connections_per_address)
            .without_share(config.server.trusted_proxies.clone());
    let reload = Reload::new(options, config, engine, store.clone(), log);
    tokio::spawn(obey(signals, app.leaving.clone(), reload, stop));
    let mut stopping = stopped.clone();
    let began_to_stop = async {
        let _ = stopping.changed().await;
        Ok(Instant::now())
    };
    let serving = serve::serve(entrance, serve::router(app), limits, stopped);
    let ((), began) = tokio::try_join!(serving, began_to_stop)?;
    let last_steps = async {
        jobs.finish().await?;
        #[cfg(unix)]
        if let Some(operators) = operators {
            operators.stop().await;
        }
        store.close().await?;
        Ok::<(), CommandError>(())
    };
    match timeout_at(began + STOP_WITHIN, last_steps).await {
        Ok(done) => done?,
        Err(_) => tracing::warn!(
            "the database does not answer: the last uses of keys and devices, and the last refusals, may not be written down"
        ),
    }
    drop(lock);
    tracing::info!("stopped");
    Ok(())
}

/// As clients know it, who know of no more than these.
const fn database_type(database: Database) -> &'static str {
    match database {
        Database::Sqlite => "sqlite",
        Database::MySql => "mysql",
        Database::Postgres => "other",
    }
}

/// Opens the operators' socket. Without it, `admin` works only while the server is stopped.
#[cfg(unix)]
fn serve_operators(database: DatabaseFile, engine: Arc<Engine>) -> Option<SocketServer> {
    let started = SocketServer::start(database, engine);
    if let Err(error) = &started {
        tracing::warn!(%error, "there is no socket for operators; `admin` works only while this server is stopped");
    }
    started.ok()
}

/// What somebody who just started a server wants to know.
fn welcome(address: SocketAddr, config: &Config, set_up: &SetUp) {
    let url = config.server.public_url.clone().unwrap_or_else(|| {
        // An address that stands for all of them can't be connected to.
        let shown = if address.ip().is_unspecified() {
            "localhost".to_owned()
        } else {
            address.ip().to_string()
        };
        let shown = if address.is_ipv6() && shown.contains(':') {
            format!("[{shown}]")
        } else {
            shown
        };
        format!("http://{shown}:{}", address.port())
    });
    if let SetUp::Now {
        administrator,
        made_password,
    } = set_up
    {
        line("This is a new server.");
        if let Some(password) = made_password {
            line("");
            line(&format!("    Administrator   {administrator}"));
            line(&format!(
                "    Password        {}    (shown this once)",
                password.expose()
            ));
            line("");
        } else {
            line(&format!(
                "The administrator {administrator} has the password that was given."
            ));
        }
    }
    line(&format!("Listening on {url}"));
    line(&format!("Connect with:  zenml connect --url {url}"));
    if !config.settings.limits.enabled {
        tracing::warn!("limits on guessing and flooding are off; this is for load tests only");
    }
    if let Some(warning) = plain_http(address, config.server.public_url.as_deref()) {
        tracing::warn!("{warning}");
    }
}

/// What is wrong with how other machines reach the server, if credentials can go over the network in plain text.
fn plain_http(address: SocketAddr, public_url: Option<&str>) -> Option<&'static str> {
    if address.ip().is_loopback() {
        return None;
    }
    match public_url {
        None => Some(
            "reachable from other machines without --public-url; set it, with https, so that cookies are safe",
        ),
        Some(url) if !url.starts_with("https://") => Some(
            "reachable from other machines over plain HTTP: everybody on the way can read passwords, keys and tokens; put \
             a proxy with TLS in front, and set --public-url with https",
        ),
        Some(_) => None,
    }
}

/// Reads the settings again on SIGHUP, and tells when the server has to stop. After SIGTERM it serves for the drain time
/// and reports itself not ready; a second signal ends that time. After Ctrl-C there is no drain time. A signal while it
/// stops ends the process at once.
async fn obey(mut signals: Signals, leaving: Leaving, mut reload: Reload, stop: watch::Sender<Stop>) {
    let signal = loop {
        match signals.next().await {
            Signal::HangUp => reload.perform(),
            signal => break signal,
        }
    };
    let drain_time = reload.drain_time();
    leaving.begin();
    let mut how = Stop::Now;
    if signal == Signal::Terminate && !drain_time.is_zero() {
        tracing::info!(
            seconds = drain_time.as_secs_f64(),
            "about to stop: /ready says so, and requests are served for the drain time"
        );
        tokio::select! {
            () = tokio::time::sleep(drain_time) => how = Stop::Gently,
            _ = signals.next_to_stop() => {}
        }
    }
    tracing::info!(
        "stopping: requests that are under way may finish; another signal ends the process at once"
    );
    let _ = stop.send(how);
    let again = signals.next_to_stop().await;
    tracing::warn!("ended by another signal before everything was finished");
    std::process::exit(match again {
        Signal::Terminate => 128 + 15,
        Signal::Interrupt | Signal::HangUp => 128 + 2,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_to_other_machines_is_warned_about() {
        let everywhere: SocketAddr = "0.0.0.0:8237".parse().unwrap();
        for (address, url, warning) in [
            (everywhere, None, Some("without --public-url")),
            (
                everywhere,
                Some("http://auth.example.com"),
                Some("over plain HTTP"),
            ),
            (everywhere, Some("https://auth.example.com"), None),
            (
                "[::]:1".parse().unwrap(),
                Some("http://x"),
                Some("over plain HTTP"),
            ),
            (
                "10.1.2.3:1".parse().unwrap(),
                Some("http://x"),
                Some("over plain HTTP"),
            ),
            ("127.0.0.1:1".parse().unwrap(), Some("http://x"), None),
            ("[::1]:1".parse().unwrap(), None, None),
        ] {
            let said = plain_http(address, url);
            assert_eq!(said.is_some(), warning.is_some(), "{address} {url:?}: {said:?}");
            assert!(
                said.unwrap_or_default().contains(warning.unwrap_or_default()),
                "{said:?}"
            );
        }
    }
}
