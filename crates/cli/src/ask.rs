//! Asking the person, and reading what is handed over on standard input.

use std::io::{BufRead as _, IsTerminal as _, Read as _};

use zenml_auth_model::Secret;

use crate::error::{CliError, Exit};
use crate::ui;

/// The longest secret that is read from standard input.
const MAX_SECRET: u64 = 16 * 1024;

/// Reads on a thread of its own, so that Ctrl-C is heard while it waits.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, CliError> {
    let outcome = tokio::task::spawn_blocking(read).await;
    match outcome {
        Ok(Ok(value)) => Ok(value),
        // While a password is typed, Ctrl-C comes as a character and not as a signal.
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::Interrupted => {
            Err(CliError::new(Exit::Interrupted, "interrupted"))
        }
        Ok(Err(error)) => Err(CliError::new(
            Exit::Failed,
            format!("nothing can be read: {error}"),
        )),
        Err(_) => Err(CliError::new(Exit::Interrupted, "interrupted")),
    }
}

/// Asks for a yes. Anything else is a no, and an error, so that a script does not go on as if it had been done.
///
/// Without a terminal nobody can be asked, and nothing is done either.
pub(crate) async fn confirm(question: &str, assume_yes: bool) -> Result<(), CliError> {
    if assume_yes {
        return Ok(());
    }
    if !ui::can_ask() {
        return Err(CliError::usage(format!(
            "{} There is no terminal to ask on.",
            anstream::adapter::strip_str(question)
        ))
        .next("Add --yes to go ahead."));
    }
    ui::talk_inline(&format!("{question} [y/N] "));
    let answer = blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    })
    .await?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(CliError::new(
            Exit::Failed,
            "nothing was changed, as the answer was no",
        )),
    }
}

/// Asks for a secret without showing it; reads it from standard input when that is not a terminal.
pub(crate) async fn secret(prompt: &str) -> Result<Secret, CliError> {
    if std::io::stdin().is_terminal() {
        let prompt = format!("{prompt}: ");
        let _echo = crate::terminal::KeepEcho::new();
        return blocking(move || rpassword::prompt_password(prompt).map(Secret::new)).await;
    }
    secret_line().await
}

/// Reads a secret from standard input: its first line, without the line break.
pub(crate) async fn secret_line() -> Result<Secret, CliError> {
    blocking(|| {
        let mut line = zeroize::Zeroizing::new(String::new());
        let mut input = std::io::stdin().lock().take(MAX_SECRET);
        input.read_line(&mut line)?;
        Ok(Secret::new(line.trim_end_matches(['\r', '\n'])))
    })
    .await
}

/// Says what becomes of a password that was an argument.
pub(crate) fn warn_of_history() {
    ui::warn("a password on the command line stays in the shell's history; leave it out to be asked for it");
}

/// Asks for a new password, twice on a terminal, as it can't be seen.
pub(crate) async fn new_password(prompt: &str) -> Result<Secret, CliError> {
    let first = secret(prompt).await?;
    if std::io::stdin().is_terminal() && !first.expose().is_empty() {
        let second = secret("Repeat it").await?;
        if first.expose() != second.expose() {
            return Err(CliError::usage("the two are not the same").next("Nothing was changed; try again."));
        }
    }
    Ok(first)
}
