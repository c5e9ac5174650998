//! `zenml service-account api-key ACCOUNT rotate KEY --wait`: shows who still uses the replaced key, until nobody does.

use std::cell::Cell as Shared;
use std::time::Duration;

use clap::Args;
use zenml_auth_api::api_key::ApiKeyResponse;
use zenml_auth_client::{OldValueUser, RetentionEvent, RetentionOutcome, RetentionWatch};

use crate::clock;
use crate::context::Session;
use crate::error::{CliError, Exit};
use crate::output::{self, Format, Record};
use crate::span;
use crate::spinner::Spinner;
use crate::ui;

/// How long it has to be quiet unless told otherwise, if the retention is longer than twice that.
const USUAL_QUIET: Duration = Duration::from_secs(600);
/// How long somebody has to have been silent to be told of again, so that a busy user does not fill the screen.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    /// Show who still uses the old key, and wait until nobody does or it ends; needs --retain
    #[arg(long)]
    pub(crate) wait: bool,
    /// How long nobody may have used the old key (90s, 10m, 2h); 10 minutes, or half of the retention if
    /// that is shorter
    #[arg(long, alias = "quiet_for", value_name = "SPAN", value_parser = span::parse, requires = "wait")]
    quiet_for: Option<Duration>,
}

impl WaitArgs {
    /// For how long it has to be quiet; `None` when it is not waited for at all.
    pub(crate) fn quiet(&self, retention: Duration) -> Result<Option<Duration>, CliError> {
        if !self.wait {
            return Ok(None);
        }
        if retention.is_zero() {
            return Err(
                CliError::usage("there is nothing to wait for: the old key ends at once")
                    .next("Add --retain with the minutes it stays good."),
            );
        }
        let quiet = self.quiet_for.unwrap_or(USUAL_QUIET.min(retention / 2));
        if quiet >= retention {
            return Err(CliError::usage(format!(
                "it can't be quiet for {} within {}",
                clock::shown_duration(quiet),
                clock::shown_duration(retention)
            ))
            .next("Give a longer --retain or a shorter --quiet-for."));
        }
        Ok(Some(quiet))
    }
}

/// Waits, and tells of what it sees. The key was handed over before.
pub(crate) async fn wait(
    session: &Session<'_>,
    rotated: &ApiKeyResponse,
    retention: Duration,
    quiet_for: Duration,
    format: Format,
) -> Result<(), CliError> {
    let mut watch = RetentionWatch::start(&session.client, rotated, retention, quiet_for);
    let now = tokio::time::Instant::now;
    let (started, quiet_since) = (now(), Shared::new(now()));
    let spinner = Spinner::start(&format!(
        "Waiting until nobody has used the old key for {}…",
        clock::shown_duration(quiet_for)
    ));
    let text = || {
        let quiet_left = quiet_for.saturating_sub(quiet_since.get().elapsed());
        let left = retention.saturating_sub(started.elapsed());
        format!(
            "Done if the old key is not used for {}; it ends in {}. Ctrl-C stops waiting",
            clock::counted_down(quiet_left),
            clock::counted_down(left)
        )
    };
    let mut told = Narrator::new(&spinner, format);
    let outcome = tokio::select! {
        outcome = watch.wait(|event| {
            if let RetentionEvent::Used { .. } = event {
                quiet_since.set(now());
            }
            told.tell(&event);
        }) => outcome,
        never = spinner.spin(text) => match never {},
    };
    let outcome = told
        .outcome
        .map_or(Ok(()), Err)
        .and(outcome.map_err(|error| session.explain(&error)));
    drop(spinner);
    end(outcome?, watch.users(), quiet_for, format)
}

/// What is told while it is waited.
struct Narrator<'a> {
    spinner: &'a Spinner,
    format: Format,
    /// Who was seen when.
    users: Vec<(OldValueUser, tokio::time::Instant)>,
    outcome: Option<CliError>,
}

impl<'a> Narrator<'a> {
    const fn new(spinner: &'a Spinner, format: Format) -> Self {
        Self {
            spinner,
            format,
            users: Vec::new(),
            outcome: None,
        }
    }

    fn tell(&mut self, event: &RetentionEvent<'_>) {
        let (name, line, user) = match event {
            RetentionEvent::Known(user) => ("known", format!("{}  used it before", described(user)), user),
            RetentionEvent::Used { user, again } => {
                if self.is_busy(user) && *again {
                    return;
                }
                ("used", format!("{}  uses the old key", described(user)), user)
            }
            RetentionEvent::Moved(user) => ("moved", format!("{}  uses the new key now", who(user)), user),
            RetentionEvent::Interrupted { error, next_poll } => {
                let pause = clock::shown_duration(*next_poll);
                let error = ui::clean(&error.to_string());
                self.spinner.say(&format!("{error}; trying again in {pause}"));
                return;
            }
        };
        if self.format == Format::Json {
            self.spinner.clear();
            if let Err(error) = output::line(&record(name, user)) {
                self.outcome.get_or_insert(error);
            }
        } else {
            self.spinner.say_plainly(&line);
        }
    }

