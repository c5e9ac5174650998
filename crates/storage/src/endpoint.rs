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
    /// What was last wrong with the file with the URL.
    problem: Option<String>,
}

impl State {
    /// Notes what is wrong with the file now, and tells whether that is news. It is read for every connection that can't be
    /// opened, which may be many a second.
    fn is_news(&mut self, problem: Option<String>) -> bool {
        let is_news = self.problem != problem;
        self.problem = problem;
        is_news
    }
}

impl Endpoint {
    pub(crate) fn new(options: ConnectOptions) -> Self {
        Self(Arc::new(Mutex::new(State {
            options,
            changed: None,
            problem: None,
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
        let read = before.reread();
        let problem = read.as_ref().err().map(ToString::to_string);
        let is_news = self.0.lock().is_news(problem);
        match read {
            Ok(Some(options)) => {
                tracing::info!(
                    "the file with the database URL says something else; it is used for new connections"
                );
                self.set(options);
            }
            Ok(None) if is_news => tracing::info!("the file with the database URL can be used again"),
            Ok(None) => {}
            Err(error) if is_news => {
                tracing::warn!(%error, "can't use the file with the database URL; connections are opened as before");
            }
            Err(_) => {}
        }
    }

    /// Whether they changed a moment ago.
    pub(crate) fn changed_just_now(&self) -> bool {
        let changed = self.0.lock().changed;
        changed.is_some_and(|at| at.elapsed() < NEWS_LASTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_is_told_of_once() {
        let mut state = State {
            options: ConnectOptions::url("postgres://db/auth"),
            changed: None,
            problem: None,
        };
        let gone = || Some("it is gone".to_owned());
        assert!(!state.is_news(None), "nothing was wrong");
        assert!(state.is_news(gone()));
        assert!((0..1000).all(|_| !state.is_news(gone())));
        assert!(state.is_news(Some("it is closed to us".to_owned())));
        assert!(state.is_news(None), "it is right again");
        assert!(!state.is_news(None));
        assert!(state.is_news(gone()));
    }
}
