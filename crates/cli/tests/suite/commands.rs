//! Every command against a server that answers as ZenML's 0.98.0 was recorded: what it asks, what it shows, how it ends.

use serde_json::{Value, json};

use crate::support::{ACCOUNT, DEVICE, KEY, USER, World, page, recorded};

#[tokio::test]
async fn devices_are_listed_in_every_form() {
    let world = World::with_devices().await;
    assert_run!("device-list", world.run("device list").await);
    assert_run!("device-list-json", world.run("device list -o json").await);
    assert_run!(
        "device-list-yaml",
        world.run("device list --output yaml --columns id,status").await
    );
    assert_run!(
        "device-list-csv",
        world.run("authorized-device list --output csv").await
    );
    assert_run!(
        "device-list-tsv",
        world.run("devices ls --output tsv -c id,hostname").await
    );
    assert_run!(
        "device-list-unknown-column",
        world.run("device list --columns id,colour").await
    );
}

#[tokio::test]
async fn filters_are_passed_on_as_they_are_typed() {
    let world = World::with_devices().await;
    let filters = "--status active --status notequals:locked --trusted_device true";
    world
        .run(&format!(
            "device list {filters} --sort-by asc:expires --page 2 --size 5 --logical-operator or"
        ))
        .await;
    assert_eq!(
        world.asked(),
        [
            "GET /api/v1/info",
            "GET /api/v1/devices?status=active&status=notequals%3Alocked&trusted_device=true&logical_operator=or&sort_by=asc%3Aexpires&page=2&size=5&hydrate=true"
        ],
        "whether the server knows `notequals` depends on its release"
    );
}

#[tokio::test]
async fn moments_and_lists_are_sent_as_every_server_reads_them() {
    let world = World::with_devices().await;
    world
        .run("device list --created gt:2026-11-23 --status oneof:active,locked")
        .await;
    let asked = world.asked().pop().unwrap();
    for part in [
        "created=gt%3A2026-11-23+00%3A00%3A00",
        "status=oneof%3A%5B%22active%22%2C%22locked%22%5D",
    ] {
        assert!(asked.contains(part), "{asked}");
    }
}

#[tokio::test]
async fn a_filter_that_an_old_server_would_misunderstand_is_refused() {
    let world = World::with_devices().await;
    let (_, mut info) = recorded("server info, unauthenticated");
    info["version"] = json!("0.58.2");
    world
        .forget("GET /api/v1/info")
        .on("GET /api/v1/info", (200, info));
    let ended = world.run("device list --status notequals:locked").await;
    assert_run!("device-list-old-server", ended);
    assert_eq!(world.asked(), ["GET /api/v1/info"]);
    assert_eq!(world.run("device list --status active").await.code, 0);
}

#[tokio::test]
async fn an_order_that_is_none_is_refused() {
    let world = World::with_devices().await;
    assert_run!(
        "list-no-order",
        world.run("device list --sort-by sideways:id").await
    );
    assert!(world.asked().is_empty());
}

#[tokio::test]
async fn a_filter_that_the_server_would_ignore_is_refused() {
    let world = World::with_devices().await;
    assert_run!(
        "device-list-by-hostname-zenml",
        world.run("device list --hostname startswith:lap").await
    );
    assert!(!world.asked().iter().any(|asked| asked.contains("/devices")));
    let (_, mut info) = recorded("server info, unauthenticated");
    info["metadata"] = json!({"implementation": "zenml-auth 0.1.0"});
    world
        .forget("GET /api/v1/info")
        .on("GET /api/v1/info", (200, info));
    assert_eq!(world.run("device list --hostname startswith:lap").await.code, 0);
    assert!(world.asked().pop().unwrap().contains("hostname=startswith%3Alap"));
}

#[tokio::test]
async fn a_filter_that_makes_no_sense() {
    let world = World::connected().await;
    world.on(
        "GET /api/v1/service_accounts",
        recorded("service accounts: bad sort"),
    );
    assert_run!(
        "list-bad-sort",
        world.run("service-account list --sort-by desc:colour").await
    );
}

