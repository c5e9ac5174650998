use std::fs;

use super::*;
use zenml_auth_model::Secret;

/// As the Python client 0.98.0 writes it.
const CONFIG: &str = "\
active_project_id: c4eebf30-15b1-421d-a200-2e7b3e7f5ec7
active_stack_id: 1bc088ee-a45a-4a85-acbd-acf5112dbe96
analytics_opt_in: false
container_engine: docker
future_setting:
- a
- b
store:
  connection_pool_size: 10
  http_timeout: 30
  type: rest
  url: http://127.0.0.1:8237
  verify_ssl: true
user_id: 77ec22a2-335b-4130-ba6c-1e1c371236a7
version: 0.98.0
";

/// As the Python client 0.98.0 writes it.
const CREDENTIALS: &str = "\
http://127.0.0.1:8237:
  api_token:
    access_token: eyJhbGciOiJIUzI1NiJ9.e30.x
    expires_at: '2026-12-23T18:51:39.584271Z'
    expires_in: 2592000
    leeway: 129600
  deployment_type: other
  server_id: 5d25d5b5-ffb1-4c6d-a43e-344e07f8a54c
  server_name: default
  status: available
  url: http://127.0.0.1:8237
  version: 0.98.0
https://Other.example.com:443:
  api_key: ZENKEY_abc
  future_field: 7
  url: https://Other.example.com:443
";

struct Folder {
    dir: tempfile::TempDir,
    files: ConfigFiles,
}

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = ConfigFiles::new(dir.path().join("zenml"), true);
        Self { dir, files }
    }

    fn of_python() -> Self {
        let folder = Self::new();
        fs::create_dir(folder.files.dir()).unwrap();
        folder.put("config.yaml", CONFIG);
        folder.put("credentials.yaml", CREDENTIALS);
        folder
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.files.dir().join(name), text).unwrap();
    }

    fn get(&self, name: &str) -> String {
        fs::read_to_string(self.files.dir().join(name)).unwrap_or_default()
    }

    /// Keeps a connection to a server as a device.
    fn connect(&self, url: &str) -> Result<(), ConfigFilesError> {
        self.files
            .save_connection(&stored(url), &device_token(), &ServerDetails::default())
    }
}

fn address(text: &str) -> ServerAddress {
    text.parse().unwrap()
}

fn local() -> ServerAddress {
    address("http://127.0.0.1:8237")
}

fn stored(url: &str) -> StoredServer {
    StoredServer {
        address: address(url),
        verify_ssl: VerifySsl::Check(true),
    }
}

fn device_token() -> StoredCredentials {
    StoredCredentials {
        token: Some(StoredToken {
            access_token: Secret::new("t1"),
            expires_in: Some(60),
            expires_at: Some("2026-11-23T18:21:01.5".parse().unwrap()),
            device_id: None,
        }),
        ..StoredCredentials::default()
    }
}

#[test]
fn nothing_is_there_at_first() {
    let folder = Folder::new();
    assert_eq!(folder.files.server().unwrap(), None);
    assert!(folder.files.credentials(&local()).unwrap().is_none());
    folder.files.forget_server(&local()).unwrap();
}

#[test]
fn what_python_wrote_is_read() {
    let folder = Folder::of_python();
    assert_eq!(
        folder.files.server().unwrap(),
        Some(stored("http://127.0.0.1:8237"))
    );
    assert_eq!(
        folder.files.client_id().unwrap().to_string(),
        "77ec22a2-335b-4130-ba6c-1e1c371236a7"
    );
    let token = folder
        .files
        .credentials(&local())
        .unwrap()
        .unwrap()
        .token
        .unwrap();
    assert_eq!(token.access_token.expose(), "eyJhbGciOiJIUzI1NiJ9.e30.x");
    assert_eq!(
        token.expires_at.unwrap().to_string(),
        "2026-12-23T18:51:39.584271"
    );
    let other = folder
        .files
        .credentials(&address("https://other.example.com"))
        .unwrap()
        .unwrap();
    assert_eq!(other.api_key.unwrap().expose(), "ZENKEY_abc");
}

#[test]
fn connecting_keeps_what_is_not_ours() {
    let folder = Folder::of_python();
    folder.connect("http://127.0.0.1:8237").unwrap();
    let config = folder.get("config.yaml");
    for kept in [
        "future_setting:",
        "container_engine: docker",
        "http_timeout: 30",
        "active_stack_id:",
        "version: 0.98.0",
    ] {
        assert!(config.contains(kept), "{kept} got lost:\n{config}");
    }
    let credentials = folder.get("credentials.yaml");
    for kept in [
        "future_field: 7",
        "ZENKEY_abc",
        "access_token: t1",
        "expires_at: '2026-11-23T18:21:01.500000+00:00'",
    ] {
        assert!(credentials.contains(kept), "{kept} got lost:\n{credentials}");
    }
    assert!(!credentials.contains("leeway"), "{credentials}");
}

