//! Where the real program takes its settings from, and what it says of them.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;
use zenml_auth_testkit::encryption::ENCRYPTION_KEY;

use crate::support::{ADMIN, Server, command, failure, program, refusal, run, said};

/// Where a setting is given, in the order in which they win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    File,
    Variable,
    Flag,
}

const LAYERS: [Layer; 3] = [Layer::File, Layer::Variable, Layer::Flag];

/// A setting: its section and key in the file, its flag and its variable.
type Setting = [&'static str; 4];

/// Gives settings in one of the layers each. `file` is where the file with settings is made.
fn give(command: &mut Command, file: &Path, settings: &[(Setting, Layer, &str)]) {
    let mut lines = String::new();
    for ([section, key, flag, variable], layer, value) in settings {
        match layer {
            Layer::File if value.parse::<u32>().is_ok() => {
                lines.push_str(&format!("{section}.{key} = {value}\n"));
            }
            Layer::File => lines.push_str(&format!("{section}.{key} = {value:?}\n")),
            Layer::Variable => {
                command.env(variable, value);
            }
            Layer::Flag => {
                command.args([flag, value]);
            }
        }
    }
    fs::write(file, lines).unwrap();
    command.arg("--config").arg(file);
}

/// What `check-config` says of a setting.
#[track_caller]
fn shown<'a>(checked: &'a str, label: &str) -> &'a str {
    let mut lines = checked.lines().map(str::trim_start);
    lines.find_map(|line| line.strip_prefix(label)).unwrap().trim()
}

#[test]
fn flags_win_over_variables_and_variables_over_the_file() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let file = folder.path().join("settings.toml");
    let in_folder = |name: &str| format!("SQLite in {}/zenml-auth.db", path(name));
    // What is set in the file, the variable and the flag, and what is shown of nothing and of each of them.
    let texts = |texts: [&str; 3]| texts.map(str::to_owned);
    let settings = [
        (
            "listens on",
            ["server", "bind", "--bind", "ZENML_AUTH_BIND"],
            texts(["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"]),
            ["127.0.0.1:8237", "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"].map(str::to_owned),
        ),
        (
            "public URL",
            ["server", "public_url", "--public-url", "ZENML_AUTH_PUBLIC_URL"],
            texts(["http://one", "http://two", "http://three"]),
            ["(none)", "http://one", "http://two", "http://three"].map(str::to_owned),
        ),
        (
            "database",
            ["storage", "data_dir", "--data-dir", "ZENML_AUTH_DATA_DIR"],
            [path("one"), path("two"), path("three")],
            ["home/zenml-auth", "one", "two", "three"].map(in_folder),
        ),
        (
            "trusted device",
            [
                "lifetimes",
                "trusted_device",
                "--trusted-device-lifetime",
                "ZENML_AUTH_TRUSTED_DEVICE_LIFETIME",
            ],
            texts(["5d", "6d", "7d"]),
            ["30days", "5days", "6days", "7days"].map(str::to_owned),
        ),
        (
            "limits",
            ["limits", "rate_limit", "--rate-limit", "ZENML_AUTH_RATE_LIMIT"],
            texts(["off", "on", "off"]),
            ["on", "OFF", "on", "OFF"].map(str::to_owned),
        ),
    ];
    for layers in 0..=LAYERS.len() {
        let given: Vec<_> = settings
            .iter()
            .flat_map(|(_, setting, values, _)| {
                let values = LAYERS.into_iter().zip(values).take(layers);
                values.map(move |(layer, value)| (*setting, layer, value.as_str()))
            })
            .collect();
        let mut check = command(&["check-config"]);
        check.env("XDG_DATA_HOME", path("home"));
        give(&mut check, &file, &given);
        let checked = said(&check.output().unwrap());
        for (label, _, _, expected) in &settings {
            assert_eq!(
                shown(&checked, label),
                expected[layers],
                "{label} with {layers} layers"
            );
        }
        // A flag wins over the file, too, where there is no variable.
        let without_variables: Vec<_> = given
            .iter()
            .copied()
            .filter(|(_, layer, _)| *layer != Layer::Variable)
            .collect();
        if layers == LAYERS.len() {
            let mut check = command(&["check-config"]);
            give(&mut check, &file, &without_variables);
            let checked = said(&check.output().unwrap());
            for (label, _, _, expected) in &settings {
                assert_eq!(shown(&checked, label), expected[layers], "{label}");
            }
        }
    }
}

