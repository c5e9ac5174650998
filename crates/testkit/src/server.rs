//! A running server on a free port of this machine, with a clock that is moved by hand, and a small HTTP client that
//! sends exactly what it is told to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderName, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use zenml_auth_core::memory::MemoryStore;
use zenml_auth_core::password::HashingCost;
use zenml_auth_core::ports::{Store, SystemEntropy};
use zenml_auth_core::services::{Engine, FirstAdministrator, Ports, set_up};
use zenml_auth_core::settings::{Limits, Settings};
use zenml_auth_model::{Name, Secret};
use zenml_auth_server::extract::proxies::TrustedProxies;
use zenml_auth_server::serve::body_budget::BodyBudget;
use zenml_auth_server::serve::{Leaving, Stop};
use zenml_auth_server::state::{App, Facts};
use zenml_auth_storage::{ConnectOptions, SqlStore};

use crate::clock::ManualClock;
use crate::encryption::encryption_keys;

/// The administrator's name.
pub const ADMIN: &str = "default";
/// The administrator's password.
pub const PASSWORD: &str = "zenml-Passw0rd";
/// As cheap as argon2 gets.
pub const CHEAP: HashingCost = HashingCost {
    memory_kib: 8,
    passes: 1,
    parallel: 4,
    queue: 1000,
};

/// How many connections are served at the same time; more than any test makes.
const ROOM: usize = 1000;

/// Where a test server keeps things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// In memory.
    Memory,
    /// In a SQLite file that goes with the server.
    Sqlite,
}

/// How a test server is set up.
#[derive(Debug, Clone)]
pub struct TestOptions {
    /// Where it keeps things.
    pub keeping: Keeping,
    /// Lifetimes and limits.
    pub settings: Settings,
    /// Under which address it is said to be reached.
    pub public_url: Option<String>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<String>,
    /// Whether HSTS is for subdomains, too.
    pub hsts_subdomains: bool,
    /// What checking a password costs.
    pub hashing: HashingCost,
}

impl Default for TestOptions {
    /// In memory, and without limits, which are a subject of their own.
    fn default() -> Self {
        let limits = Limits {
            enabled: false,
            ..Limits::default()
        };
        Self {
            keeping: Keeping::Memory,
            settings: Settings {
                limits,
                ..Settings::default()
            },
            public_url: None,
            trusted_proxies: Vec::new(),
            hsts_subdomains: false,
            hashing: CHEAP,
        }
    }
}

impl TestOptions {
    /// On SQLite.
    #[must_use]
    pub fn sqlite() -> Self {
        Self {
            keeping: Keeping::Sqlite,
            ..Self::default()
        }
    }

    /// With the limits that are on by default.
    #[must_use]
    pub fn limited() -> Self {
        Self {
            settings: Settings::default(),
            ..Self::default()
        }
    }
}

/// A running server. It stops when dropped.
pub struct TestServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its clock.
    pub clock: ManualClock,
    /// Its operations, for a look behind the scenes.
    pub engine: Arc<Engine>,
    /// What its handlers work with, for routes of a test's own.
    pub app: App,
    client: Client<HttpConnector, Full<Bytes>>,
    stop: watch::Sender<Stop>,
    _serving: JoinHandle<std::io::Result<()>>,
    _folder: Option<TempDir>,
}

impl TestServer {
    /// Starts one in memory, without limits.
    pub async fn start() -> Self {
        Self::start_with(TestOptions::default()).await
    }

