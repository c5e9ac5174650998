//! The API: one file per group of endpoints, one thin handler per endpoint.

use axum::Router;
use axum::middleware::from_fn;
use utoipa::{Modify as _, OpenApi as _};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use zenml_auth_api::ErrorCode;

use crate::errors::ApiError;
use crate::middleware::never_store;
use crate::openapi::{ApiDoc, Errors};
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

/// All endpoints of the API, and their description. Each is declared once, by the attribute of its handler.
fn endpoints() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(ApiDoc::openapi())
        .routes(routes!(info::info))
        .routes(routes!(login::login))
        .routes(routes!(login::logout))
        .routes(routes!(device_authorization::request))
        .routes(routes!(api_token::issue))
        .routes(routes!(current_user::get, current_user::update))
        .routes(routes!(devices::list))
        .routes(routes!(devices::get, devices::update, devices::delete))
        .routes(routes!(devices::verify))
        .routes(routes!(service_accounts::list, service_accounts::create))
        .routes(routes!(
            service_accounts::get,
            service_accounts::update,
            service_accounts::delete
        ))
        .routes(routes!(api_keys::list, api_keys::create))
        .routes(routes!(api_keys::get, api_keys::update, api_keys::delete))
        .routes(routes!(api_keys::rotate))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::get, users::update, users::delete))
        .routes(routes!(users::activate))
        .routes(routes!(users::deactivate))
        .routes(routes!(users::email_opt_in))
        .routes(routes!(defaults::projects))
        .routes(routes!(defaults::project))
        .routes(routes!(defaults::workspaces))
        .routes(routes!(defaults::workspace))
        .routes(routes!(defaults::stacks))
        .routes(routes!(defaults::stack))
        .routes(routes!(jwks::jwks))
        .routes(routes!(health::health))
        .routes(routes!(health::ready))
}

/// The description of the API (OpenAPI 3.1).
#[must_use]
pub fn description() -> utoipa::openapi::OpenApi {
    let mut description = endpoints().into_openapi();
    Errors.modify(&mut description);
    description
}

/// What serves the API.
pub fn router() -> Router<App> {
    Router::from(endpoints())
        .fallback(async || ApiError::no_such_path())
        .method_not_allowed_fallback(async || {
            ApiError::new(ErrorCode::MethodNotAllowed, "Method Not Allowed")
        })
        .layer(from_fn(never_store))
}
