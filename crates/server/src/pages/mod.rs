//! What people see: plain HTML that works without JavaScript.
//!
//! Pages have their own credentials, a cookie that the API does not take, and every form carries a token that only
//! this server could have put there (see `csrf.rs`).

use axum::Router;
use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;

use crate::state::App;

mod activate;
mod csrf;
mod device;
mod devices;
mod form;
mod own_site;
mod password;
mod render;
mod session;
mod sign_in;
mod style;
mod visit;

/// The page on which people see their devices.
pub const DEVICES: &str = "/devices";

/// All pages.
pub fn router(app: &App) -> Router<App> {
    Router::new()
        .route("/", get(home))
        .route("/login", get(sign_in::show).post(sign_in::submit))
        .route("/logout", axum::routing::post(sign_in::sign_out))
        .route("/devices/verify", get(device::show).post(device::enter_code))
        .route("/devices/verify/decision", axum::routing::post(device::decide))
        .route(DEVICES, get(devices::list))
        .route("/devices/{id}", get(devices::show))
        .route("/devices/{id}/lock", axum::routing::post(devices::lock))
        .route("/devices/{id}/unlock", axum::routing::post(devices::unlock))
        .route("/password", get(password::show).post(password::submit))
        // Where the Python client sends invited users, by two names.
        .route("/activate-user", get(activate::show).post(activate::submit))
        .route("/signup", get(activate::show).post(activate::submit))
        .route(style::PATH, get(style::style))
        .layer(from_fn_with_state(app.clone(), render::protect))
}

async fn home(State(app): State<App>) -> Response {
    Redirect::to(&render::path(&app, "/devices/verify")).into_response()
}
