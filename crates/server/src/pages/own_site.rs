//! Which site has made a browser send a form, as browsers tell it.

use axum::extract::Request;
use http::{HeaderMap, Method, Uri, header};

use crate::state::App;

/// Whether a request only reads, or may come from a page of ours. What a browser does not say is left to the forms' tokens.
pub(super) fn may_have_sent(app: &App, request: &Request) -> bool {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return true;
    }
    let headers = request.headers();
    // In HTTP/2, the host is a part of the request's address.
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .or_else(|| request.uri().authority().map(http::uri::Authority::as_str));
    is_own_origin(headers, app.facts.public_url.as_deref(), host) && !is_other_site(headers)
}

fn is_other_site(headers: &HeaderMap) -> bool {
    headers
        .get("sec-fetch-site")
        .is_some_and(|site| site != "same-origin" && site != "none")
}

/// An origin (RFC 6454 §4): scheme, host and port.
type Parts = (String, String, u16);

fn origin_of(url: &Uri) -> Option<Parts> {
    let scheme = url.scheme_str()?.to_ascii_lowercase();
    let default = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let host = url.host()?.to_ascii_lowercase();
    Some((scheme, host, url.port_u16().unwrap_or(default)))
}

/// Whether `Origin` is missing, or names this server: its public address or, if none was set, the host that was asked. What is
/// no such origin, such as `null`, is another one.
fn is_own_origin(headers: &HeaderMap, public_url: Option<&str>, host: Option<&str>) -> bool {
    let mut all = headers.get_all(header::ORIGIN).iter();
    let sent = match (all.next(), all.next()) {
        (None, _) => return true,
        (Some(sent), None) => sent,
        (Some(_), Some(_)) => return false,
    };
    let parse = |text: &str| text.parse::<Uri>().ok().as_ref().and_then(origin_of);
    let Some(sent) = sent.to_str().ok().and_then(parse) else {
        return false;
    };
    let own = match (public_url, host) {
        (Some(url), _) => parse(url),
        // Whether there is a proxy with TLS in front is not known then.
        (None, Some(host)) => parse(&format!("{}://{host}", sent.0)),
        (None, None) => None,
    };
    own == Some(sent)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn judge(origins: &[&str], public_url: Option<&str>, host: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        for origin in origins {
            headers.append(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        is_own_origin(&headers, public_url, host)
    }

    #[test]
    fn only_our_own_origin_is_ours() {
        let public = Some("https://Auth.example.com/zenml");
        for (origins, public_url, host, expected) in [
            (&[][..], public, None, true),
            (
                &["https://auth.example.com"],
                public,
                Some("127.0.0.1:8237"),
                true,
            ),
            (&["https://auth.example.com:443"], public, None, true),
            (&["http://auth.example.com"], public, None, false),
            (&["https://auth.example.com:8443"], public, None, false),
            (&["https://evil.example"], public, Some("evil.example"), false),
            (&["https://auth.example.com.evil.example"], public, None, false),
            (&["null"], public, None, false),
            (&[""], public, None, false),
            (
                &["https://auth.example.com", "https://auth.example.com"],
                public,
                None,
                false,
            ),
            (&["http://127.0.0.1:8237"], None, Some("127.0.0.1:8237"), true),
            (
                &["https://auth.example.com"],
                None,
                Some("auth.example.com"),
                true,
            ),
            (&["http://localhost:8237"], None, Some("127.0.0.1:8237"), false),
            (&["http://[::1]:8237"], None, Some("[::1]:8237"), true),
            (&["file://"], None, Some("x"), false),
            (&["http://x"], None, None, false),
        ] {
            assert_eq!(judge(origins, public_url, host), expected, "{origins:?} {host:?}");
        }
    }
}