/// How many failures on an account cost nothing, the least length of a password, and whether the log is in JSON.
fn observed(server: Server, log: &Path) -> (usize, usize, bool) {
    let wrong = || {
        let form = "username=nobody&password=wrong";
        server.send("POST", "/api/v1/login", "", form).0
    };
    let free = (0..12).take_while(|_| wrong() == 401).count();
    let admin = server.admin();
    let is_taken = |length: &usize| {
        let password = &"vT7#qLz2!mKx9&Rb4?wNp6*J"[..*length];
        let user = json!({"name": format!("user {length}"), "password": password, "is_admin": false, "active": true});
        admin.send("POST", "/api/v1/users", &user.to_string()).unwrap().0 == 200
    };
    let least = [8, 9, 12, 16, 20].into_iter().find(is_taken).unwrap();
    assert_eq!(server.terminate().0, Some(0));
    let lines = fs::read_to_string(log).unwrap();
    (free, least, lines.starts_with('{'))
}

#[test]
fn limits_and_the_log_are_set_in_the_same_order() {
    let settings = [
        (
            [
                "limits",
                "sign_in_per_account",
                "--sign-in-per-account",
                "ZENML_AUTH_SIGN_IN_PER_ACCOUNT",
            ],
            ["3/15m", "1/15m", "2/15m"],
        ),
        (
            [
                "limits",
                "password_min_length",
                "--password-min-length",
                "ZENML_AUTH_PASSWORD_MIN_LENGTH",
            ],
            ["20", "16", "9"],
        ),
        (
            ["log", "format", "--log-format", "ZENML_AUTH_LOG_FORMAT"],
            ["json", "text", "json"],
        ),
    ];
    for (layers, expected) in [
        (0, (10, 12, false)),
        (1, (3, 20, true)),
        (2, (1, 16, false)),
        (3, (2, 9, true)),
    ] {
        let folder = TempDir::new().unwrap();
        let given: Vec<_> = settings
            .iter()
            .flat_map(|(setting, values)| {
                let values = LAYERS.into_iter().zip(values).take(layers);
                values.map(move |(layer, value)| (*setting, layer, *value))
            })
            .collect();
        let mut start = program(&folder.path().join("data"), &[]);
        give(&mut start, &folder.path().join("settings.toml"), &given);
        let log = folder.path().join("log");
        let server = Server::start_as(start, &log);
        assert_eq!(observed(server, &log), expected, "with {layers} layers");
    }
}

#[test]
fn a_secret_is_given_once_whatever_the_layers() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("settings.toml");
    let secret = "correct-horse-84239842";
    let in_file = folder.path().join("secret");
    fs::write(&in_file, secret).unwrap();
    let in_file = in_file.to_str().unwrap();
    let check = |settings: &[(Setting, Layer, &str)]| {
        let mut check = command(&["check-config"]);
        check
            .env_remove("ZENML_AUTH_ADMIN_PASSWORD")
            .env_remove("ZENML_AUTH_ENCRYPTION_KEY");
        give(&mut check, &file, settings);
        check
    };
    let refused = |mut check: Command, what: &str| {
        let said = failure(&check.output().unwrap());
        assert!(
            said.contains(what) && said.contains("was given as itself and as a file"),
            "{check:?}: {said}"
        );
        assert!(!said.contains("84239842"), "{said}");
    };
    let of_admin = [
        [
            "admin",
            "admin_password",
            "--admin-password",
            "ZENML_AUTH_ADMIN_PASSWORD",
        ],
        [
            "admin",
            "admin_password_file",
            "--admin-password-file",
            "ZENML_AUTH_ADMIN_PASSWORD_FILE",
        ],
    ];
    let of_database = [
        [
            "storage",
            "database_url",
            "--database-url",
            "ZENML_AUTH_DATABASE_URL",
        ],
        [
            "storage",
            "database_url_file",
            "--database-url-file",
            "ZENML_AUTH_DATABASE_URL_FILE",
        ],
    ];
    for [itself, as_file] in [of_admin, of_database] {
        for one in LAYERS {
            for other in LAYERS {
                let given = [(itself, one, secret), (as_file, other, in_file)];
                refused(
                    check(&given),
                    if itself == of_admin[0] { "password" } else { "URL" },
                );
            }
        }
    }
    // The keys themselves are given by the variable alone.
    let key_file = [
        "storage",
        "encryption_key_file",
        "--encryption-key-file",
        "ZENML_AUTH_ENCRYPTION_KEY_FILE",
    ];
    for layer in LAYERS {
        let mut check = check(&[(key_file, layer, in_file)]);
        check.env("ZENML_AUTH_ENCRYPTION_KEY", ENCRYPTION_KEY);
        refused(check, "encryption key");
    }
    // One of them is all right, in each layer.
    for layer in LAYERS {
        for setting in of_admin {
            let value = if setting == of_admin[0] { secret } else { in_file };
            said(&check(&[(setting, layer, value)]).output().unwrap());
        }
    }
}

