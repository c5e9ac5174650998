//! Turning templates into answers.

use askama::Template;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::style;
use crate::errors::ApiError;
use crate::state::App;

/// Nothing but our own stylesheet and forms; nobody may frame the pages.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// What every page needs.
pub(super) struct Frame {
    /// What stands before every path, if a proxy serves the pages under one.
    pub(super) base: String,
    /// Where the stylesheet is.
    pub(super) style: &'static str,
    /// Who is signed in, to be shown.
    pub(super) person: Option<String>,
    /// The token that goes with forms.
    pub(super) csrf: String,
}

impl Frame {
    pub(super) fn new(app: &App, person: Option<String>, csrf: String) -> Self {
        Self {
            base: path(app, ""),
            style: style::PATH,
            person,
            csrf,
        }
    }
}

/// A path as browsers see it.
pub(super) fn path(app: &App, path: &str) -> String {
    let url = app.facts.public_url.as_deref().unwrap_or_default();
    let base = url
        .parse::<http::Uri>()
        .map(|url| url.path().trim_end_matches('/').to_owned());
    format!("{}{path}", base.unwrap_or_default())
}

/// A page.
pub(super) fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => ApiError::internal(format!("a page can't be rendered: {error}")).into_response(),
    }
}

/// What keeps other sites away from the pages.
pub(super) async fn protect(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let policies = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Addresses of pages hold user codes and activation tokens.
        (header::REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in policies {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}
