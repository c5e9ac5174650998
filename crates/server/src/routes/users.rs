//! `/api/v1/users`: people.

use axum::Json;
use axum::extract::{RawQuery, State};
use zenml_auth_api::user::{UserRequest, UserResponse, UserUpdate};
use zenml_auth_api::{Change, Hydrate, ListQuery, PageResponse, SecretText, ValidationErrors};
use zenml_auth_core::lookup::By;
use zenml_auth_core::services::{Account, NewUser, UserChanges};
use zenml_auth_model::{Secret, User};

use super::listing::page_response;
use crate::errors::ApiError;
use crate::extract::{Authenticated, Json as JsonBody, LARGE_BODY, RequestOrigin, Segments};
use crate::state::App;

pub(super) fn response(user: &User) -> UserResponse {
    UserResponse::from_user(user, Hydrate::Yes, None)
}

/// `null` and nothing mean the same here: clients send `null` for whatever their user left out.
fn set<T>(change: Change<T>) -> Option<T> {
    change.apply(None)
}

pub(super) fn changes(update: UserUpdate) -> UserChanges {
    UserChanges {
        name: update.name,
        full_name: update.full_name,
        email: set(update.email),
        email_opted_in: update.email_opted_in,
        is_admin: update.is_admin,
        active: update.active,
        password: update.password.map(SecretText::into_secret),
        old_password: update.old_password.map(SecretText::into_secret),
        metadata: update
            .user_metadata
            .map(|object| serde_json::Value::Object(object).to_string()),
        default_project_id: set(update.default_project_id),
        avatar_url: set(update.avatar_url),
    }
}

/// A page of users; for a caller who is not an administrator, of oneself only.
///
/// # Errors
/// 400 for a page after the last, 422 for a filter that makes no sense.
#[utoipa::path(get, path = "/api/v1/users", tag = "users", security(("bearer" = [])),
    responses((status = 200, body = PageResponse<UserResponse>), (status = 400), (status = 401), (status = 422)))]
pub async fn list(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Json<PageResponse<UserResponse>>, ApiError> {
    let asked = ListQuery::parse(query.as_deref().unwrap_or_default())?;
    let page = app.engine.users().list(&caller, &asked.query).await?;
    let page = page_response(page, |user| UserResponse::from_user(&user, asked.hydrate, None))?;
    Ok(Json(page))
}

/// Creates a user; without a password, the user is invited, and the answer holds the activation token.
///
/// # Errors
/// 403 for a caller who is not an administrator, 409 for a name that is taken, 422 for a body that makes no sense.
#[utoipa::path(post, path = "/api/v1/users", tag = "users", security(("bearer" = [])), request_body = UserRequest,
    responses((status = 200, body = UserResponse), (status = 403), (status = 409), (status = 422)))]
pub async fn create(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    JsonBody(request): JsonBody<UserRequest, LARGE_BODY>,
) -> Result<Json<UserResponse>, ApiError> {
    let new = NewUser {
        name: request.name,
        full_name: request.full_name.unwrap_or_default(),
        email: request.email,
        email_opted_in: request.email_opted_in,
        password: request.password.map(SecretText::into_secret),
        is_admin: request.is_admin,
        metadata: request
            .user_metadata
            .map(|object| serde_json::Value::Object(object).to_string()),
        avatar_url: request.avatar_url,
    };
    let (user, token) = app.engine.users().create(&caller, new).await?;
    Ok(Json(UserResponse::from_user(&user, Hydrate::Yes, token.as_ref())))
}

/// A user, by name or id; a service account by id.
///
/// # Errors
/// 403 for somebody else's account, 404 when there is none.
#[utoipa::path(get, path = "/api/v1/users/{user_name_or_id}", tag = "users", security(("bearer" = [])),
    params(("user_name_or_id" = String, Path)),
    responses((status = 200, body = UserResponse), (status = 403), (status = 404)))]
