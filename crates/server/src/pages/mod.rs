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
mod form;
mod render;
mod session;
mod sign_in;
mod style;

/// All pages.
pub fn router(app: &App) -> Router<App> {
    Router::new()
        .route("/", get(home))
        .route("/login", get(sign_in::show).post(sign_in::submit))
        .route("/logout", axum::routing::post(sign_in::sign_out))
        .route("/devices/verify", get(device::show).post(device::enter_code))
        .route("/devices/verify/decision", axum::routing::post(device::decide))
        // Where the Python client sends invited users, by two names.
        .route("/activate-user", get(activate::show).post(activate::submit))
        .route("/signup", get(activate::show).post(activate::submit))
        .route(style::PATH, get(style::style))
        .layer(from_fn_with_state(app.clone(), render::protect))
}

async fn home(State(app): State<App>) -> Response {
    Redirect::to(&render::path(&app, "/devices/verify")).into_response()
}
