//! What people see, as a browser without JavaScript gets it.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use zenml_auth_core::ports::{Clock as _, Store};
use zenml_auth_storage::{ConnectOptions, SqlStore};
use zenml_auth_testkit::server::{
    ADMIN, CookieJar, PASSWORD, TestOptions, TestResponse, TestServer, device_id, hidden_field, text,
};

const HOUR: Duration = Duration::from_secs(3600);
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
async fn the_sign_in_page_tells_that_an_account_is_switched_off_to_those_only_who_have_its_password() {
    let server = TestServer::start().await;
    server.user("ann").await;
    let admin = server.admin().await;
    let deactivated = server
        .put("/api/v1/users/ann/deactivate")
        .bearer(&admin)
        .send()
        .await;
    deactivated.expect(StatusCode::OK);
    let said = async |name: &str, password: &str| {
        let mut browser = Browser::new(&server);
        let page = browser.sign_in("/", name, password).await;
        let text = page.expect(StatusCode::UNAUTHORIZED).text();
        assert!(browser.jar.get("zenml-auth-session").is_none());
        let csrf = hidden_field(&text, "csrf");
        text.replace(name, "NAME").replace(&csrf, "CSRF")
    };
    let wrong = said("ann", "wrong-password").await;
    assert_eq!(wrong, said(ADMIN, "wrong-password").await);
    assert_eq!(wrong, said("nobody", "wrong-password").await);
    let told = said("ann", PASSWORD).await;
    assert!(told.contains("This account is not active"), "{told}");
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
            assert_eq!(answer.header("referrer-policy"), "strict-origin", "{path}");
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
        (
            Some("https://example.com/auth"),
            "__Host-zenml-auth-session",
            true,
        ),
    ] {
        let options = TestOptions {
            public_url: public_url.map(str::to_owned),
            ..TestOptions::default()
        };
        let server = TestServer::start_with(options).await;
        let (jar, csrf) = server.open_form("/login").await;
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
        assert!(
            !secure || cookie.ends_with("Path=/") || cookie.contains("Path=/;"),
            "{cookie}"
        );
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
        let (jar, csrf) = server.open_form(&format!("/login?next={next}")).await;
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
    assert!(page.contains("minlength=\"12\""), "{page}");
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
            form("Other-Passw0rd", "Later-Passw0rd", &token),
            StatusCode::BAD_REQUEST,
        ),
        (form("short", "short", &token), StatusCode::BAD_REQUEST),
        (
            form("Other-Passw0rd", "Other-Passw0rd", "wrong"),
            StatusCode::UNAUTHORIZED,
        ),
        (form("Other-Passw0rd", "Other-Passw0rd", &token), StatusCode::OK),
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
    server.sign_in("bob", "Other-Passw0rd").await;
}

#[tokio::test]
async fn an_old_sign_in_is_asked_again_and_goes_on() {
    let server = TestServer::start_with(TestOptions::sqlite()).await;
    let mut browser = Browser::new(&server);
    browser.sign_in("/", ADMIN, PASSWORD).await.expect(StatusCode::OK);
    server.clock.advance(HOUR);
    let asked = server.request_device(CLIENT).await;
    let page = browser.open(&link(&asked)).await.text();
    let before = browser.jar.clone();
    let again = browser.decide(&page, "approve", true).await;
    let form = again.expect(StatusCode::FORBIDDEN).text();
    assert!(
        form.contains("Enter your password again") && form.contains(&format!("value=\"{ADMIN}\"")),
        "{form}"
    );
    let polled = server.poll(CLIENT, asked["device_code"].as_str().unwrap()).await;
    assert_eq!(polled.json()["error"], "authorization_pending");
    // A wrong password asks again, and the code is still there, in the form alone.
    let mut page = form;
    for (password, status) in [
        ("wrong-password", StatusCode::UNAUTHORIZED),
        (PASSWORD, StatusCode::OK),
    ] {
        let names = ["csrf", "next", "device_id", "user_code", "trusted"];
        let fields = names.map(|name| (name, hidden_field(&page, name)));
        assert!(
            !fields[1].1.contains("user_code"),
            "an address would hold the code"
        );
        let mut fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        fields.extend([("username", ADMIN), ("password", password)]);
        let answer = browser.submit("/login", &fields).await;
        assert!(answer.header("location").is_empty());
        page = answer.expect(status).text();
    }
    assert!(
        page.contains(asked["user_code"].as_str().unwrap()) && page.contains("value=\"yes\" checked"),
        "{page}"
    );
    let done = browser.decide(&page, "approve", true).await;
    assert!(done.expect(StatusCode::OK).text().contains("Device approved"));
    // The sign-in before has ended.
    let old = server.get("/devices").cookies(&before).send().await;
    assert!(old.header("location").starts_with("/login"), "{old:?}");
}

