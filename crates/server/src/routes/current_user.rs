//! `/api/v1/current-user`: the caller.

use axum::Json;
use axum::extract::{RawQuery, State};
use zenml_auth_api::Hydrate;
use zenml_auth_api::user::{UserResponse, UserUpdate};
use zenml_auth_core::caller::{Caller, Identity};
use zenml_auth_core::lookup::By;

use super::users::{changes, response};
use crate::errors::ApiError;
use crate::extract::{Authenticated, Json as JsonBody, LARGE_BODY};
use crate::state::App;

fn of_caller(caller: &Caller, hydrate: Hydrate) -> Result<UserResponse, ApiError> {
    match caller.identity() {
        Identity::User(user) => Ok(UserResponse::from_user(user, hydrate, None)),
        Identity::ServiceAccount(account) => Ok(UserResponse::from_service_account(account, hydrate)),
        // The operator never comes over the network.
        Identity::Operator => Err(ApiError::not_authenticated()),
    }
}

/// Who is signed in.
///
/// # Errors
/// 401 when nobody is.
#[utoipa::path(get, path = "/api/v1/current-user", tag = "users", security(("bearer" = [])),
    responses((status = 200, body = UserResponse), (status = 401)))]
pub async fn get(
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Json<UserResponse>, ApiError> {
    let hydrate = Hydrate::of_item(query.as_deref().unwrap_or_default())?;
    Ok(Json(of_caller(&caller, hydrate)?))
}

/// Changes one's own account. Whether one is an administrator or active is ignored here, as ZenML's server does.
///
/// # Errors
/// 403 when the old password is missing or wrong.
#[utoipa::path(put, path = "/api/v1/current-user", tag = "users", security(("bearer" = [])),
    request_body = UserUpdate, responses((status = 200, body = UserResponse), (status = 401), (status = 403)))]
pub async fn update(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    JsonBody(update): JsonBody<UserUpdate, LARGE_BODY>,
) -> Result<Json<UserResponse>, ApiError> {
    let own = caller.user_id().ok_or_else(|| {
        ApiError::from(zenml_auth_core::caller::NotAllowed {
            action: "change a service account",
        })
    })?;
    let mut changes = changes(update);
    changes.is_admin = None;
    changes.active = None;
    let user = app.engine.users().update(&caller, &By::Id(own), &changes).await?;
    Ok(Json(response(&user)))
}
