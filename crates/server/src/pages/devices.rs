//! One's devices: see them, lock them, unlock them.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::{HeaderMap, StatusCode};
use zenml_auth_core::services::FindDeviceError;
use zenml_auth_model::query::{DeviceField, Direction, PageRequest, Query, Sort};
use zenml_auth_model::{Device, DeviceId, DeviceState, Origin, Text, Timestamp};

use super::DEVICES;
use super::csrf;
use super::form::Fields;
use super::render::{Frame, path};
use super::session::{current, sign_in_first};
use super::visit::Visit;
use crate::errors::ApiError;
use crate::extract::{Form, RequestOrigin, Segments};
use crate::state::App;

/// How many devices are shown; nobody has more machines at hand, and the command line lists all.
const SHOWN: u32 = 200;

#[derive(Template)]
#[template(path = "devices.html")]
struct List {
    frame: Frame,
    devices: Vec<Row>,
    /// How many there are beside those that are shown.
    more: Option<u64>,
}

#[derive(Template)]
#[template(path = "device.html")]
struct One {
    frame: Frame,
    device: Row,
}

/// A device, as people see it.
struct Row {
    id: String,
    host: String,
    os: String,
    trusted: bool,
    locked: bool,
    expired: bool,
    expires: String,
    last_used: String,
    address: String,
}

impl Row {
    fn new(device: &Device, now: Timestamp) -> Self {
        let unknown = || "not known".to_owned();
        Self {
            id: device.id.to_string(),
            host: told(device.traits.hostname.as_ref()),
            os: told(device.traits.os.as_ref()),
            trusted: device.trusted,
            locked: device.state == DeviceState::Locked,
            expired: now >= device.expires,
            expires: moment(device.expires),
            last_used: device.last_login.map_or_else(unknown, moment),
            address: device
                .last_used_from
                .address
                .map_or_else(unknown, |address| address.to_string()),
        }
    }
}

/// `2026-11-23 18:21 UTC`
pub(super) fn moment(at: Timestamp) -> String {
    let text = at.to_string().replace('T', " ");
    format!("{} UTC", text.get(..16).unwrap_or(&text))
}

/// What a machine has said of itself.
pub(super) fn told(text: Option<&Text>) -> String {
    text.map_or_else(|| "not told".to_owned(), ToString::to_string)
}

fn nothing(visit: &Visit<'_>) -> Response {
    visit.message(
        StatusCode::NOT_FOUND,
        "No such device",
        "You have no device with this address. It may have been deleted, or be somebody else's.",
        false,
    )
}

/// All devices of the person, the latest first.
pub(super) async fn list(
    State(app): State<App>,
    RequestOrigin(origin): RequestOrigin,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Some(caller) = current(&app, &headers, origin).await? else {
        return Ok(sign_in_first(&app, DEVICES));
    };
    let query = Query {
        sort: Sort {
            field: DeviceField::LastLogin,
            direction: Direction::Descending,
        },
        page: PageRequest::new(1, SHOWN).unwrap_or_default(),
        ..Query::default()
    };
    let found = app.engine.devices().list(&caller, &query).await?;
    let now = app.engine.now();
    let shown = found.items.len();
    let visit = Visit {
        app: &app,
        headers: &headers,
        caller,
    };
    Ok(visit.page(StatusCode::OK, |frame| List {
        frame,
        devices: found.items.iter().map(|device| Row::new(device, now)).collect(),
        more: found
            .total
            .checked_sub(u64::try_from(shown).unwrap_or(u64::MAX))
            .filter(|more| *more > 0),
    }))
}

/// One device.
pub(super) async fn show(
    State(app): State<App>,
    RequestOrigin(origin): RequestOrigin,
    headers: HeaderMap,
    Segments(id): Segments<String>,
) -> Result<Response, ApiError> {
    let Ok(id) = id.parse::<DeviceId>() else {
        return Ok(Redirect::to(&path(&app, DEVICES)).into_response());
    };
    let Some(caller) = current(&app, &headers, origin).await? else {
        return Ok(sign_in_first(&app, &format!("{DEVICES}/{id}")));
    };
    let visit = Visit {
        app: &app,
        headers: &headers,
        caller,
    };
    match app.engine.devices().own(&visit.caller, id).await {
        Ok(device) => Ok(visit.page(StatusCode::OK, |frame| One {
            frame,
            device: Row::new(&device, app.engine.now()),
        })),
        Err(FindDeviceError::NotFound) => Ok(nothing(&visit)),
        Err(error) => Err(error.into()),
    }
}

/// Locks a device.
pub(super) async fn lock(
    State(app): State<App>,
    RequestOrigin(origin): RequestOrigin,
    headers: HeaderMap,
    Segments(id): Segments<String>,
    Form(body): Form,
) -> Result<Response, ApiError> {
    set_locked(&app, origin, &headers, &id, &body, true).await
}

/// Unlocks a device, for somebody who has signed in a short while ago.
pub(super) async fn unlock(
    State(app): State<App>,
    RequestOrigin(origin): RequestOrigin,
    headers: HeaderMap,
    Segments(id): Segments<String>,
    Form(body): Form,
) -> Result<Response, ApiError> {
    set_locked(&app, origin, &headers, &id, &body, false).await
}

async fn set_locked(
    app: &App,
    origin: Origin,
    headers: &HeaderMap,
    id: &str,
    body: &[u8],
    locked: bool,
) -> Result<Response, ApiError> {
    let Ok(id) = id.parse::<DeviceId>() else {
        return Ok(Redirect::to(&path(app, DEVICES)).into_response());
    };
    let own_page = format!("{DEVICES}/{id}");
    let Some(caller) = current(app, headers, origin).await? else {
        return Ok(sign_in_first(app, &own_page));
    };
    let visit = Visit { app, headers, caller };
    if !csrf::is_ours(app, headers, &Fields::parse(body)) {
        return Ok(visit.message(
            StatusCode::FORBIDDEN,
            "Nothing was changed",
            csrf::NOT_OURS,
            false,
        ));
    }
    match app.engine.devices().set_locked(&visit.caller, id, locked).await {
        Ok(_) => Ok(Redirect::to(&path(app, &own_page)).into_response()),
        Err(FindDeviceError::NotWithThis(_)) => Ok(visit.sign_in_again(&own_page, None)),
        Err(FindDeviceError::NotFound) => Ok(nothing(&visit)),
        Err(error) => Err(error.into()),
    }
}
