//! What every request can reach.

use std::sync::Arc;

use zenml_auth_core::services::Engine;

use crate::extract::proxies::TrustedProxies;
use crate::serve::Leaving;
use crate::serve::body_budget::BodyBudget;

/// The release of ZenML whose API is spoken; clients compare it with their own.
pub const ZENML_VERSION: &str = "0.98.0";

/// What every request can reach.
#[derive(Clone)]
pub struct App {
    /// All operations.
    pub engine: Arc<Engine>,
    /// What there is to know about this installation.
    pub facts: Arc<Facts>,
    /// Whether the server is about to stop.
    pub leaving: Leaving,
}

/// What there is to know about an installation.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Under which address people and clients reach the server, if that was set; without a slash at its end.
    pub public_url: Option<String>,
    /// Which proxies' word on a request's address is taken.
    pub proxies: TrustedProxies,
    /// The memory that bodies of requests share.
    pub bodies: BodyBudget,
    /// Whether browsers are told to use TLS for all names below the public URL's, too.
    pub hsts_subdomains: bool,
    /// `sqlite`, `mysql` or `other`, as clients know no more.
    pub database_type: &'static str,
}

impl App {
    /// Whether browsers reach the server over TLS, so that cookies can insist on it.
    #[must_use]
    pub fn is_public_over_tls(&self) -> bool {
        self.facts
            .public_url
            .as_ref()
            .is_some_and(|url| url.starts_with("https://"))
    }

    /// An address on this server: absolute if the public one was set, else relative, as ZenML's own server gives
    /// them.
    #[must_use]
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}", self.facts.public_url.as_deref().unwrap_or_default())
    }
}