#[test]
fn another_server_has_other_stacks() {
    let folder = Folder::of_python();
    let other = stored("https://other.example.com");
    folder
        .files
        .save_connection(&other, &device_token(), &ServerDetails::default())
        .unwrap();
    let config = folder.get("config.yaml");
    assert!(
        !config.contains("active_stack_id") && !config.contains("http_timeout"),
        "{config}"
    );
    assert_eq!(folder.files.server().unwrap(), Some(other.clone()));
    let credentials = folder.files.credentials(&other.address).unwrap().unwrap();
    assert!(credentials.api_key.is_none(), "the key before is gone");
    assert!(folder.get("credentials.yaml").contains("future_field: 7"));
}

#[test]
fn values_that_are_not_ours_stay_what_they_were() {
    let folder = Folder::of_python();
    let odd =
        "odd:\n  a: 'yes'\n  b: yes\n  c: 1e3\n  d: '1_000'\n  e: 2026-11-25\n  f: '2026-11-25'\n  g: ~\n";
    folder.put("config.yaml", &format!("{CONFIG}{odd}"));
    folder.put(
        "credentials.yaml",
        &format!("{CREDENTIALS}https://third.example.com:\n  password: 12e5\n  server_name: 'no'\n  username: '1:30'\n"),
    );
    folder.connect("http://127.0.0.1:8237").unwrap();
    folder.files.forget_server(&local()).unwrap();
    assert!(
        folder.get("config.yaml").contains(odd),
        "{}",
        folder.get("config.yaml")
    );
    let credentials = folder.get("credentials.yaml");
    for kept in ["password: 12e5\n", "server_name: 'no'\n", "username: '1:30'\n"] {
        assert!(credentials.contains(kept), "{credentials}");
    }
    let third = folder
        .files
        .credentials(&address("https://third.example.com"))
        .unwrap()
        .unwrap();
    let (username, password) = third.password.unwrap();
    assert_eq!((username.as_str(), password.expose()), ("1:30", "12e5"));
}

#[test]
fn an_entry_is_found_under_the_name_that_python_gave_it() {
    let folder = Folder::of_python();
    let typed = "http://LOCALHOST:80";
    folder.put("config.yaml", &format!("store:\n  type: rest\n  url: {typed}\n"));
    folder.put(
        "credentials.yaml",
        &format!("http://localhost:\n  api_key: old\n{typed}:\n  api_key: new\n  url: {typed}\n"),
    );
    let server = address("http://localhost");
    let key = |folder: &Folder| {
        folder
            .files
            .credentials(&server)
            .unwrap()
            .unwrap()
            .api_key
            .unwrap()
    };
    assert_eq!(key(&folder).expose(), "new");
    let rotated = StoredCredentials {
        api_key: Some(Secret::new("newest")),
        ..StoredCredentials::default()
    };
    folder.files.save_credentials(&server, &rotated).unwrap();
    folder
        .files
        .save_token(&server, &device_token().token.unwrap())
        .unwrap();
    assert_eq!(key(&folder).expose(), "newest");
    let kept = folder.get("credentials.yaml");
    assert!(
        kept.contains("http://LOCALHOST:80:\n  api_key: newest\n  url: http://LOCALHOST:80\n  api_token:\n"),
        "Python looks for it there:\n{kept}"
    );
    folder
        .files
        .save_connection(&stored("http://localhost"), &rotated, &ServerDetails::default())
        .unwrap();
    let kept = folder.get("credentials.yaml");
    assert_eq!(
        kept.matches("localhost:").count() + kept.matches("LOCALHOST").count(),
        1,
        "one server, one entry:\n{kept}"
    );
    folder.put(
        "credentials.yaml",
        &format!("http://localhost:\n  api_key: old\n{typed}:\n  api_key: new\n"),
    );
    folder.files.forget_server(&server).unwrap();
    assert_eq!(folder.get("credentials.yaml"), "{}\n", "nothing of it is left");
}

#[test]
fn whether_to_check_certificates_is_read_as_python_reads_it() {
    for (written, expected) in [
        ("no", VerifySsl::Check(false)),
        ("On", VerifySsl::Check(true)),
        ("'false'", VerifySsl::Check(false)),
        ("'no'", VerifySsl::Authorities("no".to_owned())),
        ("/ca.pem", VerifySsl::Authorities("/ca.pem".to_owned())),
        ("null", VerifySsl::Check(true)),
    ] {
        let folder = Folder::of_python();
        folder.put(
            "config.yaml",
            &format!("store:\n  url: http://x\n  verify_ssl: {written}\n"),
        );
        assert_eq!(
            folder.files.server().unwrap().unwrap().verify_ssl,
            expected,
            "{written}"
        );
    }
    let folder = Folder::of_python();
    folder.put("config.yaml", "store:\n  url: http://x\n  verify_ssl: [1]\n");
    assert!(folder.files.server().is_err());
}

