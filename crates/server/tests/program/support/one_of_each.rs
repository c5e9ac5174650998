//! One of everything that a server knows, so that a database can be told to be whole after it went elsewhere.

use std::path::Path;

use serde_json::{Value, json};
use zenml_auth_testkit::server::device_id;

use super::{Client, PASSWORD, Server, command, polling, text};

/// So that what is kept somewhere is as good in years to come.
const LONG: &str = "3650d";
const ACCOUNTS: &str = "/api/v1/service_accounts";
const DEVICES: &str = "/api/v1/devices";

/// The program on a database, with lifetimes that outlast what is kept of it.
pub fn serve(location: &[&str], folder: &Path) -> Server {
    let mut serve = command(&["serve"]);
    serve.args(location).args([
        "--trusted-device-lifetime",
        LONG,
        "--untrusted-device-lifetime",
        LONG,
        "--access-token-lifetime",
        LONG,
        "--device-grant-lifetime",
        LONG,
        "--polling-interval",
        "1s",
    ]);
    Server::start_as(serve, &folder.join("server.log"))
}

/// Someone who asks to connect a device, and what they were told.
fn ask(client: &Client, id: &str) -> Value {
    client.ok("POST", "/api/v1/device_authorization", &format!("client_id={id}"))
}

fn approve(admin: &Client, asked: &Value) {
    let approval = json!({"user_code": asked["user_code"], "trusted_device": true});
    let path = format!("{DEVICES}/{}/verify", device_id(asked));
    admin.ok("PUT", &path, &approval.to_string());
}

fn exchange(client: &Client, id: &str, asked: &Value) -> Value {
    client.ok(
        "POST",
        "/api/v1/login",
        &polling(id, &text(asked, "/device_code")),
    )
}

fn client_id(number: u32) -> String {
    format!("11111111-2222-4333-8444-{number:012}")
}

/// Makes one of everything, and tells what it came to: every credential, by what it has to be good for.
pub fn fill(server: &Server) -> Value {
    let admin = server.admin();
    let put = |path: &str, body: Value| admin.ok("PUT", path, &body.to_string());
    let post = |path: &str, body: Value| admin.ok("POST", path, &body.to_string());

    // People: one of each state.
    let invited = post(
        "/api/v1/users",
        json!({"name": "invited", "is_admin": false, "active": false}),
    );
    let bob = post(
        "/api/v1/users",
        json!({"name": "bob", "is_admin": false, "active": true, "password": PASSWORD}),
    );
    let carol = post(
        "/api/v1/users",
        json!({"name": "carol", "is_admin": true, "active": true, "password": PASSWORD}),
    );
    let carol_token = server.sign_in_as("carol", PASSWORD).unwrap();
    put(
        &format!("/api/v1/users/{}/deactivate", text(&carol, "/id")),
        json!({}),
    );
    let bob_token = server.sign_in_as("bob", PASSWORD).unwrap();

    // Devices: one that is connected, one that is locked, one that waits for its approval and one for its token.
    let connect = |number: u32| {
        let id = client_id(number);
        let asked = ask(&server.client(), &id);
        approve(&admin, &asked);
        exchange(&server.client(), &id, &asked)
    };
    let connected = connect(1);
    let locked = connect(2);
    put(
        &format!("{DEVICES}/{}", text(&locked, "/device_id")),
        json!({"locked": true}),
    );
    let pending = ask(&server.client(), &client_id(3));
    let approved = ask(&server.client(), &client_id(4));
    approve(&admin, &approved);

    // Workloads: a key that was rotated and its token, one that is switched off, and one of an account that is.
    let account = |name: &str| {
        post(
            ACCOUNTS,
            json!({"name": name, "active": true, "description": "from before"}),
        );
        post(&format!("{ACCOUNTS}/{name}/api_keys"), json!({"name": "key"}))
    };
    let ended = account("ci");
    let rotated = put(
        &format!("{ACCOUNTS}/ci/api_keys/key/rotate"),
        json!({"retain_period_minutes": 0}),
    );
    let key = text(&rotated, "/body/key");
    let key_token = server
        .client()
        .ok("POST", "/api/v1/login", &format!("password={}", encoded(&key)));
    let off = post(&format!("{ACCOUNTS}/ci/api_keys"), json!({"name": "off"}));
    put(&format!("{ACCOUNTS}/ci/api_keys/off"), json!({"active": false}));
    let of_inactive = account("sleeping");
    put(&format!("{ACCOUNTS}/sleeping"), json!({"active": false}));

    json!({
        "good": {
            "the administrator's session": admin.token,
            "bob's session": bob_token,
            "the device": text(&connected, "/access_token"),
            "the key": key,
            "the key's token": text(&key_token, "/access_token"),
        },
        "refused": {
            "carol's session": carol_token,
            "the locked device": text(&locked, "/access_token"),
            "the value before the rotation": text(&ended, "/body/key"),
            "the inactive key": text(&off, "/body/key"),
            "the inactive account's key": text(&of_inactive, "/body/key"),
        },
        "inactive_key_after_switching_it_on": text(&off, "/body/key"),
        "locked_device": {"id": text(&locked, "/device_id"), "token": text(&locked, "/access_token")},
        "pending": pending,
        "approved": approved,
        "invited": {"id": text(&invited, "/id"), "activation_token": text(&invited, "/body/activation_token")},
        "bob": text(&bob, "/id"),
        "users": ["bob", "carol", "default", "invited"],
    })
}

