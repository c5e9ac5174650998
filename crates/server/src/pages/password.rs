//! Where people change their password.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use zenml_auth_core::lookup::By;
use zenml_auth_core::services::{ChangePasswordError, ChangeUserError, UserChanges};

use super::csrf::{self, Csrf};
use super::form::Fields;
use super::render::{Frame, Message, page};
use super::session::{current, sign_in_first};
use super::sign_in;
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

fn show_form(
    app: &App,
    headers: &HeaderMap,
    status: StatusCode,
    name: &str,
    problem: Option<String>,
) -> Response {
    let csrf = Csrf::for_page(app, headers);
    let template = ChangePassword {
        frame: Frame::new(app, Some(name.to_owned()), csrf.token.clone()),
        name: name.to_owned(),
        problem,
    };
    let mut response = page(status, &template);
    csrf.attach(app, &mut response);
    response
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
    let name = caller.user().map_or("", |user| user.name.as_str());
    Ok(show_form(&app, &headers, StatusCode::OK, name, None))
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
    let Some(user) = caller.user() else {
        return Ok(sign_in_first(&app, PATH));
    };
    let fields = Fields::parse(&body);
    let name = user.name.as_str();
    let again = |status, problem: String| Ok(show_form(&app, &headers, status, name, Some(problem)));
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
        .update(&caller, &By::Id(user.id), &changes)
        .await;
    match changed {
        Ok(_) => {
            let csrf = Csrf::for_page(&app, &headers);
            let message = Message {
                frame: Frame::new(&app, None, csrf.token),
                title: "Password changed",
                text: "Everything that was signed in as you has ended. Connect your devices again."
                    .to_owned(),
                good: true,
            };
            Ok(page(StatusCode::OK, &message))
        }
        Err(ChangeUserError::NotWithThis(_)) => Ok(sign_in::again(&app, &headers, name, PATH, None)),
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
        Err(error) => Err(error.into()),
    }
}
