//! `POST /api/v1/device_authorization`

use axum::Json;
use axum::extract::State;
use zenml_auth_api::device_authorization::{DeviceAuthorizationRequest, DeviceAuthorizationResponse};
use zenml_auth_api::{paths, user_agent};
use zenml_auth_model::Text;

use crate::errors::ApiError;
use crate::extract::{Form, RequestOrigin};
use crate::state::App;

/// A device asks for approval (RFC 8628 §3.1).
///
/// # Errors
/// 422 without a client id, 429 after too many requests.
#[utoipa::path(post, path = "/api/v1/device_authorization", tag = "devices",
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "`client_id`"),
    responses((status = 200, body = DeviceAuthorizationResponse), (status = 422), (status = 429)))]
pub async fn request(
    State(app): State<App>,
    RequestOrigin(origin): RequestOrigin,
    Form(body): Form,
) -> Result<Json<DeviceAuthorizationResponse>, ApiError> {
    let request = DeviceAuthorizationRequest::from_form(&body)?;
    let mut traits = user_agent::parse(origin.user_agent.as_ref().map_or("", Text::as_str));
    traits.ip_address = origin
        .address
        .map(|address| Text::from_untrusted(&address.to_string(), 64));
    let requested = app
        .engine
        .device_flow()
        .request(request.client_id, traits, &origin)
        .await?;
    let code = requested.user_code.expose();
    let complete = format!(
        "{}?device_id={}&user_code={code}&link={}",
        paths::DEVICE_VERIFY_PAGE,
        requested.id,
        requested.link_proof,
    );
    Ok(Json(DeviceAuthorizationResponse {
        verification_uri: app.link(paths::DEVICE_VERIFY_PAGE),
        verification_uri_complete: Some(app.link(&complete)),
        expires_in: requested.expires_in.as_secs(),
        interval: requested.interval.as_secs(),
        device_code: requested.device_code.into(),
        user_code: requested.user_code.into(),
    }))
}