#[tokio::test]
async fn denying_needs_no_recent_sign_in() {
    let server = TestServer::start().await;
    let mut browser = Browser::new(&server);
    browser.sign_in("/", ADMIN, PASSWORD).await.expect(StatusCode::OK);
    server.clock.advance(HOUR);
    let asked = server.request_device(CLIENT).await;
    let page = browser.open(&link(&asked)).await.text();
    let done = browser.decide(&page, "deny", false).await;
    assert!(done.expect(StatusCode::OK).text().contains("Device denied"));
}

#[tokio::test]
async fn unlocking_on_the_pages_needs_a_recent_sign_in() {
    let server = TestServer::start_with(TestOptions::sqlite()).await;
    let (device, id) = server.connect_device(&server.admin().await, CLIENT, true).await;
    let mut browser = Browser::new(&server);
    let own = format!("/devices/{id}");
    let page = browser.sign_in(&own, ADMIN, PASSWORD).await.text();
    let listed = browser.open("/devices").await.text();
    assert!(
        listed.contains("laptop") && listed.contains(&own) && listed.contains("active"),
        "{listed}"
    );
    server.clock.advance(HOUR);
    let csrf = hidden_field(&page, "csrf");
    // Without our token, nothing happens; with it, locking works after a while, too.
    let (lock, unlock) = (format!("{own}/lock"), format!("{own}/unlock"));
    browser
        .submit(&lock, &[("csrf", "00")])
        .await
        .expect(StatusCode::FORBIDDEN);
    assert!(server.good(&device).await);
    let locked = browser.submit(&lock, &[("csrf", &csrf)]).await;
    assert!(
        locked
            .expect(StatusCode::OK)
            .text()
            .contains("This device is locked")
    );
    assert!(!server.good(&device).await);
    let again = browser.submit(&unlock, &[("csrf", &csrf)]).await;
    let form = again.expect(StatusCode::FORBIDDEN).text();
    assert!(!server.good(&device).await);
    let (csrf, next) = (hidden_field(&form, "csrf"), hidden_field(&form, "next"));
    assert_eq!(next, own);
    let fields = [
        ("csrf", csrf.as_str()),
        ("next", &next),
        ("username", ADMIN),
        ("password", PASSWORD),
    ];
    let page = browser
        .submit("/login", &fields)
        .await
        .expect(StatusCode::OK)
        .text();
    let csrf = hidden_field(&page, "csrf");
    let unlocked = browser.submit(&unlock, &[("csrf", &csrf)]).await;
    assert!(unlocked.expect(StatusCode::OK).text().contains("active"));
    assert!(server.good(&device).await);
    // Devices are their owner's alone.
    server.user("ann").await;
    let mut other = Browser::new(&server);
    let page = other.sign_in(&own, "ann", PASSWORD).await;
    let csrf = hidden_field(&page.expect(StatusCode::NOT_FOUND).text(), "csrf");
    other
        .submit(&lock, &[("csrf", &csrf)])
        .await
        .expect(StatusCode::NOT_FOUND);
    assert!(server.good(&device).await);
    assert!(!other.open("/devices").await.text().contains(&id));
}

