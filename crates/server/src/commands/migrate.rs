//! `migrate up | down | status`

use std::sync::Arc;

use clap::{Args, Subcommand};
use zenml_auth_core::ports::Store as _;
use zenml_auth_storage::SqlStore;

use super::CommandError;
use super::print::line;
use crate::compose::{self, IfMissing, connect, ports};
use crate::config::Config;
use crate::encryption::{IfSealed, known_or_made, require_given};
use crate::ownership::{self, DatabaseFile};

#[derive(Debug, Args)]
pub(super) struct MigrateArgs {
    #[command(subcommand)]
    direction: Direction,
}

#[derive(Debug, Subcommand)]
enum Direction {
    /// Apply what is new
    Up,
    /// Take the latest changes back, with the data in them
    Down {
        /// How many changes
        #[arg(default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
    },
    /// Show what is applied and what is not
    Status,
}

pub(super) async fn run(args: &MigrateArgs, config: &Config) -> Result<(), CommandError> {
    // Changing the schema under a running server would break it; looking does no harm.
    let (if_missing, writes) = match args.direction {
        Direction::Up => (IfMissing::Create, true),
        Direction::Down { .. } => (IfMissing::Refuse, true),
        Direction::Status => (IfMissing::Refuse, false),
    };
    let _lock = match writes {
        true => ownership::take(&config.database, if_missing).await?,
        false => None,
    };
    let store = Arc::new(connect(&config.database, if_missing).await?);
    match args.direction {
        Direction::Up => {
            report("applied", &store.migrate_up().await?);
            seal(config, &store).await?;
        }
        Direction::Down { steps } => report("taken back", &store.migrate_down(steps).await?),
        Direction::Status => {
            let status = store.schema_status().await?;
            for name in status.applied() {
                line(&format!("applied   {name}"));
            }
            for name in status.pending() {
                line(&format!("pending   {name}"));
            }
            for name in &status.unknown {
                line(&format!("unknown   {name}"));
            }
            if status.is_newer() && status.works {
                line("The database is of a newer release than this program, which works with it.");
            } else if status.is_newer() {
                line("The database is of a newer release than this program, which does not work with it.");
            }
        }
    }
    store.close().await?;
    Ok(())
}

/// Seals what is in plain, where there is something and a key for it.
async fn seal(config: &Config, store: &Arc<SqlStore>) -> Result<(), CommandError> {
    let Some(server) = store.server().await? else {
        return Ok(());
    };
    if server.secret.sealed_by().is_some() {
        return Ok(());
    }
    if require_given(config).is_err() {
        line("The signing keys are in plain. The next server seals them; it needs an encryption key.");
        return Ok(());
    }
    let database = DatabaseFile::locate(&config.database, IfMissing::Refuse)?;
    let keys = known_or_made(config, database.as_ref(), store, IfSealed::Refuse).await?;
    let sealed = compose::seal(store, &ports(store.clone(), keys.keys), config).await?;
    line(&format!("sealed    {sealed} secrets, and made a new signing key"));
    Ok(())
}

fn report(done: &str, names: &[String]) {
    if names.is_empty() {
        line("Nothing to do.");
    }
    for name in names {
        line(&format!("{done}   {name}"));
    }
}
