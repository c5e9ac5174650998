//! Talking to people: data goes to standard output, everything else to standard error.

use std::io::{self, IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};
pub(crate) use zenml_auth_model::text::on_one_line as clean;

/// What is said in passing.
const DIM: Style = Style::new().dimmed();
/// What deserves attention.
const BOLD: Style = Style::new().bold();
/// What went wrong.
const ERROR: Style = AnsiColor::Red.on_default().bold();
/// What may go wrong.
const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// Says something to the person. Nothing can be done about it if nobody listens.
pub(crate) fn talk(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Says something without ending the line.
pub(crate) fn talk_inline(text: &str) {
    let mut err = anstream::stderr();
    let _ = write!(err, "{text}");
    let _ = err.flush();
}

/// Says something in passing.
pub(crate) fn note(text: &str) {
    talk(&format!("{DIM}{text}{DIM:#}"));
}

/// Warns of something.
pub(crate) fn warn(text: &str) {
    talk(&format!("{WARNING}warning:{WARNING:#} {text}"));
}

/// Says what went wrong, and what to do about it.
pub(crate) fn complain(what: &str, next: Option<&str>) {
    talk(&format!("{ERROR}error:{ERROR:#} {what}"));
    if let Some(next) = next {
        talk(&format!("  {next}"));
    }
}

/// A text that deserves attention.
pub(crate) fn bold(text: &str) -> String {
    format!("{BOLD}{text}{BOLD:#}")
}

/// Writes data to standard output.
pub(crate) fn data(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Whether data is thrown away: a program that is started without a standard output gets the null device for it.
#[cfg(unix)]
pub(crate) fn data_goes_nowhere() -> bool {
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::MetadataExt as _;
    let device = || {
        let output = std::fs::File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let (output, null) = (output.metadata()?, std::fs::metadata("/dev/null")?);
        Ok::<_, io::Error>(output.rdev() == null.rdev() && null.rdev() != 0)
    };
    device().unwrap_or(true)
}

/// Whether data is thrown away, which can't be told here.
#[cfg(not(unix))]
pub(crate) const fn data_goes_nowhere() -> bool {
    false
}

/// Whether a person can be asked something.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Whether a person sees what is said.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Whether what is said goes to a terminal that can take a line back.
pub(crate) fn can_animate() -> bool {
    is_watched() && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}

/// How wide the terminal is on which a person sees what is said; `None` when nobody does.
pub(crate) fn room() -> Option<usize> {
    is_watched().then(columns).flatten()
}

/// How wide the terminal is that data goes to; `None` when it goes elsewhere.
pub(crate) fn width() -> Option<usize> {
    io::stdout().is_terminal().then(columns).flatten()
}

fn columns() -> Option<usize> {
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_from_elsewhere_are_made_safe() {
        assert_eq!(clean("plain Ünïcode 🚀"), "plain Ünïcode 🚀");
        assert_eq!(
            clean("\u{1b}]0;title\u{7}a\u{9b}31mb\r\nc\u{202e}d\u{0}"),
            "]0;titlea31mb  cd"
        );
    }
}