    /// Starts one.
    pub async fn start_with(options: TestOptions) -> Self {
        let (store, folder): (Arc<dyn Store>, _) = match options.keeping {
            Keeping::Memory => (Arc::new(MemoryStore::new()), None),
            Keeping::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let file = folder.path().join("zenml-auth.db");
                let store = SqlStore::connect(&ConnectOptions::sqlite_file(file))
                    .await
                    .unwrap();
                store.migrate_up().await.unwrap();
                (Arc::new(store), Some(folder))
            }
        };
        let mut server = Self::start_on(store, options).await;
        server._folder = folder;
        server
    }

    /// Starts one on a store, whatever the options say of keeping. Several servers on one store are replicas.
    pub async fn start_on(store: Arc<dyn Store>, options: TestOptions) -> Self {
        let clock = ManualClock::default();
        let ports = Ports {
            store,
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(SystemEntropy),
            encryption: encryption_keys(),
        };
        let administrator = FirstAdministrator {
            name: Name::new(ADMIN).unwrap(),
            password: Some(Secret::new(PASSWORD)),
        };
        set_up(&ports, administrator, CHEAP).await.unwrap();
        let engine = Arc::new(
            Engine::open(ports, options.settings, options.hashing)
                .await
                .unwrap(),
        );
        let networks = options
            .trusted_proxies
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        let app = App {
            engine: engine.clone(),
            facts: Arc::new(Facts {
                public_url: options.public_url,
                proxies: TrustedProxies::new(networks),
                bodies: BodyBudget::default(),
                hsts_subdomains: options.hsts_subdomains,
                database_type: "sqlite",
            }),
            leaving: Leaving::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(Stop::No);
        let router = zenml_auth_server::serve::router(app.clone());
        let serving = tokio::spawn(zenml_auth_server::serve::serve(listener, router, ROOM, stopped));
        Self {
            address,
            clock,
            engine,
            app,
            client: Client::builder(TokioExecutor::new()).build_http(),
            stop,
            _serving: serving,
            _folder: None,
        }
    }

    /// The server's address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A request that can be filled in and sent.
    #[must_use]
    pub fn request(&self, method: Method, path: &str) -> TestRequest<'_> {
        TestRequest {
            server: self,
            method,
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    /// `GET`
    #[must_use]
    pub fn get(&self, path: &str) -> TestRequest<'_> {
        self.request(Method::GET, path)
    }

    /// `POST`
    #[must_use]
    pub fn post(&self, path: &str) -> TestRequest<'_> {
        self.request(Method::POST, path)
    }

    /// `PUT`
    #[must_use]
    pub fn put(&self, path: &str) -> TestRequest<'_> {
        self.request(Method::PUT, path)
    }

    /// `DELETE`
    #[must_use]
    pub fn delete(&self, path: &str) -> TestRequest<'_> {
        self.request(Method::DELETE, path)
    }

    /// Opens a page with a form, as a new browser does; gives its cookies and the form's token against forged requests.
    pub async fn open_form(&self, path: &str) -> (CookieJar, String) {
        let page = self.get(path).send().await;
        let mut jar = CookieJar::default();
        jar.take(&page);
        (jar, hidden_field(&page.text(), "csrf"))
    }

    /// Signs in with a password and gives the token.
    pub async fn sign_in(&self, name: &str, password: &str) -> String {
        let answer = self
            .post("/api/v1/login")
            .form(&[("username", name), ("password", password)])
            .send()
            .await;
        answer.expect(StatusCode::OK).json()["access_token"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Signs the administrator in and gives the token.
    pub async fn admin(&self) -> String {
        self.sign_in(ADMIN, PASSWORD).await
    }

    /// Adds a user with [`PASSWORD`], and gives their token.
    pub async fn user(&self, name: &str) -> String {
        let body = serde_json::json!({"name": name, "password": PASSWORD, "is_admin": false, "active": true});
        self.post("/api/v1/users")
            .bearer(&self.admin().await)
            .json(&body)
            .send()
            .await
            .expect(StatusCode::OK);
        self.sign_in(name, PASSWORD).await
    }

    /// A device asks for approval; gives the answer.
    pub async fn request_device(&self, client: &str) -> Value {
        let answer = self
            .post("/api/v1/device_authorization")
            .header("user-agent", "Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux")
            .form(&[("client_id", client)])
            .send()
            .await;
        answer.expect(StatusCode::OK).json()
    }

    /// A machine polls.
    pub async fn poll(&self, client: &str, device_code: &str) -> TestResponse {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("client_id", client),
            ("device_code", device_code),
        ];
        self.post("/api/v1/login").form(&form).send().await
    }

    /// Somebody changes something.
    pub async fn change(&self, token: &str, path: &str, body: &Value) -> TestResponse {
        self.put(path).bearer(token).json(body).send().await
    }

    /// Somebody decides about a machine's request, with the given body.
    pub async fn verify(&self, token: &str, asked: &Value, body: &Value) -> TestResponse {
        let path = format!("/api/v1/devices/{}/verify", device_id(asked));
        self.change(token, &path, body).await
    }

    /// Somebody approves a machine's request with its own code.
    pub async fn approve(&self, token: &str, asked: &Value) -> TestResponse {
        let body = serde_json::json!({"user_code": asked["user_code"]});
        self.verify(token, asked, &body).await
    }

    /// Connects a device for the user that the token belongs to; gives the device's token and id.
    pub async fn connect_device(&self, token: &str, client: &str, trusted: bool) -> (String, String) {
        let asked = self.request_device(client).await;
        let body = serde_json::json!({"user_code": asked["user_code"], "trusted_device": trusted});
        self.verify(token, &asked, &body).await.expect(StatusCode::OK);
        let granted = self
            .poll(client, asked["device_code"].as_str().unwrap())
            .await
            .expect(StatusCode::OK)
            .json();
        (text(&granted["access_token"]), text(&granted["device_id"]))
    }

    /// Makes a service account and a key; gives the key.
    pub async fn api_key(&self, token: &str, account: &str, key: &str) -> String {
        let body = serde_json::json!({"name": account, "active": true});
        let made = self
            .post("/api/v1/service_accounts")
            .bearer(token)
            .json(&body)
            .send()
            .await;
        assert!(
            matches!(made.status, StatusCode::OK | StatusCode::CONFLICT),
            "{made:?}"
        );
        let path = format!("/api/v1/service_accounts/{account}/api_keys");
        let made = self
            .post(&path)
            .bearer(token)
            .json(&serde_json::json!({"name": key}))
            .send()
            .await;
        text(&made.expect(StatusCode::OK).json()["body"]["key"])
    }

    /// Who a credential belongs to; the status says whether it is good.
    pub async fn current_user(&self, token: &str) -> TestResponse {
        self.get("/api/v1/current-user").bearer(token).send().await
    }

    /// Whether a credential is good.
    pub async fn good(&self, credential: &str) -> bool {
        self.current_user(credential).await.status == StatusCode::OK
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let _ = self.stop.send(Stop::Now);
    }
}

