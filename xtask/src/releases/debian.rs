//! Servers from the packages of another suite of Debian than the machine's.
//!
//! They bring all their libraries along, the C library included, and are started with those.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::TaskError;
use crate::run::{output, succeed};

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    MySql,
    MariaDb,
}

/// Unpacks a server into a folder, and gives the folder of its programs.
pub(super) fn unpack(suite: &str, server: Server, folder: &Path) -> Result<PathBuf, TaskError> {
    let (packages, messages): (&[&str], _) = match server {
        Server::MySql => (&["mysql-server-core"], "usr/share/mysql"),
        Server::MariaDb => (
            &["mariadb-server-core", "mariadb-client-core"],
            "usr/share/mariadb",
        ),
    };
    let apt = Apt::new(suite, folder)?;
    let root = folder.join("root");
    for file in apt.download(packages)? {
        succeed(Command::new("dpkg-deb").arg("--extract").arg(file).arg(&root))?;
    }

    let started = Started::new(&root)?;
    let programs = folder.join("programs");
    std::fs::create_dir(&programs)?;
    let under_root = |path: &str| root.join(path).display().to_string();
    let mut options = vec![
        format!("--basedir={}", under_root("usr")),
        format!("--lc-messages-dir={}", under_root(messages)),
        format!(
            "--character-sets-dir={}",
            under_root(&format!("{messages}/charsets"))
        ),
        format!("--plugin-dir={}", under_root("usr/lib/mysql/plugin")),
    ];
    match server {
        Server::MySql => {
            // A folder that the package would make.
            options.push("--secure-file-priv=NULL".to_owned());
            started.script(&programs.join("mysqld"), &root.join("usr/sbin/mysqld"), &options)?;
        }
        Server::MariaDb => {
            // It looks for the others in the places where they are installed.
            for program in [
                "usr/sbin/mariadbd",
                "usr/bin/resolveip",
                "usr/bin/my_print_defaults",
            ] {
                let program = root.join(program);
                let moved = program.with_extension("moved");
                std::fs::rename(&program, &moved)?;
                let is_server = program.ends_with("mariadbd");
                started.script(&program, &moved, if is_server { &options } else { &[] })?;
            }
            script(
                &programs.join("mariadbd"),
                &format!("'{}' \"$@\"", under_root("usr/sbin/mariadbd")),
            )?;
            script(
                &programs.join("mariadb-install-db"),
                &format!(
                    "sh '{}' \"$@\" '--basedir={}'",
                    under_root("usr/bin/mariadb-install-db"),
                    under_root("usr")
                ),
            )?;
        }
    }
    Ok(programs)
}

/// Debian's package manager, which knows one suite and nothing of what is installed.
struct Apt {
    folder: PathBuf,
}

impl Apt {
    fn new(suite: &str, folder: &Path) -> Result<Self, TaskError> {
        let folder = folder.join("apt");
        std::fs::create_dir_all(folder.join("lists/partial"))?;
        std::fs::create_dir_all(folder.join("packages"))?;
        std::fs::create_dir(folder.join("none"))?;
        std::fs::write(folder.join("status"), "")?;
        // Wherever this machine gets Debian's packages from has its other suites, too.
        let known = output(Command::new("apt-get").args([
            "indextargets",
            "--format",
            "$(LABEL) $(REPO_URI)",
            "Created-By: Packages",
        ]))?;
        let repository = known
            .lines()
            .find_map(|line| line.strip_prefix("Debian "))
            .ok_or("apt-get knows no repository of Debian here")?;
        std::fs::write(
            folder.join("sources.list"),
            format!(
                "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {repository} {suite} main\n"
            ),
        )?;
        let apt = Self { folder };
        succeed(apt.command("apt-get").args(["update", "--quiet"]))?;
        Ok(apt)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (option, file) in [
            ("Dir::Etc::SourceList", "sources.list"),
            ("Dir::Etc::SourceParts", "none"),
            ("Dir::Etc::PreferencesParts", "none"),
            ("Dir::State::Lists", "lists"),
            ("Dir::State::Status", "status"),
            ("Dir::Cache", "none"),
        ] {
            command.arg(format!("--option={option}={}", self.folder.join(file).display()));
        }
        // Descriptions for people, which need more time than the rest.
        command.args([
            "--option=Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
            "--option=Acquire::Languages=none",
            "--option=APT::Sandbox::User=root",
        ]);
        command
    }

    /// Fetches packages and all that they need.
    fn download(&self, packages: &[&str]) -> Result<Vec<PathBuf>, TaskError> {
        let mut depends = self.command("apt-cache");
        depends.args([
            "depends",
            "--recurse",
            "--no-recommends",
            "--no-suggests",
            "--no-conflicts",
            "--no-breaks",
            "--no-replaces",
            "--no-enhances",
        ]);
        let tree = output(depends.args(packages))?;
        // Packages begin a line; what several of them provide stands in angle brackets, and those follow.
        let needed = tree.lines().filter(|line| !line.starts_with([' ', '<']));
        let packages = self.folder.join("packages");
        succeed(
            self.command("apt-get")
                .args(["download", "--quiet"])
                .args(needed)
                .current_dir(&packages),
        )?;
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&packages)? {
            files.push(entry?.path());
        }
        Ok(files)
    }
}

/// How a program is started with the libraries that it was unpacked with.
struct Started {
    loader: PathBuf,
    libraries: String,
}

impl Started {
    fn new(root: &Path) -> Result<Self, TaskError> {
        let found = output(Command::new("find").arg(root).args([
            "(",
            "-name",
            "ld-linux*.so.*",
            "-o",
            "-name",
            "libc.so.6",
            ")",
        ]))?;
        let one = |name: &str| {
            let mut files = found.lines().map(PathBuf::from);
            files
                .find(|file| {
                    file.file_name()
                        .is_some_and(|file| file.to_string_lossy().starts_with(name))
                })
                .ok_or_else(|| format!("no {name} was unpacked"))
        };
        let library = one("libc.so.6")?;
        let folder = library.parent().unwrap_or(root).display();
        Ok(Self {
            loader: one("ld-linux")?,
            libraries: format!("{folder}:{}", root.join("usr/lib/mysql/private").display()),
        })
    }

    fn script(&self, path: &Path, program: &Path, options: &[String]) -> Result<(), TaskError> {
        let options: String = options.iter().map(|option| format!(" '{option}'")).collect();
        script(
            path,
            &format!(
                "'{}' --library-path '{}' '{}' \"$@\"{options}",
                self.loader.display(),
                self.libraries,
                program.display()
            ),
        )
    }
}

fn script(path: &Path, command: &str) -> Result<(), TaskError> {
    std::fs::write(path, format!("#!/bin/sh\nexec {command}\n"))?;
    succeed(Command::new("chmod").arg("755").arg(path))
}