#[tokio::test]
async fn following_links_spends_no_tries_and_tells_nothing() {
    let server = TestServer::start_with(TestOptions::limited()).await;
    let mut browser = Browser::new(&server);
    browser.sign_in("/", ADMIN, PASSWORD).await.expect(StatusCode::OK);
    let asked = server.request_device(CLIENT).await;
    let other = server
        .request_device("77ec22a2-335b-4130-ba6c-1e1c371236a8")
        .await;
    let (id, code) = (device_id(&asked), text(&asked["user_code"]));
    let proof = |asked: &Value| link(asked).split("link=").nth(1).unwrap().to_owned();
    assert_eq!(proof(&asked).len(), 32);
    // More than the person, the address and the request have tries for: a right code, wrong ones, another request's proof.
    let mut pages = Vec::new();
    for number in 0..60 {
        let (code, proof) = match number % 4 {
            0 => (code.clone(), String::new()),
            1 => (code.clone(), proof(&other)),
            2 => ("BBBB-BBBB".to_owned(), proof(&asked)),
            _ => ("BBBB-BBBB".to_owned(), "0".repeat(32)),
        };
        let path = format!("/devices/verify?device_id={id}&user_code={code}&link={proof}");
        let request = server
            .get(&path)
            .cookies(&browser.jar)
            .header("sec-fetch-site", "cross-site");
        let page = request.send().await.expect(StatusCode::OK).text();
        let csrf = hidden_field(&page, "csrf");
        pages.push(page.replace(&code, "CODE").replace(&csrf, "CSRF"));
    }
    assert!(
        pages.iter().all(|page| *page == pages[0]),
        "a link tells whether a code is right"
    );
    assert!(pages[0].contains("Continue") && !pages[0].contains("Approve"));
    let page = browser.open(&link(&asked)).await.text();
    let done = browser.decide(&page, "approve", false).await;
    assert!(done.expect(StatusCode::OK).text().contains("Device approved"));
    // What a person sends counts.
    let csrf = hidden_field(&browser.open("/devices/verify").await.text(), "csrf");
    for number in 0..11 {
        let sent = browser
            .submit("/devices/verify", &[("csrf", &csrf), ("user_code", "BBBB-BBBB")])
            .await;
        let expected = if number < 10 {
            StatusCode::NOT_FOUND
        } else {
            StatusCode::TOO_MANY_REQUESTS
        };
        sent.expect(expected);
    }
}

#[tokio::test]
async fn too_many_tries_get_the_form_again_and_when_to_try() {
    let server = TestServer::start_with(TestOptions::limited()).await;
    for name in ["ann", "bob"] {
        server.user(name).await;
    }
    let mut ann = Browser::new(&server);
    ann.sign_in("/", "ann", PASSWORD).await.expect(StatusCode::OK);
    let mut stranger = Browser::new(&server);
    let new = [
        ("password", "sturdy-horse-5"),
        ("password_again", "sturdy-horse-5"),
    ];
    let cases = [
        ("/password", "old_password", vec![("old_password", "wrong")]),
        (
            "/activate-user",
            "token",
            vec![("username", "bob"), ("token", "wrong")],
        ),
        (
            "/login",
            "username",
            vec![("username", "bob"), ("password", "wrong")],
        ),
        ("/devices/verify", "user_code", vec![("user_code", "BBBB-BBBB")]),
    ];
    for (path, field, wrong) in cases {
        let browser = match path {
            "/password" | "/devices/verify" => &mut ann,
            _ => &mut stranger,
        };
        let form = match path {
            "/activate-user" => "/activate-user?username=bob&token=wrong",
            other => other,
        };
        let csrf = hidden_field(&browser.open(form).await.text(), "csrf");
        let fields = [vec![("csrf", csrf.as_str())], wrong, new.to_vec()].concat();
        let fields: Vec<_> = match path {
            "/login" => fields[..3].to_vec(),
            _ => fields,
        };
        let mut last = browser.submit(path, &fields).await;
        for _ in 0..50 {
            if last.status == StatusCode::TOO_MANY_REQUESTS {
                break;
            }
            last = browser.submit(path, &fields).await;
        }
        let last = last.expect(StatusCode::TOO_MANY_REQUESTS);
        let wait: u64 = last.header("retry-after").parse().unwrap();
        assert!(wait > 0, "{path}");
        let page = last.text();
        assert!(page.contains("Try again in "), "{path}: {page}");
        assert!(page.contains(&format!("name=\"{field}\"")), "{path}: {page}");
    }
}

