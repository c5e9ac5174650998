//! The description of the API (OpenAPI 3.1), made from the handlers.

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::routes;

/// The description.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "zenml-auth",
        description = "Connection and authentication for ZenML: the device flow (RFC 8628), service accounts and \
                       API keys, on the wire that ZenML's clients speak.",
    ),
    paths(
        routes::info::info,
        routes::login::login,
        routes::login::logout,
        routes::device_authorization::request,
        routes::devices::list,
        routes::devices::get,
        routes::devices::update,
        routes::devices::verify,
        routes::devices::delete,
        routes::service_accounts::list,
        routes::service_accounts::create,
        routes::service_accounts::get,
        routes::service_accounts::update,
        routes::service_accounts::delete,
        routes::api_keys::list,
        routes::api_keys::create,
        routes::api_keys::get,
        routes::api_keys::update,
        routes::api_keys::rotate,
        routes::api_keys::delete,
        routes::api_token::issue,
        routes::users::list,
        routes::users::create,
        routes::users::get,
        routes::users::update,
        routes::users::activate,
        routes::users::deactivate,
        routes::users::email_opt_in,
        routes::users::delete,
        routes::current_user::get,
        routes::current_user::update,
        routes::defaults::projects,
        routes::defaults::project,
        routes::defaults::workspace,
        routes::defaults::stacks,
        routes::defaults::stack,
        routes::jwks::jwks,
        routes::health::health,
        routes::health::ready,
    ),
    modifiers(&BearerScheme),
)]
pub struct ApiDoc;

struct BearerScheme;

impl Modify for BearerScheme {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An access token, or an API key itself"))
            .build();
        openapi
            .components
            .get_or_insert_default()
            .add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}
