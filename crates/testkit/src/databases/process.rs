//! A server process that does not outlive the program that started it.

use std::ffi::OsStr;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// Prepares the files and starts the server in the background, then waits for a line. When the program that holds the
/// other end of the pipe says "keep", the server is stopped; when that program ends without a word, in whatever way, the
/// files go as well. Where it can be had, the server has a process group of its own, so that what prepares its files is
/// stopped with it. Servers have temporary folders of their own: several MariaDB servers that are prepared at once take
/// each other's files out of a shared one.
const SUPERVISOR: &str = r#"
folder=$1; signal=$2
export TMPDIR="$folder"
if command -v setsid >/dev/null; then run=setsid; else run=; fi
$run sh -c '
    if [ -f "$0/prepare" ]; then sh "$0/prepare" && rm "$0/prepare" || { : >"$0/failed"; exit 1; }; fi
    exec sh "$0/serve"
' "$folder" >>"$folder/log" 2>&1 </dev/null &
server=$!
trap '' INT TERM HUP
read -r word
kill -"$signal" -- -"$server" 2>/dev/null || kill -"$signal" "$server" 2>/dev/null
wait "$server"
kill -KILL -- -"$server" 2>/dev/null
[ "$word" = keep ] || rm -rf "$folder"
"#;

/// The user and group that servers run as when we are root, as some refuse to: nobody's.
const NOBODY: u32 = 65_534;

/// A server process with its files.
#[derive(Debug)]
pub(super) struct Process {
    folder: PathBuf,
    signal: &'static str,
    supervisor: Option<Child>,
}

impl Process {
    /// Starts a server on the files in a folder, which one command makes before the other one serves from them. The
    /// signal makes it stop at once.
    pub(super) fn begin(folder: Folder, prepare: &[String], serve: &[String], signal: &'static str) -> Self {
        folder.script("prepare", prepare);
        folder.script("serve", serve);
        let mut process = Self {
            folder: folder.keep(),
            signal,
            supervisor: None,
        };
        process.start();
        process
    }

    pub(super) fn start(&mut self) {
        assert!(self.supervisor.is_none(), "it runs already");
        let supervisor = Command::new("sh")
            .args(["-c", SUPERVISOR, "sh"])
            .arg(&self.folder)
            .arg(self.signal)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A signal to all of our group, or a Ctrl-C in the terminal, has to leave it to do its work.
            .process_group(0)
            .spawn()
            .unwrap();
        self.supervisor = Some(supervisor);
    }

    /// Stops it, and keeps its files.
    pub(super) fn stop(&mut self) {
        self.end("keep\n");
    }

    fn end(&mut self, word: &str) {
        if let Some(mut supervisor) = self.supervisor.take() {
            if let Some(mut pipe) = supervisor.stdin.take() {
                // If it is gone, there is nothing left to stop.
                let _ = pipe.write_all(word.as_bytes());
            }
            let _ = supervisor.wait();
        }
    }

    /// Whether the server has written that it gives up. (Its supervisor goes on waiting for us.)
    pub(super) fn has_ended(&self) -> bool {
        let log = self.log_end();
        let gave_up = ["Address already in use", "Aborting"]
            .iter()
            .any(|sign| log.contains(sign));
        gave_up || self.folder.join("failed").exists()
    }

    pub(super) fn set_marker(&self, name: &str, is_there: bool) {
        let file = self.folder.join("data").join(name);
        if is_there {
            std::fs::write(&file, "").unwrap();
        } else {
            std::fs::remove_file(&file).unwrap();
        }
    }

    /// The end of its log.
    pub(super) fn log_end(&self) -> String {
        let log = std::fs::read(self.folder.join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.supervisor.is_some() {
            self.end("");
        } else {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// A certificate that a server shows, and that of the authority that signed it.
#[derive(Debug, Clone)]
pub(super) struct Certificate {
    pub(super) authority: String,
    public: String,
    private: String,
}

impl Certificate {
    /// A new one, for `localhost` and no other name, of a new authority.
    pub(super) fn new() -> Self {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().unwrap();
        let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
        let issuer = Issuer::new(authority, authority_key);
        let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        Self {
            authority: authority_pem,
            public: own.signed_by(&key, &issuer).unwrap().pem(),
            private: key.serialize_pem(),
        }
    }
}

/// A temporary folder for the user that the server runs as.
pub(super) struct Folder(tempfile::TempDir);

impl Folder {
    pub(super) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("zenml-auth-").tempdir().unwrap();
        if is_root(folder.path()) {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        Self(folder)
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// Adds a file.
    pub(super) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Adds a certificate and its private key, which no one but the server may read.
    pub(super) fn certificate(&self, certificate: &Certificate) -> (String, String) {
        let public = self.write("server.crt", &certificate.public);
        let private = self.write("server.key", &certificate.private);
        std::fs::set_permissions(&private, std::fs::Permissions::from_mode(0o600)).unwrap();
        let owner = std::fs::metadata(self.0.path()).unwrap();
        chown(&private, Some(owner.uid()), Some(owner.gid())).unwrap();
        (public, private)
    }

    /// Adds a script that turns into a command, run as the user that the server is to run as.
    fn script(&self, name: &str, command: &[String]) {
        let quoted: Vec<String> = as_nobody_if_root(self.0.path())
            .iter()
            .chain(command)
            .map(|word| format!("'{}'", word.replace('\'', r"'\''")))
            .collect();
        self.write(
            name,
            &format!("cd '{}' && exec {}\n", self.0.path().display(), quoted.join(" ")),
        );
    }

    fn keep(self) -> PathBuf {
        self.0.keep()
    }
}

/// What we make belongs to whom we are.
fn is_root(made_by_us: &Path) -> bool {
    std::fs::metadata(made_by_us).unwrap().uid() == 0
}

fn as_nobody_if_root(folder: &Path) -> Vec<String> {
    // The folder was handed over to nobody if we are root.
    if std::fs::metadata(folder).unwrap().uid() == NOBODY {
        let nobody = NOBODY.to_string();
        [
            "setpriv",
            "--reuid",
            &nobody,
            "--regid",
            &nobody,
            "--clear-groups",
            "--",
        ]
        .map(str::to_owned)
        .to_vec()
    } else {
        vec!["env".to_owned()]
    }
}

/// A program in `PATH`, or in one of these folders.
pub(super) fn find(program: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    find_first(&[program], folders)
}

/// One of these programs, from the first folder of `PATH`, or of these folders, that has any of them.
pub(super) fn find_first(programs: &[&str], folders: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(folders.iter().cloned())
        .flat_map(|folder| programs.iter().map(move |program| folder.join(program)))
        .find(|file| file.is_file())
        .and_then(|file| file.canonicalize().ok())
}

/// What a program prints.
pub(super) fn printed(program: &Path, argument: impl AsRef<OsStr>) -> String {
    let output = Command::new(program).arg(argument).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A port that nobody listens on at the moment.
pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}