#[tokio::test]
async fn pages_are_counted() {
    let world = World::connected().await;
    let (_, mut body) = recorded("devices, hydrated");
    body["total_pages"] = json!(3);
    body["total"] = json!(45);
    world.on("GET /api/v1/devices", (200, body));
    assert_run!("device-list-pages", world.run("device list --columns id").await);
    world
        .forget("GET /api/v1/devices")
        .on("GET /api/v1/devices", page(&[]));
    assert_run!("device-list-empty", world.run("device list").await);
    assert_run!("device-list-empty-json", world.run("device list -o json").await);
    assert_run!(
        "device-list-empty-csv",
        world.run("device list -o csv --columns id,status").await
    );
}

#[tokio::test]
async fn a_device_is_described() {
    let world = World::with_devices().await;
    assert_run!("device-describe", world.run("device describe 2efa").await);
    assert_run!(
        "device-describe-json",
        world.run(&format!("device describe {DEVICE} -o json")).await
    );
}

#[tokio::test]
async fn devices_are_locked_unlocked_and_deleted() {
    let world = World::with_devices().await;
    let route = format!("/api/v1/devices/{DEVICE}");
    world
        .on(&format!("PUT {route}"), recorded("lock device"))
        .on(&format!("PUT {route}"), recorded("unlock device"));
    world.on(&format!("DELETE {route}"), recorded("delete device"));
    assert_run!("device-lock-unasked", world.run("device lock 2efa").await);
    assert_run!("device-lock", world.run("device lock 2efa -y").await);
    assert_run!("device-unlock", world.run("device unlock 2efa").await);
    assert_run!("device-delete-unasked", world.run("device delete 2efa").await);
    world.asked();
    assert_run!("device-delete", world.run("device delete 2efa --yes").await);
    assert_eq!(world.asked().pop().unwrap(), format!("DELETE {route}"));
}

#[tokio::test]
async fn a_device_that_is_not_there() {
    let world = World::connected().await;
    world.on("GET /api/v1/devices", page(&[]));
    assert_run!("device-unknown", world.run("device describe 77").await);
    assert_run!("device-no-id", world.run("device describe laptop").await);
    let (_, body) = recorded("devices, hydrated");
    let item = body["items"][0].clone();
    let mut other = item.clone();
    other["id"] = json!("2efa1441-0000-462a-9644-ac74f84d8518");
    world
        .forget("GET /api/v1/devices")
        .on("GET /api/v1/devices", page(&[item, other]));
    assert_run!("device-ambiguous", world.run("device lock 2efa").await);
}

