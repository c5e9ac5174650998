//! Opening a link in a browser, where there is one that the person would see.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::env::Env;
use crate::ui;

/// Why no browser is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoBrowser {
    /// The person said so.
    Unwanted,
    /// It would open on another machine than the one the person sits at.
    OverSsh,
    /// In a container there is none.
    InContainer,
    /// There is nothing to show one on.
    NoDisplay,
    /// Nobody watches.
    NoTerminal,
    /// It was tried and failed.
    Failed,
}

/// Whether there is a browser that the person would see.
pub(crate) fn available(env: &Env) -> Result<(), NoBrowser> {
    judge(env, ui::is_watched(), in_container(env))
}

fn judge(env: &Env, watched: bool, in_container: bool) -> Result<(), NoBrowser> {
    // A person who sets it knows what they do.
    if env.has("BROWSER") {
        return Ok(());
    }
    if ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"]
        .iter()
        .any(|name| env.has(name))
    {
        return Err(NoBrowser::OverSsh);
    }
    if in_container {
        return Err(NoBrowser::InContainer);
    }
    let has_display = ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"]
        .iter()
        .any(|name| env.has(name));
    if cfg!(all(unix, not(target_os = "macos"))) && !has_display {
        return Err(NoBrowser::NoDisplay);
    }
    if watched {
        Ok(())
    } else {
        Err(NoBrowser::NoTerminal)
    }
}

fn in_container(env: &Env) -> bool {
    env.has("KUBERNETES_SERVICE_HOST")
        || env.has("container")
        || ["/.dockerenv", "/run/.containerenv"]
            .iter()
            .any(|path| Path::new(path).exists())
}

/// Opens a link. The browser goes on by itself.
pub(crate) fn open(env: &Env, link: &str) -> Result<(), NoBrowser> {
    let outcome = match env.get("BROWSER") {
        // Several may be named, as in Python; the first is taken.
        Some(names) => {
            let name = names
                .split(if cfg!(windows) { ';' } else { ':' })
                .next()
                .unwrap_or(names);
            let mut words = command_line(name, link).into_iter();
            let mut command = Command::new(words.next().unwrap_or_default());
            command
                .args(words)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command.spawn().map(drop)
        }
        None => open::that_detached(link),
    };
    outcome.map_err(|_| NoBrowser::Failed)
}

/// The words of a command that opens a link, which stands for `%s`, or else at the end.
fn command_line(command: &str, link: &str) -> Vec<String> {
    // Text that can't be split into words is one word.
    let words = shlex::split(command).filter(|words| !words.is_empty());
    let mut words = words.unwrap_or_else(|| vec![command.to_owned()]);
    if words.iter().any(|word| word.contains("%s")) {
        words.iter_mut().for_each(|word| *word = word.replace("%s", link));
    } else {
        words.push(link.to_owned());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_may_have_arguments() {
        assert_eq!(command_line("firefox", "http://x"), ["firefox", "http://x"]);
        assert_eq!(
            command_line("firefox --private-window '%s' -P 'my profile'", "http://x/?a=b&c"),
            [
                "firefox",
                "--private-window",
                "http://x/?a=b&c",
                "-P",
                "my profile"
            ]
        );
        assert_eq!(command_line("it's", "http://x"), ["it's", "http://x"]);
    }

    fn judged(env: &[(&str, &str)], watched: bool, in_container: bool) -> Result<(), NoBrowser> {
        judge(&Env::of(env), watched, in_container)
    }

    #[test]
    fn a_browser_nobody_would_see_is_not_opened() {
        assert_eq!(
            judged(&[("DISPLAY", ":0"), ("SSH_TTY", "/dev/pts/0")], true, false),
            Err(NoBrowser::OverSsh)
        );
        assert_eq!(
            judged(&[("DISPLAY", ":0")], true, true),
            Err(NoBrowser::InContainer)
        );
        assert_eq!(
            judged(&[("DISPLAY", ":0")], false, false),
            Err(NoBrowser::NoTerminal)
        );
        assert_eq!(judged(&[("DISPLAY", ":0")], true, false), Ok(()));
        assert_eq!(
            judged(&[("BROWSER", "x"), ("SSH_TTY", "/dev/pts/0")], false, true),
            Ok(())
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn without_a_display_there_is_none() {
        assert_eq!(judged(&[], true, false), Err(NoBrowser::NoDisplay));
    }

    #[test]
    fn a_browser_that_is_not_there() {
        assert_eq!(
            open(&Env::of(&[("BROWSER", "/nonexistent/browser")]), "http://x"),
            Err(NoBrowser::Failed)
        );
    }
}