#[test]
fn a_variable_that_is_no_setting_is_warned_about() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("log");
    let mut command = program(&folder.path().join("data"), &[]);
    command
        .env("ZENML_AUTH_PUBLIK_URL", "https://hunter2.example.com")
        .env("ZENML_AUTH_ENCRYPTION_KEY", ENCRYPTION_KEY)
        .env("ZENML_AUTH_NO_MIGRATE", "false")
        .env("ZENML_AUTHOR", "ann");
    Server::start_as(command, &log).kill();
    let log = fs::read_to_string(log).unwrap();
    let warned_of: Vec<_> = log
        .lines()
        .filter(|line| line.contains("WARN") && line.contains("is no setting and has no effect"))
        .filter_map(|line| line.split_once("variable=").map(|(_, name)| name))
        // By which the tests themselves are told what to do.
        .filter(|name| !name.starts_with("ZENML_AUTH_TEST_"))
        .collect();
    assert_eq!(warned_of, ["ZENML_AUTH_PUBLIK_URL"], "{log}");
    assert!(!log.contains("hunter2"), "{log}");
}

#[test]
fn settings_for_the_first_administrator_have_no_effect_later() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let log = folder.path().join("log");
    let start = |name: &str, password: &str| {
        let mut command = program(&data, &[]);
        command
            .env("ZENML_AUTH_ADMIN_USERNAME", name)
            .env("ZENML_AUTH_ADMIN_PASSWORD", password);
        Server::start_as(command, &log)
    };
    let (first, later) = ("first-Passw0rd-7", "later-Passw0rd-8");
    let server = start("ann", first);
    let token = server.sign_in_as("ann", first).unwrap();
    assert_eq!(server.terminate().0, Some(0));
    for name in ["ann", "bob", ADMIN] {
        let server = start(name, later);
        assert_eq!(
            server.client().with(&token).status(),
            200,
            "who is signed in stays so"
        );
        assert!(server.sign_in_as("ann", first).is_some());
        assert!(server.sign_in_as(name, later).is_none(), "{name}");
        let users = server.client().with(&token).ok("GET", "/api/v1/users", "");
        assert_eq!(users["total"], 1, "{users}");
        assert_eq!(server.terminate().0, Some(0));
    }
}

