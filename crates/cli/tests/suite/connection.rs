//! Connecting and disconnecting, what is kept on disk, and what comes before it.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use crate::support::{World, recorded};

const KEY: &str = "ZENKEY_eyJpZCI6IjRiMGExMjY0LWUzNjEtNGVkYy04NzA1LTFmMGMzZmYxZjEzYiIsImtleSI6Ijc2NzdmMWE4YjQ4ZjBkYWE3YTA2ODk1ZjgwZjVkZjZlOTNhMmFlMjk2YmQ2ZmYxZDk0ZjY2MDA2MWIwZTQwYzQifQ==";

fn token(text: &str, expires_in: Option<u64>) -> (u16, Value) {
    (
        200,
        json!({"access_token": text, "token_type": "bearer", "expires_in": expires_in}),
    )
}

/// Codes that are polled for every second.
fn codes() -> (u16, Value) {
    let (status, mut body) = recorded("device authorization");
    body["interval"] = json!(1);
    (status, body)
}

async fn waiting() -> World {
    let world = World::new().await;
    world.on("POST /api/v1/device_authorization", codes());
    world.on("POST /api/v1/login", recorded("poll: pending"));
    world
}

#[tokio::test]
async fn a_person_connects_through_the_browser() {
    let world = waiting().await;
    world.on("POST /api/v1/login", token("t1", Some(2_592_000)));
    let ended = world.run("connect --url [url]").await;
    assert_run!("connect", ended);
    let asked = world.asked();
    assert_eq!(asked.len(), 5, "{asked:?}");
    let config = world.file("config.yaml");
    let client_id = config
        .lines()
        .find_map(|line| line.strip_prefix("user_id: "))
        .unwrap();
    assert_eq!(
        asked[1],
        format!("POST /api/v1/device_authorization client_id={client_id}")
    );
    assert!(
        config.contains("type: rest") && config.contains("verify_ssl: true"),
        "{config}"
    );
    let kept = world.file("credentials.yaml");
    for line in [
        "access_token: t1",
        "expires_in: 2592000",
        "server_id: 5d25d5b5",
        "deployment_type: other",
        "status: available",
    ] {
        assert!(kept.contains(line), "{line} is missing:\n{kept}");
    }
    assert!(world.run("user describe").await.code == 0);
}

#[tokio::test]
async fn connecting_again_is_not_needed() {
    let world = World::connected().await;
    assert_run!("connect-again", world.run("login").await);
    world
        .on("POST /api/v1/device_authorization", codes())
        .on("POST /api/v1/login", token("t2", None));
    let ended = world.run("connect --refresh --no-browser").await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(world.file("credentials.yaml").contains("access_token: t2"));
}

#[tokio::test]
async fn a_connection_that_ended_is_renewed_by_connecting() {
    let world = World::connected().await;
    world.forget("GET /api/v1/current-user");
    world.on(
        "GET /api/v1/current-user",
        recorded("request with the locked device's token"),
    );
    world.on("GET /api/v1/current-user", recorded("current user"));
    world
        .on("POST /api/v1/device_authorization", codes())
        .on("POST /api/v1/login", token("t2", None));
    let ended = world.run("connect").await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(world.file("credentials.yaml").contains("access_token: t2"));
}

#[tokio::test]
async fn a_denied_connection() {
    let world = waiting().await;
    world.on("POST /api/v1/login", recorded("poll: locked device"));
    assert_run!("connect-denied", world.run("connect --url [url]").await);
    assert!(!world.file("config.yaml").contains("store:"));
    assert_eq!(world.file("credentials.yaml"), "");
}

#[tokio::test]
async fn nobody_confirms() {
    let world = World::new().await;
    let (status, mut body) = codes();
    body["expires_in"] = json!(1);
    world.on("POST /api/v1/device_authorization", (status, body));
    world.on("POST /api/v1/login", recorded("poll: pending"));
    assert_run!("connect-expired", world.run("connect --url [url]").await);
}

#[tokio::test]
async fn a_link_as_a_picture() {
    let world = waiting().await;
    world.on("POST /api/v1/login", token("t1", None));
    let ended = world.run("connect --url [url] --qr").await;
    assert!(ended.stderr.contains("████"), "{}", ended.stderr);
}

