//! The API: one file per group of endpoints, one thin handler per endpoint.

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post, put};
use http::StatusCode;
use zenml_auth_api::paths;

use crate::errors::ApiError;
use crate::middleware::never_store;
use crate::state::App;

pub mod api_keys;
pub mod api_token;
pub mod current_user;
pub mod defaults;
pub mod device_authorization;
pub mod devices;
pub mod health;
pub mod info;
pub mod jwks;
mod listing;
pub mod login;
pub mod service_accounts;
pub mod users;

/// All endpoints of the API.
pub fn router() -> Router<App> {
    Router::new()
        .route(paths::INFO, get(info::info))
        .route(paths::LOGIN, post(login::login))
        .route(paths::LOGOUT, get(login::logout).post(login::logout))
        .route(paths::DEVICE_AUTHORIZATION, post(device_authorization::request))
        .route(paths::API_TOKEN, get(api_token::issue))
        .route(
            paths::CURRENT_USER,
            get(current_user::get).put(current_user::update),
        )
        .route(paths::DEVICES, get(devices::list))
        .route(
            paths::DEVICE,
            get(devices::get).put(devices::update).delete(devices::delete),
        )
        .route(paths::DEVICE_VERIFY, put(devices::verify))
        .route(
            paths::SERVICE_ACCOUNTS,
            get(service_accounts::list).post(service_accounts::create),
        )
        .route(
            paths::SERVICE_ACCOUNT,
            get(service_accounts::get)
                .put(service_accounts::update)
                .delete(service_accounts::delete),
        )
        .route(paths::API_KEYS, get(api_keys::list).post(api_keys::create))
        .route(
            paths::API_KEY,
            get(api_keys::get).put(api_keys::update).delete(api_keys::delete),
        )
        .route(paths::API_KEY_ROTATE, put(api_keys::rotate))
        .route(paths::USERS, get(users::list).post(users::create))
        .route(
            paths::USER,
            get(users::get).put(users::update).delete(users::delete),
        )
        .route(paths::USER_ACTIVATE, put(users::activate))
        .route(paths::USER_DEACTIVATE, put(users::deactivate))
        .route(paths::USER_EMAIL_OPT_IN, put(users::email_opt_in))
        .route(paths::PROJECTS, get(defaults::projects))
        .route(paths::PROJECT, get(defaults::project))
        .route(paths::WORKSPACES, get(defaults::projects))
        .route(paths::WORKSPACE, get(defaults::workspace))
        .route(paths::STACKS, get(defaults::stacks))
        .route(paths::STACK, get(defaults::stack))
        .route(jwks::PATH, get(jwks::jwks))
        .route(paths::HEALTH, get(health::health))
        .route(paths::READY, get(health::ready))
        .fallback(async || ApiError::plain(StatusCode::NOT_FOUND, "Not Found"))
        .method_not_allowed_fallback(async || {
            ApiError::plain(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
        })
        .layer(from_fn(never_store))
}
