//! Trying again what a database server took back for the sake of somebody else.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// How often a transaction is tried at most.
const ATTEMPTS: u32 = 12;
/// The pause after the first one; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(4);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Counts the attempts of one transaction.
#[derive(Default)]
pub(crate) struct Attempts {
    made: u32,
}

impl Attempts {
    /// Waits a little, unless it was tried often enough, and tells whether to try again.
    pub(crate) async fn again(&mut self) -> bool {
        self.made += 1;
        if self.made >= ATTEMPTS {
            return false;
        }
        tokio::time::sleep(self.pause(RandomState::new().build_hasher().finish())).await;
        true
    }

    /// Between half of the pause and one and a half, so that those who ran into each other do not do so again.
    fn pause(&self, random: u64) -> Duration {
        let doubled = FIRST_PAUSE.saturating_mul(1 << (self.made - 1).min(16));
        let pause = doubled.min(LONGEST_PAUSE);
        let share = u32::try_from(random % 1024).unwrap_or_default();
        pause / 2 + pause * share / 1024
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_comes_to_an_end() {
        let mut attempts = Attempts::default();
        let begun = tokio::time::Instant::now();
        let mut tries = 1;
        while attempts.again().await {
            tries += 1;
        }
        assert_eq!(tries, ATTEMPTS);
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    }

    #[test]
    fn pauses_grow_and_differ() {
        let pause = |made, random| Attempts { made }.pause(random);
        assert_eq!(pause(1, 0), Duration::from_millis(2));
        assert_eq!(pause(1, 512), Duration::from_millis(4));
        assert_eq!(pause(3, 512), Duration::from_millis(16));
        assert!(pause(ATTEMPTS, 1023) < LONGEST_PAUSE * 2);
    }
}
