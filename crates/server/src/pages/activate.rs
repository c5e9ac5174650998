//! Where invited users, and users whose password was reset, set a password.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use zenml_auth_core::lookup::By;
use zenml_auth_core::services::ActivateUserError;

use super::csrf;
use super::form::Fields;
use super::render::{Frame, Message, page, page_with_forms, too_many};
use crate::errors::ApiError;
use crate::extract::{Form, RequestOrigin};
use crate::state::App;

#[derive(Template)]
#[template(path = "activate.html")]
struct Activate {
    frame: Frame,
    user: String,
    name: String,
    token: String,
    problem: Option<String>,
    /// The fewest characters of a password.
    least: u32,
}

fn show_form(
    app: &App,
    headers: &HeaderMap,
    status: StatusCode,
    fields: &Fields,
    problem: Option<String>,
) -> Response {
    page_with_forms(app, headers, status, None, |frame| Activate {
        frame,
        least: app.engine.limits().password_min_length,
        user: fields.shown("user").to_owned(),
        name: fields.shown("username").to_owned(),
        token: fields.shown("token").to_owned(),
        problem,
    })
}

/// The form, filled in from the link.
pub(super) async fn show(State(app): State<App>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    show_form(&app, &headers, StatusCode::OK, &fields, None)
}

/// Sets the password.
pub(super) async fn submit(
    State(app): State<App>,
    RequestOrigin(origin): RequestOrigin,
    headers: HeaderMap,
    Form(body): Form,
) -> Result<Response, ApiError> {
    let fields = Fields::parse(&body);
    let again = |status, problem: String| show_form(&app, &headers, status, &fields, Some(problem));
    if !csrf::is_ours(&app, &headers, &fields) {
        let problem = csrf::NOT_OURS.to_owned();
        return Ok(again(StatusCode::FORBIDDEN, problem));
    }
    if fields.get("password") != fields.get("password_again") {
        return Ok(again(
            StatusCode::BAD_REQUEST,
            "The two passwords are not the same.".to_owned(),
        ));
    }
    // The link names the user by id, and by name for people; either will do.
    let which = if fields.get("user").is_empty() {
        fields.get("username")
    } else {
        fields.get("user")
    };
    let which = By::from(which);
    let done = app
        .engine
        .users()
        .activate(
            &which,
            &fields.secret("token"),
            fields.secret("password"),
            None,
            &origin,
        )
        .await;
    match done {
        Ok(user) => {
            let text = format!(
                "{}, your password is set. You can sign in with it now.",
                user.name
            );
            Ok(page(
                StatusCode::OK,
                &Message {
                    frame: Frame::new(&app, None, String::new()),
                    title: "Welcome",
                    text,
                    good: true,
                },
            ))
        }
        Err(ActivateUserError::Invalid) => Ok(again(
            StatusCode::UNAUTHORIZED,
            "This link is not good, or no longer. Ask an administrator for a new one.".to_owned(),
        )),
        Err(ActivateUserError::WeakPassword(error)) => Ok(again(
            StatusCode::BAD_REQUEST,
            format!("Please choose another password: {error}."),
        )),
        Err(ActivateUserError::TooMany(error)) => Ok(too_many("tries", &error, again)),
        Err(ActivateUserError::Internal(error)) => Err(error.into()),
    }
}
