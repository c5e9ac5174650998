//! The server of the demo.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::PASSWORD;
use crate::TaskError;
use crate::run::succeed;

/// A running server; it is ended when dropped.
pub(super) struct Server {
    binary: PathBuf,
    folder: PathBuf,
    process: Child,
    /// `127.0.0.1:…`
    pub(super) address: String,
    pub(super) url: String,
}

impl Server {
    pub(super) fn start(binary: &Path, folder: &Path) -> Result<Self, TaskError> {
        // The port is free now, and nobody else is likely to take it within the blink of an eye.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        println!("$ zenml-auth-server --data-dir {}", folder.display());
        let mut process = Command::new(binary)
            .arg("--data-dir")
            .arg(folder)
            .args([
                "--bind",
                &address,
                "--polling-interval",
                "1s",
                "--log-filter",
                "warn",
            ])
            .env("ZENML_AUTH_ADMIN_PASSWORD", PASSWORD)
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().ok_or("the server has no output")?;
        let mut listening = false;
        for line in BufReader::new(output).lines() {
            let line = line?;
            println!("{line}");
            listening = listening || line.starts_with("Listening on");
            if line.starts_with("Connect with") {
                break;
            }
        }
        if !listening {
            return Err("the server did not start".into());
        }
        let url = format!("http://{address}");
        Ok(Self {
            binary: binary.to_owned(),
            folder: folder.to_owned(),
            process,
            address,
            url,
        })
    }

    pub(super) fn audit(&self) -> Result<(), TaskError> {
        println!("$ zenml-auth-server audit");
        succeed(
            Command::new(&self.binary)
                .arg("--data-dir")
                .arg(&self.folder)
                .args(["audit", "--limit", "100"]),
        )
    }

    pub(super) fn stop(mut self) -> Result<(), TaskError> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // When it was stopped before, there is nothing to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
