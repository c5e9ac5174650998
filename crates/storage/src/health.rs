//! Whether the database takes changes.
//!
//! Every transaction that writes reports here how it ended. After a success the answer is known for a while. When a write
//! has failed, or there was none for a while, the next question makes a write that changes nothing but a number.
//! No write is ever refused for what is known here: each finds out for itself.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use zenml_auth_core::ports::StoreError;

/// For how long a write that was made tells that the next one can be made.
const TRUSTED_FOR: Duration = Duration::from_secs(5);
/// The least time from an attempt that failed to the next one.
const PACE: Duration = Duration::from_millis(250);
/// How long to wait for an attempt. It goes on, and counts when it is done.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// What is known about writing.
pub(crate) struct WriteHealth {
    state: Mutex<State>,
    attempts: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// Why the latest write failed, if it did.
    trouble: Option<StoreError>,
    /// When the latest write was made.
    written: Option<Instant>,
    /// Whether an attempt is being made.
    trying: bool,
    /// When the latest attempt ended.
    tried: Option<Instant>,
}

impl Default for WriteHealth {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            attempts: watch::Sender::new(0),
        }
    }
}

impl WriteHealth {
    /// A write was made. After trouble that proves little: a small change may fit where another does not, and one that finds
    /// all it needs in memory can be made on a disk that can't be read. So it takes an attempt to tell.
    pub(crate) fn wrote(&self) {
        self.state.lock().written = Some(Instant::now());
    }

    /// An attempt was made.
    fn proved(state: &mut State) {
        state.written = Some(Instant::now());
        if state.trouble.take().is_some() {
            tracing::info!("the database takes changes again");
        }
    }

    /// A write was not made, or may not have been. What the database refused for what it says is not about writing.
    pub(crate) fn failed(&self, error: StoreError) {
        self.note(error, "the database did not take a change");
    }

    /// Something could not be read. Where that is so, writing is to be tried before it is relied on.
    pub(crate) fn unread(&self, error: StoreError) {
        self.note(error, "the database could not be read");
    }

    fn note(&self, error: StoreError, what: &str) {
        if matches!(error, StoreError::Other(_)) {
            return;
        }
        let mut state = self.state.lock();
        if state.trouble.is_none() {
            tracing::warn!(%error, "{what}");
        }
        state.trouble = Some(error);
    }

    /// Whether the latest write failed.
    pub(crate) fn is_in_trouble(&self) -> bool {
        self.state.lock().trouble.is_some()
    }

    /// Whether changes are taken, if need be by making an attempt. Those who ask at the same time share one.
    pub(crate) async fn check<F>(self: &Arc<Self>, attempt: impl FnOnce() -> F) -> Result<(), StoreError>
    where
        F: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        let mut attempts = self.attempts.subscribe();
        {
            let mut state = self.state.lock();
            let recently = |moment: Option<Instant>, span| moment.is_some_and(|at| at.elapsed() < span);
            match &state.trouble {
                None if recently(state.written, TRUSTED_FOR) => return Ok(()),
                // A write that was made since is a reason to try at once.
                Some(trouble)
                    if !state.trying && recently(state.tried, PACE) && state.written <= state.tried =>
                {
                    return Err(trouble.clone());
                }
                _ => {}
            }
            if !state.trying {
                state.trying = true;
                let (trying, attempt) = (Trying(Arc::clone(self)), attempt());
                tokio::spawn(async move {
                    match attempt.await {
                        Ok(()) => Self::proved(&mut trying.0.state.lock()),
                        Err(error) => trying.0.state.lock().trouble = Some(error),
                    }
                });
            }
        }
        if timeout(ATTEMPT_TIMEOUT, attempts.changed()).await.is_err() {
            let reason = format!(
                "the database has not taken a change for {} seconds",
                ATTEMPT_TIMEOUT.as_secs()
            );
            return Err(StoreError::Unavailable(reason));
        }
        match &self.state.lock().trouble {
            Some(trouble) => Err(trouble.clone()),
            None => Ok(()),
        }
    }
}

/// An attempt that is being made; it ends however it ends.
struct Trying(Arc<WriteHealth>);