#[test]
fn disconnecting_forgets_this_server_only() {
    let folder = Folder::of_python();
    folder.files.forget_server(&local()).unwrap();
    assert_eq!(folder.files.server().unwrap(), None);
    assert!(folder.files.credentials(&local()).unwrap().is_none());
    assert!(
        folder
            .files
            .credentials(&address("https://other.example.com"))
            .unwrap()
            .is_some()
    );
    assert!(folder.get("config.yaml").contains("user_id: 77ec22a2"));
    let folder = Folder::of_python();
    folder
        .files
        .forget_server(&address("https://other.example.com"))
        .unwrap();
    assert_eq!(
        folder.files.server().unwrap(),
        Some(stored("http://127.0.0.1:8237"))
    );
}

#[test]
fn the_client_id_is_made_once() {
    let folder = Folder::new();
    let id = folder.files.client_id().unwrap();
    assert_eq!(folder.files.client_id().unwrap(), id);
    assert!(folder.get("config.yaml").contains(&id.to_string()));
}

#[test]
fn a_broken_file_is_named_and_left_alone() {
    let secret = "http://127.0.0.1:8237:\n  api_key: \"ZENKEY_hunter2\n";
    for (name, text) in [
        ("config.yaml", "a: [1"),
        ("config.yaml", "- a\n- b\n"),
        ("config.yaml", "store: 7\n"),
        ("config.yaml", "user_id: me\n"),
        ("credentials.yaml", secret),
        ("credentials.yaml", "just a text"),
        ("credentials.yaml", "http://127.0.0.1:8237: ZENKEY_hunter2\n"),
    ] {
        let folder = Folder::new();
        fs::create_dir(folder.files.dir()).unwrap();
        folder.put(name, text);
        let connected = folder.connect("http://127.0.0.1:8237");
        let error = connected.unwrap_err();
        assert!(
            matches!(error, ConfigFilesError::Broken { .. }),
            "{text}: {error:?}"
        );
        assert!(
            error.to_string().contains(name) && !error.to_string().contains("hunter2"),
            "{error}"
        );
        assert_eq!(folder.get(name), text, "it was changed");
    }
}

#[test]
fn a_token_is_kept_only_where_credentials_are() {
    let folder = Folder::of_python();
    let token = device_token().token.unwrap();
    folder
        .files
        .save_token(&address("https://other.example.com"), &token)
        .unwrap();
    let kept = folder
        .files
        .credentials(&address("https://other.example.com"))
        .unwrap()
        .unwrap();
    assert_eq!(
        (kept.api_key.is_some(), kept.token.unwrap().access_token.expose()),
        (true, "t1")
    );
    folder
        .files
        .save_token(&address("https://third.example.com"), &token)
        .unwrap();
    assert!(!folder.get("credentials.yaml").contains("third"));
}

#[test]
fn nothing_is_written_where_that_is_forbidden() {
    let folder = Folder::of_python();
    let files = ConfigFiles::new(folder.files.dir().to_owned(), false);
    assert!(files.credentials(&local()).unwrap().is_none());
    let refused = files
        .save_connection(&stored("http://x"), &device_token(), &ServerDetails::default())
        .unwrap_err();
    assert!(matches!(refused, ConfigFilesError::DiskForbidden));
    assert_eq!(folder.get("credentials.yaml"), CREDENTIALS);
}

#[cfg(unix)]
#[test]
fn files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::of_python();
    for name in ["config.yaml", "credentials.yaml"] {
        fs::set_permissions(folder.files.dir().join(name), fs::Permissions::from_mode(0o644)).unwrap();
    }
    folder.connect("http://127.0.0.1:8237").unwrap();
    for name in ["config.yaml", "credentials.yaml", ".zenml-auth.lock"] {
        let mode = fs::metadata(folder.files.dir().join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_is_followed() {
    let folder = Folder::of_python();
    let real = folder.dir.path().join("dotfiles.yaml");
    fs::rename(folder.files.dir().join("config.yaml"), &real).unwrap();
    std::os::unix::fs::symlink(&real, folder.files.dir().join("config.yaml")).unwrap();
    folder.files.forget_server(&local()).unwrap();
    assert!(
        fs::symlink_metadata(folder.files.dir().join("config.yaml"))
            .unwrap()
            .is_symlink()
    );
    assert!(!fs::read_to_string(&real).unwrap().contains("store:"));
}

#[test]
fn many_at_once_lose_nothing() {
    let folder = Folder::of_python();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let files = &folder.files;
            scope.spawn(move || {
                let server = address(&format!("https://s{number}.example.com"));
                files.save_credentials(&server, &device_token()).unwrap();
            });
        }
    });
    for number in 0..8 {
        let server = address(&format!("https://s{number}.example.com"));
        assert!(
            folder.files.credentials(&server).unwrap().is_some(),
            "{server} got lost"
        );
    }
}
