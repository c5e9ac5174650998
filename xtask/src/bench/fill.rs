//! What the databases hold that are measured.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::MANY;
use crate::TaskError;
use crate::run::{output, succeed};

/// The database in a data folder.
const DATABASE: &str = "zenml-auth.db";

/// What a database holds before it is measured.
#[derive(Clone, Copy)]
pub(super) enum Content {
    /// So many devices and API keys each, and so many of each that get in.
    Live { number: u32, credentials: u32 },
    /// What has ended.
    Ended,
}

/// Fills databases: `crates/server/examples/fill`.
pub(super) struct Fill(pub(super) PathBuf);

impl Fill {
    pub(super) fn add(&self, folder: &Path, content: Content) -> Result<(), TaskError> {
        let fill = |kind: &str, number: u32| {
            let mut command = Command::new(&self.0);
            command
                .arg(folder.join(DATABASE))
                .args([kind, &number.to_string()]);
            command
        };
        match content {
            Content::Live { number, credentials } => {
                succeed(&mut fill("live", number))?;
                succeed(fill("credentials", credentials).arg(folder))
            }
            Content::Ended => succeed(&mut fill("ended", MANY)),
        }
    }

    /// How many of what had ended are still there.
    pub(super) fn left(&self, folder: &Path) -> Result<u64, TaskError> {
        let left = output(Command::new(&self.0).arg(folder.join(DATABASE)).arg("left"))?;
        Ok(left.trim().parse()?)
    }
}
