//! Somebody at a terminal, on a machine of their own.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::browser::Browser;
use crate::TaskError;

pub(super) struct Terminal {
    zenml: PathBuf,
    config: PathBuf,
    name: String,
    key: Option<(String, String)>,
}

impl Terminal {
    pub(super) fn new(zenml: &Path, config: &Path) -> Self {
        let name = config
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Self {
            zenml: zenml.to_owned(),
            config: config.to_owned(),
            name,
            key: None,
        }
    }

    /// A workload, which gets server and key from its environment.
    pub(super) fn with_key(mut self, url: &str, key: &str) -> Self {
        self.key = Some((url.to_owned(), key.to_owned()));
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let environment = if self.key.is_some() {
            "ZENML_STORE_URL=… ZENML_STORE_API_KEY=… "
        } else {
            ""
        };
        println!("\n{}$ {environment}zenml {}", self.name, arguments.join(" "));
        let mut command = Command::new(&self.zenml);
        command
            .args(arguments)
            .env("ZENML_CONFIG_PATH", &self.config)
            .env_remove("ZENML_STORE_URL");
        command.env_remove("ZENML_STORE_API_KEY");
        if let Some((url, key)) = &self.key {
            command
                .env("ZENML_STORE_URL", url)
                .env("ZENML_STORE_API_KEY", key);
        }
        command
    }

    /// Runs a command that has to succeed.
    pub(super) fn run(&self, arguments: &[&str]) -> Result<(), TaskError> {
        let status = self.command(arguments).status()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("that should have worked ({status})").into())
        }
    }

    /// Runs a command that has to fail.
    pub(super) fn fails(&self, arguments: &[&str]) -> Result<(), TaskError> {
        let status = self.command(arguments).status()?;
        if status.success() {
            Err("that should have been refused".into())
        } else {
            Ok(())
        }
    }

    /// Runs a command that shows a key, and gives the key.
    pub(super) fn key(&self, arguments: &[&str]) -> Result<String, TaskError> {
        let output = self.command(arguments).stderr(Stdio::inherit()).output()?;
        let text = String::from_utf8(output.stdout)?;
        print!("{text}");
        let key = text.split_whitespace().find(|word| word.starts_with("ZENKEY_"));
        Ok(key.ok_or("no key was shown")?.to_owned())
    }

    /// The id of the device that this terminal is connected as.
    pub(super) fn device_id(&self) -> Result<String, TaskError> {
        let output = self.command(&["status", "--output", "json"]).output()?;
        let text = String::from_utf8(output.stdout)?;
        print!("{text}");
        let after = text
            .split("\"device_id\"")
            .nth(1)
            .ok_or("status shows no device")?;
        Ok(after
            .split('"')
            .nth(1)
            .ok_or("status shows no device")?
            .to_owned())
    }

    /// Unlocks a device, which takes more than the connection of another one: the page of the device waits in the browser.
    pub(super) fn unlock_with_browser(&self, id: &str, browser: &mut Browser) -> Result<(), TaskError> {
        self.follow_link(
            &["authorized-device", "unlock", id, "--no-browser"],
            "/devices/",
            |link| browser.unlock(link),
        )
    }

    /// Connects through the browser, as a person does who sees the link in the terminal.
    pub(super) fn connect_with_browser(
        &self,
        url: &str,
        browser: &mut Browser,
        trust: bool,
    ) -> Result<(), TaskError> {
        let arguments = ["connect", "--url", url, "--no-browser"];
        self.follow_link(&arguments, "/devices/verify?", |link| browser.decide(link, trust))
    }

    /// Runs a command that shows a link and waits for what is done there.
    fn follow_link(
        &self,
        arguments: &[&str],
        path: &str,
        visit: impl FnOnce(&str) -> Result<(), TaskError>,
    ) -> Result<(), TaskError> {
        let mut process = self.command(arguments).stderr(Stdio::piped()).spawn()?;
        let output = process.stderr.take().ok_or("no output")?;
        let mut lines = BufReader::new(output);
        let link = loop {
            let mut line = String::new();
            if lines.read_line(&mut line)? == 0 {
                return Err("no link was shown".into());
            }
            print!("{line}");
            if let Some(start) = line.find(path) {
                break line.get(start..).unwrap_or_default().trim().to_owned();
            }
        };
        visit(&link)?;
        let mut rest = String::new();
        lines.read_to_string(&mut rest)?;
        print!("{rest}");
        let status = process.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the command failed ({status})").into())
        }
    }
}