#[cfg(unix)]
#[tokio::test]
async fn a_browser_is_opened_where_there_is_one() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut world = waiting().await;
    world.on("POST /api/v1/login", token("t1", None));
    let browser = world.home.path().join("browser");
    std::fs::write(&browser, "#!/bin/sh\nprintf '%s' \"$1\" > \"$0.link\"\n").unwrap();
    std::fs::set_permissions(&browser, std::fs::Permissions::from_mode(0o755)).unwrap();
    let name = browser.display().to_string();
    world.set("BROWSER", &name).set("PATH", "/usr/bin:/bin");
    let ended = world.run("connect --url [url]").await;
    assert!(ended.stderr.starts_with("Your browser opens"), "{}", ended.stderr);
    let link = std::fs::read_to_string(format!("{name}.link")).unwrap();
    assert!(
        link.starts_with(&format!("{}/devices/verify?device_id=", world.url)),
        "{link}"
    );
    let ended = world.run("connect --refresh --no-browser").await;
    assert!(
        ended.stderr.starts_with("To confirm this connection"),
        "{}",
        ended.stderr
    );
}

#[cfg(unix)]
#[tokio::test]
async fn ctrl_c_leaves_cleanly() {
    let world = waiting().await;
    let url = world.url.clone();
    let mut child = world.command(&["connect", "--url", &url]).spawn().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let mut said = String::new();
    while !said.contains("Waiting") {
        let mut bytes = [0; 1024];
        let count = tokio::time::timeout(Duration::from_secs(10), stderr.read(&mut bytes))
            .await
            .unwrap()
            .unwrap();
        assert!(count > 0, "it ended: {said}");
        said.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    let pid = child.id().unwrap().to_string();
    let killed = tokio::process::Command::new("kill")
        .args(["-INT", &pid])
        .status()
        .await
        .unwrap();
    assert!(killed.success());
    let status = tokio::time::timeout(Duration::from_secs(10), child.wait())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(status.code(), Some(130));
    assert!(!world.file("config.yaml").contains("store:"));
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).await.unwrap();
    assert!(!rest.contains("error"), "{rest}");
}

#[tokio::test]
async fn a_workload_connects_with_an_api_key() {
    let world = World::new().await;
    world.on("POST /api/v1/login", token("t1", Some(3600)));
    world.forget("GET /api/v1/current-user").on(
        "GET /api/v1/current-user",
        recorded("current user with api key token"),
    );
    let by_input = world
        .run_with("connect --url [url] --api-key", &format!("{KEY}\n"))
        .await;
    assert_run!("connect-api-key", by_input);
    let kept = world.file("credentials.yaml");
    assert!(
        kept.contains(&format!("api_key: {KEY}")) && kept.contains("access_token: t1"),
        "{kept}"
    );
    for line in [
        format!("connect --url [url] --api-key {KEY}"),
        "connect --url [url] --api-key -".to_owned(),
        "login --api-key [url]".to_owned(),
    ] {
        let ended = world.run_with(&line, KEY).await;
        assert_eq!(ended.code, 0, "{ended:?}");
    }
}

#[tokio::test]
async fn a_key_that_is_not_good() {
    let world = World::new().await;
    world.on("POST /api/v1/login", recorded("login with a deactivated key"));
    assert_run!(
        "connect-api-key-refused",
        world.run_with("connect --url [url] --api-key", KEY).await
    );
    world.asked();
    assert_run!(
        "connect-api-key-cut",
        world.run_with("connect --url [url] --api-key", &KEY[..100]).await
    );
    assert!(
        !world.asked().iter().any(|asked| asked.contains("login")),
        "half a key was sent"
    );
    assert_eq!(world.file("credentials.yaml"), "");
}

#[tokio::test]
async fn a_person_connects_with_a_password() {
    let world = World::new().await;
    world.on("POST /api/v1/login", token("t1", Some(3600)));
    let ended = world
        .run_with("connect --url [url] --username default", "zenml-Passw0rd\n")
        .await;
    assert_run!("connect-password", ended);
    let signed_in =
        "POST /api/v1/login grant_type=password&username=default&password=zenml-Passw0rd".to_owned();
    assert!(world.asked().contains(&signed_in));
    assert!(
        !world.file("credentials.yaml").contains("Passw0rd"),
        "the password is not kept"
    );
    // As scripts for the Python client have it.
    let ended = world
        .run("connect --url [url] --username default --password zenml-Passw0rd")
        .await;
    assert_run!("connect-password-given", ended);
    assert!(world.asked().contains(&signed_in));
    let alone = world.run("connect --url [url] --password zenml-Passw0rd").await;
    assert_eq!(alone.code, 2, "{alone:?}");
}

