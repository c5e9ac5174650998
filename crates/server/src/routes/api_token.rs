//! `GET /api/v1/api_token`

use std::time::Duration;

use axum::Json;
use axum::extract::{RawQuery, State};
use zenml_auth_api::api_token::{ApiTokenQuery, ApiTokenType};
use zenml_auth_api::{ErrorCode, SecretText};

use crate::errors::ApiError;
use crate::extract::Authenticated;
use crate::state::App;

/// A token for use by hand, with the caller's rights.
///
/// # Errors
/// 400 when it should be good for too long, 501 for tokens of pipeline runs.
#[utoipa::path(get, path = "/api/v1/api_token", tag = "sign in", security(("bearer" = [])),
    params(("token_type" = Option<String>, Query, description = "`generic`"),
        ("expires_in" = Option<u64>, Query, description = "For how many seconds it is good")),
    responses((status = 200, body = String), (status = 400), (status = 401), (status = 501)))]
pub async fn issue(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Json<SecretText>, ApiError> {
    let query = ApiTokenQuery::parse(query.as_deref().unwrap_or_default())?;
    if query.token_type == ApiTokenType::Workload || query.scoped {
        return Err(ApiError::new(
            ErrorCode::NotImplemented,
            "Tokens of pipeline runs need a server that manages pipelines. Ask for a generic token.",
        ));
    }
    let expires_in = query.expires_in.map(Duration::from_secs);
    let token = app.engine.api_tokens().issue(&caller, expires_in).await?;
    Ok(Json(token.token.into()))
}
