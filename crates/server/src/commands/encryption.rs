//! `encryption generate | status | rotate | unseal | reset`

use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use zenml_auth_core::services::Encryption;
use zenml_auth_storage::SqlStore;

use super::CommandError;
use super::print::{json, line};
use crate::compose::{IfMissing, connect, ports};
use crate::config::Config;
use crate::encryption::{self, IfSealed, Keys, known, known_or_made};
use crate::operators::executor::Executor;
use crate::operators::operation::{Kept, Sealing};
use crate::operators::{Done, Operation};
use crate::ownership::{DatabaseFile, Lock};

#[derive(Debug, Args)]
pub(super) struct EncryptionArgs {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Make a new encryption key and print it; nothing else is read or changed
    Generate {
        /// What to call it [default: a random id]
        #[arg(long, value_name = "ID")]
        id: Option<String>,
    },
    /// Show which key seals what, without any secret
    Status {
        /// How to print it
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Seal everything anew under the first of the keys that are given
    Rotate,
    /// Put everything back in plain, to go back to a release without sealing; no server may run
    Unseal {
        /// Do it
        #[arg(long)]
        yes: bool,
    },
    /// Replace secrets whose key is lost with new ones: ends all tokens; no server may run
    Reset {
        /// Do it
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Output {
    /// For people
    Table,
    /// One JSON object, for machines
    Json,
}

impl EncryptionArgs {
    /// What needs neither settings nor a database.
    pub(super) fn run_alone(&self) -> Option<Result<(), CommandError>> {
        let Task::Generate { id } = &self.task else {
            return None;
        };
        Some(encryption::generate(id.clone()).map_err(Into::into).map(|key| {
            line(key.to_text().expose());
        }))
    }
}

pub(super) async fn run(args: &EncryptionArgs, config: &Config) -> Result<(), CommandError> {
    match &args.task {
        Task::Generate { .. } => Ok(()),
        Task::Status { output } => {
            let done = ask(config, Operation::EncryptionStatus).await?;
            if let Done::Encryption(sealing) = done {
                match output {
                    Output::Table => show(&sealing),
                    Output::Json => json(&serde_json::to_string(&sealing)?),
                }
            }
            Ok(())
        }
        Task::Rotate => {
            let database = DatabaseFile::locate(&config.database, IfMissing::Refuse)?;
            // A server that runs may have been started with other keys.
            let wanted = known(config, database.as_ref())?
                .keys
                .current()
                .map(ToString::to_string);
            let done = ask(config, Operation::RotateEncryption { wanted }).await?;
            if let Done::EncryptionRotated { key, secrets } = done {
                line(&format!(
                    "Sealed {secrets} secrets anew; all are sealed under {key}."
                ));
            }
            Ok(())
        }
        Task::Unseal { yes } => {
            confirmed(
                *yes,
                "This puts the signing keys and the server secret into the database in plain: a copy of it is enough to \
                 sign tokens as anybody. The next server of this release seals them again.",
            )?;
            let alone = Alone::open(config, IfSealed::Refuse).await?;
            let secrets = alone.encryption(config).unseal().await?;
            line(&format!("Put {secrets} secrets back in plain."));
            alone.close().await
        }
        Task::Reset { yes } => {
            confirmed(
                *yes,
                "This makes a new server secret and a new signing key. All access tokens end, so that devices have to be \
                 connected again, and requests of machines that wait for approval have to be made again. Users, service \
                 accounts and API keys stay. Stop all servers on this database first.",
            )?;
            let alone = Alone::open(config, IfSealed::MakeKey).await?;
            alone.encryption(config).reset().await?;
            if let Err(error) = alone.store.scrub().await {
                tracing::warn!(%error, "traces of the former secrets may be left in the file of the database");
            }
            line("There is a new server secret and a new signing key; all former tokens have ended.");
            alone.close().await
        }
    }
}

fn confirmed(yes: bool, consequences: &str) -> Result<(), CommandError> {
    if yes {
        return Ok(());
    }
    Err(format!("{consequences} Nothing was done; add --yes to do it").into())
}

async fn ask(config: &Config, operation: Operation) -> Result<Done, CommandError> {
    let mut executor = Executor::open(config).await?;
    let done = executor.perform(operation).await;
    executor.close().await?;
    Ok(done?)
}

/// The database, with no server on it.
struct Alone {
    store: Arc<SqlStore>,
    ports: zenml_auth_core::services::Ports,
    /// Keeps servers from the file of an embedded database.
    lock: Option<Lock>,
    /// Keeps them from a database server.
    alone: zenml_auth_storage::Alone,
}

impl Alone {
    async fn open(config: &Config, if_sealed: IfSealed) -> Result<Self, CommandError> {
        let database = DatabaseFile::locate(&config.database, IfMissing::Refuse)?;
        let lock = match &database {
            Some(database) => Some(database.lock().await?),
            None => None,
        };
        let store = Arc::new(connect(&config.database, IfMissing::Refuse).await?);
        store.check_schema().await?;
        let alone = store.alone().await?;
        let Keys { keys, .. } = known_or_made(config, database.as_ref(), &store, if_sealed).await?;
        let ports = ports(store.clone(), keys);
        Ok(Self {
            store,
            ports,
            lock,
            alone,
        })
    }

    const fn encryption<'a>(&'a self, config: &'a Config) -> Encryption<'a> {
        Encryption::of(&self.ports, &config.settings.lifetimes)
    }

    async fn close(self) -> Result<(), CommandError> {
        drop(self.ports);
        self.store.close().await?;
        drop((self.alone, self.lock));
        Ok(())
    }
}

fn show(sealing: &Sealing) {
    let keys = sealing.known.join(", ");
    line(&match &sealing.current {
        Some(current) => format!("Seals under {current}; opens with {keys}."),
        None => "There is no encryption key here.".to_owned(),
    });
    if sealing.rows.is_empty() {
        line("The database is not set up yet.");
    }
    for Kept {
        what,
        id,
        sealed_by,
        problem,
    } in &sealing.rows
    {
        let sealed_by = sealed_by
            .as_deref()
            .map_or("in plain".to_owned(), |key| format!("sealed by {key}"));
        let problem = problem
            .as_deref()
            .map_or(String::new(), |problem| format!("  PROBLEM: {problem}"));
        line(&format!("{what:<13}  {id}  {sealed_by}{problem}"));
    }
}
