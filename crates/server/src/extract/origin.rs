//! Where a request came from.

use std::convert::Infallible;
use std::net::IpAddr;

use axum::extract::FromRequestParts;
use http::header;
use http::request::Parts;
use zenml_auth_model::{Origin, Text};

pub use crate::serve::Peer;

/// The address of the client, as far as trusted proxies tell; put on every request by the middleware.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub Option<IpAddr>);

/// The id of a request; put on every request by the middleware.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// Where a request came from.
#[derive(Debug, Clone)]
pub struct RequestOrigin(pub Origin);

impl<S: Send + Sync> FromRequestParts<S> for RequestOrigin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(origin(parts)))
    }
}

pub(super) fn origin(parts: &Parts) -> Origin {
    let agent = parts
        .headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok());
    Origin {
        address: parts
            .extensions
            .get::<ClientAddress>()
            .and_then(|client| client.0),
        request_id: parts
            .extensions
            .get::<RequestId>()
            .map(|id| Text::from_untrusted(&id.0, 64)),
        user_agent: agent
            .map(|agent| Text::from_untrusted(agent, 255))
            .filter(|agent| !agent.is_empty()),
    }
}
