//! Who has signed in to the pages.

use axum::response::{IntoResponse as _, Redirect, Response};
use cookie::{Cookie, SameSite};
use http::{HeaderMap, HeaderValue, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use zenml_auth_core::caller::Caller;
use zenml_auth_core::services::{AuthenticateError, Presented};
use zenml_auth_model::{DeviceId, Origin, Secret};

use super::render::path;
use crate::errors::ApiError;
use crate::state::App;

const COOKIE: &str = "zenml-auth-session";

/// A cookie's name. Over TLS, the prefix makes browsers insist on `Secure`, `Path=/` and no `Domain`
/// (RFC 6265bis §4.1.3.2), so that no other host and no plain HTTP can have set it.
pub(super) fn cookie_name(app: &App, name: &str) -> String {
    if app.is_public_over_tls() {
        format!("__Host-{name}")
    } else {
        name.to_owned()
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
pub(super) fn set_cookie(app: &App, name: &str, value: &str, seconds: i64) -> HeaderValue {
    // The prefix asks for the path `/`, even if a proxy serves the pages under another one.
    let base = if app.is_public_over_tls() {
        String::new()
    } else {
        path(app, "")
    };
    let cookie = Cookie::build((name.to_owned(), value.to_owned()))
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
    set_cookie(app, &cookie_name(app, COOKIE), value.expose(), seconds)
}

/// The cookie that signs a browser out.
pub(super) fn sign_out_cookie(app: &App) -> HeaderValue {
    set_cookie(app, &cookie_name(app, COOKIE), "", 0)
}

/// The cookie's value, if the browser sent one.
pub(super) fn presented(app: &App, headers: &HeaderMap) -> Option<Secret> {
    read_cookie(headers, &cookie_name(app, COOKIE))
        .filter(|value| !value.is_empty())
        .map(Secret::new)
}

/// The person who has signed in, if somebody has.
pub(super) async fn current(
    app: &App,
    headers: &HeaderMap,
    origin: Origin,
) -> Result<Option<Caller>, ApiError> {
    let Some(cookie) = presented(app, headers) else {
        return Ok(None);
    };
    let presented = Presented::Cookie(&cookie);
    match app.engine.authenticator().authenticate(presented, origin).await {
        Ok(caller) => Ok(Some(caller)),
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

/// The headers of a request as if its browser had sent the cookie of a sign-in that it is given just now.
pub(super) fn as_signed_in(app: &App, headers: &HeaderMap, session: &Secret) -> HeaderMap {
    let name = cookie_name(app, COOKIE);
    let others = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';').map(str::trim))
        .filter(|pair| pair.split('=').next() != Some(name.as_str()));
    let mut cookies: Vec<String> = others.map(str::to_owned).collect();
    cookies.push(format!("{name}={}", session.expose()));
    let mut signed_in = headers.clone();
    if let Ok(value) = HeaderValue::from_str(&cookies.join("; ")) {
        signed_in.insert(header::COOKIE, value);
    }
    signed_in
}

/// Where to go after signing in: a page of ours, and nowhere else. Only these pages send people to sign in.
pub(super) fn safe_next(next: &str) -> &str {
    let (path, query) = next.split_once('?').unwrap_or((next, ""));
    let is_page = match path {
        "/devices/verify" => query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\'),
        "/devices" | "/password" => query.is_empty(),
        other => {
            let id = other.strip_prefix("/devices/").unwrap_or_default();
            id.parse::<DeviceId>().is_ok() && query.is_empty()
        }
    };
    if is_page { next } else { "/devices/verify" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for ours in [
            "/devices/verify?device_id=x&user_code=WDJB-MJHT",
            "/devices/2efa1441-60a3-462a-9644-ac74f84d8518",
            "/devices",
            "/password",
        ] {
            assert_eq!(safe_next(ours), ours);
        }
        for next in [
            "",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/devices/verify\\@evil",
            "/x",
            "/devices/../activate-user",
            "/devices/verify/../../x",
            "/devices?x",
            "/devices/verify?\0",
            "/devices/verify?\u{1f}",
            "/devices/verify?\u{7f}",
            "/devices/verify? ",
            "/devices/verify?ä",
            "/devices/verify\0",
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
