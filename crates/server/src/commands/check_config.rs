//! `check-config`

use super::CommandError;
use super::print::line;
use crate::compose::{ComposeError, IfMissing};
use crate::config::Config;
use crate::encryption::{known, require_given};
use crate::ownership::DatabaseFile;

/// Under which key secrets are sealed, and where it comes from.
fn encryption(config: &Config) -> Result<String, CommandError> {
    require_given(config)?;
    // Without a lock and without making anything: the folder may not be there yet.
    let database = match DatabaseFile::locate(&config.database, IfMissing::Refuse) {
        Ok(database) => database,
        Err(ComposeError::NoDatabase(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let keys = known(config, database.as_ref())?;
    Ok(match keys.keys.current() {
        Some(id) => format!("seals under {id}, from {}", keys.source),
        None => "a key of its own, which the first start makes beside the database".to_owned(),
    })
}

pub(super) fn run(config: &Config) -> Result<(), CommandError> {
    let encryption = encryption(config)?;
    line("The settings can be used:");
    line(&format!("  listens on       {}", config.server.bind));
    line(&format!(
        "  public URL       {}",
        config.server.public_url.as_deref().unwrap_or("(none)")
    ));
    line(&format!("  database         {}", config.database.describe()?));
    line(&format!("  encryption       {encryption}"));
    let lifetimes = &config.settings.lifetimes;
    let span = |span| humantime::format_duration(span).to_string();
    line(&format!("  trusted device   {}", span(lifetimes.trusted_device)));
    line(&format!(
        "  other device     {}",
        span(lifetimes.untrusted_device)
    ));
    line(&format!("  access token     {}", span(lifetimes.access_token)));
    line(&format!(
        "  limits           {}",
        if config.settings.limits.enabled {
            "on"
        } else {
            "OFF"
        }
    ));
    Ok(())
}
