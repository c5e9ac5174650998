//! Signing in and out.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::{HeaderMap, StatusCode, header};
use zenml_auth_core::services::{Internal, PasswordSignInError};

use super::csrf;
use super::device;
use super::form::Fields;
use super::render::{Frame, page_with_forms, path, too_many};
use super::session::{as_signed_in, current, safe_next, sign_in_cookie, sign_out_cookie};
use crate::errors::ApiError;
use crate::extract::{Form, RequestOrigin};
use crate::state::App;

#[derive(Default, Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    frame: Frame,
    next: String,
    name: String,
    /// Why somebody who has signed in is asked to do so again.
    again: Option<&'static str>,
    pending: Option<Pending>,
    problem: Option<String>,
}

/// A decision that waits until the person has signed in again. It stays in forms: addresses end up in histories and logs.
#[derive(Clone)]
pub(super) struct Pending {
    pub(super) device_id: String,
    pub(super) user_code: String,
    pub(super) trusted: bool,
}

impl Pending {
    /// What a form carries, if it carries a decision.
    pub(super) fn of(fields: &Fields) -> Option<Self> {
        let (device_id, user_code) = (fields.shown("device_id"), fields.shown("user_code"));
        (!device_id.is_empty() && !user_code.is_empty()).then(|| Self {
            device_id: device_id.to_owned(),
            user_code: user_code.to_owned(),
            trusted: fields.get("trusted") == "yes",
        })
    }
}

/// Asks somebody whose sign-in is too old to sign in again, and then goes on with what they were doing.
pub(super) fn again(
    app: &App,
    headers: &HeaderMap,
    name: &str,
    next: &str,
    pending: Option<Pending>,
) -> Response {
    let form = SignIn {
        next: next.to_owned(),
        name: name.to_owned(),
        again: Some("You signed in a while ago. Enter your password again to go on."),
        pending,
        ..SignIn::default()
    };
    form.show(app, headers, StatusCode::FORBIDDEN)
}

impl SignIn {
    fn show(self, app: &App, headers: &HeaderMap, status: StatusCode) -> Response {
        page_with_forms(app, headers, status, None, |frame| Self { frame, ..self })
    }
}

/// The form; or straight on, for who is signed in already.
pub(super) async fn show(
    State(app): State<App>,
    RequestOrigin(origin): RequestOrigin,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let next = safe_next(fields.shown("next"));
    if current(&app, &headers, origin).await?.is_some() {
        return Ok(Redirect::to(&path(&app, next)).into_response());
    }
    let form = SignIn {
        next: next.to_owned(),
        ..SignIn::default()
    };
    Ok(form.show(&app, &headers, StatusCode::OK))
}

/// Checks name and password.
pub(super) async fn submit(
    State(app): State<App>,
    RequestOrigin(origin): RequestOrigin,
    headers: HeaderMap,
    Form(body): Form,
) -> Result<Response, ApiError> {
    let fields = Fields::parse(&body);
    let next = safe_next(fields.shown("next"));
    let name = fields.get("username");
    let again = |status, problem: &str| {
        let form = SignIn {
            next: next.to_owned(),
            name: fields.shown("username").to_owned(),
            pending: Pending::of(&fields),
            problem: Some(problem.to_owned()),
            ..SignIn::default()
        };
        form.show(&app, &headers, status)
    };
    if !csrf::is_ours(&app, &headers, &fields) {
        return Ok(again(StatusCode::FORBIDDEN, csrf::NOT_OURS));
    }
    let before = current(&app, &headers, origin.clone()).await?;
    match app
        .engine
        .sign_in()
        .with_browser(name, fields.secret("password"), &origin)
        .await
    {
        Ok(signed_in) => {
            // The cookie is replaced, and so the sign-in that it stood for ends.
            if let Some(before) = before {
                app.engine.sign_in().out(&before).await?;
            }
            let mut response = if Pending::of(&fields).is_some() {
                let headers = as_signed_in(&app, &headers, &signed_in.cookie);
                device::go_on(&app, &headers, origin, &fields).await?
            } else {
                Redirect::to(&path(&app, next)).into_response()
            };
            response
                .headers_mut()
                .append(header::SET_COOKIE, sign_in_cookie(&app, &signed_in.cookie));
            Ok(response)
        }
        Err(PasswordSignInError::Invalid) => Ok(again(
            StatusCode::UNAUTHORIZED,
            "The user name or the password is wrong.",
        )),
        Err(PasswordSignInError::Inactive(_)) => Ok(again(
            StatusCode::UNAUTHORIZED,
            "This account is not active. Ask an administrator for help.",
        )),
        Err(PasswordSignInError::TooMany(error)) => {
            Ok(too_many("failed sign-ins", &error, |status, problem| {
                again(status, &problem)
            }))
        }
        Err(PasswordSignInError::Internal(error)) => Err(Internal::into(error)),
    }
}

/// Signs out.
pub(super) async fn sign_out(
    State(app): State<App>,
    RequestOrigin(origin): RequestOrigin,
    headers: HeaderMap,
    Form(body): Form,
) -> Result<Response, ApiError> {
    let fields = Fields::parse(&body);
    let mut response = Redirect::to(&path(&app, "/login")).into_response();
    if csrf::is_ours(&app, &headers, &fields) {
        if let Some(caller) = current(&app, &headers, origin).await? {
            app.engine.sign_in().out(&caller).await?;
        }
        response
            .headers_mut()
            .append(header::SET_COOKIE, sign_out_cookie(&app));
    }
    Ok(response)
}
