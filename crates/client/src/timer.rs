//! Time, as something that is brought along: tests move it by hand.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// Measures time and waits.
pub trait Timer: Send + Sync {
    /// How long it is since some moment that stays the same.
    fn elapsed(&self) -> Duration;

    /// Waits.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The time of the machine. Needs a tokio runtime with its timer on.
#[derive(Debug, Clone, Copy)]
pub struct SystemTimer {
    start: tokio::time::Instant,
}

impl SystemTimer {
    /// Starts counting.
    #[must_use]
    pub fn start() -> Self {
        Self {
            start: tokio::time::Instant::now(),
        }
    }
}

impl Timer for SystemTimer {
    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(duration))
    }
}
