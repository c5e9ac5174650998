//! A sign of life while a server takes its time to answer.

use std::convert::Infallible;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;
use zenml_auth_client::WireEvent;

use crate::spinner::{self, Spinner};

/// How long a server may take before it is worth a word.
const SHOW_AFTER: Duration = Duration::from_secs(2);
/// How often it is looked whether it has answered.
const PACE: Duration = Duration::from_millis(100);

/// Since when an answer is waited for. A command asks for one thing after the other.
static SINCE: Mutex<Option<Instant>> = Mutex::new(None);

fn since() -> Option<Instant> {
    SINCE.lock().ok().and_then(|since| *since)
}

/// Takes note of what goes over the wire. What is shown goes before anything else is said.
pub(crate) fn note(event: &WireEvent) {
    let Ok(mut since) = SINCE.lock() else { return };
    match event {
        WireEvent::Sent { .. } => *since = Some(Instant::now()),
        WireEvent::Received { .. } | WireEvent::Failed { .. } => {
            if since.take().is_some_and(|began| began.elapsed() >= SHOW_AFTER) {
                spinner::clear_line();
            }
        }
        WireEvent::Retrying { .. } => {}
    }
}

/// Shows that an answer is waited for, if that takes long. Whatever else moves goes first.
pub(crate) async fn show() -> Infallible {
    loop {
        tokio::time::sleep(PACE).await;
        if let Some(began) = since().filter(|began| began.elapsed() >= SHOW_AFTER)
            && !spinner::is_shown()
        {
            let spinner = Spinner::silent();
            while since() == Some(began) {
                let seconds = began.elapsed().as_secs();
                spinner.draw(&format!("Waiting for the server… {seconds} s, Ctrl-C to give up"));
                tokio::time::sleep(PACE).await;
            }
        }
    }
}