fn encoded(text: &str) -> String {
    text.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

/// What was good is good, what was refused is refused, and what was begun can be ended.
pub fn check(server: &Server, known: &Value) {
    let client = server.client();
    for (outcome, expected) in [("good", 200), ("refused", 401)] {
        for (what, token) in known[outcome].as_object().unwrap() {
            assert_eq!(client.with(token.as_str().unwrap()).status(), expected, "{what}");
        }
    }
    let admin = server.admin();
    assert!(server.sign_in_as("bob", PASSWORD).is_some());
    assert!(server.sign_in_as("carol", PASSWORD).is_none(), "she is inactive");

    // The listings tell all of it.
    let names = |path: &str| -> Vec<String> {
        let page = admin.ok("GET", &format!("{path}?size=100&sort_by=asc:name"), "");
        let items = page["items"].as_array().unwrap();
        items.iter().map(|item| text(item, "/name")).collect()
    };
    assert_eq!(json!(names("/api/v1/users")), known["users"]);
    assert_eq!(names(ACCOUNTS), ["ci", "sleeping"]);
    assert_eq!(names(&format!("{ACCOUNTS}/ci/api_keys")), ["key", "off"]);

    // What was switched off can be switched on.
    admin.ok(
        "PUT",
        &format!("{ACCOUNTS}/ci/api_keys/off"),
        "{\"active\": true}",
    );
    let value = text(known, "/inactive_key_after_switching_it_on");
    assert_eq!(client.with(&value).status(), 200);
    let device = text(known, "/locked_device/id");
    admin.ok("PUT", &format!("{DEVICES}/{device}"), "{\"locked\": false}");
    assert_eq!(client.with(&text(known, "/locked_device/token")).status(), 200);

    // Open requests go on: the server secret, under which user codes are kept, is the same.
    approve(&admin, &known["pending"]);
    for (number, request) in [(3, "pending"), (4, "approved")] {
        let granted = exchange(&client, &client_id(number), &known[request]);
        assert_eq!(
            client.with(&text(&granted, "/access_token")).status(),
            200,
            "{request}"
        );
    }
    let revoked = text(&known["good"], "/the device");
    let devices = admin.ok("GET", &format!("{DEVICES}?size=100"), "");
    assert_eq!(devices["total"], 4);
    // And end as they should.
    client.with(&revoked).ok("GET", "/api/v1/logout", "");
    assert_eq!(client.with(&revoked).status(), 401);
}