/// The id in the link of a device's request.
#[must_use]
pub fn device_id(asked: &Value) -> String {
    let link = asked["verification_uri_complete"].as_str().unwrap();
    link.split("device_id=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap()
        .to_owned()
}

/// A JSON string's text.
#[must_use]
pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}

/// A request that is being put together.
pub struct TestRequest<'a> {
    server: &'a TestServer,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl TestRequest<'_> {
    /// Adds a header, beside any of the same name.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        self.headers
            .append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        self
    }

    /// Sends a bearer credential.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// Sends cookies.
    #[must_use]
    pub fn cookies(self, jar: &CookieJar) -> Self {
        if jar.0.is_empty() {
            self
        } else {
            self.header(COOKIE.as_str(), &jar.to_header())
        }
    }

    /// Sends JSON.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.header(CONTENT_TYPE.as_str(), "application/json")
            .body(body.to_string())
    }

    /// Sends a form.
    #[must_use]
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let pairs: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        self.header(CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded")
            .body(pairs.join("&"))
    }

    /// Sends these bytes.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it, and takes the whole answer.
    pub async fn send(self) -> TestResponse {
        let uri = format!("{}{}", self.server.url(), self.path);
        let mut request = Request::builder()
            .method(self.method)
            .uri(uri)
            .body(Full::new(self.body))
            .unwrap();
        *request.headers_mut() = self.headers;
        let answer = self.server.client.request(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        TestResponse {
            status: head.status,
            headers: head.headers,
            body,
        }
    }
}

/// An answer.
#[derive(Clone)]
pub struct TestResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl std::fmt::Debug for TestResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, self.text())
    }
}

impl TestResponse {
    /// Goes on only with this status.
    #[track_caller]
    pub fn expect(&self, status: StatusCode) -> &Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// A header as text; empty when it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The class of the error, wherever it stands in the body.
    #[must_use]
    #[track_caller]
    pub fn class(&self) -> String {
        let body = self.json();
        let list = if body.is_array() { &body } else { &body["detail"] };
        text(&list[0])
    }
}

/// The cookies of a browser, as simple as that.
#[derive(Debug, Clone, Default)]
pub struct CookieJar(BTreeMap<String, String>);

impl CookieJar {
    /// Takes what an answer sets.
    pub fn take(&mut self, answer: &TestResponse) {
        for value in answer.headers.get_all(SET_COOKIE) {
            let pair = value.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if value.is_empty() {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// A cookie's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Gives a cookie another value.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    fn to_header(&self) -> String {
        self.0
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join("; ")
    }
}

/// The value of a hidden field of a page.
#[must_use]
pub fn hidden_field(page: &str, name: &str) -> String {
    let marker = format!("name=\"{name}\" value=\"");
    let start = page
        .find(&marker)
        .unwrap_or_else(|| panic!("no field {name} in {page}"))
        + marker.len();
    page[start..].split('"').next().unwrap().to_owned()
}