#[tokio::test]
async fn a_key_is_exchanged_and_its_token_kept() {
    let world = World::connected().await;
    let url = &world.url;
    std::fs::write(
        world.config_dir().join("credentials.yaml"),
        format!("{url}:\n  url: {url}\n  api_key: {KEY}\n"),
    )
    .unwrap();
    world.on("POST /api/v1/login", token("t1", Some(3600)));
    assert_eq!(world.run("user describe").await.code, 0);
    assert_eq!(world.run("user describe").await.code, 0);
    let logins = world
        .asked()
        .iter()
        .filter(|asked| asked.starts_with("POST /api/v1/login"))
        .count();
    assert_eq!(logins, 1, "the second command used the kept token");
    assert!(world.file("credentials.yaml").contains("access_token: t1"));
}

#[tokio::test]
async fn variables_come_first_and_leave_no_trace() {
    let mut world = World::new().await;
    world.on("POST /api/v1/login", token("t1", Some(3600)));
    let url = world.url.clone();
    world.set("ZENML_STORE_URL", &url).set("ZENML_STORE_API_KEY", KEY);
    assert_run!("status-variables", world.run("status").await);
    assert_eq!(
        (world.file("config.yaml"), world.file("credentials.yaml")),
        (String::new(), String::new())
    );
    world
        .forget("POST /api/v1/login")
        .on("POST /api/v1/login", recorded("login with a deactivated key"));
    assert_run!("variables-refused", world.run("user list").await);
}

#[tokio::test]
async fn a_token_that_ended_or_was_revoked_takes_one_line() {
    let world = World::connected().await;
    world.on(
        "GET /api/v1/devices",
        recorded("request with the locked device's token"),
    );
    let ended = world.run("device list").await;
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert_run!("token-revoked", ended);
    let kept = world.file("credentials.yaml") + "    expires_at: '2020-01-01T00:00:00+00:00'\n";
    std::fs::write(world.config_dir().join("credentials.yaml"), kept).unwrap();
    world.asked();
    let ended = world.run("device list").await;
    assert_eq!(
        (ended.stderr.lines().count(), ended.code),
        (1, 3),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("it ended 2") && ended.stderr.contains("zenml connect --url [url]"),
        "{}",
        ended.stderr
    );
    assert!(
        world.asked().is_empty(),
        "nothing was asked that could not succeed"
    );
}

#[tokio::test]
async fn status_says_who_where_by_what_and_until_when() {
    let world = World::connected().await;
    assert_run!("status", world.run("status").await);
    assert_run!("status-json", world.run("status -o json").await);
    world.forget("GET /api/v1/current-user");
    world.on(
        "GET /api/v1/current-user",
        recorded("request with the locked device's token"),
    );
    assert_run!("status-signed-out", world.run("status").await);
    let nowhere = World::new().await;
    assert_run!("status-not-connected", nowhere.run("status").await);
}

#[tokio::test]
async fn explain_takes_it_step_by_step() {
    let mut world = World::connected().await;
    assert_run!("explain", world.run("auth explain").await);
    world.forget("GET /api/v1/current-user");
    world.on(
        "GET /api/v1/current-user",
        recorded("request with the locked device's token"),
    );
    assert_run!("explain-locked", world.run("auth explain").await);
    world.set("ZENML_STORE_API_KEY", &KEY[..50]);
    assert_run!("explain-cut-key", world.run("auth explain").await);
    assert_run!(
        "explain-not-connected",
        World::new().await.run("auth explain").await
    );
}

#[tokio::test]
async fn disconnecting_ends_it_on_both_sides() {
    let world = World::connected().await;
    world.on("GET /api/v1/logout", recorded("logout"));
    assert_run!("disconnect", world.run("disconnect").await);
    assert_eq!(world.asked(), ["GET /api/v1/logout"]);
    assert!(!world.file("config.yaml").contains("store") && world.file("config.yaml").contains("user_id"));
    assert!(!world.file("credentials.yaml").contains("access_token"));
    assert_run!("disconnect-again", world.run("logout").await);
    assert_run!("not-connected", world.run("device list").await);
}

