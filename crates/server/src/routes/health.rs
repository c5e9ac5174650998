//! `GET /health` and `GET /ready`, for whatever keeps the server running.

use axum::extract::State;

use crate::errors::ApiError;
use crate::state::App;

/// Whether the process runs.
#[utoipa::path(get, path = "/health", tag = "server", responses((status = 200, body = String)))]
pub async fn health() -> &'static str {
    "ok"
}

/// Whether callers can be let in.
///
/// # Errors
/// 503 when it can't.
#[utoipa::path(get, path = "/ready", tag = "server",
    responses((status = 200, body = String), (status = 503, description = "The database does not answer")))]
pub async fn ready(State(app): State<App>) -> Result<&'static str, ApiError> {
    app.engine.is_ready().await?;
    Ok("ready")
}
