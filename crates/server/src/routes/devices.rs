//! `/api/v1/devices`: one's connected devices, and their requests for approval.

use axum::Json;
use axum::extract::{RawQuery, State};
use zenml_auth_api::device::{DeviceResponse, DeviceUpdate, DeviceVerifyRequest};
use zenml_auth_api::{Hydrate, ListQuery, PageResponse, ValidationErrors};
use zenml_auth_core::caller::Caller;
use zenml_auth_core::services::{FindDeviceError, FoundDevice, UserCode};
use zenml_auth_model::{DeviceGrant, DeviceId, GrantId, GrantState, User};

use super::listing::page_response;
use crate::errors::ApiError;
use crate::extract::{Authenticated, Json as JsonBody, Segments};
use crate::pages;
use crate::state::App;

fn parse_id(text: &str) -> Result<DeviceId, ApiError> {
    text.parse()
        .map_err(|_| ValidationErrors::path_id("device_id").into())
}

/// Devices are people's; for anybody else there is none.
fn owner(caller: &Caller) -> Result<&User, ApiError> {
    caller.user().ok_or_else(|| FindDeviceError::NotFound.into())
}

fn grant_response(caller: &Caller, grant: &DeviceGrant, hydrate: Hydrate) -> DeviceResponse {
    // Only the person who approved a request gets to see it.
    let approver = match grant.state {
        GrantState::Approved { .. } | GrantState::Exchanged { .. } => caller.user(),
        GrantState::Pending | GrantState::Denied { .. } => None,
    };
    DeviceResponse::from_grant(grant, approver, hydrate)
}

/// A page of one's devices.
///
/// # Errors
/// 400 for a page after the last, 422 for a filter that makes no sense.
#[utoipa::path(get, path = "/api/v1/devices", tag = "devices", security(("bearer" = [])),
    responses((status = 200, body = PageResponse<DeviceResponse>), (status = 400), (status = 401), (status = 422)))]
pub async fn list(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Json<PageResponse<DeviceResponse>>, ApiError> {
    let asked = ListQuery::parse(query.as_deref().unwrap_or_default())?;
    let page = app.engine.devices().list(&caller, &asked.query).await?;
    // A workload has an empty page, so that there is an owner wherever there is a device.
    let mut page = page_response(page, |device| {
        caller
            .user()
            .map(|owner| DeviceResponse::from_device(&device, owner, asked.hydrate))
    })?;
    Ok(Json(PageResponse {
        items: page.items.drain(..).flatten().collect(),
        index: page.index,
        max_size: page.max_size,
        total_pages: page.total_pages,
        total: page.total,
    }))
}

/// One of one's devices; or, with its user code, a request of a machine.
///
/// # Errors
/// 404 when there is none, or it is somebody else's; 429 after too many wrong codes.
#[utoipa::path(get, path = "/api/v1/devices/{device_id}", tag = "devices", security(("bearer" = [])),
    params(("device_id" = String, Path), ("user_code" = Option<String>, Query)),
    responses((status = 200, body = DeviceResponse), (status = 404), (status = 422), (status = 429)))]
pub async fn get(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Segments(id): Segments<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<DeviceResponse>, ApiError> {
    let query = query.unwrap_or_default();
    let hydrate = Hydrate::of_item(&query)?;
    let code = form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "user_code")
        .map(|(_, code)| UserCode::typed(&code));
    let found = app
        .engine
        .devices()
        .find(&caller, parse_id(&id)?, code.as_ref())
        .await?;
    Ok(Json(match found {
        FoundDevice::Device(device) => DeviceResponse::from_device(&device, owner(&caller)?, hydrate),
        FoundDevice::Grant(grant) => grant_response(&caller, &grant, hydrate),
    }))
}

/// Locks or unlocks one of one's devices. Unlocking needs a recent sign-in.
///
/// # Errors
/// 403 for unlocking with a credential that is not enough, 404 when there is none, or it is somebody else's.
#[utoipa::path(put, path = "/api/v1/devices/{device_id}", tag = "devices", security(("bearer" = [])),
    params(("device_id" = String, Path)), request_body = DeviceUpdate,
    responses((status = 200, body = DeviceResponse), (status = 403), (status = 404), (status = 422)))]
pub async fn update(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Segments(id): Segments<String>,
    JsonBody(update): JsonBody<DeviceUpdate>,
) -> Result<Json<DeviceResponse>, ApiError> {
    let id = parse_id(&id)?;
    let devices = app.engine.devices();
    let device = match update.locked {
        Some(locked) => match devices.set_locked(&caller, id, locked).await {
            Ok(device) => device,
            Err(FindDeviceError::NotWithThis(error)) => {
                let page = app.link(&format!("{}/{id}", pages::DEVICES));
                return Err(ApiError::sign_in_again(error, &page));
            }
            Err(error) => return Err(error.into()),
        },
        None => match devices.find(&caller, id, None).await? {
            FoundDevice::Device(device) => device,
            FoundDevice::Grant(_) => return Err(FindDeviceError::NotFound.into()),
        },
    };
    Ok(Json(DeviceResponse::from_device(
        &device,
        owner(&caller)?,
        Hydrate::Yes,
    )))
}

/// Approves a device, given the code that it shows. It needs a recent sign-in.
///
/// # Errors
/// 400 when the code is wrong or the request is not pending, 403 with a credential that is not enough, 404 when there is none, 429 after too many wrong codes.
#[utoipa::path(put, path = "/api/v1/devices/{device_id}/verify", tag = "devices", security(("bearer" = [])),
    params(("device_id" = String, Path)), request_body = DeviceVerifyRequest,
    responses((status = 200, body = DeviceResponse), (status = 400), (status = 403), (status = 404), (status = 422),
        (status = 429)))]
pub async fn verify(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Segments(id): Segments<String>,
    JsonBody(request): JsonBody<DeviceVerifyRequest>,
) -> Result<Json<DeviceResponse>, ApiError> {
    let id = GrantId::from(parse_id(&id)?);
    let code = UserCode::typed(request.user_code.expose());
    let grant = app
        .engine
        .device_flow()
        .approve(&caller, id, &code, request.trusted_device)
        .await?;
    Ok(Json(grant_response(&caller, &grant, Hydrate::Yes)))
}

/// Deletes one of one's devices; its token ends with it.
///
/// # Errors
/// 404 when there is none, or it is somebody else's.
#[utoipa::path(delete, path = "/api/v1/devices/{device_id}", tag = "devices", security(("bearer" = [])),
    params(("device_id" = String, Path)), responses((status = 200), (status = 404), (status = 422)))]
pub async fn delete(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Segments(id): Segments<String>,
) -> Result<Json<()>, ApiError> {
    app.engine.devices().delete(&caller, parse_id(&id)?).await?;
    Ok(Json(()))
}
