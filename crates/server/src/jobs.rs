//! What the server does by itself, in the background.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep};
use zenml_auth_core::services::{Engine, Internal};

use crate::serve::Stop;

/// How often uses of keys and devices are written down.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// How often what was refused is written to the audit trail, as far as it is time.
const REFUSALS_EVERY: Duration = Duration::from_secs(1);
/// How often memory is given back that passwords are hashed in.
const MEMORY_EVERY: Duration = Duration::from_secs(5);
/// How often signing keys are loaded, and rotated if it is time.
const KEYS_EVERY: Duration = Duration::from_secs(60);
/// How often what has ended is cleaned away.
const TIDY_EVERY: Duration = Duration::from_secs(30);
/// How often it is looked whether it is time to write down how many requests of devices there were.
const REQUESTS_EVERY: Duration = Duration::from_secs(60);
/// How many rows of a kind are cleaned away at a time, so that nobody waits for it.
const TIDY_BATCH: u32 = 100;
/// How long others have the database to themselves before the next batch.
const TIDY_PAUSE: Duration = Duration::from_millis(25);

/// The jobs that run until the server is told to stop.
pub struct Jobs {
    engine: Arc<Engine>,
    running: JoinSet<()>,
}

impl Jobs {
    /// Starts them. None waits for another.
    #[must_use]
    pub fn start(engine: Arc<Engine>, stop: &watch::Receiver<Stop>) -> Self {
        let mut running = JoinSet::new();
        let mut every = |period, what, job: fn(Arc<Engine>) -> Job| {
            running.spawn(repeat(period, what, engine.clone(), job, stop.clone()));
        };
        every(FLUSH_EVERY, "write uses down", |engine| {
            Box::pin(async move { engine.maintenance().flush_uses().await })
        });
        every(REFUSALS_EVERY, "write refusals to the audit trail", |engine| {
            Box::pin(async move { engine.maintenance().flush_refusals().await })
        });
        every(MEMORY_EVERY, "give memory back", |engine| {
            Box::pin(async move {
                engine.maintenance().release_memory();
                Ok(())
            })
        });
        every(KEYS_EVERY, "load signing keys", |engine| {
            Box::pin(async move { engine.maintenance().rotate_signing_key_if_due().await })
        });
        every(TIDY_EVERY, "tidy up", |engine| Box::pin(tidy_up(engine)));
        every(TIDY_EVERY, "shorten the audit trail", |engine| {
            Box::pin(shorten_the_audit_trail(engine))
        });
        every(
            REQUESTS_EVERY,
            "write down how many devices asked to be connected",
            |engine| Box::pin(async move { engine.maintenance().write_requests().await }),
        );
        Self { engine, running }
    }

    /// Waits until they have ended, and writes down what is left.
    ///
    /// # Errors
    /// When a job has panicked, which is a defect.
    pub async fn finish(mut self) -> Result<(), JoinError> {
        let mut ended = Ok(());
        while let Some(job) = self.running.join_next().await {
            ended = ended.and(job);
        }
        if let Err(error) = self.engine.maintenance().flush_all_uses().await {
            tracing::warn!(%error, "the last uses of keys and devices could not be written down");
        }
        if let Err(error) = self.engine.maintenance().write_all_requests().await {
            tracing::warn!(%error, "the last requests of devices could not be written down");
        }
        if let Err(error) = self.engine.maintenance().flush_all_refusals().await {
            tracing::warn!(%error, "the last refusals could not be written to the audit trail");
        }
        ended
    }
}

type Job = std::pin::Pin<Box<dyn Future<Output = Result<(), Internal>> + Send>>;

/// Does a job now, and again and again until told to stop, in the middle of it if need be: whatever it does is done in
/// steps of which each is whole.
async fn repeat(
    period: Duration,
    what: &'static str,
    engine: Arc<Engine>,
    job: fn(Arc<Engine>) -> Job,
    mut stop: watch::Receiver<Stop>,
) {
    let mut timer = interval(period);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let done = tokio::select! {
            _ = stop.changed() => return,
            done = async {
                timer.tick().await;
                job(Arc::clone(&engine)).await
            } => done,
        };
        if let Err(error) = done {
            tracing::warn!(%error, "could not {what}; trying again later");
        }
    }
}

async fn tidy_up(engine: Arc<Engine>) -> Result<(), Internal> {
    loop {
        let tidied = engine.maintenance().tidy_up(TIDY_BATCH).await?;
        if tidied.rows > 0 {
            tracing::debug!(rows = tidied.rows, "tidied up");
        }
        if !tidied.more {
            return Ok(());
        }
        sleep(TIDY_PAUSE).await;
    }
}

async fn shorten_the_audit_trail(engine: Arc<Engine>) -> Result<(), Internal> {
    let mut entries = 0;
    loop {
        let tidied = engine.maintenance().purge_audit(TIDY_BATCH).await?;
        entries += tidied.rows;
        if !tidied.more {
            if entries > 0 {
                tracing::info!(entries, "removed old entries of the audit trail");
            }
            return Ok(());
        }
        sleep(TIDY_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use zenml_auth_core::settings::Lifetimes;
    use zenml_auth_testkit::server::TestServer;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn signing_keys_are_looked_after_at_the_start_and_every_minute() {
        let server = TestServer::start().await;
        let keys = || server.engine.keyring().public_keys();
        let lifetime = Lifetimes::default().signing_key;
        let before = keys();
        let [first] = &before[..] else {
            panic!("{before:?}")
        };
        server.clock.advance(lifetime);
        let (stop, stopped) = watch::channel(Stop::No);
        let jobs = Jobs::start(server.engine.clone(), &stopped);
        sleep(Duration::from_secs(1)).await;
        let at_start = keys();
        assert_eq!(at_start.len(), 2, "{at_start:?}");
        assert!(at_start.contains(first));

        // The next one takes over within a minute. The tokens of the first one have ended by then.
        server.clock.advance(lifetime);
        sleep(Duration::from_secs(58)).await;
        assert_eq!(keys(), at_start);
        sleep(Duration::from_secs(2)).await;
        let a_minute_later = keys();
        assert_eq!(a_minute_later.len(), 2, "{a_minute_later:?}");
        assert!(!a_minute_later.contains(first));
        assert!(at_start.iter().any(|key| a_minute_later.contains(key)));
        stop.send(Stop::Now).unwrap();
        jobs.finish().await.unwrap();
    }
}
