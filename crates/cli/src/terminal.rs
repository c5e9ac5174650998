//! Leaving the terminal as it was.

/// Puts the terminal back into the state it was in, even when the thread that reads a password is still waiting as the program
/// is told to stop.
#[derive(Debug)]
pub(crate) struct KeepEcho {
    #[cfg(unix)]
    before: Option<(std::fs::File, rustix::termios::Termios)>,
}

impl KeepEcho {
    /// Remembers the state.
    #[cfg(unix)]
    pub(crate) fn new() -> Self {
        let read = || {
            let terminal = std::fs::File::open("/dev/tty").ok()?;
            let state = rustix::termios::tcgetattr(&terminal).ok()?;
            Some((terminal, state))
        };
        Self { before: read() }
    }

    /// Remembers the state; there is none to remember here.
    #[cfg(not(unix))]
    pub(crate) const fn new() -> Self {
        Self {}
    }
}

#[cfg(unix)]
impl Drop for KeepEcho {
    fn drop(&mut self) {
        if let Some((terminal, state)) = &self.before {
            let _ = rustix::termios::tcsetattr(terminal, rustix::termios::OptionalActions::Now, state);
        }
    }
}