pub async fn get(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Segments(which): Segments<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<UserResponse>, ApiError> {
    let hydrate = Hydrate::of_item(query.as_deref().unwrap_or_default())?;
    let found = app
        .engine
        .users()
        .find(&caller, &By::from(which.as_str()))
        .await?;
    Ok(Json(match found {
        Account::User(user) => UserResponse::from_user(&user, hydrate, None),
        Account::ServiceAccount(account) => UserResponse::from_service_account(&account, hydrate),
    }))
}

/// Changes a user.
///
/// # Errors
/// 403 for what is not one's to change, 404, 409 for a name that is taken.
#[utoipa::path(put, path = "/api/v1/users/{user_name_or_id}", tag = "users", security(("bearer" = [])),
    params(("user_name_or_id" = String, Path)), request_body = UserUpdate,
    responses((status = 200, body = UserResponse), (status = 403), (status = 404), (status = 409), (status = 422)))]
pub async fn update(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Segments(which): Segments<String>,
    JsonBody(update): JsonBody<UserUpdate, LARGE_BODY>,
) -> Result<Json<UserResponse>, ApiError> {
    let user = app
        .engine
        .users()
        .update(&caller, &By::from(which.as_str()), &changes(update))
        .await?;
    Ok(Json(response(&user)))
}

/// Deactivates a user; the answer holds a token with which they can set a new password and come back.
///
/// # Errors
/// 403 for oneself and for a caller who is not an administrator, 404.
#[utoipa::path(put, path = "/api/v1/users/{user_name_or_id}/deactivate", tag = "users", security(("bearer" = [])),
    params(("user_name_or_id" = String, Path)),
    responses((status = 200, body = UserResponse), (status = 403), (status = 404)))]
pub async fn deactivate(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Segments(which): Segments<String>,
) -> Result<Json<UserResponse>, ApiError> {
    let (user, token) = app
        .engine
        .users()
        .deactivate(&caller, &By::from(which.as_str()))
        .await?;
    Ok(Json(UserResponse::from_user(&user, Hydrate::Yes, Some(&token))))
}

/// Redeems an activation token: sets a password, and switches the user on again.
///
/// # Errors
/// 401 when the token is not good, 422 without a password.
#[utoipa::path(put, path = "/api/v1/users/{user_name_or_id}/activate", tag = "users",
    params(("user_name_or_id" = String, Path)), request_body = UserUpdate,
    responses((status = 200, body = UserResponse), (status = 401), (status = 422), (status = 429)))]
pub async fn activate(
    State(app): State<App>,
    RequestOrigin(origin): RequestOrigin,
    Segments(which): Segments<String>,
    JsonBody(update): JsonBody<UserUpdate>,
) -> Result<Json<UserResponse>, ApiError> {
    let token = update
        .activation_token
        .map_or_else(|| Secret::new(""), SecretText::into_secret);
    let password = update
        .password
        .ok_or_else(|| ValidationErrors::body_field("password", "is required"))?
        .into_secret();
    let which = By::from(which.as_str());
    let user = app
        .engine
        .users()
        .activate(&which, &token, password, update.full_name, &origin)
        .await?;
    Ok(Json(response(&user)))
}

/// Says whether one shares one's e-mail address.
///
/// # Errors
/// 403 for anybody else's.
#[utoipa::path(put, path = "/api/v1/users/{user_name_or_id}/email-opt-in", tag = "users",
    security(("bearer" = [])), params(("user_name_or_id" = String, Path)), request_body = UserUpdate,
    responses((status = 200, body = UserResponse), (status = 403), (status = 404)))]
pub async fn email_opt_in(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Segments(which): Segments<String>,
    JsonBody(update): JsonBody<UserUpdate>,
) -> Result<Json<UserResponse>, ApiError> {
    let changes = UserChanges {
        email: set(update.email),
        email_opted_in: update.email_opted_in,
        ..UserChanges::default()
    };
    let user = app
        .engine
        .users()
        .update(&caller, &By::from(which.as_str()), &changes)
        .await?;
    Ok(Json(response(&user)))
}

/// Deletes a user with their devices and sign-ins.
///
/// # Errors
/// 403 for oneself and for a caller who is not an administrator, 404.
#[utoipa::path(delete, path = "/api/v1/users/{user_name_or_id}", tag = "users", security(("bearer" = [])),
    params(("user_name_or_id" = String, Path)), responses((status = 200), (status = 403), (status = 404)))]
pub async fn delete(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Segments(which): Segments<String>,
) -> Result<Json<()>, ApiError> {
    app.engine
        .users()
        .delete(&caller, &By::from(which.as_str()))
        .await?;
    Ok(Json(()))
}
