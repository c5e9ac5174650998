//! `/api/v1/service_accounts`: accounts of workloads.

use axum::Json;
use axum::extract::{RawQuery, State};
use zenml_auth_api::service_account::{ServiceAccountRequest, ServiceAccountResponse, ServiceAccountUpdate};
use zenml_auth_api::{Hydrate, ListQuery, PageResponse};
use zenml_auth_core::lookup::By;
use zenml_auth_core::services::{NewServiceAccount, ServiceAccountChanges};

use super::listing::page_response;
use crate::errors::ApiError;
use crate::extract::{Authenticated, Json as JsonBody, LARGE_BODY, Segments};
use crate::state::App;

/// A page of service accounts.
///
/// # Errors
/// 400 for a page after the last, 403 for a caller who is not an administrator, 422 for a filter that makes no sense.
#[utoipa::path(get, path = "/api/v1/service_accounts", tag = "service accounts", security(("bearer" = [])),
    responses((status = 200, body = PageResponse<ServiceAccountResponse>), (status = 400), (status = 403),
        (status = 422)))]
pub async fn list(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Json<PageResponse<ServiceAccountResponse>>, ApiError> {
    let asked = ListQuery::parse(query.as_deref().unwrap_or_default())?;
    let page = app.engine.service_accounts().list(&caller, &asked.query).await?;
    let page = page_response(page, |account| {
        ServiceAccountResponse::from_account(&account, asked.hydrate)
    })?;
    Ok(Json(page))
}

/// Creates a service account.
///
/// # Errors
/// 403 for a caller who is not an administrator, 409 for a name that is taken, 422 for a body that makes no sense.
#[utoipa::path(post, path = "/api/v1/service_accounts", tag = "service accounts", security(("bearer" = [])),
    request_body = ServiceAccountRequest,
    responses((status = 200, body = ServiceAccountResponse), (status = 403), (status = 409), (status = 422)))]
pub async fn create(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    JsonBody(request): JsonBody<ServiceAccountRequest, LARGE_BODY>,
) -> Result<Json<ServiceAccountResponse>, ApiError> {
    let new = NewServiceAccount {
        name: request.name,
        full_name: request.full_name.unwrap_or_default(),
        description: request.description.unwrap_or_default(),
        avatar_url: request.avatar_url,
        active: request.active,
    };
    let account = app.engine.service_accounts().create(&caller, new).await?;
    Ok(Json(ServiceAccountResponse::from_account(&account, Hydrate::Yes)))
}

/// A service account, by name or id.
///
/// # Errors
/// 403 for who is neither an administrator nor the account itself, 404 when there is none.
#[utoipa::path(get, path = "/api/v1/service_accounts/{service_account_name_or_id}", tag = "service accounts",
    security(("bearer" = [])), params(("service_account_name_or_id" = String, Path)),
    responses((status = 200, body = ServiceAccountResponse), (status = 403), (status = 404)))]
pub async fn get(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Segments(which): Segments<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<ServiceAccountResponse>, ApiError> {
    let hydrate = Hydrate::of_item(query.as_deref().unwrap_or_default())?;
    let account = app
        .engine
        .service_accounts()
        .find(&caller, &By::from(which.as_str()))
        .await?;
    Ok(Json(ServiceAccountResponse::from_account(&account, hydrate)))
}

/// Changes a service account. Switching it off ends every use of its keys at once.
///
/// # Errors
/// 403 for a caller who is not an administrator, 404, 409 for a name that is taken.
#[utoipa::path(put, path = "/api/v1/service_accounts/{service_account_name_or_id}", tag = "service accounts",
    security(("bearer" = [])), params(("service_account_name_or_id" = String, Path)),
    request_body = ServiceAccountUpdate,
    responses((status = 200, body = ServiceAccountResponse), (status = 403), (status = 404), (status = 409),
        (status = 422)))]
pub async fn update(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Segments(which): Segments<String>,
    JsonBody(update): JsonBody<ServiceAccountUpdate, LARGE_BODY>,
) -> Result<Json<ServiceAccountResponse>, ApiError> {
    let changes = ServiceAccountChanges {
        name: update.name,
        full_name: update.full_name,
        description: update.description,
        avatar_url: update.avatar_url.apply(None),
        active: update.active,
    };
    let account = app
        .engine
        .service_accounts()
        .update(&caller, &By::from(which.as_str()), &changes)
        .await?;
    Ok(Json(ServiceAccountResponse::from_account(&account, Hydrate::Yes)))
}

/// Deletes a service account with its keys.
///
/// # Errors
/// 403 for a caller who is not an administrator, 404 when there is none.
#[utoipa::path(delete, path = "/api/v1/service_accounts/{service_account_name_or_id}", tag = "service accounts",
    security(("bearer" = [])), params(("service_account_name_or_id" = String, Path)),
    responses((status = 200), (status = 403), (status = 404)))]
pub async fn delete(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Segments(which): Segments<String>,
) -> Result<Json<()>, ApiError> {
    app.engine
        .service_accounts()
        .delete(&caller, &By::from(which.as_str()))
        .await?;
    Ok(Json(()))
}
