//! One read for everybody who waits for one.

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::ports::StoreError;

/// Lets all callers that wait at the same time share one read. A read serves those who asked *before it began*; who
/// asks while it is under way shares the next one.
#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    ended: Notify,
}

struct State {
    /// How many reads have begun.
    begun: u64,
    /// The latest read that ended, and what came of it.
    last: (u64, Result<(), StoreError>),
    /// Whether somebody reads, or is about to.
    led: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            begun: 0,
            last: (0, Ok(())),
            led: false,
        }
    }
}

impl Shared {
    /// Returns when a read has ended that began after this call.
    ///
    /// # Errors
    /// What that read came to.
    pub(super) async fn read<R>(&self, read: impl FnOnce() -> R + Send) -> Result<(), StoreError>
    where
        R: Future<Output = Result<(), StoreError>> + Send,
    {
        let needed = self.state.lock().begun + 1;
        loop {
            let mut ended = std::pin::pin!(self.ended.notified());
            // Before the state is looked at, so that nothing that happens from now on is missed.
            ended.as_mut().enable();
            {
                let mut state = self.state.lock();
                if state.last.0 >= needed {
                    return state.last.1.clone();
                }
                if !state.led {
                    state.led = true;
                    break;
                }
            }
            ended.await;
        }
        let leader = Leader(self);
        // Tasks that are ready to ask get the chance to share this one.
        tokio::task::yield_now().await;
        let number = leader.begin();
        let outcome = read().await;
        leader.end(number, outcome.clone());
        outcome
    }
}

/// Leads one read. When it is dropped in the middle of it, because its caller went away, somebody else takes over.
struct Leader<'a>(&'a Shared);

impl Leader<'_> {
    fn begin(&self) -> u64 {
        let mut state = self.0.state.lock();
        state.begun += 1;
        state.begun
    }

    fn end(self, number: u64, outcome: Result<(), StoreError>) {
        self.0.state.lock().last = (number, outcome);
    }
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        self.0.state.lock().led = false;
        self.0.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    async fn settle() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    /// Reads that wait for a permit each, counted when they begin.
    #[derive(Clone)]
    struct Reads {
        shared: Arc<Shared>,
        begun: Arc<AtomicU32>,
        permits: Arc<Semaphore>,
    }

    impl Reads {
        fn new() -> Self {
            Self {
                shared: Arc::default(),
                begun: Arc::default(),
                permits: Arc::new(Semaphore::new(0)),
            }
        }

        fn ask(&self) -> tokio::task::JoinHandle<Result<(), StoreError>> {
            let reads = self.clone();
            tokio::spawn(async move {
                let read = || async {
                    reads.begun.fetch_add(1, Ordering::SeqCst);
                    reads.permits.acquire().await.unwrap().forget();
                    Ok(())
                };
                reads.shared.read(read).await
            })
        }

        fn begun(&self) -> u32 {
            self.begun.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn who_asks_during_a_read_shares_the_next_one() {
        let reads = Reads::new();
        let first = reads.ask();
        settle().await;
        let later: Vec<_> = (0..10).map(|_| reads.ask()).collect();
        settle().await;
        assert_eq!(reads.begun(), 1);
        reads.permits.add_permits(1);
        first.await.unwrap().unwrap();
        settle().await;
        assert!(later.iter().all(|asked| !asked.is_finished()));
        assert_eq!(reads.begun(), 2);
        reads.permits.add_permits(1);
        for asked in later {
            asked.await.unwrap().unwrap();
        }
        assert_eq!(reads.begun(), 2);
    }

    #[tokio::test]
    async fn somebody_takes_over_from_a_leader_that_went_away() {
        let reads = Reads::new();
        let first = reads.ask();
        settle().await;
        let second = reads.ask();
        settle().await;
        first.abort();
        settle().await;
        reads.permits.add_permits(1);
        second.await.unwrap().unwrap();
        assert_eq!(reads.begun(), 2);
    }

    #[tokio::test]
    async fn a_failure_is_shared_and_passes() {
        let shared = Arc::new(Shared::default());
        let fail = || async { Err(StoreError::Unavailable("gone".to_owned())) };
        assert!(shared.read(fail).await.is_err());
        assert!(shared.read(|| async { Ok(()) }).await.is_ok());
    }
}