#[tokio::test]
async fn every_page_of_a_person_can_sign_them_out() {
    let server = TestServer::start().await;
    let nobodys = "2efa1441-60a3-462a-9644-ac74f84d8518";
    for path in [
        "/devices".to_owned(),
        "/devices/verify".to_owned(),
        "/password".to_owned(),
        format!("/devices/{nobodys}"),
    ] {
        let mut browser = Browser::new(&server);
        browser.sign_in("/", ADMIN, PASSWORD).await.expect(StatusCode::OK);
        // The cookie of the forms ends before the sign-in does.
        browser.jar.set("zenml-auth-csrf", "gone");
        let csrf = hidden_field(&browser.open(&path).await.text(), "csrf");
        browser
            .submit("/logout", &[("csrf", &csrf)])
            .await
            .expect(StatusCode::OK);
        let answer = server.get("/devices").cookies(&browser.jar).send().await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}: still signed in");
    }
}

#[tokio::test]
async fn forms_come_from_our_own_origin() {
    for public_url in [None, Some("https://auth.example.com/zenml")] {
        let options = TestOptions {
            public_url: public_url.map(str::to_owned),
            ..TestOptions::default()
        };
        let server = TestServer::start_with(options).await;
        let (jar, csrf) = server.open_form("/login").await;
        let fields = [
            ("csrf", csrf.as_str()),
            ("username", ADMIN),
            ("password", PASSWORD),
        ];
        let own = if public_url.is_some() {
            "https://auth.example.com".to_owned()
        } else {
            server.url()
        };
        let foreign = if public_url.is_some() {
            server.url()
        } else {
            "https://auth.example.com".to_owned()
        };
        for (origin, site, good) in [
            (Some(own.as_str()), "same-origin", true),
            (Some(own.as_str()), "cross-site", false),
            (Some(own.as_str()), "same-site", false),
            (Some(foreign.as_str()), "same-origin", false),
            (Some("null"), "same-origin", false),
            (None, "same-origin", true),
            (None, "none", true),
            (None, "cross-site", false),
        ] {
            let mut request = server
                .post("/login")
                .cookies(&jar)
                .header("sec-fetch-site", site)
                .form(&fields);
            if let Some(origin) = origin {
                request = request.header("origin", origin);
            }
            let answer = request.send().await;
            let expected = if good {
                StatusCode::SEE_OTHER
            } else {
                StatusCode::FORBIDDEN
            };
            assert_eq!(answer.status, expected, "{origin:?} {site}: {answer:?}");
        }
    }
}

/// Where the links, forms and styles of a page lead to.
fn addresses(page: &str) -> Vec<String> {
    ["href=\"", "action=\"", "src=\""]
        .iter()
        .flat_map(|attribute| page.split(attribute).skip(1))
        .map(|rest| unescape(rest.split('"').next().unwrap()))
        .filter(|address| !address.starts_with("data:"))
        .collect()
}

fn reached_at(public_url: Option<&str>) -> TestOptions {
    TestOptions {
        public_url: public_url.map(str::to_owned),
        ..TestOptions::default()
    }
}

#[tokio::test]
async fn links_begin_with_the_public_url() {
    for public_url in [
        None,
        Some("https://auth.example.com"),
        Some("https://example.com/auth"),
    ] {
        let server = TestServer::start_with(reached_at(public_url)).await;
        let begin = public_url.unwrap_or_default();
        let asked = server.request_device(CLIENT).await;
        assert_eq!(asked["verification_uri"], format!("{begin}/devices/verify"));
        assert!(
            link(&asked).starts_with(&format!("{begin}/devices/verify?")),
            "{asked}"
        );
        let info = server.get("/api/v1/info").send().await.json();
        assert_eq!(
            (&info["server_url"], &info["dashboard_url"]),
            (&json!(begin), &json!(begin))
        );
        // A refusal says where to go, too.
        let admin = server.admin().await;
        let (token, _) = server.connect_device(&admin, CLIENT, false).await;
        let another = "0d1f4f2e-8b0c-4f0e-9a55-3a7a1c0f5b11";
        let (_, id) = server.connect_device(&admin, another, false).await;
        let unlock = json!({"locked": false});
        let refused = server
            .change(&token, &format!("/api/v1/devices/{id}"), &unlock)
            .await;
        let text = refused.expect(StatusCode::FORBIDDEN).text();
        let page = text.split(' ').find(|word| word.contains(&id)).unwrap();
        assert!(page.starts_with(&format!("{begin}/devices/{id}")), "{text}");
    }
}

