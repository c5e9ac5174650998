//! Who has signed in to the pages.

use axum::response::{IntoResponse as _, Redirect, Response};
use cookie::{Cookie, SameSite};
use http::{HeaderMap, HeaderValue, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use zenml_auth_core::caller::Caller;
use zenml_auth_core::services::AuthenticateError;
use zenml_auth_model::{Origin, Secret};

use super::render::path;
use crate::errors::ApiError;
use crate::state::App;

/// The cookie's name. Over TLS, the prefix makes browsers insist on `Secure`, `Path=/` and no `Domain`
/// (RFC 6265bis §4.1.3.2).
fn cookie_name(app: &App) -> &'static str {
    if app.is_public_over_tls() && path(app, "").is_empty() {
        "__Host-zenml-auth-session"
    } else {
        "zenml-auth-session"
    }
}

/// A cookie of a request.
pub(super) fn read_cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| Cookie::split_parse(value.to_owned()))
        .filter_map(Result::ok)
        .find(|cookie| cookie.name() == name)
        .map(|cookie| cookie.value().to_owned())
}

/// A cookie for scripts and other sites to keep their hands off.
pub(super) fn set_cookie(app: &App, name: &'static str, value: &str, seconds: i64) -> HeaderValue {
    let base = path(app, "");
    let cookie = Cookie::build((name, value.to_owned()))
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(app.is_public_over_tls())
        .path(if base.is_empty() { "/".to_owned() } else { base })
        .max_age(cookie::time::Duration::seconds(seconds))
        .build();
    // Names are ours and values hexadecimal, so this is always a header.
    HeaderValue::from_str(&cookie.to_string()).unwrap_or(HeaderValue::from_static(""))
}

/// The cookie that signs a browser in.
pub(super) fn sign_in_cookie(app: &App, value: &Secret) -> HeaderValue {
    let seconds =
        i64::try_from(app.engine.settings().lifetimes.browser_session.as_secs()).unwrap_or(i64::MAX);
    set_cookie(app, cookie_name(app), value.expose(), seconds)
}

/// The cookie that signs a browser out.
pub(super) fn sign_out_cookie(app: &App) -> HeaderValue {
    set_cookie(app, cookie_name(app), "", 0)
}

/// The cookie's value, if the browser sent one.
pub(super) fn presented(app: &App, headers: &HeaderMap) -> Option<Secret> {
    read_cookie(headers, cookie_name(app))
        .filter(|value| !value.is_empty())
        .map(Secret::new)
}

/// Whoever has signed in, if somebody has.
pub(super) async fn current(
    app: &App,
    headers: &HeaderMap,
    origin: Origin,
) -> Result<Option<Caller>, ApiError> {
    let Some(cookie) = presented(app, headers) else {
        return Ok(None);
    };
    match app.engine.sign_in().browser(&cookie, origin).await {
        Ok((caller, _)) => Ok(Some(caller)),
        Err(AuthenticateError::Internal(error)) => Err(error.into()),
        // The sign-in has ended, for whatever reason; another one is in order.
        Err(_) => Ok(None),
    }
}

/// Sends somebody to sign in, and back to where they wanted to go.
pub(super) fn sign_in_first(app: &App, wanted: &str) -> Response {
    let next = utf8_percent_encode(wanted, NON_ALPHANUMERIC);
    Redirect::to(&path(app, &format!("/login?next={next}"))).into_response()
}

/// Where to go after signing in: a page of ours, and nowhere else.
pub(super) fn safe_next(next: &str) -> &str {
    let is_ours =
        next.starts_with("/devices/verify") && !next.contains(['\\', '\r', '\n']) && next.is_ascii();
    if is_ours { next } else { "/devices/verify" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        let ours = "/devices/verify?device_id=x&user_code=WDJB-MJHT";
        assert_eq!(safe_next(ours), ours);
        for next in [
            "",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/devices/verify\\@evil",
            "/x",
        ] {
            assert_eq!(safe_next(next), "/devices/verify", "{next:?}");
        }
    }

    #[test]
    fn cookies_are_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; b=2"));
        headers.append(header::COOKIE, HeaderValue::from_static("c=3"));
        assert_eq!(read_cookie(&headers, "b").as_deref(), Some("2"));
        assert_eq!(read_cookie(&headers, "c").as_deref(), Some("3"));
        assert_eq!(read_cookie(&headers, "d"), None);
    }
}
