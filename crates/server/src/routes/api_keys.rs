//! `/api/v1/service_accounts/{id}/api_keys`: keys of workloads.

use std::time::Duration;

use axum::Json;
use axum::extract::{RawQuery, State};
use zenml_auth_api::api_key::{ApiKeyRequest, ApiKeyResponse, ApiKeyRotateRequest, ApiKeyUpdate};
use zenml_auth_api::key::KeyText;
use zenml_auth_api::{Hydrate, ListQuery, PageResponse, ValidationErrors};
use zenml_auth_core::lookup::By;
use zenml_auth_core::rules::api_key::Retention;
use zenml_auth_core::services::{ApiKeyChanges, IssuedApiKey, NewApiKey};

use super::listing::page_response;
use crate::errors::ApiError;
use crate::extract::{Authenticated, Json as JsonBody, LARGE_BODY, Segments};
use crate::state::App;

/// The answer that shows a key's value: this once.
fn issued(issued: IssuedApiKey) -> ApiKeyResponse {
    let text = KeyText {
        id: issued.key.id,
        key: issued.value,
    }
    .encode();
    ApiKeyResponse::from_key(&issued.key, &issued.account, Hydrate::Yes, Some(&text))
}

/// A page of the keys of a service account.
///
/// # Errors
/// 403 for a caller who is not an administrator, 404 when there is no such account.
#[utoipa::path(get, path = "/api/v1/service_accounts/{service_account_id}/api_keys", tag = "API keys",
    security(("bearer" = [])), params(("service_account_id" = String, Path)),
    responses((status = 200, body = PageResponse<ApiKeyResponse>), (status = 403), (status = 404), (status = 422)))]
pub async fn list(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Segments(account): Segments<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<PageResponse<ApiKeyResponse>>, ApiError> {
    let asked = ListQuery::parse(query.as_deref().unwrap_or_default())?;
    let account = By::from(account.as_str());
    let (account, page) = app
        .engine
        .api_keys()
        .list(&caller, &account, &asked.query)
        .await?;
    let page = page_response(page, |key| {
        ApiKeyResponse::from_key(&key, &account, asked.hydrate, None)
    })?;
    Ok(Json(page))
}

/// Creates a key; the answer is the only one that ever shows it.
///
/// # Errors
/// 403 for a caller who is not an administrator, 404 when there is no such account, 409 for a name that is taken.
#[utoipa::path(post, path = "/api/v1/service_accounts/{service_account_id}/api_keys", tag = "API keys",
    security(("bearer" = [])), params(("service_account_id" = String, Path)), request_body = ApiKeyRequest,
    responses((status = 200, body = ApiKeyResponse), (status = 403), (status = 404), (status = 409), (status = 422)))]
pub async fn create(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Segments(account): Segments<String>,
    JsonBody(request): JsonBody<ApiKeyRequest, LARGE_BODY>,
) -> Result<Json<ApiKeyResponse>, ApiError> {
    let new = NewApiKey {
        name: request.name,
        description: request.description.unwrap_or_default(),
        expires: request
            .expires_in
            .map(|seconds| app.engine.now() + Duration::from_secs(seconds)),
    };
    let key = app
        .engine
        .api_keys()
        .create(&caller, &By::from(account.as_str()), new)
        .await?;
    Ok(Json(issued(key)))
}

/// A key, by name or id, without its value; with who used it of late. A workload sees the one that it came with, by id,
/// and which of its values that was.
///
/// # Errors
/// 403 for anyone else who is not an administrator, 404 when there is none.
#[utoipa::path(get, path = "/api/v1/service_accounts/{service_account_id}/api_keys/{api_key_name_or_id}",
    tag = "API keys", security(("bearer" = [])),
    params(("service_account_id" = String, Path), ("api_key_name_or_id" = String, Path)),
    responses((status = 200, body = ApiKeyResponse), (status = 403), (status = 404)))]
