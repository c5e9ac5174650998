//! MariaDB, or MySQL where that is what is installed.

use std::path::PathBuf;

use super::process::{Certificate, Folder, Process, find as find_program, find_first, printed};

/// What is installed.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    server: PathBuf,
    /// MariaDB's program that makes the first files; MySQL's server makes them itself.
    install: Option<PathBuf>,
}

/// In `PATH`, or where packages put servers.
pub(super) fn find() -> Option<Programs> {
    let folders = [
        "/usr/sbin",
        "/usr/local/sbin",
        "/usr/libexec",
        "/usr/local/mysql/bin",
    ]
    .map(PathBuf::from);
    let find = |name| find_program(name, &folders);
    let server = find_first(&["mariadbd", "mysqld"], &folders)?;
    let is_mariadb = printed(&server, "--version").contains("MariaDB");
    let install = if is_mariadb {
        Some(find("mariadb-install-db").or_else(|| find("mysql_install_db"))?)
    } else {
        None
    };
    Some(Programs { server, install })
}

impl Programs {
    /// Whether it is MySQL, and not MariaDB.
    pub(super) fn is_mysql(&self) -> bool {
        self.install.is_none()
    }

    /// Makes a server on this port, with the user `zenml`.
    pub(super) fn make(&self, port: u16, certificate: Option<&Certificate>) -> Process {
        let folder = Folder::new();
        let data = folder.path("data");
        let data = format!("--datadir={data}");
        let program = |program: &PathBuf| program.to_str().unwrap().to_owned();
        let (install, options) = match &self.install {
            Some(install) => (
                program(install),
                vec!["--auth-root-authentication-method=normal", "--skip-test-db"],
            ),
            None => (program(&self.server), vec!["--initialize-insecure"]),
        };
        let mut prepare = vec![install, "--no-defaults".to_owned(), data.clone()];
        prepare.extend(options.into_iter().map(str::to_owned));
        let first = folder.write(
            "first.sql",
            "CREATE USER IF NOT EXISTS 'zenml'@'%' IDENTIFIED BY 'secret';\n\
             GRANT ALL PRIVILEGES ON *.* TO 'zenml'@'%' WITH GRANT OPTION;\n",
        );
        let mut command = vec![
            program(&self.server),
            "--no-defaults".to_owned(),
            data,
            format!("--init-file={first}"),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--port={port}"),
            format!("--socket={}", folder.path("socket")),
            format!("--pid-file={}", folder.path("pid")),
            "--skip-log-bin".to_owned(),
            "--skip-name-resolve".to_owned(),
            "--max-connections=300".to_owned(),
            // MySQL listens for another protocol, too, always on the same port.
            "--loose-mysqlx=OFF".to_owned(),
            // What is written outlives the server, and nobody here pulls the plug.
            "--loose-innodb-flush-method=nosync".to_owned(),
            "--innodb-flush-log-at-trx-commit=2".to_owned(),
            "--loose-innodb-doublewrite=OFF".to_owned(),
            "--innodb-buffer-pool-size=64M".to_owned(),
            // Neither the language nor the mode that we count on: connections have to see to it.
            "--lc-messages=de_DE".to_owned(),
            "--sql-mode=".to_owned(),
        ];
        if let Some(certificate) = certificate {
            let (public, private) = folder.certificate(certificate);
            command.extend([format!("--ssl-cert={public}"), format!("--ssl-key={private}")]);
        } else if !self.is_mysql() {
            // Newer ones make a certificate of their own otherwise. MySQL may: our user's password only goes over TLS.
            command.push("--skip-ssl".to_owned());
        }
        Process::begin(folder, &prepare, &command, "KILL")
    }
}
