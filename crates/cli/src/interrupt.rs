//! Ctrl-C and SIGTERM: they end a command at any moment, but for those in which something would be lost that is shown
//! only once.

use tokio::sync::Mutex;

use crate::error::Exit;
use crate::ui;

/// Held while something must not be cut short. Signals come to the process, and so this belongs to it.
static HELD: Mutex<()> = Mutex::const_new(());

/// Does something that is not cut short by the first Ctrl-C or SIGTERM.
pub(crate) async fn held_off<T>(work: impl Future<Output = T>) -> T {
    let _held = HELD.lock().await;
    work.await
}

/// Returns when the command is to end: upon a signal, or when what must not be cut short is done. A person who presses Ctrl-C
/// twice means it.
pub(crate) async fn interrupted() -> Exit {
    let exit = signal().await;
    if HELD.try_lock().is_err() {
        ui::note("A new key is on its way, and would be lost. Ctrl-C again gives it up.");
        tokio::select! {
            _ = HELD.lock() => {}
            _ = signal() => {}
        }
    }
    exit
}

/// Waits for the next signal.
async fn signal() -> Exit {
    tokio::select! {
        () = ctrl_c() => Exit::Interrupted,
        () = sigterm() => Exit::Terminated,
    }
}

// Where signals can't be listened to, there are none to come.
async fn ctrl_c() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
async fn sigterm() {
    use tokio::signal::unix::{SignalKind, signal};
    let heard = match signal(SignalKind::terminate()) {
        Ok(mut terminations) => terminations.recv().await,
        Err(_) => None,
    };
    if heard.is_none() {
        std::future::pending::<()>().await;
    }
}

#[cfg(not(unix))]
async fn sigterm() {
    std::future::pending().await
}
