//! Which proxy the way to a server leads through.

use hyper_util::client::proxy::matcher::Matcher;

use crate::address::ServerAddress;

/// Whether the environment says that no server is reached through a proxy. The HTTP library takes the `*` for any name,
/// but for no address.
pub(crate) fn are_off() -> bool {
    ["NO_PROXY", "no_proxy"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .any(|value| value.trim() == "*")
}

/// The proxy that the environment names for this server, without the credentials it may hold; `None` when the way is
/// direct. It is found as the HTTP library finds it.
pub(crate) fn of(address: &ServerAddress) -> Option<String> {
    if are_off() {
        return None;
    }
    let proxy = Matcher::from_env().intercept(&address.as_str().parse().ok()?)?;
    let uri = proxy.uri();
    let host = uri.host()?;
    let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{}://{host}{port}", uri.scheme_str().unwrap_or("http")))
}