/// A proxy that serves the pages under a path takes it away before it passes a request on.
#[tokio::test]
async fn under_a_path_pages_lead_to_that_path() {
    for (public_url, base) in [
        (None, ""),
        (Some("https://auth.example.com"), ""),
        (Some("https://example.com/auth"), "/auth"),
        (Some("http://example.com/zenml/auth"), "/zenml/auth"),
    ] {
        let server = TestServer::start_with(reached_at(public_url)).await;
        let behind_proxy = |address: &str| {
            let path = address.strip_prefix(base).unwrap_or_else(|| panic!("{address}"));
            assert!(path.starts_with('/') && !path.starts_with("//"), "{address}");
            path.to_owned()
        };
        let (_, device) = server.connect_device(&server.admin().await, CLIENT, true).await;
        let mut jar = CookieJar::default();
        let open = async |path: &str, jar: &mut CookieJar| {
            let answer = server.get(path).cookies(jar).send().await;
            jar.take(&answer);
            answer
        };
        let home = open("/", &mut jar).await;
        assert_eq!(home.header("location"), format!("{base}/devices/verify"));
        let sent = open("/devices", &mut jar).await;
        let sign_in = sent.expect(StatusCode::SEE_OTHER).header("location");
        let page = open(&behind_proxy(sign_in), &mut jar).await.text();
        let fields = [
            ("csrf", hidden_field(&page, "csrf")),
            ("next", unescape(&hidden_field(&page, "next"))),
            ("username", ADMIN.to_owned()),
            ("password", PASSWORD.to_owned()),
        ];
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        let form = addresses(&page)
            .into_iter()
            .find(|address| address.ends_with("/login"));
        let form = behind_proxy(&form.unwrap());
        let signed_in = server.post(&form).cookies(&jar).form(&fields).send().await;
        jar.take(signed_in.expect(StatusCode::SEE_OTHER));
        assert_eq!(signed_in.header("location"), format!("{base}/devices"));

        let asked = server.request_device(CLIENT).await;
        let code = link(&asked);
        let code = &code[code.find("/devices/verify").unwrap()..];
        let mut pages = vec![page];
        for path in [
            "/devices",
            &format!("/devices/{device}"),
            "/devices/verify",
            code,
            "/password",
            "/activate-user?token=x",
        ] {
            let page = open(path, &mut jar).await;
            pages.push(page.expect(StatusCode::OK).text());
        }
        for page in pages {
            let led_to = addresses(&page);
            assert!(led_to.len() > 1, "{page}");
            for address in led_to {
                let found = open(&behind_proxy(&address), &mut jar.clone()).await;
                assert_ne!(found.status, StatusCode::NOT_FOUND, "{address}");
            }
        }
    }
}

#[tokio::test]
async fn an_idle_browser_is_signed_out_on_every_replica() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("zenml-auth.db");
    let store = SqlStore::connect(&ConnectOptions::sqlite_file(file))
        .await
        .unwrap();
    store.migrate_up().await.unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    let here = TestServer::start_on(store.clone(), TestOptions::sqlite()).await;
    let there = TestServer::start_on(store, TestOptions::sqlite()).await;
    let mut browser = Browser::new(&here);
    browser.sign_in("/", ADMIN, PASSWORD).await.expect(StatusCode::OK);
    let is_in = async |server: &TestServer| {
        let answer = server.get("/devices").cookies(&browser.jar).send().await;
        assert!(
            matches!(answer.status, StatusCode::OK | StatusCode::SEE_OTHER),
            "{answer:?}"
        );
        answer.status == StatusCode::OK
    };
    let wait = async |time: Duration| {
        here.clock.advance(time);
        there.clock.advance(time);
        for server in [&here, &there] {
            server.engine.maintenance().flush_uses().await.unwrap();
        }
    };
    // Used here only, it goes on there.
    for _ in 0..3 {
        wait(HOUR + HOUR / 2).await;
        assert!(is_in(&here).await);
    }
    wait(HOUR + HOUR / 2).await;
    assert!(is_in(&there).await);
    wait(HOUR * 2).await;
    assert!(!is_in(&here).await && !is_in(&there).await);
    // It does not come back.
    wait(Duration::from_secs(1)).await;
    assert!(!is_in(&here).await && !is_in(&there).await);
    // In use all the time, it still ends in the end.
    let mut browser = Browser::new(&there);
    browser.sign_in("/", ADMIN, PASSWORD).await.expect(StatusCode::OK);
    for hour in 1..=12 {
        wait(HOUR).await;
        let answer = here.get("/devices").cookies(&browser.jar).send().await;
        assert_eq!(answer.status == StatusCode::OK, hour < 12, "after {hour} hours");
    }
}

