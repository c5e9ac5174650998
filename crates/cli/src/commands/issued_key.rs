//! What happens with an API key that was just made: its value is shown once, written to a file, or used from now on.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::Args;
use zenml_auth_api::api_key::ApiKeyResponse;
use zenml_auth_model::Secret;

use crate::config_files::StoredCredentials;
use crate::connection::Origin;
use crate::context::Session;
use crate::error::{CliError, Exit};
use crate::output::{self, Cell, Format, OutputArgs, Record};
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
    /// The file to write to. A dash stands for standard output, as for other programs.
    fn file(&self) -> Option<&Path> {
        self.output_file.as_deref().filter(|path| *path != Path::new("-"))
    }

    /// Makes sure that the key can be kept where it is to be kept, before one is made that would be lost otherwise.
    pub(crate) fn check(&self, session: &Session<'_>) -> Result<(), CliError> {
        if self.set_key {
            return can_be_used_from_now_on(session);
        }
        let Some(path) = self.file() else {
            return if ui::data_goes_nowhere() {
                Err(
                    CliError::usage("standard output is closed or /dev/null: the key would be lost")
                        .next("Let it lead somewhere, or add --output-file or --set-key."),
                )
            } else {
                Ok(())
            };
        };
        let checked = Place::of(path).and_then(|place| place.check());
        checked.map_err(|error| {
            CliError::new(
                Exit::Failed,
                format!("{} can't be written to: {error}", path.display()),
            )
        })
    }
}

/// What is at a path.
enum Place {
    /// A file, or nothing yet: replaced as a whole. Links are followed.
    File(PathBuf),
    /// A pipe, a device or an open file, which is written into.
    Stream(PathBuf),
}

impl Place {
    fn of(path: &Path) -> io::Result<Self> {
        // Links there lead to what is open already, and may be a file that others write to as well.
        if path.starts_with("/dev") || path.starts_with("/proc") {
            return Ok(Self::Stream(path.to_owned()));
        }
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(found) if found.is_file() => Ok(Self::File(path.canonicalize()?)),
            Ok(_) => Ok(Self::Stream(path.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Self::File(match fs::read_link(path) {
                    Ok(target) => folder_of(path).join(target),
                    Err(_) => path.to_owned(),
                }))
            }
            Err(error) => Err(error),
        }
    }

    /// Whether it can be written to, as far as that can be seen without doing so.
    fn check(&self) -> io::Result<()> {
        match self {
            Self::File(path) => tempfile::tempfile_in(folder_of(path)).map(drop),
            // Opening a pipe would wait for its reader.
            Self::Stream(_) => Ok(()),
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::File(path) => {
                let mut file = tempfile::Builder::new()
                    .prefix(".zenml-key-")
                    .tempfile_in(folder_of(path))?;
                file.write_all(bytes)?;
                file.as_file().sync_all()?;
                file.persist(path).map_err(|error| error.error)?;
                Ok(())
            }
            Self::Stream(path) => fs::File::options().append(true).open(path)?.write_all(bytes),
        }
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
        use_from_now_on(session, key, value)?;
    } else if let Some(path) = args.file() {
        write_file(path, key, value)?;
        ui::talk(&format!("Wrote the key to {}.", path.display()));
    }
    let shown = !args.set_key && args.file().is_none();
    let record = |begun| record(begun, key, shown.then_some(value));
    let text = match args.output.output {
        Format::Json if last == Last::No => {
            output::line_text(&record(Record::new().with("event", "rotated")))
        }
        Format::Table if shown => value.expose().to_owned(),
        Format::Table => return Ok(()),
        format => output::one_text(&record(Record::new()), format),
    };
    if !shown {
        return output::write(&text);
    }
    output::secret(&text).map_err(|error| lost(&error, key))?;
    if args.output.output == Format::Table {
        ui::note(&format!(
            "Keep this key; it is not shown again. To connect with it: zenml connect --url {} --api-key",
            session.url()
        ));
    }
    Ok(())
}

/// Nobody has the key, although it is good.
fn lost(error: &CliError, key: &ApiKeyResponse) -> CliError {
    let (name, account) = (ui::clean(&key.name), ui::clean(&key.body.service_account.name));
    CliError::new(
        Exit::Failed,
        format!("the new value of the key {name} is lost: {error}"),
    )
    .next(format!(
        "It is good, but nobody has it. Make another: zenml service-account api-key {account} rotate {name}"
    ))
}

fn record(begun: Record, key: &ApiKeyResponse, value: Option<&Secret>) -> Record {
    begun
        .with("id", key.id)
        .with("name", &key.name)
        .with("service_account", &key.body.service_account.name)
        .with("key", value.map_or(Cell::Nothing, |value| value.expose().into()))
}

/// A key can take the place of one in the files. What a variable says would go on to be used.
fn can_be_used_from_now_on(session: &Session<'_>) -> Result<(), CliError> {
    let signed_in_by = session.connection.sign_in.as_ref().map(|sign_in| sign_in.origin);
    match signed_in_by {
        Some(Origin::Variable(name)) => Err(CliError::usage(format!(
            "--set-key can't change what this machine uses, which is in {name}"
        ))
        .next("Leave --set-key out, and set the variable to the key that is shown.")),
        _ => session.can_keep_credentials(),
    }
}

fn use_from_now_on(session: &Session<'_>, key: &ApiKeyResponse, value: &Secret) -> Result<(), CliError> {
    let credentials = StoredCredentials {
        api_key: Some(value.clone()),
        ..StoredCredentials::default()
    };
    session
        .save_credentials(&credentials)
        .map_err(|error| shown_instead(error, key, value))?;
    ui::talk("This machine uses the new key from now on.");
    Ok(())
}

/// Writes the key to a file that only its owner can read; one that is there already is replaced.
fn write_file(path: &Path, key: &ApiKeyResponse, value: &Secret) -> Result<(), CliError> {
    let written = Place::of(path).and_then(|place| place.write(value.expose().as_bytes()));
    written.map_err(|error| {
        let failed = format!("{} can't be written: {error}", path.display());
        shown_instead(CliError::new(Exit::Failed, failed), key, value)
    })
}

/// Shows a key that could not be kept: it must not be lost, as the one before it may no longer be good.
fn shown_instead(failed: CliError, key: &ApiKeyResponse, value: &Secret) -> CliError {
    match output::secret(value.expose()) {
        Ok(()) => CliError {
            what: format!("{}; the key was shown instead", failed.what),
            ..failed
        },
        Err(_) => lost(&failed, key),
    }
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn write(path: &Path) -> io::Result<()> {
        let place = Place::of(path)?;
        place.check()?;
        place.write(b"key")
    }

    #[test]
    fn a_file_is_replaced_and_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "another key, which was longer").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        write(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"key");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("key"), folder.path().join("link"));
        fs::write(&path, "").unwrap();
        symlink(&path, &link).unwrap();
        write(&link).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"key");
    }

    #[test]
    fn a_link_to_nothing_yet_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        symlink("key", &link).unwrap();
        write(&link).unwrap();
        assert_eq!(fs::read(folder.path().join("key")).unwrap(), b"key");
    }

    #[test]
    fn what_is_open_is_added_to() {
        use std::os::fd::AsRawFd as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "before ").unwrap();
        let open = fs::File::open(&path).unwrap();
        write(Path::new(&format!("/dev/fd/{}", open.as_raw_fd()))).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"before key");
    }

    #[test]
    fn a_device_stays_one() {
        write(Path::new("/dev/null")).unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_folder_is_refused_beforehand() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Place::of(folder.path()).is_err());
        assert!(write(&folder.path().join("no").join("key")).is_err());
    }
}
