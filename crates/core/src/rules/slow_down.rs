//! How failed attempts at a password slow the next ones down.
//!
//! The first few cost nothing. After them, each failure doubles the wait for the next attempt, up to a longest wait. An
//! account that nobody has failed at for a day starts over.

use std::time::Duration;

use zenml_auth_model::Timestamp;

use crate::settings::Rate;

/// The wait after the first failure that costs something.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Failures are remembered for at least this long after the last one.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// The attempts that failed since the last one that succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    /// How many.
    pub count: u32,
    /// When the last one did.
    pub last: Timestamp,
}

/// For how long failures are remembered after the last one.
///
/// An attacker who waits until they are forgotten gains the free attempts once more. It takes at least as long as making as many
/// attempts at the slowest pace would.
#[must_use]
pub fn remembered(allowed: Rate) -> Duration {
    REMEMBERED.max(allowed.per.saturating_mul(allowed.burst))
}

/// How long the next attempt has to wait, when it has to. `allowed` says how many failures cost nothing, and what the
/// longest wait is.
#[must_use]
pub fn wait(failures: Failures, allowed: Rate, now: Timestamp) -> Option<Duration> {
    let costly = failures.count.checked_sub(allowed.burst)?;
    let since = now.since(failures.last);
    if since > remembered(allowed) {
        return None;
    }
    let doubled = FIRST_WAIT.saturating_mul(1_u32.checked_shl(costly).unwrap_or(u32::MAX));
    let wait = doubled.min(allowed.per);
    // A failure that was noted before the clock went back is as if it were just now.
    let left = wait.saturating_sub(since);
    (!left.is_zero()).then_some(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const ALLOWED: Rate = Rate {
        burst: 10,
        per: Duration::from_secs(15 * 60),
    };

    fn after(count: u32, now: Timestamp) -> Option<u64> {
        wait(Failures { count, last: NOW }, ALLOWED, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn each_failure_doubles_the_wait() {
        assert_eq!(after(9, NOW), None);
        let waits: Vec<_> = (10..23).map(|count| after(count, NOW).unwrap()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
        assert_eq!(after(u32::MAX, NOW), Some(900));
    }

    #[test]
    fn waiting_as_long_as_told_helps() {
        for count in 10..30 {
            let told = wait(Failures { count, last: NOW }, ALLOWED, NOW).unwrap();
            assert_eq!(after(count, NOW + told), None);
            assert!(after(count, NOW + told.saturating_sub(Duration::from_secs(1))).is_some());
        }
    }

    #[test]
    fn a_clock_that_goes_back_does_not_make_the_wait_longer() {
        assert_eq!(after(10, NOW - REMEMBERED), Some(1));
    }

    #[test]
    fn forgetting_is_no_faster_than_guessing_on() {
        for burst in [1, 10, 1000] {
            let allowed = Rate { burst, ..ALLOWED };
            assert!(remembered(allowed) / allowed.burst >= allowed.per);
        }
    }
}
