//! What happens with an API key that was just made: its value is shown once, written to a file, or used from now on.

use std::path::{Path, PathBuf};

use clap::Args;
use zenml_auth_api::api_key::ApiKeyResponse;
use zenml_auth_model::Secret;

use crate::context::Session;
use crate::error::{CliError, Exit};
use crate::output::{self, Cell, Format, OutputArgs, Record};
use crate::store::StoredCredentials;
use crate::ui;

#[derive(Debug, Args)]
pub(crate) struct IssuedKeyArgs {
    /// Use the key for this machine's own connection from now on
    #[arg(long, alias = "set-api-key")]
    pub(crate) set_key: bool,
    /// Write the key to a file, which only you can read, instead of showing it
    #[arg(long, alias = "output_file", value_name = "FILE", conflicts_with = "set_key")]
    pub(crate) output_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl IssuedKeyArgs {
    /// Makes sure that the file can be written before a key is made that would be lost otherwise.
    pub(crate) fn check(&self) -> Result<(), CliError> {
        let Some(path) = &self.output_file else {
            return Ok(());
        };
        let dir = folder_of(path);
        tempfile::tempfile_in(&dir).map(drop).map_err(|error| {
            CliError::new(
                Exit::Failed,
                format!("{} can't be written to: {error}", dir.display()),
            )
        })
    }
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Whether more is told after the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Last {
    /// The key is all there is to tell.
    Yes,
    /// The key is the first of several events: for programs, each is one line of JSON.
    No,
}

/// Hands the key over.
pub(crate) fn hand_over(
    session: &Session<'_>,
    key: &ApiKeyResponse,
    args: &IssuedKeyArgs,
    last: Last,
) -> Result<(), CliError> {
    let Some(value) = &key.body.key else {
        return Err(CliError::new(
            Exit::Failed,
            "the server did not say what the key is",
        ));
    };
    let value = value.as_secret();
    if args.set_key {
        use_from_now_on(session, value)?;
    } else if let Some(path) = &args.output_file {
        write_file(path, value)?;
        ui::talk(&format!("Wrote the key to {}.", path.display()));
    }
    let shown = !args.set_key && args.output_file.is_none();
    if args.output.output == Format::Json && last == Last::No {
        let event = Record::new().with("event", "rotated");
        return output::line(&record(event, key, shown.then_some(value)));
    }
    if args.output.output != Format::Table {
        return output::one(
            &record(Record::new(), key, shown.then_some(value)),
            args.output.output,
        );
    }
    if shown {
        output::write(value.expose())?;
        ui::note(&format!(
            "Keep this key; it is not shown again. To connect with it: zenml connect --url {} --api-key",
            session.url()
        ));
    }
    Ok(())
}

fn record(begun: Record, key: &ApiKeyResponse, value: Option<&Secret>) -> Record {
    begun
        .with("id", key.id)
        .with("name", &key.name)
        .with("service_account", &key.body.service_account.name)
        .with("key", value.map_or(Cell::Nothing, |value| value.expose().into()))
}

fn use_from_now_on(session: &Session<'_>, value: &Secret) -> Result<(), CliError> {
    let credentials = StoredCredentials {
        api_key: Some(value.clone()),
        ..StoredCredentials::default()
    };
    session
        .keep_credentials(&credentials)
        .map_err(|error| shown_instead(error, value))?;
    ui::talk("This machine uses the new key from now on.");
    Ok(())
}

/// Writes the key to a file that only its owner can read; one that is there already is replaced.
fn write_file(path: &Path, value: &Secret) -> Result<(), CliError> {
    use std::io::Write as _;
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(".zenml-key-")
            .tempfile_in(folder_of(path))?;
        file.write_all(value.expose().as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|error| {
        let failed = format!("{} can't be written: {error}", path.display());
        shown_instead(CliError::new(Exit::Failed, failed), value)
    })
}

/// Shows a key that could not be kept: it must not be lost, as the one before it may no longer be good.
fn shown_instead(failed: CliError, value: &Secret) -> CliError {
    match output::write(value.expose()) {
        Ok(()) => CliError {
            what: format!("{}; the key was shown instead", failed.what),
            ..failed
        },
        Err(_) => failed,
    }
}
