//! `POST /api/v1/login` and `GET /api/v1/logout`

use axum::Json;
use axum::extract::State;
use zenml_auth_api::key::KeyText;
use zenml_auth_api::login::{LoginRequest, TokenResponse};
use zenml_auth_core::services::AccessToken;

use crate::errors::ApiError;
use crate::extract::{Authenticated, Form, RequestOrigin};
use crate::state::App;

/// Exchanges a password, an API key or a device code for an access token.
///
/// # Errors
/// 400 in the form of RFC 6749 §5.2 for device codes, 401 for passwords and keys, 429 after too many failures.
#[utoipa::path(post, path = "/api/v1/login", tag = "sign in",
    request_body(content = String, content_type = "application/x-www-form-urlencoded",
        description = "`grant_type` is `password` (with `username` and `password`), `zenml-api-key` (with the key as \
        `password`) or `urn:ietf:params:oauth:grant-type:device_code` (with `client_id` and `device_code`)."),
    responses((status = 200, body = TokenResponse),
        (status = 400, description = "The device flow goes on, or has failed (RFC 8628 §3.5)"),
        (status = 401, description = "The credential is not good"),
        (status = 429, description = "Too many failures")))]
pub async fn login(
    State(app): State<App>,
    RequestOrigin(origin): RequestOrigin,
    Form(body): Form,
) -> Result<Json<TokenResponse>, ApiError> {
    let sign_in = app.engine.sign_in();
    let token = match LoginRequest::from_form(&body)? {
        LoginRequest::Password { username, password } => {
            sign_in.with_password(&username, password, &origin).await?
        }
        LoginRequest::ApiKey { key } => {
            let key = KeyText::parse(key.expose()).map_err(ApiError::api_key_malformed)?;
            sign_in.with_api_key(key.id, &key.key, &origin).await?
        }
        LoginRequest::DeviceCode {
            client_id,
            device_code,
        } => {
            app.engine
                .device_flow()
                .poll(client_id, &device_code, &origin)
                .await?
        }
    };
    Ok(Json(token_response(&token)))
}

fn token_response(token: &AccessToken) -> TokenResponse {
    let mut response = TokenResponse::bearer(&token.token, Some(token.expires_in.as_secs()));
    response.device_id = token.device.map(|device| device.as_uuid());
    response
}

/// Ends the sign-in, or the connection of the device, that the token belongs to.
///
/// # Errors
/// 401 when there is nothing to end.
#[utoipa::path(method(get, post), path = "/api/v1/logout", tag = "sign in", security(("bearer" = [])),
    responses((status = 200, description = "The token is no longer good"), (status = 401)))]
pub async fn logout(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
) -> Result<Json<()>, ApiError> {
    app.engine.sign_in().out(&caller).await?;
    Ok(Json(()))
}
