//! Turning templates into answers.

use askama::Template;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use zenml_auth_api::ErrorBody;
use zenml_auth_core::throttle::TooMany;

use super::csrf::Csrf;
use super::{own_site, style};
use crate::errors::{ApiError, Unfinished, retry_after};
use crate::extract::RequestId;
use crate::state::App;

/// Nothing but our own stylesheet and forms; nobody may frame the pages.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// What every page needs.
#[derive(Default)]
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

/// A page with forms on it, as every page has for somebody who is signed in: with the token that the forms need, and the
/// cookie that the token goes with.
pub(super) fn page_with_forms<T: Template>(
    app: &App,
    headers: &HeaderMap,
    status: StatusCode,
    person: Option<String>,
    template: impl FnOnce(Frame) -> T,
) -> Response {
    let csrf = Csrf::for_page(app, headers);
    let mut response = page(status, &template(Frame::new(app, person, csrf.token.clone())));
    csrf.attach(app, &mut response);
    response
}

/// A page for somebody who has tried too often, with when to try again (RFC 6585 §4): `show` makes it of its status and
/// of what it says.
pub(super) fn too_many(
    what: &str,
    error: &TooMany,
    show: impl FnOnce(StatusCode, String) -> Response,
) -> Response {
    let minutes = error.retry_after.as_secs().div_ceil(60).max(1);
    let problem = format!("Too many {what}. Try again in {minutes} min.");
    let mut response = show(StatusCode::TOO_MANY_REQUESTS, problem);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, retry_after(error.retry_after));
    response
}

/// A page that says one thing.
#[derive(Template)]
#[template(path = "message.html")]
pub(super) struct Message {
    pub(super) frame: Frame,
    pub(super) title: &'static str,
    pub(super) text: String,
    /// Whether it is good news.
    pub(super) good: bool,
}

/// A failure, as people see it.
fn failure(app: &App, status: StatusCode, body: &ErrorBody, request_id: Option<&str>) -> Response {
    let reference = request_id.map_or_else(String::new, |id| format!(" (request {id})"));
    let failed = Message {
        frame: Frame::new(app, None, String::new()),
        title: "Something went wrong",
        text: format!("{}{reference}", body.message()),
        good: false,
    };
    page(status, &failed)
}

/// A form that another site has sent, or this one under another address.
fn from_another_site(app: &App) -> Response {
    let refused = Message {
        frame: Frame::new(app, None, String::new()),
        title: "Not from here",
        text:
            "Another site has sent this form, or the server was opened under another address than its own. \
               Nothing was changed. Open the server's own address and try again."
                .to_owned(),
        good: false,
    };
    page(StatusCode::FORBIDDEN, &refused)
}

/// Shows failures as pages, and keeps other sites away.
pub(super) async fn protect(State(app): State<App>, request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone());
    let mut response = if own_site::may_have_sent(&app, &request) {
        next.run(request).await
    } else {
        from_another_site(&app)
    };
    if let Some(Unfinished(body)) = response.extensions_mut().remove::<Unfinished>() {
        let retry_after = response.headers_mut().remove(header::RETRY_AFTER);
        response = failure(&app, response.status(), &body, id.as_deref());
        if let Some(retry_after) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, retry_after);
        }
    }
    let headers = response.headers_mut();
    let policies = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Addresses of pages hold user codes and activation tokens, so no more than the host is passed on. With `no-referrer`,
        // browsers would send our own forms with `Origin: null` (Fetch §3.1).
        (header::REFERRER_POLICY, "strict-origin"),
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