    /// Whether this user was seen a moment ago, too; remembers that they were seen now.
    fn is_busy(&mut self, user: &OldValueUser) -> bool {
        let now = tokio::time::Instant::now();
        let same = |(seen, _): &&mut (OldValueUser, tokio::time::Instant)| {
            seen.latest.ip_address == user.latest.ip_address
                && seen.latest.user_agent == user.latest.user_agent
        };
        if let Some((_, when)) = self.users.iter_mut().find(same) {
            let is_busy = now.duration_since(*when) < TOLD_AGAIN_AFTER;
            *when = now;
            return is_busy;
        }
        self.users.push((user.clone(), now));
        false
    }
}

/// `2026-11-25 18:51:39 UTC  192.0.2.7  Host/runner ZenML/0.98.0`
fn described(user: &OldValueUser) -> String {
    format!("{}  {}", clock::shown(user.latest.last_login.0), who(user))
}

/// `192.0.2.7  Host/runner ZenML/0.98.0`
fn who(user: &OldValueUser) -> String {
    let known = |text: Option<&String>, otherwise: &str| {
        text.map(|text| ui::clean(text))
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| otherwise.to_owned())
    };
    format!(
        "{}  {}",
        known(user.latest.ip_address.as_ref(), "from an unknown address"),
        known(user.latest.user_agent.as_ref(), "(says nothing of itself)")
    )
}

fn record(event: &'static str, user: &OldValueUser) -> Record {
    Record::new()
        .with("event", event)
        .with("last_used", user.latest.last_login)
        .with("ip_address", user.latest.ip_address.clone())
        .with("user_agent", user.latest.user_agent.clone())
}

/// Says how it ended.
fn end(
    outcome: RetentionOutcome,
    users: &[OldValueUser],
    quiet_for: Duration,
    format: Format,
) -> Result<(), CliError> {
    let left_behind: Vec<_> = users.iter().filter(|user| !user.moved).collect();
    if format == Format::Json {
        let name = match outcome {
            RetentionOutcome::Quiet => "quiet",
            RetentionOutcome::WindowEnded => "window_ended",
            RetentionOutcome::RotatedAgain => "rotated_again",
            RetentionOutcome::NotTold => "not_told",
        };
        let seconds = i64::try_from(quiet_for.as_secs()).unwrap_or(i64::MAX);
        output::line(
            &Record::new()
                .with("event", name)
                .with("quiet_for_seconds", seconds)
                .with(
                    "not_seen_with_the_new_key",
                    i64::try_from(left_behind.len()).unwrap_or(i64::MAX),
                ),
        )?;
    }
    let name_them = |words: &str| {
        if !left_behind.is_empty() && format != Format::Json {
            ui::talk(words);
            for user in &left_behind {
                ui::talk(&format!("  {}", described(user)));
            }
        }
    };
    match outcome {
        RetentionOutcome::Quiet => {
            ui::talk(&format!(
                "Nobody has used the old key for {}.",
                clock::shown_duration(quiet_for)
            ));
            name_them("These have used it, and were not seen with the new key yet:");
            Ok(())
        }
        RetentionOutcome::WindowEnded => {
            name_them("These have used it, and were not seen with the new key:");
            Err(CliError::new(
                Exit::StillUsed,
                "the old key has ended, and was still used shortly before",
            )
            .next("Give the new key to the workloads that still use the old one."))
        }
        RetentionOutcome::RotatedAgain => Err(CliError::new(
            Exit::Failed,
            "the key was rotated again in the meantime: the key that was just made is the old one now",
        )),
        RetentionOutcome::NotTold => Err(CliError::new(
            Exit::NotTold,
            "this server does not tell who uses which key, so there is nothing to wait for",
        )
        .next("The key is rotated all the same, and the old one stays good for as long as was asked.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet(wait: bool, quiet_for: Option<u64>, retention: u64) -> Result<Option<u64>, Exit> {
        let args = WaitArgs {
            wait,
            quiet_for: quiet_for.map(Duration::from_secs),
        };
        args.quiet(Duration::from_secs(retention))
            .map(|quiet| quiet.map(|quiet| quiet.as_secs()))
            .map_err(|error| error.exit)
    }

    #[test]
    fn the_exit_code_tells_how_it_ended() {
        let ended = |outcome| {
            let ended = end(outcome, &[], Duration::from_secs(60), Format::Table);
            ended.map_err(|error| error.exit)
        };
        assert_eq!(ended(RetentionOutcome::Quiet), Ok(()));
        assert_eq!(ended(RetentionOutcome::WindowEnded), Err(Exit::StillUsed));
        assert_eq!(ended(RetentionOutcome::NotTold), Err(Exit::NotTold));
        assert_eq!(ended(RetentionOutcome::RotatedAgain), Err(Exit::Failed));
    }

    #[test]
    fn the_quiet_fits_into_the_retention() {
        assert_eq!(quiet(false, None, 0), Ok(None));
        assert_eq!(quiet(true, None, 86_400), Ok(Some(600)));
        assert_eq!(quiet(true, None, 300), Ok(Some(150)));
        assert_eq!(quiet(true, Some(299), 300), Ok(Some(299)));
        for (quiet_for, retention) in [(None, 0), (Some(1), 0), (Some(300), 300), (Some(301), 300)] {
            assert_eq!(quiet(true, quiet_for, retention), Err(Exit::Usage));
        }
    }
}