#[tokio::test]
async fn disconnecting_works_without_the_server() {
    let world = World::connected().await;
    world.on(
        "GET /api/v1/logout",
        (503, json!({"detail": ["RuntimeError", "down"]})),
    );
    let ended = world.run("disconnect").await;
    assert_run!("disconnect-unheard", ended);
    assert!(!world.file("config.yaml").contains("store"));
    let world = World::connected().await;
    world.on(
        "GET /api/v1/logout",
        recorded("request with the locked device's token"),
    );
    let ended = world.run("disconnect").await;
    assert!(
        !ended.stderr.contains("warning"),
        "a credential that has ended needs no ending: {}",
        ended.stderr
    );
}

#[tokio::test]
async fn a_broken_file_is_named_and_left_alone() {
    let world = World::connected().await;
    let broken = "store: [\n";
    std::fs::write(world.config_dir().join("config.yaml"), broken).unwrap();
    assert_run!("broken-config", world.run("status").await);
    for line in ["connect --url [url] --no-browser", "disconnect", "device list"] {
        assert_eq!(world.run(line).await.code, 8, "{line}");
    }
    assert_eq!(world.file("config.yaml"), broken);
}

#[tokio::test]
async fn where_nothing_may_be_kept() {
    let mut world = World::new().await;
    world.on("POST /api/v1/login", token("t1", Some(3600)));
    world.set("DISABLE_CREDENTIALS_DISK_CACHING", "true");
    assert_run!(
        "connect-no-disk",
        world.run_with("connect --url [url] --api-key", KEY).await
    );
}

#[tokio::test]
async fn servers_that_are_none() {
    let world = World::new().await;
    assert_run!(
        "connect-no-scheme",
        world.run("connect --url localhost:8237").await
    );
    assert_run!(
        "connect-with-password",
        world.run("connect --url http://ann:hunter2@localhost").await
    );
    assert_run!("connect-nowhere", world.run("connect").await);
    world
        .forget("GET /api/v1/info")
        .on("GET /api/v1/info", (404, json!({"detail": "Not Found"})));
    assert_run!("connect-not-zenml", world.run("connect --url [url]").await);
    // Taken, so that nobody else listens there, but not listened on either.
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = taken.local_addr().unwrap();
    let ended = world.run(&format!("connect --url http://{address}")).await;
    assert_eq!(ended.code, 7, "{ended:?}");
    assert!(
        ended.stderr.contains("can't be reached: Connection refused"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn a_server_of_zenml_pro() {
    let world = World::new().await;
    let (_, mut info) = recorded("server info, unauthenticated");
    info["auth_scheme"] = json!("EXTERNAL");
    world
        .forget("GET /api/v1/info")
        .on("GET /api/v1/info", (200, info));
    assert_run!("connect-pro", world.run("connect --url [url]").await);
}

#[tokio::test]
async fn many_programs_at_once_lose_nothing() {
    let world = World::new().await;
    world.on("POST /api/v1/login", token("t1", Some(3_600)));
    let localhost = world.url.replace("127.0.0.1", "localhost");
    let one = |url: &str| {
        let line = format!("connect --url {url} --api-key {KEY}");
        let world = &world;
        async move { world.run(&line).await }
    };
    let (a, b, c, d, e, f) = tokio::join!(
        one(&world.url),
        one(&localhost),
        one(&world.url),
        one(&localhost),
        one(&world.url),
        one(&localhost)
    );
    for ended in [a, b, c, d, e, f] {
        assert_eq!(ended.code, 0, "{ended:?}");
    }
    let kept = world.file("credentials.yaml");
    for url in [&world.url, &localhost] {
        assert!(
            kept.contains(&format!("\n  url: {url}\n")),
            "{url} got lost:\n{kept}"
        );
    }
    assert_eq!(kept.matches("api_key: ZENKEY_").count(), 2, "{kept}");
    assert_eq!(world.file("config.yaml").matches("user_id: ").count(), 1);
    let left = std::fs::read_dir(world.config_dir()).unwrap();
    let mut names: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [".zenml-auth.lock", "config.yaml", "credentials.yaml"]);
}