pub async fn get(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Segments((account, which)): Segments<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Json<ApiKeyResponse>, ApiError> {
    let hydrate = Hydrate::of_item(query.as_deref().unwrap_or_default())?;
    let (account, which) = (By::from(account.as_str()), By::from(which.as_str()));
    let keys = app.engine.api_keys();
    let (account, key) = keys.find(&caller, &account, &which).await?;
    let answer = ApiKeyResponse::from_key(&key, &account, hydrate, None);
    Ok(Json(match (hydrate, caller.api_key()) {
        (Hydrate::Yes, None) => answer.with_recent_uses(&key, &keys.recent_uses(&caller, &key).await?),
        (Hydrate::Yes, Some((_, generation))) => answer.with_own_value(&key, generation),
        (Hydrate::No, _) => answer,
    }))
}

/// Changes a key. Switching it off ends every use of it at once.
///
/// # Errors
/// 403 for a caller who is not an administrator, 404, 409 for a name that is taken.
#[utoipa::path(put, path = "/api/v1/service_accounts/{service_account_id}/api_keys/{api_key_name_or_id}",
    tag = "API keys", security(("bearer" = [])),
    params(("service_account_id" = String, Path), ("api_key_name_or_id" = String, Path)),
    request_body = ApiKeyUpdate,
    responses((status = 200, body = ApiKeyResponse), (status = 403), (status = 404), (status = 409), (status = 422)))]
pub async fn update(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Segments((account, which)): Segments<(String, String)>,
    JsonBody(update): JsonBody<ApiKeyUpdate, LARGE_BODY>,
) -> Result<Json<ApiKeyResponse>, ApiError> {
    let changes = ApiKeyChanges {
        name: update.name,
        description: update.description,
        active: update.active,
    };
    let (account, which) = (By::from(account.as_str()), By::from(which.as_str()));
    let (account, key) = app
        .engine
        .api_keys()
        .update(&caller, &account, &which, &changes)
        .await?;
    Ok(Json(ApiKeyResponse::from_key(&key, &account, Hydrate::Yes, None)))
}

/// Replaces a key's value; the one before stays good for the retention.
///
/// # Errors
/// 403 for a caller who is not an administrator, 404, 422 for a retention that makes no sense.
#[utoipa::path(put, path = "/api/v1/service_accounts/{service_account_id}/api_keys/{api_key_name_or_id}/rotate",
    tag = "API keys", security(("bearer" = [])),
    params(("service_account_id" = String, Path), ("api_key_name_or_id" = String, Path)),
    request_body = ApiKeyRotateRequest,
    responses((status = 200, body = ApiKeyResponse), (status = 403), (status = 404), (status = 422)))]
pub async fn rotate(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Segments((account, which)): Segments<(String, String)>,
    JsonBody(request): JsonBody<ApiKeyRotateRequest>,
) -> Result<Json<ApiKeyResponse>, ApiError> {
    let retention = Retention::from_minutes(i64::from(request.retain_period_minutes))
        .map_err(|error| ValidationErrors::body_field("retain_period_minutes", error))?;
    let (account, which) = (By::from(account.as_str()), By::from(which.as_str()));
    let key = app
        .engine
        .api_keys()
        .rotate(&caller, &account, &which, retention)
        .await?;
    Ok(Json(issued(key)))
}

/// Deletes a key; every use of it ends at once.
///
/// # Errors
/// 403 for a caller who is not an administrator, 404 when there is none.
#[utoipa::path(delete, path = "/api/v1/service_accounts/{service_account_id}/api_keys/{api_key_name_or_id}",
    tag = "API keys", security(("bearer" = [])),
    params(("service_account_id" = String, Path), ("api_key_name_or_id" = String, Path)),
    responses((status = 200), (status = 403), (status = 404)))]
pub async fn delete(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Segments((account, which)): Segments<(String, String)>,
) -> Result<Json<()>, ApiError> {
    let (account, which) = (By::from(account.as_str()), By::from(which.as_str()));
    app.engine.api_keys().delete(&caller, &account, &which).await?;
    Ok(Json(()))
}
