//! What programs read: the JSON of every command that has something to tell them.

use serde_json::Value;

use crate::support::{ACCOUNT, DEVICE, KEY, USER, World, recorded};

#[tokio::test]
async fn of_devices() {
    let world = World::with_devices().await;
    let route = format!("/api/v1/devices/{DEVICE}");
    world
        .on(&format!("PUT {route}"), recorded("lock device"))
        .on(&format!("PUT {route}"), recorded("unlock device"));
    assert_runs!(
        world,
        "json-of-devices",
        [
            "device list -o json",
            "device describe 2efa -o json",
            "device lock 2efa -y -o json",
            "device unlock 2efa -o json",
        ]
    );
}

#[tokio::test]
async fn of_service_accounts() {
    let world = World::with_keys().await;
    let route = format!("/api/v1/service_accounts/{ACCOUNT}");
    world
        .on(
            "POST /api/v1/service_accounts",
            recorded("create service account"),
        )
        .on(&format!("POST {route}/api_keys"), recorded("create api key"))
        .on(&format!("PUT {route}"), recorded("deactivate service account"));
    assert_runs!(
        world,
        "json-of-service-accounts",
        [
            "service-account create ci-71c157 -o json",
            "service-account create ci-71c157 --create-api-key false -o json",
            "service-account list -o json",
            "service-account describe ci-71c157 -o json",
            "service-account update ci-71c157 --active false -o json",
        ]
    );
}

#[tokio::test]
async fn of_api_keys() {
    let world = World::with_keys().await;
    let route = format!("/api/v1/service_accounts/{ACCOUNT}/api_keys");
    world
        .on(&format!("POST {route}"), recorded("create api key"))
        .on(&format!("PUT {route}/{KEY}"), recorded("deactivate api key"))
        .on(
            &format!("PUT {route}/{KEY}/rotate"),
            recorded("rotate with retention"),
        );
    assert_runs!(
        world,
        "json-of-api-keys",
        [
            "service-account api-key ci-71c157 create default -o json",
            "service-account api-key ci-71c157 list -o json",
            "service-account api-key ci-71c157 describe default -o json",
            "service-account api-key ci-71c157 update default --active no -o json",
            "service-account api-key ci-71c157 rotate default -o json",
        ]
    );
}

#[tokio::test]
async fn of_users() {
    let world = World::connected().await;
    let route = format!("/api/v1/users/{USER}");
    world
        .on("GET /api/v1/users", recorded("users by name"))
        .on(
            "POST /api/v1/users",
            recorded("create user without a password (invitation)"),
        )
        .on(&format!("PUT {route}"), recorded("make user admin"))
        .on(&format!("PUT {route}/deactivate"), recorded("deactivate user"));
    assert_runs!(
        world,
        "json-of-users",
        [
            "user list -o json",
            "user describe default -o json",
            "user create ann-612591-inv --invite -o json",
            "user update default --admin -o json",
            "user deactivate default -o json",
        ]
    );
}

#[tokio::test]
async fn of_the_connection() {
    let world = World::connected().await;
    assert_runs!(
        world,
        "json-of-the-connection",
        ["status -o json", "auth explain -o json"]
    );
    // A program sees each step, and how it ended, on a line of its own.
    world.forget("GET /api/v1/current-user");
    world.on(
        "GET /api/v1/current-user",
        recorded("request with a token from before the password change"),
    );
    let ended = world.run("auth explain --output json").await;
    let lines: Vec<Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["outcome"], &last["exit_code"]),
        (&Value::from("fails"), &Value::from(3))
    );
    assert!(last["next"].as_str().unwrap().contains("zenml connect"), "{last}");
    assert!(
        lines[..lines.len() - 1]
            .iter()
            .all(|line| line["step"].is_string())
    );
    assert_eq!(ended.code, 3);
}
