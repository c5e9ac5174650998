//! A sign of life while waiting, on a terminal only.

use std::cell::Cell;
use std::convert::Infallible;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::ui;

const FRAMES: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const PLAIN_FRAMES: [&str; 4] = ["|", "/", "-", "\\"];
const PACE: Duration = Duration::from_millis(100);
const CLEAR_LINE: &str = "\r\u{1b}[2K";

/// How many there are.
static SHOWN: AtomicUsize = AtomicUsize::new(0);

/// Whether any is shown.
pub(crate) fn is_shown() -> bool {
    SHOWN.load(Ordering::Relaxed) > 0
}

/// Takes away what a spinner has drawn.
pub(crate) fn clear_line() {
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "{CLEAR_LINE}");
    let _ = err.flush();
}

/// A line that moves. It is gone when the spinner is dropped, however that comes about.
pub(crate) struct Spinner {
    watched: bool,
    frame: Cell<usize>,
}

impl Spinner {
    /// Starts; says `what` once where nobody watches.
    pub(crate) fn start(what: &str) -> Self {
        let watched = ui::can_animate();
        if !watched {
            ui::talk(what);
        }
        Self::watched(watched)
    }

    /// Starts where somebody watches, and says nothing elsewhere.
    pub(crate) fn silent() -> Self {
        Self::watched(ui::can_animate())
    }

    fn watched(watched: bool) -> Self {
        SHOWN.fetch_add(1, Ordering::Relaxed);
        Self {
            watched,
            frame: Cell::new(0),
        }
    }

    /// Moves for as long as it is let, with a text that is made anew each time.
    pub(crate) async fn spin(&self, text: impl Fn() -> String) -> Infallible {
        if !self.watched {
            return std::future::pending().await;
        }
        loop {
            self.draw(&text());
            tokio::time::sleep(PACE).await;
        }
    }

    /// Moves once.
    pub(crate) fn draw(&self, text: &str) {
        if !self.watched {
            return;
        }
        let number = self.frame.get();
        self.frame.set(number.wrapping_add(1));
        let frames: &[&str] = if cfg!(windows) { &PLAIN_FRAMES } else { &FRAMES };
        let frame = frames.get(number % frames.len()).copied().unwrap_or_default();
        // A line that is broken by the terminal could not be cleared.
        let room = ui::room().unwrap_or(80);
        let text: String = text.chars().take(room.saturating_sub(3)).collect();
        let mut err = std::io::stderr().lock();
        let _ = write!(err, "{CLEAR_LINE}{frame} {text}");
        let _ = err.flush();
    }

    /// Says something above the line.
    pub(crate) fn say(&self, text: &str) {
        self.clear();
        ui::note(text);
    }

    /// Says something above the line that is more than a remark.
    pub(crate) fn say_plainly(&self, text: &str) {
        self.clear();
        ui::talk(text);
    }

    /// Takes the line away until it moves again.
    pub(crate) fn clear(&self) {
        if self.watched {
            clear_line();
        }
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        SHOWN.fetch_sub(1, Ordering::Relaxed);
        self.clear();
    }
}
