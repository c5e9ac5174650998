//! PostgreSQL.

use std::path::PathBuf;

use super::process::{Certificate, Folder, Process, find as find_program, printed};

/// What is installed.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    initdb: PathBuf,
    postgres: PathBuf,
}

/// In `PATH`, or where Debian puts its versions; the newest of those.
pub(super) fn find() -> Option<Programs> {
    let number = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    versions.sort_by_key(|folder| std::cmp::Reverse(number(folder)));
    let folders: Vec<PathBuf> = versions.into_iter().map(|folder| folder.join("bin")).collect();
    Some(Programs {
        initdb: find_program("initdb", &folders)?,
        postgres: find_program("postgres", &folders)?,
    })
}

impl Programs {
    /// Makes a server on this port, with the user `zenml`.
    pub(super) fn make(&self, port: u16, certificate: Option<&Certificate>) -> Process {
        let folder = Folder::new();
        let data = folder.path("data");
        let password = folder.write("password", "secret\n");
        let password = format!("--pwfile={password}");
        let mut arguments = vec![
            "--pgdata",
            &data,
            "--username=zenml",
            "--auth=scram-sha-256",
            &password,
            "--encoding=UTF8",
            "--no-sync",
        ];
        // A collation for people, which texts that have to be compared letter by letter must not be left to.
        if self.has_icu() {
            arguments.extend(["--locale-provider=icu", "--icu-locale=en-US", "--locale=C"]);
        } else {
            arguments.push("--no-locale");
        }
        let program = |program: &PathBuf| program.to_str().unwrap().to_owned();
        let mut prepare = vec![program(&self.initdb)];
        prepare.extend(arguments.into_iter().map(str::to_owned));
        let mut settings = vec![
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            "unix_socket_directories=".to_owned(),
            "fsync=off".to_owned(),
            "full_page_writes=off".to_owned(),
            "max_connections=200".to_owned(),
            "shared_buffers=64MB".to_owned(),
            "log_min_messages=warning".to_owned(),
        ];
        if let Some(certificate) = certificate {
            let (public, private) = folder.certificate(certificate);
            settings.extend([
                "ssl=on".to_owned(),
                format!("ssl_cert_file={public}"),
                format!("ssl_key_file={private}"),
            ]);
        }
        let mut command = vec![program(&self.postgres), "-D".to_owned(), data];
        for setting in settings {
            command.extend(["-c".to_owned(), setting]);
        }
        // Ends all connections at once, without tidying up.
        Process::begin(folder, &prepare, &command, "QUIT")
    }

    /// `initdb (PostgreSQL) 15.13`: from 15 on.
    fn has_icu(&self) -> bool {
        let version = printed(&self.initdb, "--version");
        let major = version
            .split_whitespace()
            .filter_map(|word| word.split('.').next()?.parse::<u32>().ok())
            .next();
        major.is_some_and(|major| major >= 15)
    }
}