#[tokio::test]
async fn what_a_device_says_of_itself_cannot_steer_the_terminal() {
    let world = World::connected().await;
    let (_, mut body) = recorded("devices, hydrated");
    body["items"][0]["body"]["hostname"] = json!("\u{1b}[2J\u{1b}]0;owned\u{7}lap\u{9b}31m\u{202e}top\r\n");
    world.on("GET /api/v1/devices", (200, body));
    for form in ["table", "json", "yaml", "csv", "tsv"] {
        let ended = world.run(&format!("device list -o {form}")).await;
        let harmful = ended
            .stdout
            .chars()
            .filter(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\r'))
            .count();
        assert_eq!(harmful, 0, "{form}: {:?}", ended.stdout);
    }
}

#[tokio::test]
async fn service_accounts_are_managed() {
    let world = World::with_keys().await;
    let route = format!("/api/v1/service_accounts/{ACCOUNT}");
    world.on(
        "POST /api/v1/service_accounts",
        recorded("create service account"),
    );
    world.on(&format!("POST {route}/api_keys"), recorded("create api key"));
    world.on(&format!("PUT {route}"), recorded("deactivate service account"));
    world.on(&format!("DELETE {route}"), recorded("delete service account"));
    assert_run!(
        "service-account-create",
        world
            .run("service-account create ci-71c157 --description for-CI")
            .await
    );
    assert_eq!(
        world.asked(),
        [
            r#"POST /api/v1/service_accounts {"name":"ci-71c157","description":"for-CI","active":true}"#
                .to_owned(),
            format!(r#"POST {route}/api_keys {{"name":"default"}}"#),
        ]
    );
    assert_run!(
        "service-account-create-json",
        world.run("service-account create --name ci-71c157 -o json").await
    );
    assert_run!(
        "service-account-create-bare",
        world
            .run("service-account create ci-71c157 --create-api-key false")
            .await
    );
    assert_run!("service-account-list", world.run("service-account list").await);
    assert_run!(
        "service-account-describe",
        world.run("service-account describe ci-71c157").await
    );
    assert_run!(
        "service-account-describe-json",
        world
            .run("service-account describe --name ci-71c157 -o json")
            .await
    );
    world.asked();
    assert_run!(
        "service-account-update",
        world.run("service-account update ci-71c157 --active false").await
    );
    assert_eq!(
        world.asked().pop().unwrap(),
        format!(r#"PUT {route} {{"active":false}}"#)
    );
    assert_run!(
        "service-account-update-nothing",
        world.run("service-account update ci-71c157").await
    );
    assert_run!(
        "service-account-delete",
        world.run("service-account delete ci-71c157 -y").await
    );
    assert_run!(
        "service-account-no-name",
        world.run("service-account describe").await
    );
    assert_run!(
        "service-account-two-names",
        world.run("service-account describe a --name b").await
    );
}

#[tokio::test]
async fn a_name_that_is_taken_or_none() {
    let world = World::connected().await;
    world.on(
        "POST /api/v1/service_accounts",
        recorded("create service account: same name"),
    );
    assert_run!(
        "service-account-exists",
        world.run("service-account create ci-71c157").await
    );
    world.asked();
    let ended = world.run(&format!("service-account create {ACCOUNT}")).await;
    assert_run!("service-account-bad-name", ended);
    assert!(world.asked().is_empty());
}

#[tokio::test]
async fn api_keys_are_managed() {
    let world = World::with_keys().await;
    let route = format!("/api/v1/service_accounts/{ACCOUNT}/api_keys");
    world.on(&format!("POST {route}"), recorded("create api key"));
    world.on(&format!("PUT {route}/{KEY}"), recorded("deactivate api key"));
    world.on(
        &format!("PUT {route}/{KEY}/rotate"),
        recorded("rotate with retention"),
    );
    world.on(&format!("DELETE {route}/{KEY}"), recorded("delete api key"));
    assert_run!(
        "api-key-create",
        world
            .run("service-account api-key ci-71c157 create default")
            .await
    );
    assert_run!(
        "api-key-create-expiring",
        world
            .run("service-account api-key ci-71c157 create default --expires-in-days 1")
            .await
    );
    let asked = world.asked().pop().unwrap();
    assert!(
        asked.ends_with(r#"{"name":"default","expires_in":86400}"#),
        "{asked}"
    );
    assert_run!(
        "api-key-list",
        world.run("service-account api-key ci-71c157 list").await
    );
    assert_run!(
        "api-key-list-json",
        world.run("service-account api-key ci-71c157 list -o json").await
    );
    assert_run!(
        "api-key-describe",
        world
            .run("service-account api-key ci-71c157 describe default")
            .await
    );
    assert_run!(
        "api-key-update",
        world
            .run("service-account api-key ci-71c157 update default --active no")
            .await
    );
    world.asked();
    let ended = world
        .run("service-account api-key ci-71c157 rotate default")
        .await;
    assert_run!("api-key-rotate", ended);
    assert_eq!(
        world.asked().pop().unwrap(),
        format!(r#"PUT {route}/{KEY}/rotate {{"retain_period_minutes":0}}"#)
    );
    let ended = world
        .run("service-account api-key ci-71c157 rotate default --retain 60 -o json")
        .await;
    assert!(
        ended.stderr.contains("still good for 1 hour, until 20"),
        "{ended:?}"
    );
    assert!(ended.stdout.contains("\"key\": \"ZENKEY_"), "{ended:?}");
    assert_run!(
        "api-key-delete",
        world
            .run("service-account api-key ci-71c157 delete --name default --yes")
            .await
    );
}

#[tokio::test]
async fn a_key_that_nobody_reads_is_no_success() {
    let world = World::with_keys().await;
    let route = format!("/api/v1/service_accounts/{ACCOUNT}/api_keys");
    world.on(&format!("POST {route}"), recorded("create api key"));
    for more in [&[][..], &["--output", "json"]] {
        let args = ["service-account", "api-key", "ci-71c157", "create", "default"];
        let mut child = world.command(&[&args, more].concat()).spawn().unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().await.unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{said}");
        assert!(
            said.contains("is lost") && said.contains("api-key ci-71c157 rotate default"),
            "{said}"
        );
        assert!(
            !said.contains("ZENKEY_") && !said.contains("Keep this key"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_key_goes_where_it_is_sent() {
    let world = World::with_keys().await;
    let route = format!("/api/v1/service_accounts/{ACCOUNT}/api_keys");
    world.on(&format!("POST {route}"), recorded("create api key"));
    let ended = world
        .run("service-account api-key ci-71c157 create default --output-file ci.key")
        .await;
    assert_run!("api-key-output-file", ended);
    let path = world.home.path().join("ci.key");
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("ZENKEY_"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    world.asked();
    let ended = world
        .run("service-account api-key ci-71c157 create default --output-file no/such/folder/ci.key")
        .await;
    assert_eq!(ended.code, 1);
    assert!(
        !world.asked().iter().any(|asked| asked.starts_with("POST")),
        "no key was made that would be lost"
    );
    let ended = world
        .run("service-account api-key ci-71c157 create default --set-key")
        .await;
    assert_run!("api-key-set-key", ended);
    let kept = world.file("credentials.yaml");
    assert!(
        kept.contains("api_key: ZENKEY_") && !kept.contains("access_token"),
        "{kept}"
    );
}

#[tokio::test]
async fn a_server_that_keeps_no_full_name_is_told_of() {
    let world = World::with_keys().await;
    world.on(
        "POST /api/v1/service_accounts",
        recorded("create service account"),
    );
    let ended = world
        .run("service-account create ci-71c157 --full-name Builds --create-api-key false")
        .await;
    assert_run!("service-account-no-full-name", ended);
}

#[tokio::test]
async fn a_server_that_switches_no_users_off_is_told_of() {
    let world = World::connected().await;
    let route = format!("/api/v1/users/{USER}");
    world.on("GET /api/v1/users", recorded("users by name"));
    world.on(&format!("PUT {route}"), recorded("make user admin"));
    assert_run!(
        "user-not-switched",
        world.run("user update default --active false").await
    );
    let failed = json!({"detail": ["IntegrityError", "NOT NULL constraint failed: user.is_admin"]});
    world
        .forget(&format!("PUT {route}"))
        .on(&format!("PUT {route}"), (500, failed));
    assert_run!(
        "user-switch-fails",
        world.run("user update default --active false").await
    );
}

#[tokio::test]
async fn users_are_managed() {
    let world = World::connected().await;
    let route = format!("/api/v1/users/{USER}");
    world.on("GET /api/v1/users", recorded("users by name"));
    world.on("POST /api/v1/users", recorded("create user with a password"));
    world.on(&format!("PUT {route}"), recorded("make user admin"));
    world.on(&format!("PUT {route}/deactivate"), recorded("deactivate user"));
    world.on(&format!("DELETE {route}"), recorded("delete oneself"));
    assert_run!("user-list", world.run("user list").await);
    assert_run!("user-describe", world.run("user describe").await);
    assert_run!(
        "user-describe-json",
        world.run("user describe default -o json").await
    );
    world.asked();
    assert_run!(
        "user-create",
        world
            .run_with("user create ann-612591 --full-name Ann", "First-Passw0rd\n")
            .await
    );
    assert_eq!(
        world.asked(),
        [
            r#"POST /api/v1/users {"name":"ann-612591","full_name":"Ann","password":"First-Passw0rd","is_admin":false,"active":true}"#
        ]
    );
    assert_run!("user-update", world.run("user update default --admin").await);
    assert_run!(
        "user-update-unasked",
        world.run("user update default --user").await
    );
    assert_run!("user-update-nothing", world.run("user update default").await);
    assert_run!("user-deactivate", world.run("user deactivate default").await);
    assert_run!(
        "user-delete-oneself",
        world.run("user delete default --yes").await
    );
}

#[tokio::test]
async fn a_user_is_invited() {
    let world = World::connected().await;
    world.on(
        "POST /api/v1/users",
        recorded("create user without a password (invitation)"),
    );
    assert_run!(
        "user-invite",
        world.run("user create ann-612591-inv --invite").await
    );
    assert_run!(
        "user-invite-json",
        world.run("user create ann-612591-inv -o json").await
    );
    for asked in world.asked() {
        assert_eq!(
            asked,
            r#"POST /api/v1/users {"name":"ann-612591-inv","is_admin":false,"active":false}"#
        );
    }
}

#[tokio::test]
async fn a_password_is_changed() {
    let world = World::connected().await;
    world.on(
        "PUT /api/v1/current-user",
        recorded("change own password: wrong old one"),
    );
    world.on("PUT /api/v1/current-user", recorded("change own password"));
    let refused = world
        .run_with("user change-password", "nope\nSecond-Passw0rd\n")
        .await;
    assert_run!("user-change-password-wrong", refused);
    assert_eq!(
        world.asked(),
        [r#"PUT /api/v1/current-user {"password":"Second-Passw0rd","old_password":"nope"}"#]
    );
    world.forget("GET /api/v1/current-user");
    world.on(
        "GET /api/v1/current-user",
        recorded("request with a token from before the password change"),
    );
    let ended = world
        .run_with("user change-password", "First-Passw0rd\nSecond-Passw0rd\n")
        .await;
    assert_run!("user-change-password", ended);
}

/// The same passwords again would be refused again.
#[tokio::test]
async fn who_has_to_sign_in_first_is_not_told_to_try_again() {
    const SIGN_IN: &str =
        "The connection of a device is not enough to change a password. Sign in with your password.";
    let world = World::connected().await;
    world.on(
        "PUT /api/v1/current-user",
        (403, json!({"detail": ["IllegalOperationError", SIGN_IN]})),
    );
    world.set_challenge("Bearer error=\"insufficient_user_authentication\"");
    let refused = world
        .run_with("user change-password", "First-Passw0rd\nSecond-Passw0rd\n")
        .await;
    assert_eq!(refused.code, 5, "{refused:?}");
    assert_eq!(refused.stderr.trim_end(), format!("error: {SIGN_IN}"));
}

#[tokio::test]
async fn what_is_not_allowed() {
    let world = World::connected().await;
    world.on("POST /api/v1/users", recorded("user may not create users"));
    assert_run!("user-forbidden", world.run("user create bob --invite").await);
}

#[tokio::test]
async fn a_server_that_fails() {
    let world = World::connected().await;
    let body = json!({"detail": ["RuntimeError", "disk full"], "request_id": "r-17"});
    world.on("GET /api/v1/users", (500, body));
    assert_run!("server-fails", world.run("user list").await);
}

#[tokio::test]
async fn the_traffic_is_shown_without_secrets() {
    let world = World::with_keys().await;
    let route = format!("/api/v1/service_accounts/{ACCOUNT}/api_keys");
    world.on(&format!("POST {route}"), recorded("create api key"));
    let ended = world
        .run("-v service-account api-key ci-71c157 create default --output-file k")
        .await;
    assert!(
        ended.stderr.contains("> POST [url]/api/v1/service_accounts"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains(r#""key":"[masked]""#) && !ended.stderr.contains("ZENKEY"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("h.eyJ"), "{}", ended.stderr);
}

#[tokio::test]
async fn shells_are_told_what_could_come_next() {
    let world = World::new().await;
    for (typed, expected) in [
        ("zenml dev", "device\t"),
        ("zenml service-account api-key ci rot", "rotate\t"),
        ("zenml service-account api-key ci rotate --ret", "--retain\t"),
        ("zenml device list --output y", "yaml\t"),
    ] {
        let words: Vec<&str> = std::iter::once("--").chain(typed.split(' ')).collect();
        let mut command = world.command(&words);
        let told = command.env("_ZENML_COMPLETE", "fish").output().await.unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        assert!(told.starts_with(expected), "{typed}: {told}");
    }
    assert!(world.asked().is_empty(), "no server is asked");
}

#[tokio::test]
async fn scripts_and_pages_are_made() {
    let world = World::new().await;
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ended = world.run(&format!("completions {shell}")).await;
        assert!(ended.code == 0 && ended.stdout.contains("zenml"), "{shell}");
    }
    let ended = world.run("man").await;
    assert!(ended.stdout.contains(".TH zenml 1"), "{}", &ended.stdout[..200]);
    let ended = world.run("man --dir pages").await;
    assert_eq!(ended.code, 0, "{ended:?}");
    let count = std::fs::read_dir(world.home.path().join("pages"))
        .unwrap()
        .count();
    assert!(
        ended.stderr.contains(&format!("Wrote {count} pages")) && count > 25,
        "{}",
        ended.stderr
    );
    assert!(
        world
            .home
            .path()
            .join("pages/zenml-service-account-api-key-rotate.1")
            .exists()
    );
    assert_run!("version", world.run("--version").await);
    assert_run!("version-command", world.run("version").await);
}

/// The answers to `GET` on the key after a rotation, with who used which value.
fn told(world: &World, answers: &[&[(&str, &str, &str)]]) {
    let (_, rotated) = recorded("rotate with retention");
    let route = format!("GET /api/v1/service_accounts/{ACCOUNT}/api_keys/{KEY}");
    world.forget(&route);
    for uses in answers {
        let mut key = rotated.clone();
        key["metadata"]["last_rotated"] = json!("2026-11-23T18:51:39.000000");
        key["metadata"]["recent_uses"] = uses
            .iter()
            .map(|(value, at, agent)| {
                json!({"value": value, "last_login": at, "ip_address": "192.0.2.7", "user_agent": agent})
            })
            .collect();
        world.on(&route, (200, key));
    }
}

#[tokio::test]
async fn a_rotation_waits_for_the_old_key_to_fall_quiet() {
    let world = World::with_rotation().await;
    let (before, after) = ("2026-11-01T03:00:00.000000", "2026-12-24T12:00:00.000000");
    let runner = ("previous", before, "Host/runner ZenML/0.98.0");
    let pod = ("previous", after, "pod\u{1b}[31m");
    let moved = ("current", after, "Host/runner ZenML/0.98.0");
    told(&world, &[&[runner], &[pod, runner], &[moved, pod, runner]]);
    let rotate = "service-account api-key ci-71c157 rotate default --retain 60 --wait --quiet-for 1s";
    let mut ended = world.run(rotate).await;
    let stamp = ended.stderr.find(", until ").map(|at| at + 8..at + 31).unwrap();
    ended.stderr.replace_range(stamp, "[later]");
    assert_run!("api-key-rotate-wait", ended);

    told(&world, &[&[runner], &[pod, runner], &[moved, pod, runner]]);
    let ended = world.run(&format!("{rotate} --output json")).await;
    let events: Vec<Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let names: Vec<_> = events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["rotated", "known", "used", "moved", "quiet"]);
    assert!(events[0]["key"].as_str().unwrap().starts_with("ZENKEY_"));
    assert_eq!(events[2]["ip_address"], "192.0.2.7");
    assert_eq!(events[4]["not_seen_with_the_new_key"], 1);
    assert_eq!(ended.code, 0);

    // Nobody and nothing there: the key is in the file before the wait begins, and quiet comes by itself.
    told(&world, &[&[]]);
    let ended = world.run(&format!("{rotate} --output-file k")).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""), "{ended:?}");
    let written = std::fs::read_to_string(world.home.path().join("k")).unwrap();
    assert!(written.starts_with("ZENKEY_"));
}

#[tokio::test]
async fn a_server_that_does_not_tell_who_uses_a_key_is_not_waited_for() {
    let world = World::with_rotation().await;
    let rotate = "service-account api-key ci-71c157 rotate default --retain 60 --wait";
    let mut ended = world.run(rotate).await;
    let stamp = ended.stderr.find(", until ").map(|at| at + 8..at + 31).unwrap();
    ended.stderr.replace_range(stamp, "[later]");
    assert_run!("api-key-rotate-wait-not-told", ended);
}

#[tokio::test]
async fn a_wait_that_makes_no_sense_rotates_nothing() {
    let world = World::with_rotation().await;
    let rotate = "service-account api-key ci-71c157 rotate default";
    for (args, code) in [
        ("--wait", 2),
        ("--quiet-for 10m --retain 60", 2),
        ("--wait --retain 5 --quiet-for 5m", 2),
        ("--wait --retain 5 --quiet-for 0s", 2),
        ("--wait --retain 5 --quiet-for soon", 2),
    ] {
        let ended = world.run(&format!("{rotate} {args}")).await;
        assert_eq!(ended.code, code, "{ended:?}");
    }
    assert!(!world.asked().iter().any(|asked| asked.starts_with("PUT")));
}

#[tokio::test]
async fn where_nobody_can_be_asked_nothing_is_done() {
    let world = World::with_keys().await;
    let ended = world
        .run("service-account api-key ci-71c157 delete default --color always")
        .await;
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(
        ended
            .stderr
            .contains("Delete API key default of ci-71c157? There is no terminal to ask on."),
        "{ended:?}"
    );
    assert!(!world.asked().iter().any(|asked| asked.starts_with("DELETE")));
}

#[tokio::test]
async fn a_key_does_not_take_the_place_of_a_variable() {
    let mut world = World::with_rotation().await;
    world.set("ZENML_STORE_URL", &world.url.clone());
    world.set("ZENML_STORE_API_TOKEN", "t");
    let ended = world
        .run("service-account api-key ci-71c157 rotate default --set-key")
        .await;
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(
        ended.stderr.contains("which is in ZENML_STORE_API_TOKEN"),
        "{ended:?}"
    );
    assert!(
        !world.asked().iter().any(|asked| asked.starts_with("PUT")),
        "the old key is good still"
    );
}

#[tokio::test]
async fn a_key_that_cannot_be_kept_is_not_made() {
    let world = World::with_rotation().await;
    // A program that changes the files has to lock them.
    let lock = world.config_dir().join(".zenml-auth.lock");
    let _ = std::fs::remove_file(&lock);
    std::fs::create_dir(&lock).unwrap();
    let ended = world
        .run("service-account api-key ci-71c157 rotate default --set-key")
        .await;
    assert_eq!(ended.code, 8, "{ended:?}");
    assert!(
        !world.asked().iter().any(|asked| asked.starts_with("PUT")),
        "the old key is good still"
    );
}

#[tokio::test]
async fn colours_are_for_those_who_want_them() {
    let world = World::with_devices().await;
    assert!(!world.run("device list").await.stdout.contains('\u{1b}'));
    assert!(
        world
            .run("device list --color always")
            .await
            .stdout
            .contains("\u{1b}[32mactive")
    );
    assert!(
        !world
            .run("device list --color never")
            .await
            .stdout
            .contains('\u{1b}')
    );
}
