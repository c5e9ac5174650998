//! Looking at what goes over the wire.

use std::time::Duration;

/// Something that happened on the wire. Secrets are masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WireEvent {
    /// A request was sent.
    Sent {
        /// The method.
        method: String,
        /// The URL.
        url: String,
        /// Whether credentials went with it.
        authenticated: bool,
        /// The body; empty when there is none.
        body: String,
    },
    /// An answer came.
    Received {
        /// The status.
        status: u16,
        /// How long it took.
        took: Duration,
        /// The body; empty when there is none.
        body: String,
    },
    /// No answer came.
    Failed {
        /// Why not.
        reason: String,
    },
    /// The request is going to be sent again.
    Retrying {
        /// After how long.
        after: Duration,
    },
}

/// Is told what goes over the wire.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn observe(&self, event: WireEvent);
}

impl<F: Fn(WireEvent) + Send + Sync> Observer for F {
    fn observe(&self, event: WireEvent) {
        self(event);
    }
}
