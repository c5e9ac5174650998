//! Which server has the say.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Since when the epoch is told over the present connection.
///
/// A row that is kept in memory has to be as new as the epoch it is kept under. That holds as long as both come from one
/// server. When the epoch is told over a new connection, another server may have taken over, and a pooled connection may
/// still lead to the one before, which then lags behind. So every connection that was opened before is closed instead of
/// used.
#[derive(Clone, Default)]
pub(crate) struct Authority {
    since: Arc<Mutex<Option<Instant>>>,
}

impl Authority {
    /// The epoch is told over a new connection, which was opened just now.
    pub(crate) fn begins(&self) {
        *self.since.lock() = Some(Instant::now());
    }

    /// Whether a connection of this age was opened before.
    pub(crate) fn is_younger_than(&self, age: Duration) -> bool {
        self.since.lock().is_some_and(|since| since.elapsed() <= age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_opened_before_is_outdated() {
        let authority = Authority::default();
        let seconds = Duration::from_secs;
        assert!(
            !authority.is_younger_than(seconds(100)),
            "nobody asked for the epoch yet"
        );
        authority.begins();
        tokio::time::advance(seconds(5)).await;
        assert!(authority.is_younger_than(seconds(6)));
        assert!(authority.is_younger_than(seconds(5)), "in doubt it is");
        assert!(!authority.is_younger_than(seconds(4)));
    }
}
