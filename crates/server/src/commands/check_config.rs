//! `check-config`

use super::CommandError;
use super::print::line;
use crate::config::Config;

pub(super) fn run(config: &Config) -> Result<(), CommandError> {
    line("The settings can be used:");
    line(&format!("  listens on       {}", config.server.bind));
    line(&format!(
        "  public URL       {}",
        config.server.public_url.as_deref().unwrap_or("(none)")
    ));
    line(&format!("  database         {}", config.database.describe()?));
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