#[tokio::test]
async fn cookies_of_other_names_are_not_accepted() {
    let options = TestOptions {
        public_url: Some("https://auth.example.com".to_owned()),
        ..TestOptions::default()
    };
    let server = TestServer::start_with(options).await;
    let (mut jar, csrf) = server.open_form("/login").await;
    let fields = [
        ("csrf", csrf.as_str()),
        ("username", ADMIN),
        ("password", PASSWORD),
    ];
    let signed_in = server.post("/login").cookies(&jar).form(&fields).send().await;
    jar.take(signed_in.expect(StatusCode::SEE_OTHER));
    server
        .get("/devices")
        .cookies(&jar)
        .send()
        .await
        .expect(StatusCode::OK);
    let session = jar.get("__Host-zenml-auth-session").unwrap().to_owned();
    let token = jar.get("__Host-zenml-auth-csrf").unwrap().to_owned();
    let mut plain = CookieJar::default();
    plain.set("zenml-auth-session", &session);
    plain.set("zenml-auth-csrf", &token);
    server
        .get("/devices")
        .cookies(&plain)
        .send()
        .await
        .expect(StatusCode::SEE_OTHER);
    let refused = server.post("/login").cookies(&plain).form(&fields).send().await;
    refused.expect(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn https_is_strict() {
    for (public_url, subdomains, expected) in [
        (None, false, ""),
        (Some("http://auth.example.com"), false, ""),
        (Some("https://auth.example.com"), false, "max-age=31536000"),
        (
            Some("https://auth.example.com"),
            true,
            "max-age=31536000; includeSubDomains",
        ),
    ] {
        let options = TestOptions {
            public_url: public_url.map(str::to_owned),
            hsts_subdomains: subdomains,
            ..TestOptions::default()
        };
        let server = TestServer::start_with(options).await;
        for path in ["/login", "/api/v1/info", "/api/v1/none", "/health"] {
            let answer = server.get(path).send().await;
            assert_eq!(answer.header("strict-transport-security"), expected, "{path}");
        }
    }
}

#[tokio::test]
async fn no_next_fails() {
    let server = TestServer::start().await;
    let mut browser = Browser::new(&server);
    browser.sign_in("/", ADMIN, PASSWORD).await.expect(StatusCode::OK);
    for next in [
        "%00",
        "/devices/verify%00",
        "/devices/verify%3F%00",
        "/devices/verify%3F%0d%0aX:%201",
        "/devices/%7f",
        "%FF",
    ] {
        for jar in [&browser.jar, &CookieJar::default()] {
            let page = server
                .get(&format!("/login?next={next}"))
                .cookies(jar)
                .send()
                .await;
            assert!(
                page.status.is_success() || page.status.is_redirection(),
                "{next}: {page:?}"
            );
            let location = page.header("location");
            assert!(
                location.is_empty() || location == "/devices/verify",
                "{next}: {location}"
            );
        }
    }
}

#[tokio::test]
async fn the_page_says_what_is_granted_and_warns_of_another_network() {
    let mut options = TestOptions::sqlite();
    options.trusted_proxies = vec!["127.0.0.0/8".to_owned()];
    let server = TestServer::start_with(options).await;
    server.user("ann").await;
    for (machine, browser_at, name, warns) in [
        ("192.0.2.1", "192.0.2.1", ADMIN, false),
        ("192.0.2.1", "198.51.100.7", "ann", true),
        ("2001:db8::1", "2001:db8::ffff", "ann", false),
        ("2001:db8::1", "2001:db8:0:1::1", ADMIN, true),
    ] {
        let asked_at = server.clock.now().to_string().replace('T', " ");
        let asked_at = asked_at.split('.').next().unwrap();
        let asked = server
            .post("/api/v1/device_authorization")
            .header("x-forwarded-for", machine)
            .form(&[("client_id", CLIENT)])
            .send()
            .await
            .expect(StatusCode::OK)
            .json();
        server.clock.advance(Duration::from_secs(100));
        let mut browser = Browser::new(&server);
        browser.sign_in("/", name, PASSWORD).await.expect(StatusCode::OK);
        let request = server
            .get(&link(&asked))
            .cookies(&browser.jar)
            .header("x-forwarded-for", browser_at);
        let page = request.send().await.expect(StatusCode::OK).text();
        assert!(page.contains("everything you may do"), "{page}");
        assert!(
            page.contains(&format!("<dt>Address</dt><dd>{machine}</dd>"))
                && page.contains(&format!("<dt>Asked</dt><dd>{asked_at} UTC</dd>")),
            "from where and when: {page}"
        );
        assert!(
            page.contains("Go on only if you started this yourself</strong>, a moment ago")
                && page.contains("If somebody sent you a link or a code, deny it"),
            "{page}"
        );
        // Side by side: in one form, with nothing in between.
        let choice = page.split("<div class=\"choice\">").nth(1).unwrap();
        let buttons: Vec<_> = choice.split("</div>").next().unwrap().trim().lines().collect();
        assert_eq!(
            buttons,
            [
                "<button class=\"primary\" name=\"decision\" value=\"approve\">Approve</button>",
                "<button class=\"danger\" name=\"decision\" value=\"deny\">Deny</button>",
            ]
        );
        assert_eq!(
            page.contains("administrator rights included"),
            name == ADMIN,
            "{page}"
        );
        assert_eq!(
            page.contains("in another network than you are"),
            warns,
            "{machine} {browser_at}: {page}"
        );
        assert_eq!(page.contains(browser_at), warns || machine == browser_at);
    }
}

#[tokio::test]
async fn a_password_is_changed_on_its_page() {
    let server = TestServer::start_with(TestOptions::sqlite()).await;
    server.user("ann").await;
    let mut browser = Browser::new(&server);
    let page = browser.sign_in("/password", "ann", PASSWORD).await.text();
    let csrf = hidden_field(&page, "csrf");
    let new = "another-Passw0rd";
    for (token, old, first, second, status) in [
        ("00", PASSWORD, new, new, StatusCode::FORBIDDEN),
        (csrf.as_str(), "wrong-password", new, new, StatusCode::FORBIDDEN),
        (&csrf, PASSWORD, new, "something-else", StatusCode::BAD_REQUEST),
        (&csrf, PASSWORD, "x", "x", StatusCode::BAD_REQUEST),
        (&csrf, PASSWORD, new, new, StatusCode::OK),
    ] {
        let fields = [
            ("csrf", token),
            ("old_password", old),
            ("password", first),
            ("password_again", second),
        ];
        browser.submit("/password", &fields).await.expect(status);
    }
    server.sign_in("ann", new).await;
    assert!(
        browser.open("/password").await.text().contains("User name"),
        "the sign-in has ended"
    );
    // A sign-in that is too old is asked for the password again.
    browser.sign_in("/password", "ann", new).await;
    server.clock.advance(HOUR);
    let csrf = hidden_field(&browser.open("/password").await.text(), "csrf");
    let fields = [
        ("csrf", csrf.as_str()),
        ("old_password", new),
        ("password", PASSWORD),
        ("password_again", PASSWORD),
    ];
    let again = browser.submit("/password", &fields).await;
    assert!(
        again
            .expect(StatusCode::FORBIDDEN)
            .text()
            .contains("Enter your password again")
    );
    server.sign_in("ann", new).await;
}
