//! What people see, as a browser without JavaScript gets it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of this is test code"
)]

use http::StatusCode;
use serde_json::{Value, json};
use zenml_auth_testkit::server::{
    ADMIN, CookieJar, PASSWORD, TestOptions, TestResponse, TestServer, device_id, hidden_field, text,
};

const CLIENT: &str = "77ec22a2-335b-4130-ba6c-1e1c371236a7";

/// A browser: it keeps cookies and follows redirections.
struct Browser<'a> {
    server: &'a TestServer,
    jar: CookieJar,
}

impl<'a> Browser<'a> {
    fn new(server: &'a TestServer) -> Self {
        Self {
            server,
            jar: CookieJar::default(),
        }
    }

    async fn open(&mut self, path: &str) -> TestResponse {
        let mut answer = self.server.get(path).cookies(&self.jar).send().await;
        self.jar.take(&answer);
        while answer.status.is_redirection() {
            let next = answer.header("location").to_owned();
            answer = self.server.get(&next).cookies(&self.jar).send().await;
            self.jar.take(&answer);
        }
        answer
    }

    async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> TestResponse {
        let answer = self
            .server
            .post(path)
            .cookies(&self.jar)
            .form(fields)
            .send()
            .await;
        self.jar.take(&answer);
        if answer.status.is_redirection() {
            let next = answer.header("location").to_owned();
            return self.open(&next).await;
        }
        answer
    }

    /// Signs in and ends on the page that was wanted.
    async fn sign_in(&mut self, wanted: &str, name: &str, password: &str) -> TestResponse {
        let page = self.open(wanted).await.text();
        let (csrf, next) = (
            hidden_field(&page, "csrf"),
            unescape(&hidden_field(&page, "next")),
        );
        let fields = [
            ("csrf", csrf.as_str()),
            ("next", &next),
            ("username", name),
            ("password", password),
        ];
        self.submit("/login", &fields).await
    }

    async fn decide(&mut self, page: &str, decision: &str, trusted: bool) -> TestResponse {
        let fields = ["csrf", "device_id", "user_code"].map(|name| (name, hidden_field(page, name)));
        let mut fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        fields.push(("decision", decision));
        if trusted {
            fields.push(("trusted", "yes"));
        }
        self.submit("/devices/verify/decision", &fields).await
    }
}

fn unescape(text: &str) -> String {
    text.replace("&#38;", "&").replace("&amp;", "&")
}

fn link(asked: &Value) -> String {
    text(&asked["verification_uri_complete"])
}

#[tokio::test]
async fn the_link_leads_to_approval() {
    let server = TestServer::start_with(TestOptions::sqlite()).await;
    let asked = server.request_device(CLIENT).await;
    let mut browser = Browser::new(&server);
    let page = browser.sign_in(&link(&asked), ADMIN, PASSWORD).await;
    let shown = page.expect(StatusCode::OK).text();
    for part in [
        "laptop",
        "Linux",
        "ZenML 0.98.0",
        "127.0.0.1",
        "Go on only if you started this yourself",
    ] {
        assert!(shown.contains(part), "{part} is not shown");
    }
    let done = browser.decide(&shown, "approve", true).await;
    assert!(done.expect(StatusCode::OK).text().contains("Device approved"));
    let granted = server.poll(CLIENT, asked["device_code"].as_str().unwrap()).await;
    assert_eq!(granted.expect(StatusCode::OK).json()["expires_in"], 30 * 86_400);
    let twice = browser.decide(&shown, "approve", true).await;
    assert!(
        twice
            .expect(StatusCode::BAD_REQUEST)
            .text()
            .contains("Already decided")
    );
}

#[tokio::test]
async fn a_typed_code_leads_there_too() {
    let server = TestServer::start().await;
    let asked = server.request_device(CLIENT).await;
    let mut browser = Browser::new(&server);
    let page = browser.sign_in("/", ADMIN, PASSWORD).await.text();
    let csrf = hidden_field(&page, "csrf");
    let wrong = browser
        .submit("/devices/verify", &[("csrf", &csrf), ("user_code", "BBBB-BBBB")])
        .await;
    assert!(
        wrong
            .expect(StatusCode::NOT_FOUND)
            .text()
            .contains("No device waits with this code")
    );
    let typed = text(&asked["user_code"]).to_lowercase().replace('-', "");
    let page = browser
        .submit("/devices/verify", &[("csrf", &csrf), ("user_code", &typed)])
        .await;
    let done = browser
        .decide(&page.expect(StatusCode::OK).text(), "deny", false)
        .await;
    assert!(done.expect(StatusCode::OK).text().contains("Device denied"));
    let polled = server.poll(CLIENT, asked["device_code"].as_str().unwrap()).await;
    assert_eq!(polled.json()["error"], "access_denied");
}

