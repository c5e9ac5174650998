//! Where people change their password.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use zenml_auth_core::lookup::By;
use zenml_auth_core::services::{ChangePasswordError, ChangeUserError, UserChanges};

use super::csrf;
use super::form::Fields;
use super::render::{Frame, Message, page, too_many};
use super::session::{current, sign_in_first};
use super::visit::Visit;
use crate::errors::ApiError;
use crate::extract::{Form, RequestOrigin};
use crate::state::App;

const PATH: &str = "/password";

#[derive(Template)]
#[template(path = "password.html")]
struct ChangePassword {
    frame: Frame,
    name: String,
    problem: Option<String>,
}

fn show_form(visit: &Visit<'_>, status: StatusCode, problem: Option<String>) -> Response {
    visit.page(status, |frame| ChangePassword {
        frame,
        name: visit.name().to_owned(),
        problem,
    })
}

/// The form.
pub(super) async fn show(
    State(app): State<App>,
    RequestOrigin(origin): RequestOrigin,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Some(caller) = current(&app, &headers, origin).await? else {
        return Ok(sign_in_first(&app, PATH));
    };
    let visit = Visit {
        app: &app,
        headers: &headers,
        caller,
    };
    Ok(show_form(&visit, StatusCode::OK, None))
}

/// Changes the password. Everything that was signed in as that person ends, this browser included.
pub(super) async fn submit(
    State(app): State<App>,
    RequestOrigin(origin): RequestOrigin,
    headers: HeaderMap,
    Form(body): Form,
) -> Result<Response, ApiError> {
    let Some(caller) = current(&app, &headers, origin).await? else {
        return Ok(sign_in_first(&app, PATH));
    };
    let visit = Visit {
        app: &app,
        headers: &headers,
        caller,
    };
    let Some(user) = visit.caller.user() else {
        return Ok(sign_in_first(&app, PATH));
    };
    let fields = Fields::parse(&body);
    let show_again = |status, problem: String| show_form(&visit, status, Some(problem));
    let again = |status, problem| Ok(show_again(status, problem));
    if !csrf::is_ours(&app, &headers, &fields) {
        return again(StatusCode::FORBIDDEN, csrf::NOT_OURS.to_owned());
    }
    if fields.get("password") != fields.get("password_again") {
        return again(
            StatusCode::BAD_REQUEST,
            "The two new passwords are not the same.".to_owned(),
        );
    }
    let changes = UserChanges {
        password: Some(fields.secret("password")),
        old_password: Some(fields.secret("old_password")),
        ..UserChanges::default()
    };
    let changed = app
        .engine
        .users()
        .update(&visit.caller, &By::Id(user.id), &changes)
        .await;
    match changed {
        Ok(_) => {
            let message = Message {
                frame: Frame::new(&app, None, String::new()),
                title: "Password changed",
                text: "Everything that was signed in as you has ended. Connect your devices again."
                    .to_owned(),
                good: true,
            };
            Ok(page(StatusCode::OK, &message))
        }
        Err(ChangeUserError::NotWithThis(_)) => Ok(visit.sign_in_again(PATH, None)),
        Err(ChangeUserError::Password(
            ChangePasswordError::OldPasswordMissing | ChangePasswordError::OldPasswordWrong,
        )) => again(
            StatusCode::FORBIDDEN,
            "The current password is wrong. Please try again.".to_owned(),
        ),
        Err(ChangeUserError::Password(ChangePasswordError::WeakPassword(error))) => again(
            StatusCode::BAD_REQUEST,
            format!("Please choose another password: {error}."),
        ),
        Err(ChangeUserError::Password(ChangePasswordError::TooMany(error))) => {
            Ok(too_many("wrong passwords", &error, show_again))
        }
        Err(error) => Err(error.into()),
    }
}
