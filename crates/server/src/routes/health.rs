//! `GET /health` and `GET /ready`, for whatever keeps the server running.

use axum::extract::State;

use crate::errors::ApiError;
use crate::state::App;

/// Whether the process runs.
#[utoipa::path(get, path = "/health", tag = "server", responses((status = 200, body = String)))]
pub async fn health() -> &'static str {
    "ok"
}

/// Whether requests can be served: the database answers, tells what was revoked, and takes changes.
///
/// # Errors
/// 503 when it does not.
#[utoipa::path(get, path = "/ready", tag = "server",
    responses((status = 200, body = String), (status = 503, description = "The database does not answer, or takes no changes")))]
pub async fn ready(State(app): State<App>) -> Result<&'static str, ApiError> {
    let ready = app.engine.is_ready().await;
    ready.map(|()| "ready").map_err(|error| ApiError::not_ready(&error))
}
