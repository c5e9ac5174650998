//! Signing in and out.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::{HeaderMap, StatusCode, header};
use zenml_auth_core::services::{Internal, PasswordSignInError};

use super::csrf::{self, Csrf};
use super::form::Fields;
use super::render::{Frame, page, path};
use super::session::{current, safe_next, sign_in_cookie, sign_out_cookie};
use crate::errors::ApiError;
use crate::extract::{Form, RequestOrigin};
use crate::state::App;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    frame: Frame,
    next: String,
    name: String,
    problem: Option<String>,
}

fn show_form(
    app: &App,
    headers: &HeaderMap,
    status: StatusCode,
    (next, name): (&str, &str),
    problem: Option<String>,
) -> Response {
    let csrf = Csrf::for_page(app, headers);
    let frame = Frame::new(app, None, csrf.token.clone());
    let template = SignIn {
        frame,
        next: next.to_owned(),
        name: name.to_owned(),
        problem,
    };
    let mut response = page(status, &template);
    csrf.attach(app, &mut response);
    response
}

/// The form; or straight on, for who is signed in already.
pub(super) async fn show(
    State(app): State<App>,
    RequestOrigin(origin): RequestOrigin,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let next = safe_next(fields.get("next"));
    if current(&app, &headers, origin).await?.is_some() {
        return Ok(Redirect::to(&path(&app, next)).into_response());
    }
    Ok(show_form(&app, &headers, StatusCode::OK, (next, ""), None))
}

/// Checks name and password.
pub(super) async fn submit(
    State(app): State<App>,
    RequestOrigin(origin): RequestOrigin,
    headers: HeaderMap,
    Form(body): Form,
) -> Result<Response, ApiError> {
    let fields = Fields::parse(&body);
    let next = safe_next(fields.get("next"));
    let name = fields.get("username");
    let again =
        |status, problem: &str| show_form(&app, &headers, status, (next, name), Some(problem.to_owned()));
    if !csrf::is_ours(&app, &headers, &fields) {
        return Ok(again(
            StatusCode::FORBIDDEN,
            "This form was open for too long. Please try again.",
        ));
    }
    match app
        .engine
        .sign_in()
        .with_browser(name, fields.secret("password"), &origin)
        .await
    {
        Ok(signed_in) => {
            let mut response = Redirect::to(&path(&app, next)).into_response();
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
            let minutes = error.retry_after.as_secs().div_ceil(60).max(1);
            let problem = format!("Too many failed sign-ins. Try again in {minutes} min.");
            let mut response = again(StatusCode::TOO_MANY_REQUESTS, &problem);
            let seconds = error.retry_after.as_secs().max(1);
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            Ok(response)
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