#[tokio::test]
async fn other_sites_cannot_send_our_forms() {
    let server = TestServer::start().await;
    let asked = server.request_device(CLIENT).await;
    let mut browser = Browser::new(&server);
    let page = browser.sign_in(&link(&asked), ADMIN, PASSWORD).await.text();
    let (id, code) = (device_id(&asked), text(&asked["user_code"]));
    let fields = [
        ("device_id", id.as_str()),
        ("user_code", &code),
        ("decision", "approve"),
    ];
    // Without a token, with a made-up one, with one of another browser, and from another site with the right one.
    let mut other = Browser::new(&server);
    let others = hidden_field(&other.sign_in("/", ADMIN, PASSWORD).await.text(), "csrf");
    for token in ["", "00", &"0".repeat(64), &others] {
        let mut forged = fields.to_vec();
        forged.push(("csrf", token));
        let answer = server
            .post("/devices/verify/decision")
            .cookies(&browser.jar)
            .form(&forged)
            .send()
            .await;
        answer.expect(StatusCode::FORBIDDEN);
    }
    let csrf = hidden_field(&page, "csrf");
    let mut right = fields.to_vec();
    right.push(("csrf", &csrf));
    let across = server
        .post("/devices/verify/decision")
        .cookies(&browser.jar)
        .header("sec-fetch-site", "cross-site");
    across.form(&right).send().await.expect(StatusCode::FORBIDDEN);
    let polled = server.poll(CLIENT, asked["device_code"].as_str().unwrap()).await;
    assert_eq!(polled.json()["error"], "authorization_pending");
    let done = server
        .post("/devices/verify/decision")
        .cookies(&browser.jar)
        .form(&right)
        .send()
        .await;
    done.expect(StatusCode::OK);
}

#[tokio::test]
async fn signing_in_needs_a_form_of_ours() {
    let server = TestServer::start().await;
    let fields = [("username", ADMIN), ("password", PASSWORD)];
    let answer = server.post("/login").form(&fields).send().await;
    answer.expect(StatusCode::FORBIDDEN);
    assert!(
        !answer
            .headers
            .get_all("set-cookie")
            .iter()
            .any(|cookie| cookie.to_str().unwrap().contains("session"))
    );
}

#[tokio::test]
async fn a_wrong_password_says_so_and_no_more() {
    let server = TestServer::start().await;
    let mut pages = Vec::new();
    for name in [ADMIN, "nobody"] {
        let page = Browser::new(&server).sign_in("/", name, "wrong-password").await;
        let text = page.expect(StatusCode::UNAUTHORIZED).text();
        assert!(text.contains("The user name or the password is wrong") && !text.contains("wrong-password"));
        let csrf = hidden_field(&text, "csrf");
        pages.push(text.replace(name, "NAME").replace(&csrf, "CSRF"));
    }
    assert_eq!(pages[0], pages[1], "strangers don't learn who exists");
}

#[tokio::test]
async fn every_page_keeps_other_sites_away() {
    let server = TestServer::start().await;
    for path in [
        "/login",
        "/devices/verify",
        "/activate-user?token=x",
        "/assets/none",
        "/",
    ] {
        let answer = server.get(path).send().await;
        if path != "/assets/none" {
            let policy = answer.header("content-security-policy");
            for part in [
                "default-src 'none'",
                "frame-ancestors 'none'",
                "form-action 'self'",
                "base-uri 'none'",
            ] {
                assert!(policy.contains(part), "{path}: {policy}");
            }
            assert!(!policy.contains("unsafe"), "{path}: {policy}");
            assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
            assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        }
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert!(!answer.text().contains("<script"), "{path}");
    }
}

