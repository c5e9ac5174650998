//! PgBouncer in front of a PostgreSQL.

use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use super::process::{Folder, Process, find, free_port};
use super::{Kind, TestDatabase, report};

/// A running PgBouncer. It stops, and its files go, when it is dropped or the program ends.
#[derive(Debug)]
pub struct PgBouncer {
    port: u16,
    process: Process,
}

impl PgBouncer {
    /// Starts one before the server of a database, in a mode (`session`, `transaction` or `statement`) and with more settings,
    /// a line each. `None` if it is not installed.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(database: &TestDatabase, mode: &str, settings: &str) -> Option<Self> {
        assert_eq!(database.kind(), Kind::Postgres);
        let folders = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
        let Some(program) = find("pgbouncer", &folders) else {
            report::missing("PgBouncer");
            return None;
        };
        let folder = Folder::new();
        let users = folder.write("users", "\"zenml\" \"secret\"\n");
        let port = free_port();
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {users}\npool_mode = {mode}\n{settings}\n",
            database.server().port
        );
        let file = folder.write("pgbouncer.ini", &text);
        let command = [program.to_str()?.to_owned(), file];
        let process = Process::begin(folder, &["true".to_owned()], &command, "TERM");
        let bouncer = Self { port, process };
        for _ in 0..600 {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Some(bouncer);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!(
            "PgBouncer does not start; its log ends with:\n{}",
            bouncer.process.log_end()
        );
    }

    /// The URL of a database through it.
    #[must_use]
    pub fn url(&self, database: &TestDatabase) -> String {
        let direct = format!(":{}/", database.server().port);
        database.url().replace(&direct, &format!(":{}/", self.port))
    }
}
