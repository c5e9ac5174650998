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
    /// To read the settings again (SIGHUP).
    HangUp,
}

/// The signals that come from now on. Without it, each of them ends the process at once.
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    interrupt: Option<Stream>,
    #[cfg(unix)]
    terminate: Option<Stream>,
    #[cfg(unix)]
    hang_up: Option<Stream>,
}

impl Signals {
    /// Begins to listen to SIGHUP, which must not end a server that is starting. What tells to stop still does.
    #[must_use]
    pub fn while_starting() -> Self {
        Self {
            #[cfg(unix)]
            interrupt: None,
            #[cfg(unix)]
            terminate: None,
            #[cfg(unix)]
            hang_up: listen_to(SignalKind::hangup(), "SIGHUP"),
        }
    }

    /// Listens to all of them from now on.
    #[must_use]
    pub fn all(self) -> Self {
        #[cfg(unix)]
        return Self {
            interrupt: listen_to(SignalKind::interrupt(), "SIGINT"),
            terminate: listen_to(SignalKind::terminate(), "SIGTERM"),
            ..self
        };
        #[cfg(not(unix))]
        self
    }

    /// The next one.
    pub async fn next(&mut self) -> Signal {
        #[cfg(unix)]
        tokio::select! {
            () = received(&mut self.interrupt) => Signal::Interrupt,
            () = received(&mut self.terminate) => Signal::Terminate,
            () = received(&mut self.hang_up) => Signal::HangUp,
        }
        #[cfg(not(unix))]
        {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            Signal::Interrupt
        }
    }

    /// The next one that tells to stop.
    pub async fn next_to_stop(&mut self) -> Signal {
        loop {
            match self.next().await {
                Signal::HangUp => {}
                signal => return signal,
            }
        }
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
