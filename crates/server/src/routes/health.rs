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
/// 503 when it can't, and when the server is about to stop.
#[utoipa::path(get, path = "/ready", tag = "server",
    responses((status = 200, body = String), (status = 503, description = "The database does not answer, takes no changes or does not have the right schema, or the server is about to stop")))]
pub async fn ready(State(app): State<App>) -> Result<&'static str, ApiError> {
    if app.leaving.has_begun() {
        return Err(ApiError::stopping());
    }
    let ready = app.engine.is_ready().await;
    ready
        .map(|()| "ready")
        .map_err(|error| ApiError::not_ready(&error))
}
