//! What the server does by itself, in the background.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use zenml_auth_core::services::Engine;

/// How often uses of keys and devices are written down.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// How often signing keys are loaded, and rotated if it is time.
const KEYS_EVERY: Duration = Duration::from_secs(60);
/// How often what has ended is cleaned away.
const TIDY_EVERY: Duration = Duration::from_secs(30);
/// How many rows of a kind are cleaned away at a time, so that nobody waits for it.
const TIDY_BATCH: u32 = 500;

/// Does it all until told to stop, then writes down what is left.
pub fn start(engine: Arc<Engine>, mut stop: watch::Receiver<bool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let [mut flush, mut keys, mut tidy] = [FLUSH_EVERY, KEYS_EVERY, TIDY_EVERY].map(|period| {
            let mut timer = interval(period);
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
            timer
        });
        loop {
            let (what, done) = tokio::select! {
                _ = stop.changed() => break,
                _ = flush.tick() => ("write uses down", engine.maintenance().flush_uses().await),
                _ = keys.tick() => ("load signing keys", engine.maintenance().rotate_signing_key_if_due().await),
                _ = tidy.tick() => ("tidy up", tidy_up(&engine).await),
            };
            if let Err(error) = done {
                tracing::warn!(%error, "could not {what}; trying again later");
            }
        }
        if let Err(error) = engine.maintenance().flush_all_uses().await {
            tracing::warn!(%error, "the last uses of keys and devices could not be written down");
        }
    })
}

async fn tidy_up(engine: &Engine) -> Result<(), zenml_auth_core::services::Internal> {
    loop {
        let tidied = engine.maintenance().tidy_up(TIDY_BATCH).await?;
        if tidied.rows > 0 {
            tracing::debug!(rows = tidied.rows, "tidied up");
        }
        if !tidied.more {
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
}
