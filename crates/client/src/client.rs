//! The client and how to make one.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Mutex;
use zenml_auth_model::{Secret, Timestamp};

use crate::address::ServerAddress;
use crate::credentials::{Credentials, IssuedToken};
use crate::error::ClientError;
use crate::observe::Observer;
use crate::proxy;
use crate::timer::{SystemTimer, Timer};
use crate::tls::{self, TlsTrust};

/// How long a request may take, unless told otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a request is sent again after a network fault, unless told otherwise.
const DEFAULT_RETRIES: u32 = 2;

/// A client of one ZenML server. Cheap to clone; clones share connections and tokens.
#[derive(Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) address: ServerAddress,
    pub(crate) http: reqwest::Client,
    pub(crate) credentials: Credentials,
    pub(crate) session: Mutex<Session>,
    pub(crate) timer: Arc<dyn Timer>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) retries: u32,
    pub(crate) proxy: Option<String>,
    pub(crate) server_time: OnceLock<Timestamp>,
}

/// The token in use, and whether it was issued just now.
#[derive(Default)]
pub(crate) struct Session {
    pub(crate) token: Option<Secret>,
    pub(crate) issued: Option<IssuedToken>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("address", &self.inner.address.as_str())
            .finish_non_exhaustive()
    }
}

/// Makes a [`Client`].
#[must_use = "a builder makes nothing until `build` is called"]
pub struct ClientBuilder {
    address: ServerAddress,
    credentials: Credentials,
    trust: TlsTrust,
    timeout: Duration,
    retries: u32,
    user_agent: String,
    timer: Option<Arc<dyn Timer>>,
    observer: Option<Arc<dyn Observer>>,
}

impl Client {
    /// Begins to make a client of the server at this address.
    ///
    /// # Errors
    /// [`ClientError::Address`] when the text is no address.
    pub fn builder(address: &str) -> Result<ClientBuilder, ClientError> {
        Ok(Self::at(address.parse()?))
    }

    /// Begins to make a client of the server at this address.
    pub fn at(address: ServerAddress) -> ClientBuilder {
        ClientBuilder {
            address,
            credentials: Credentials::None,
            trust: TlsTrust::System,
            timeout: DEFAULT_TIMEOUT,
            retries: DEFAULT_RETRIES,
            user_agent: concat!("zenml-auth-client/", env!("CARGO_PKG_VERSION")).to_owned(),
            timer: None,
            observer: None,
        }
    }

    /// Where the server is.
    #[must_use]
    pub fn address(&self) -> &ServerAddress {
        &self.inner.address
    }

    /// A client of the same server with other credentials. It shares the connections of this one, and the certificates to
    /// trust, which take time to read.
    #[must_use]
    pub fn with_credentials(&self, credentials: Credentials) -> Self {
        let token = credentials.token();
        let inner = &self.inner;
        Self {
            inner: Arc::new(Inner {
                address: inner.address.clone(),
                http: inner.http.clone(),
                credentials,
                session: Mutex::new(Session { token, issued: None }),
                timer: Arc::clone(&inner.timer),
                observer: inner.observer.clone(),
                retries: inner.retries,
                proxy: inner.proxy.clone(),
                server_time: inner.server_time.clone(),
            }),
        }
    }

    /// The proxy that requests go through, if any, without the credentials it may need.
    #[must_use]
    pub fn proxy(&self) -> Option<&str> {
        self.inner.proxy.as_deref()
    }

    /// What time it was by the server's clock when it first answered this client, to the second, if it said so.
    #[must_use]
    pub fn server_time(&self) -> Option<Timestamp> {
        self.inner.server_time.get().copied()
    }

    /// The token that was issued in exchange for the credentials since the client was made, if any: worth keeping for the next time.
    pub async fn issued_token(&self) -> Option<IssuedToken> {
        self.inner.session.lock().await.issued.clone()
    }
}

impl ClientBuilder {
    /// What to sign in with; nothing, unless told.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// Which certificates to trust; those the system trusts, unless told otherwise.
    pub fn trust(mut self, trust: TlsTrust) -> Self {
        self.trust = trust;
        self
    }

    /// How long a request may take; 30 seconds, unless told otherwise.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How often a request that may be repeated is sent again after a network fault; twice, unless told otherwise.
    pub const fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// What to say of oneself; servers show it to the person who approves a device.
    pub fn user_agent(mut self, user_agent: impl fmt::Display) -> Self {
        self.user_agent = user_agent.to_string();
        self
    }

    /// How to wait; with the machine's own time, unless told otherwise.
    pub fn timer(mut self, timer: Arc<dyn Timer>) -> Self {
        self.timer = Some(timer);
        self
    }

    /// Who looks at the traffic; nobody, unless told.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Makes the client. Nothing is sent yet. Proxies are taken from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`.
    ///
    /// # Errors
    /// [`ClientError::Trust`] when the certificates to trust can't be used, [`ClientError::Setup`] when the user agent can't be sent.
    pub fn build(self) -> Result<Client, ClientError> {
        let mut http = reqwest::Client::builder();
        if proxy::are_off() {
            http = http.no_proxy();
        }
        let http = http
            .tls_backend_preconfigured(tls::config(&self.trust, self.address.is_https())?)
            .user_agent(self.user_agent)
            .timeout(self.timeout)
            .connect_timeout(CONNECT_TIMEOUT.min(self.timeout))
            .redirect(reqwest::redirect::Policy::none())
            .http1_only()
            .build()
            .map_err(|error| ClientError::Setup(error.to_string()))?;
        let token = self.credentials.token();
        Ok(Client {
            inner: Arc::new(Inner {
                proxy: proxy::of(&self.address),
                server_time: OnceLock::new(),
                address: self.address,
                http,
                credentials: self.credentials,
                session: Mutex::new(Session { token, issued: None }),
                timer: self.timer.unwrap_or_else(|| Arc::new(SystemTimer::start())),
                observer: self.observer,
                retries: self.retries,
            }),
        })
    }
}