impl Drop for Trying {
    fn drop(&mut self) {
        {
            let mut state = self.0.state.lock();
            state.trying = false;
            state.tried = Some(Instant::now());
        }
        self.0.attempts.send_modify(|number| *number += 1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn full() -> StoreError {
        StoreError::Full("full".to_owned())
    }

    /// A database on which so many attempts fail.
    #[derive(Clone, Default)]
    struct Fake {
        health: Arc<WriteHealth>,
        failures: Arc<AtomicU32>,
        attempts: Arc<AtomicU32>,
    }

    impl Fake {
        async fn check(&self) -> Result<(), StoreError> {
            let this = self.clone();
            self.health
                .check(|| async move {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    this.attempts.fetch_add(1, Ordering::SeqCst);
                    if this.failures.load(Ordering::SeqCst) > 0 {
                        this.failures.fetch_sub(1, Ordering::SeqCst);
                        return Err(full());
                    }
                    Ok(())
                })
                .await
        }

        fn attempts(&self) -> u32 {
            self.attempts.load(Ordering::SeqCst)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_is_tried_when_none_is_known() {
        let fake = Fake::default();
        fake.check().await.unwrap();
        fake.check().await.unwrap();
        assert_eq!(fake.attempts(), 1);
        tokio::time::advance(TRUSTED_FOR).await;
        fake.check().await.unwrap();
        assert_eq!(fake.attempts(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_counts_until_a_write_is_made() {
        let fake = Fake::default();
        fake.check().await.unwrap();
        fake.health.failed(full());
        fake.failures.store(2, Ordering::SeqCst);
        tokio::time::advance(PACE).await;
        assert!(fake.check().await.is_err());
        assert!(fake.check().await.is_err(), "it is not tried again at once");
        assert_eq!(fake.attempts(), 2);
        tokio::time::advance(PACE).await;
        assert!(fake.check().await.is_err());
        assert_eq!(fake.attempts(), 3);
        tokio::time::advance(PACE).await;
        fake.check().await.unwrap();
        assert_eq!(fake.attempts(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_by_anybody_counts_unless_there_was_trouble() {
        let fake = Fake::default();
        fake.health.wrote();
        fake.check().await.unwrap();
        assert_eq!(fake.attempts(), 0);
        let unavailable = || StoreError::Unavailable("disk I/O error".to_owned());
        let troubles: [fn(&WriteHealth, StoreError); 2] = [WriteHealth::failed, WriteHealth::unread];
        let mut attempts = 0;
        for trouble in troubles {
            for error in [full(), unavailable()] {
                trouble(&fake.health, error);
                // Right after an attempt there is no other one, unless a write was made.
                if attempts > 0 {
                    assert!(fake.check().await.is_err());
                }
                tokio::time::advance(Duration::from_millis(1)).await;
                fake.health.wrote();
                assert!(fake.health.is_in_trouble());
                fake.check().await.unwrap();
                attempts += 1;
                assert_eq!(fake.attempts(), attempts);
                assert!(!fake.health.is_in_trouble());
            }
        }
    }

    /// As on a disk that can be written and not read.
    #[tokio::test(start_paused = true)]
    async fn the_write_of_an_attempt_is_no_reason_for_another_one_at_once() {
        let (health, attempts) = (Arc::<WriteHealth>::default(), Arc::<AtomicU32>::default());
        health.unread(full());
        for _ in 0..10 {
            let (own, attempts) = (Arc::clone(&health), Arc::clone(&attempts));
            let attempt = || async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                attempts.fetch_add(1, Ordering::SeqCst);
                own.wrote();
                Err(full())
            };
            assert!(health.check(attempt).await.is_err());
        }
        assert_eq!(attempts.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_database_says_about_one_change_is_not_about_writing() {
        let fake = Fake::default();
        fake.health.wrote();
        fake.health
            .failed(StoreError::Other("a name is taken".to_owned()));
        fake.check().await.unwrap();
        assert_eq!(fake.attempts(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_ask_at_once_share_an_attempt() {
        let fake = Fake::default();
        let asking = (0..50).map(|_| {
            let fake = fake.clone();
            async move { fake.check().await }
        });
        let mut all = asking.collect::<tokio::task::JoinSet<_>>();
        while let Some(answer) = all.join_next().await {
            answer.unwrap().unwrap();
        }
        assert_eq!(fake.attempts(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_a_disk_that_hangs() {
        let health = Arc::<WriteHealth>::default();
        let (go_on, hangs) = tokio::sync::oneshot::channel::<()>();
        let begun = Instant::now();
        let hanging = async move {
            let _ = hangs.await;
            Ok(())
        };
        assert!(health.check(|| hanging).await.is_err());
        assert_eq!(begun.elapsed(), ATTEMPT_TIMEOUT);
        let second: Result<(), StoreError> = health.check(|| async { unreachable!("there is one") }).await;
        assert!(second.is_err(), "the attempt still hangs");
        go_on.send(()).unwrap();
        tokio::task::yield_now().await;
        health
            .check(|| async { unreachable!("it went on") })
            .await
            .unwrap();
    }
}