#[tokio::test]
async fn cookies_are_kept_close() {
    for (public_url, name, secure) in [
        (None, "zenml-auth-session", false),
        (
            Some("https://auth.example.com"),
            "__Host-zenml-auth-session",
            true,
        ),
        (Some("https://example.com/auth"), "zenml-auth-session", true),
    ] {
        let options = TestOptions {
            public_url: public_url.map(str::to_owned),
            ..TestOptions::default()
        };
        let server = TestServer::start_with(options).await;
        let page = server.get("/login").send().await;
        let mut jar = CookieJar::default();
        jar.take(&page);
        let csrf = hidden_field(&page.text(), "csrf");
        let fields = [
            ("csrf", csrf.as_str()),
            ("username", ADMIN),
            ("password", PASSWORD),
        ];
        let answer = server.post("/login").cookies(&jar).form(&fields).send().await;
        let cookie = answer.header("set-cookie").to_owned();
        assert!(cookie.starts_with(&format!("{name}=")), "{cookie}");
        for part in ["HttpOnly", "SameSite=Lax", "Max-Age=43200"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert_eq!(cookie.contains("Secure"), secure, "{cookie}");
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
}

#[tokio::test]
async fn what_machines_say_of_themselves_is_text() {
    let server = TestServer::start().await;
    let answer = server
        .post("/api/v1/device_authorization")
        .header(
            "user-agent",
            "Host/<script>alert(1)</script>\"' ZenML/<b>0</b> OS/<img/src=x>",
        )
        .form(&[("client_id", CLIENT)])
        .send()
        .await;
    let asked = answer.expect(StatusCode::OK).json();
    let page = Browser::new(&server)
        .sign_in(&link(&asked), ADMIN, PASSWORD)
        .await
        .text();
    for markup in ["<script", "<b>0", "<img"] {
        assert!(!page.contains(markup), "{markup} came through");
    }
}

#[tokio::test]
async fn nobody_is_sent_elsewhere_after_signing_in() {
    let server = TestServer::start().await;
    for next in [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/api/v1/logout",
    ] {
        let page = server.get(&format!("/login?next={next}")).send().await;
        let mut jar = CookieJar::default();
        jar.take(&page);
        let csrf = hidden_field(&page.text(), "csrf");
        let fields = [
            ("csrf", csrf.as_str()),
            ("next", next),
            ("username", ADMIN),
            ("password", PASSWORD),
        ];
        let answer = server.post("/login").cookies(&jar).form(&fields).send().await;
        assert_eq!(answer.header("location"), "/devices/verify", "{next}");
    }
}

#[tokio::test]
async fn a_sign_in_ends_with_the_password_and_the_account() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for ends in ["password", "deactivate", "sign out", "time"] {
        let name = format!("ann-{}", ends.replace(' ', "-"));
        let ann = server.user(&name).await;
        let mut browser = Browser::new(&server);
        let page = browser.sign_in("/", &name, PASSWORD).await.text();
        assert!(page.contains("Connect a device"));
        let before = browser.jar.clone();
        match ends {
            "password" => {
                let body = json!({"password": "Second-Passw0rd", "old_password": PASSWORD});
                server
                    .change(&ann, "/api/v1/current-user", &body)
                    .await
                    .expect(StatusCode::OK);
            }
            "deactivate" => {
                let path = format!("/api/v1/users/{name}/deactivate");
                server
                    .put(&path)
                    .bearer(&admin)
                    .send()
                    .await
                    .expect(StatusCode::OK);
            }
            "sign out" => {
                let csrf = hidden_field(&page, "csrf");
                browser.submit("/logout", &[("csrf", &csrf)]).await;
            }
            _ => server.clock.advance(std::time::Duration::from_secs(12 * 3600)),
        }
        // The old cookie, as a thief would have it.
        let answer = server.get("/devices/verify").cookies(&before).send().await;
        assert!(
            answer.header("location").starts_with("/login"),
            "{ends}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn an_invited_person_sets_a_password() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let body = json!({"name": "bob", "is_admin": false, "active": false});
    let made = server
        .post("/api/v1/users")
        .bearer(&admin)
        .json(&body)
        .send()
        .await
        .expect(StatusCode::OK)
        .json();
    let (id, token) = (text(&made["id"]), text(&made["body"]["activation_token"]));
    let mut browser = Browser::new(&server);
    let page = browser
        .open(&format!("/activate-user?user={id}&username=bob&token={token}"))
        .await
        .text();
    let csrf = hidden_field(&page, "csrf");
    let form = |first: &'static str, second: &'static str, token: &str| {
        [
            ("csrf", csrf.clone()),
            ("user", id.clone()),
            ("token", token.to_owned()),
            ("password", first.to_owned()),
            ("password_again", second.to_owned()),
        ]
    };
    for (fields, status) in [
        (
            form("Bobs-Passw0rd", "Other-Passw0rd", &token),
            StatusCode::BAD_REQUEST,
        ),
        (form("short", "short", &token), StatusCode::BAD_REQUEST),
        (
            form("Bobs-Passw0rd", "Bobs-Passw0rd", "wrong"),
            StatusCode::UNAUTHORIZED,
        ),
        (form("Bobs-Passw0rd", "Bobs-Passw0rd", &token), StatusCode::OK),
        (
            form("Again-Passw0rd", "Again-Passw0rd", &token),
            StatusCode::UNAUTHORIZED,
        ),
    ] {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        browser.submit("/activate-user", &fields).await.expect(status);
    }
    server.sign_in("bob", "Bobs-Passw0rd").await;
}
