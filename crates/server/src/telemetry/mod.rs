//! The log.

mod lines;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

pub use self::lines::Lines;
use crate::config::{Log, LogFormat};

/// What is logged, which may change.
pub struct LogFilter(Box<dyn Fn(EnvFilter) -> bool + Send + Sync>);

/// Why the log filter stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum LogFilterError {
    /// It can't be read.
    #[error("the log filter: {0}")]
    Unreadable(#[from] ParseError),
    /// The log is not ours.
    #[error("the log filter was not changed: another logger is installed in this process")]
    NotOurs,
}

impl LogFilter {
    /// Logs by another filter from now on.
    ///
    /// # Errors
    /// [`LogFilterError`] when the one before stays.
    pub fn set(&self, filter: &str) -> Result<(), LogFilterError> {
        if (self.0)(parse(filter)?) {
            Ok(())
        } else {
            Err(LogFilterError::NotOurs)
        }
    }

    /// One of which nothing comes but the answer, for tests.
    #[cfg(test)]
    pub(crate) fn with(set: impl Fn(EnvFilter) -> bool + Send + Sync + 'static) -> Self {
        Self(Box::new(set))
    }
}

/// Begins to log, until the lines are dropped.
///
/// # Errors
/// When the filter can't be read.
pub fn begin(log: &Log) -> Result<(LogFilter, Lines), ParseError> {
    let filter = parse(&log.filter)?;
    let (writer, waiting) = lines::begin();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer);
    // A second call in one process, as in tests, leaves the first one's choice.
    let filter = match log.format {
        LogFormat::Json => {
            let lines = lines
                .json()
                .flatten_event(true)
                .with_current_span(true)
                .with_span_list(false)
                .with_filter_reloading();
            let filter = lines.reload_handle();
            let _ = lines.try_init();
            LogFilter(Box::new(move |new| filter.reload(new).is_ok()))
        }
        LogFormat::Text => {
            let lines = lines
                .with_ansi(colour_is_welcome())
                .with_target(false)
                .with_filter_reloading();
            let filter = lines.reload_handle();
            let _ = lines.try_init();
            LogFilter(Box::new(move |new| filter.reload(new).is_ok()))
        }
    };
    Ok((filter, waiting))
}

fn parse(filter: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::builder().parse(filter)
}

fn colour_is_welcome() -> bool {
    anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
}