#[test]
fn a_variable_forbids_migrations_as_the_flag_does() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let by_variable = |value: &str| {
        let mut command = program(&data, &[]);
        command.env("ZENML_AUTH_NO_MIGRATE", value);
        command
    };
    let log = folder.path().join("log");
    let pending = || said(&run(&data, &["migrate", "status"])).contains("pending");
    let by_flag = refusal(program(&data, &["serve", "--no-migrate"]));
    assert!(by_flag.contains("has to be migrated first"), "{by_flag}");
    assert_eq!(refusal(by_variable("true")), by_flag);
    // It makes no difference whether the command is named.
    let mut named = by_variable("true");
    named.arg("serve");
    assert_eq!(refusal(named), by_flag);
    assert!(pending());
    said(&run(&data, &["migrate", "up"]));
    assert!(!pending());
    Server::start_as(by_variable("true"), &log).kill();
    // The other way round, the schema is brought up to date.
    said(&run(&data, &["encryption", "unseal", "--yes"]));
    said(&run(&data, &["migrate", "down"]));
    assert!(pending());
    let refused = refusal(by_variable("true"));
    assert!(refused.contains("has to be migrated first"), "{refused}");
    assert!(pending());
    Server::start_as(by_variable("false"), &log).kill();
    assert!(!pending());
}

/// The command where `/etc` holds nothing but a file with settings for us; `None` where the user may not mount anything.
#[cfg(target_os = "linux")]
fn with_file_in_etc(command: &Command, settings: &Path) -> Option<Command> {
    const SCRIPT: &str = "mount -t tmpfs tmpfs /etc && mkdir /etc/zenml-auth \
                          && cp \"$SETTINGS\" /etc/zenml-auth/zenml-auth.toml && exec \"$0\" \"$@\"";
    let outer = [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-c",
        SCRIPT,
    ];
    let inside = |command: &Command| {
        let mut command = crate::support::started_by(&outer, command);
        command.env("SETTINGS", settings);
        command
    };
    let may_mount = inside(&Command::new("true")).output();
    if may_mount.is_ok_and(|tried| tried.status.success()) {
        return Some(inside(command));
    }
    zenml_auth_testkit::report::missing("the right to mount a file system");
    None
}

#[cfg(target_os = "linux")]
#[test]
fn the_file_in_etc_is_read_unless_another_is_given() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, port: u16| {
        let path = folder.path().join(name);
        fs::write(&path, format!("[server]\nbind = \"127.0.0.1:{port}\"\n")).unwrap();
        path
    };
    let (in_etc, another) = (write("in_etc", 4711), write("another", 4712));
    let check = |flags: &[&str], variable: Option<&Path>, in_etc: &Path| {
        let mut check = command(&[&["check-config"], flags].concat());
        if let Some(path) = variable {
            check.env("ZENML_AUTH_CONFIG", path);
        }
        with_file_in_etc(&check, in_etc).map(|mut check| check.output().unwrap())
    };
    let Some(checked) = check(&[], None, &in_etc) else {
        return;
    };
    assert_eq!(shown(&said(&checked), "listens on"), "127.0.0.1:4711");
    // What is wrong in it is told.
    let wrong = folder.path().join("wrong");
    fs::write(&wrong, "[server]\nport = 1\n").unwrap();
    let refused = failure(&check(&[], None, &wrong).unwrap());
    assert!(
        refused.contains("/etc/zenml-auth/zenml-auth.toml") && refused.contains("unknown field `port`"),
        "{refused}"
    );
    // With another one it is not looked at.
    let flags = ["--config", another.to_str().unwrap()];
    for checked in [
        check(&flags, None, &wrong),
        check(&[], Some(&another), &wrong),
        check(&flags, Some(&wrong), &wrong),
    ] {
        assert_eq!(shown(&said(&checked.unwrap()), "listens on"), "127.0.0.1:4712");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_data_folder_is_the_platforms() {
    let folder = TempDir::new().unwrap();
    let home = folder.path().join("home");
    let elsewhere = folder.path().join("elsewhere");
    let database = |data_home: Option<&Path>| {
        let mut check = command(&["check-config"]);
        check.env("HOME", &home).env_remove("XDG_DATA_HOME");
        if let Some(path) = data_home {
            check.env("XDG_DATA_HOME", path);
        }
        let checked = said(&check.output().unwrap());
        shown(&checked, "database").to_owned()
    };
    let in_folder = |folder: &Path| format!("SQLite in {}/zenml-auth/zenml-auth.db", folder.display());
    assert_eq!(database(None), in_folder(&home.join(".local/share")));
    assert_eq!(database(Some(&elsewhere)), in_folder(&elsewhere));
}
