//! `GET /api/v1/info`

use axum::Json;
use axum::extract::State;
use zenml_auth_api::WireTime;
use zenml_auth_api::info::InfoResponse;

use crate::state::{App, ZENML_VERSION};

/// What the server is. Clients read it before anything else.
#[utoipa::path(get, path = "/api/v1/info", tag = "server", responses((status = 200, body = InfoResponse)))]
pub async fn info(State(app): State<App>) -> Json<InfoResponse> {
    let mut info = InfoResponse::new(app.engine.server().id, "default", ZENML_VERSION);
    info.database_type = app.facts.database_type.to_owned();
    info.server_url = app.facts.public_url.clone().unwrap_or_default();
    info.dashboard_url = info.server_url.clone();
    info.last_user_activity = Some(WireTime(app.engine.last_activity()));
    let implementation = format!("zenml-auth {}", env!("CARGO_PKG_VERSION"));
    info.metadata
        .insert(InfoResponse::IMPLEMENTATION.to_owned(), implementation);
    Json(info)
}
