//! What the system and operators tell the process.

#[cfg(unix)]
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// What the process was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C (SIGINT).
    Interrupt,
    /// To stop (SIGTERM).
    Terminate,
}

/// The signals that come from now on. Without it, each of them ends the process.
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    terminate: Option<Stream>,
}

impl Signals {
    /// Begins to listen.
    #[must_use]
    pub fn listen() -> Self {
        Self {
            #[cfg(unix)]
            terminate: listen_to(SignalKind::terminate(), "SIGTERM"),
        }
    }

    /// The next one.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            () = interrupt() => Signal::Interrupt,
            () = self.terminate() => Signal::Terminate,
        }
    }

    #[cfg(unix)]
    async fn terminate(&mut self) {
        received(&mut self.terminate).await;
    }

    #[cfg(not(unix))]
    async fn terminate(&mut self) {
        std::future::pending().await
    }
}

async fn interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
fn listen_to(kind: SignalKind, name: &'static str) -> Option<Stream> {
    signal(kind)
        .inspect_err(|error| tracing::warn!(%error, "can't wait for {name}"))
        .ok()
}

#[cfg(unix)]
async fn received(signals: &mut Option<Stream>) {
    let came = match signals {
        Some(signals) => signals.recv().await.is_some(),
        None => false,
    };
    if !came {
        std::future::pending::<()>().await;
    }
}
