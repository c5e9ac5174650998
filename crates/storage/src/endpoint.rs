//! How connections to a database server are opened, which may change while there are some.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::options::ConnectOptions;

/// For how long those who were refused with the password before are told that there is another one now.
const NEWS_LASTS: Duration = Duration::from_secs(5);

/// The options that new connections are opened with. Clones share them.
#[derive(Clone)]
pub(crate) struct Endpoint(Arc<Mutex<State>>);

struct State {
    options: ConnectOptions,
    changed: Option<Instant>,
}

impl Endpoint {
    pub(crate) fn new(options: ConnectOptions) -> Self {
        Self(Arc::new(Mutex::new(State {
            options,
            changed: None,
        })))
    }

    /// What new connections are opened with.
    pub(crate) fn options(&self) -> ConnectOptions {
        self.0.lock().options.clone()
    }

    pub(crate) fn set(&self, options: ConnectOptions) {
        let mut state = self.0.lock();
        state.options = options;
        state.changed = Some(Instant::now());
    }

    /// Reads the file with the URL again, if there is one, and takes what it says if it is about the same database.
    pub(crate) fn reread(&self) {
        let before = self.options();
        match before.reread() {
            Ok(Some(options)) => {
                tracing::info!(
                    "the file with the database URL says something else; it is used for new connections"
                );
                self.set(options);
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "can't read the file with the database URL again"),
        }
    }

    /// Whether they changed a moment ago.
    pub(crate) fn changed_just_now(&self) -> bool {
        let changed = self.0.lock().changed;
        changed.is_some_and(|at| at.elapsed() < NEWS_LASTS)
    }
}
