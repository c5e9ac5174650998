//! Where a request came from.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::extract::{FromRef, FromRequestParts};
use http::header;
use http::request::Parts;
use zenml_auth_model::{Origin, Text};

use crate::state::App;

/// The other end of the connection; put on every request where it is accepted.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// The id of a request; put on every request by the middleware.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// Where a request came from.
#[derive(Debug, Clone)]
pub struct RequestOrigin(pub Origin);

impl<S> FromRequestParts<S> for RequestOrigin
where
    App: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let app = App::from_ref(state);
        Ok(Self(origin(parts, &app)))
    }
}

pub(super) fn origin(parts: &Parts, app: &App) -> Origin {
    let peer = parts.extensions.get::<Peer>();
    let agent = parts
        .headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok());
    Origin {
        address: peer.map(|peer| app.facts.proxies.client_address(peer.0.ip(), &parts.headers)),
        request_id: parts
            .extensions
            .get::<RequestId>()
            .map(|id| Text::from_untrusted(&id.0, 64)),
        user_agent: agent
            .map(|agent| Text::from_untrusted(agent, 255))
            .filter(|agent| !agent.is_empty()),
    }
}
