//! A head start in a race, so that both sides of it come first about as often.

use std::time::{Duration, Instant};

/// One of the two sides of a race.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Whichever a test says.
    Left,
    /// The other.
    Right,
}

/// How much earlier one side begins.
///
/// What two operations take differs from store to store, and with what else a machine does. Started at once, the
/// quicker one may always be the first, and then nothing is raced for. So the side that lost begins a little earlier in
/// the next round, and earlier still if it loses again: both win in the end, and most rounds are close.
#[derive(Debug)]
pub struct HeadStart {
    /// What the left side has, in microseconds; below zero it is the right side's.
    left: i64,
    /// By how much it changed after the last round.
    step: i64,
    last: Option<Side>,
    left_won: usize,
    right_won: usize,
}

impl HeadStart {
    /// 50 µs, which is less than a request takes.
    const FIRST_STEP: i64 = 50;
    /// 10 ms; a hundred of them are still only a second.
    const LAST_STEP: i64 = 10_000;

    /// None for either.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            left: 0,
            step: Self::FIRST_STEP,
            last: None,
            left_won: 0,
            right_won: 0,
        }
    }

    /// On which side a racer is: on the two in turn, and with the other one first in the next round.
    #[must_use]
    pub const fn side(&self, racer: usize) -> Side {
        let round = self.left_won + self.right_won;
        if (racer + round).is_multiple_of(2) {
            Side::Left
        } else {
            Side::Right
        }
    }

    /// How long a racer waits before it begins.
    #[must_use]
    pub fn wait(&self, side: Side) -> Duration {
        let micros = match side {
            Side::Left => self.left.saturating_neg(),
            Side::Right => self.left,
        };
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    /// Gives the loser of a round more time in the next one.
    pub fn won(&mut self, side: Side) {
        self.step = if self.last == Some(side) {
            (self.step * 2).min(Self::LAST_STEP)
        } else {
            Self::FIRST_STEP
        };
        self.last = Some(side);
        match side {
            Side::Left => {
                self.left -= self.step;
                self.left_won += 1;
            }
            Side::Right => {
                self.left += self.step;
                self.right_won += 1;
            }
        }
    }

    /// Fails where one side won every round, as nothing was raced for then.
    ///
    /// # Panics
    ///
    /// See above.
    pub fn expect_both_won(&self) {
        assert!(
            self.left_won > 0 && self.right_won > 0,
            "nothing was raced for: {} rounds to {}",
            self.left_won,
            self.right_won
        );
    }
}

/// Lets others run until `wait` is over, which may be shorter than what a timer can measure.
#[allow(
    clippy::disallowed_methods,
    reason = "a race is run in real time, whatever the clock of the server says"
)]
pub async fn give_way(wait: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < wait {
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hundred rounds where the left side needs so much longer than the right one.
    fn race(longer: Duration) -> HeadStart {
        let mut head_start = HeadStart::none();
        for _ in 0..100 {
            let left = head_start.wait(Side::Left) + longer;
            let right = head_start.wait(Side::Right);
            head_start.won(if left < right { Side::Left } else { Side::Right });
        }
        head_start
    }

    #[test]
    fn both_sides_win_about_as_often() {
        for longer in [0, 1, 40, 3_000, 70_000] {
            let ran = race(Duration::from_micros(longer));
            ran.expect_both_won();
            assert!(ran.left_won.abs_diff(ran.right_won) < 30, "{longer}: {ran:?}");
        }
    }

    #[test]
    fn one_side_waits_at_most() {
        let mut head_start = HeadStart::none();
        head_start.won(Side::Right);
        assert_eq!(head_start.wait(Side::Right), Duration::from_micros(50));
        assert_eq!(head_start.wait(Side::Left), Duration::ZERO);
        head_start.won(Side::Right);
        assert_eq!(head_start.wait(Side::Right), Duration::from_micros(150));
        head_start.won(Side::Left);
        assert_eq!(head_start.wait(Side::Right), Duration::from_micros(100));
    }

    #[test]
    #[should_panic(expected = "nothing was raced for: 0 rounds to 100")]
    fn a_side_that_always_wins_fails() {
        race(Duration::from_secs(10)).expect_both_won();
    }
}
