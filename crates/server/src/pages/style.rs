//! The one stylesheet.

use axum::response::{IntoResponse, Response};
use http::header;

/// Where it is; a new release changes the path, so that no browser shows new pages in old clothes.
pub(super) const PATH: &str = concat!("/assets/style-", env!("CARGO_PKG_VERSION"), ".css");

pub(super) async fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=86400"),
    ];
    (headers, include_str!("../../assets/style.css")).into_response()
}
