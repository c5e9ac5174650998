//! What happens to every request and every answer.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, header};
use hyper::body::Body as _;
use tracing::Instrument as _;
use zenml_auth_core::ports::{Clock as _, Entropy as _, SystemClock, SystemEntropy};

use crate::errors::{ApiError, Unfinished};
use crate::extract::{ClientAddress, Peer, RequestId};
use crate::serve::body_budget::BodyHold;
use crate::state::App;

/// How many bytes of a method, and of a path, are logged. None of this server's is half as long.
const LOGGED: usize = 512;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives every request an id, which its log lines, its audit entries and its answer carry, and logs how it went.
pub async fn identify(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let id = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|text| is_usable_id(text))
        .map_or_else(new_id, str::to_owned);
    request.extensions_mut().insert(RequestId(id.clone()));
    let address = request.extensions().get::<Peer>().map(|peer| {
        app.facts
            .proxies
            .client_address(peer.address().ip(), request.headers())
    });
    request.extensions_mut().insert(ClientAddress(address));
    // Given back when the answer is there, however that comes.
    let hold = (!request.body().is_end_stream()).then(BodyHold::default);
    if let Some(hold) = &hold {
        request.extensions_mut().insert(hold.clone());
    }
    let address = address.map_or_else(String::new, |address| address.to_string());
    // The path alone: query strings hold user codes and activation tokens.
    let span = tracing::info_span!(
        "request",
        id = %id,
        method = %logged(request.method().as_str()),
        path = %logged(request.uri().path()),
        address = %address,
    );
    async move {
        let begun = SystemClock.now();
        let response = next.run(request).await;
        drop(hold);
        let took = SystemClock.now().since(begun);
        let mut response = finish(response, &id);
        // RFC 6797 §7.2: never over plain HTTP.
        if app.is_public_over_tls() {
            let policy = if app.facts.hsts_subdomains {
                "max-age=31536000; includeSubDomains"
            } else {
                "max-age=31536000"
            };
            response.headers_mut().insert(
                header::STRICT_TRANSPORT_SECURITY,
                HeaderValue::from_static(policy),
            );
        }
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        tracing::info!(
            status = response.status().as_u16(),
            took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            "answered"
        );
        response
    }
    .instrument(span)
    .await
}

/// A text of a request as the log has it: log lines wait in memory, so that they may not be as long as a stranger likes.
fn logged(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LOGGED)).unwrap_or_default()
}

/// Writes the body of a failure, now that the request's id is known.
fn finish(mut response: Response, id: &str) -> Response {
    let Some(Unfinished(body)) = response.extensions_mut().remove::<Unfinished>() else {
        return response;
    };
    let body = body.with_request_id(id);
    match serde_json::to_vec(&body) {
        Ok(bytes) => {
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *response.body_mut() = Body::from(bytes);
            response
        }
        // Texts can always be written as JSON.
        Err(_) => response,
    }
}

/// An id that came with the request is kept, so that a proxy's log and ours agree, but only one that is harmless.
fn is_usable_id(text: &str) -> bool {
    (8..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn new_id() -> String {
    let mut bytes = [0; 8];
    SystemEntropy.fill(&mut bytes);
    format!("{:016x}", u64::from_be_bytes(bytes))
}

/// How long a request may take as a whole.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Gives up on a request that takes too long.
pub async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::too_slow().into_response(),
    }
}

/// What a panic looks like from outside. It is a defect, and it takes one request with it, not the server.
#[must_use]
#[allow(clippy::needless_pass_by_value, reason = "the layer hands it over so")]
pub fn panicked(payload: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let text = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    ApiError::internal(format!("a handler panicked: {text}")).into_response()
}

/// Answers of the API are for the caller, and for no cache.
pub async fn never_store(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("no-store, no-cache, must-revalidate"),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_logged_in_part() {
        assert_eq!(logged("/api/v1/info"), "/api/v1/info");
        let long = format!("/{}", "x".repeat(60_000));
        assert_eq!(logged(&long), &long[..LOGGED]);
        let between = format!("/{}", "é".repeat(60_000));
        assert_eq!(logged(&between).len(), LOGGED - 1);
    }

    #[test]
    fn ids_from_outside_are_harmless() {
        assert!(is_usable_id("805c12fe"));
        assert!(is_usable_id(&new_id()));
        for text in [
            "",
            "short",
            "with space",
            "line\nbreak",
            "<script>alert</script>",
            &"x".repeat(65),
        ] {
            assert!(!is_usable_id(text), "{text:?}");
        }
    }
}
