//! Who asks.

use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;
use http::{HeaderMap, header};
use zenml_auth_api::key::{self, KeyText};
use zenml_auth_core::caller::Caller;
use zenml_auth_core::services::Presented;

use super::origin::{Peer, origin};
use crate::errors::ApiError;
use crate::state::App;

/// The sender of a good bearer token or API key (RFC 6750 §2.1). Cookies do not count here: the API has no use for
/// credentials that browsers send by themselves.
#[derive(Debug)]
pub struct Authenticated(pub Caller);

impl<S> FromRequestParts<S> for Authenticated
where
    App: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let app = App::from_ref(state);
        let bearer = bearer(&parts.headers)?;
        let origin = origin(parts);
        let authenticator = app.engine.authenticator();
        let caller = if bearer.starts_with(key::PREFIX) {
            let parsed = KeyText::parse(bearer).map_err(ApiError::api_key_malformed)?;
            let presented = Presented::ApiKey {
                id: parsed.id,
                value: &parsed.key,
            };
            authenticator.authenticate(presented, origin).await?
        } else {
            authenticator
                .authenticate(Presented::Token(bearer), origin)
                .await?
        };
        if let Some(peer) = parts.extensions.get::<Peer>() {
            peer.prove();
        }
        Ok(Self(caller))
    }
}

/// The one bearer credential of a request.
fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(first), None) = (all.next(), all.next()) else {
        return Err(ApiError::not_authenticated());
    };
    let text = first.to_str().map_err(|_| ApiError::not_authenticated())?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => {
            Ok(token.trim())
        }
        _ => Err(ApiError::not_authenticated()),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, StatusCode};

    use super::*;

    fn read(values: &[&str]) -> Result<String, StatusCode> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        bearer(&headers)
            .map(str::to_owned)
            .map_err(|error| error.status())
    }

    #[test]
    fn one_bearer_and_no_more() {
        assert_eq!(read(&["Bearer abc"]), Ok("abc".to_owned()));
        assert_eq!(read(&["bearer  abc "]), Ok("abc".to_owned()));
        for values in [
            &[][..],
            &["abc"],
            &["Basic abc"],
            &["Bearer "],
            &["Bearer a", "Bearer b"],
        ] {
            assert_eq!(read(values), Err(StatusCode::UNAUTHORIZED), "{values:?}");
        }
    }
}
