//! Deciding about a machine: enter a code, see what asks, approve or deny.

use std::net::IpAddr;
use std::ops::ControlFlow;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use zenml_auth_core::services::{ConfirmError, LookUpError, UserCode};
use zenml_auth_core::throttle::Network;
use zenml_auth_model::{DeviceGrant, GrantId, Origin, Text};

use super::csrf;
use super::devices::told;
use super::form::Fields;
use super::render::{Frame, too_many};
use super::session::{current, sign_in_first};
use super::sign_in::Pending;
use super::visit::Visit;
use crate::errors::ApiError;
use crate::extract::{Form, RequestOrigin};
use crate::state::App;

#[derive(Template)]
#[template(path = "enter_code.html")]
struct EnterCode {
    frame: Frame,
    code: String,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct Confirm {
    frame: Frame,
    id: String,
    code: String,
    host: String,
    os: String,
    client: String,
    address: String,
    asked: String,
    minutes_left: u64,
    trusted_span: String,
    untrusted_span: String,
    trusted: bool,
    is_admin: bool,
    /// From where the browser comes, if that is another network than the machine's.
    elsewhere: Option<String>,
}

impl Visit<'_> {
    fn enter_code(&self, status: StatusCode, problem: Option<String>) -> Response {
        self.enter_code_with(status, "", problem)
    }

    /// The form, filled in with a code that is not looked at before it is sent.
    fn enter_code_with(&self, status: StatusCode, code: &str, problem: Option<String>) -> Response {
        self.page(status, |frame| EnterCode {
            frame,
            code: code.to_owned(),
            problem,
        })
    }

    /// The address of the browser, if the machine asks from another network. Unknown is not another.
    fn elsewhere(&self, grant: &DeviceGrant) -> Option<String> {
        let browser = self.caller.origin().address?;
        let machine: IpAddr = grant.traits.ip_address.as_ref()?.as_str().parse().ok()?;
        (Network::from(machine) != Network::from(browser)).then(|| browser.to_string())
    }

    fn confirm(&self, grant: &DeviceGrant, code: &UserCode, trusted: bool) -> Response {
        let traits = &grant.traits;
        let client = match (&traits.zenml_version, &traits.python_version) {
            (Some(zenml), Some(python)) => format!("ZenML {zenml} on Python {python}"),
            (Some(zenml), None) => format!("ZenML {zenml}"),
            (None, _) => told(None),
        };
        let lifetimes = &self.app.engine.settings().lifetimes;
        self.page(StatusCode::OK, |frame| Confirm {
            frame,
            id: grant.id.to_string(),
            code: code.display().unwrap_or_default(),
            host: told(traits.hostname.as_ref()),
            os: told(traits.os.as_ref()),
            client,
            address: told(traits.ip_address.as_ref()),
            asked: format!(
                "{} UTC",
                grant
                    .created
                    .to_string()
                    .replace('T', " ")
                    .split('.')
                    .next()
                    .unwrap_or_default()
            ),
            minutes_left: grant.expires.since(self.app.engine.now()).as_secs().div_ceil(60),
            trusted_span: span(lifetimes.trusted_device),
            untrusted_span: span(lifetimes.untrusted_device),
            trusted,
            is_admin: self.caller.is_admin(),
            elsewhere: self.elsewhere(grant),
        })
    }

    fn not_found(&self, error: LookUpError) -> Result<Response, ApiError> {
        match error {
            LookUpError::NotFound => Ok(self.enter_code(
                StatusCode::NOT_FOUND,
                Some("No device waits with this code. It may have been mistyped, used already, or have expired.".to_owned()),
            )),
            LookUpError::TooMany(error) => Ok(too_many("wrong codes", &error, |status, problem| {
                self.enter_code(status, Some(problem))
            })),
            LookUpError::NotAllowed(error) => Err(error.into()),
            LookUpError::Internal(error) => Err(error.into()),
        }
    }
}

/// `30 days`, `24 hours`: the largest unit that comes out even.
fn span(span: std::time::Duration) -> String {
    let seconds = span.as_secs();
    let (number, unit) = match seconds {
        s if s % 86_400 == 0 && s > 86_400 => (s / 86_400, "days"),
        s if s % 3_600 == 0 => (s / 3_600, "hours"),
        s if s % 60 == 0 => (s / 60, "minutes"),
        s => (s, "seconds"),
    };
    if number == 1 {
        format!("1 {}", unit.trim_end_matches('s'))
    } else {
        format!("{number} {unit}")
    }
}

/// The page that the link of a machine leads to; without a link, the form to enter a code.
pub(super) async fn show(
    State(app): State<App>,
    RequestOrigin(origin): RequestOrigin,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = query.unwrap_or_default();
    let Some(caller) = current(&app, &headers, origin).await? else {
        let wanted = if query.is_empty() {
            String::new()
        } else {
            format!("?{query}")
        };
        return Ok(sign_in_first(&app, &format!("/devices/verify{wanted}")));
    };
    let visit = Visit {
        app: &app,
        headers: &headers,
        caller,
    };
    let fields = Fields::parse(query.as_bytes());
    let code = UserCode::typed(fields.get("user_code"));
    match (fields.get("device_id").parse::<GrantId>(), code.display()) {
        // A link that was not made here is no more than a code that is typed for the person, who sends it or does not.
        (Ok(id), Some(shown)) => match app
            .engine
            .device_flow()
            .open_link(&visit.caller, id, &code, fields.get("link"))
            .await
        {
            Ok(Some(grant)) => Ok(visit.confirm(&grant, &code, false)),
            Ok(None) => Ok(visit.enter_code_with(StatusCode::OK, &shown, None)),
            Err(error) => visit.not_found(error),
        },
        _ => Ok(visit.enter_code(StatusCode::OK, None)),
    }
}

/// Who sent a form, and what is in it; or else the answer to somebody who has not signed in, or whose form is not ours.
async fn open_form<'a>(
    app: &'a App,
    headers: &'a HeaderMap,
    origin: Origin,
    body: &[u8],
) -> Result<ControlFlow<Response, (Visit<'a>, Fields)>, ApiError> {
    let Some(caller) = current(app, headers, origin).await? else {
        return Ok(ControlFlow::Break(sign_in_first(app, "/devices/verify")));
    };
    let visit = Visit { app, headers, caller };
    let fields = Fields::parse(body);
    if csrf::is_ours(app, headers, &fields) {
        return Ok(ControlFlow::Continue((visit, fields)));
    }
    let again = visit.enter_code(StatusCode::FORBIDDEN, Some(csrf::NOT_OURS.to_owned()));
    Ok(ControlFlow::Break(again))
}

/// A code was typed.
pub(super) async fn enter_code(
    State(app): State<App>,
    RequestOrigin(origin): RequestOrigin,
    headers: HeaderMap,
    Form(body): Form,
) -> Result<Response, ApiError> {
    let (visit, fields) = match open_form(&app, &headers, origin, &body).await? {
        ControlFlow::Continue(opened) => opened,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    let code = UserCode::typed(fields.get("user_code"));
    match app.engine.device_flow().find(&visit.caller, &code).await {
        Ok(grant) => Ok(visit.confirm(&grant, &code, false)),
        Err(error) => visit.not_found(error),
    }
}

/// Shows the page on which a decision was to be made before the person was asked to sign in again.
pub(super) async fn go_on(
    app: &App,
    headers: &HeaderMap,
    origin: Origin,
    fields: &Fields,
) -> Result<Response, ApiError> {
    let Some(caller) = current(app, headers, origin).await? else {
        return Ok(sign_in_first(app, "/devices/verify"));
    };
    let visit = Visit { app, headers, caller };
    let Ok(id) = fields.get("device_id").parse::<GrantId>() else {
        return Ok(visit.enter_code(StatusCode::BAD_REQUEST, None));
    };
    let code = UserCode::typed(fields.get("user_code"));
    let found = app
        .engine
        .device_flow()
        .look_up(&visit.caller, id, Some(&code))
        .await;
    match found {
        Ok(grant) => Ok(visit.confirm(&grant, &code, fields.get("trusted") == "yes")),
        Err(error) => visit.not_found(error),
    }
}

/// The decision was made.
pub(super) async fn decide(
    State(app): State<App>,
    RequestOrigin(origin): RequestOrigin,
    headers: HeaderMap,
    Form(body): Form,
) -> Result<Response, ApiError> {
    let (visit, fields) = match open_form(&app, &headers, origin, &body).await? {
        ControlFlow::Continue(opened) => opened,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    let Ok(id) = fields.get("device_id").parse::<GrantId>() else {
        return Ok(visit.enter_code(StatusCode::BAD_REQUEST, None));
    };
    let code = UserCode::typed(fields.get("user_code"));
    let flow = app.engine.device_flow();
    let (decided, approved) = match fields.get("decision") {
        "approve" => {
            let trusted = fields.get("trusted") == "yes";
            (flow.approve(&visit.caller, id, &code, trusted).await, true)
        }
        "deny" => (flow.deny(&visit.caller, id, &code).await, false),
        _ => return Ok(visit.enter_code(StatusCode::BAD_REQUEST, None)),
    };
    match decided {
        Ok(grant) => {
            let host = grant.traits.hostname.as_ref().map_or("the device", Text::as_str);
            Ok(if approved {
                let text = format!("{host} is connected in a moment. You can close this page.");
                visit.message(StatusCode::OK, "Device approved", text, true)
            } else {
                let text = format!("{host} was turned away. You can close this page.");
                visit.message(StatusCode::OK, "Device denied", text, true)
            })
        }
        Err(ConfirmError::NotWithThis(_)) => {
            let pending = Pending::of(&fields);
            Ok(visit.sign_in_again("/devices/verify", pending))
        }
        Err(error) => refused(&visit, error),
    }
}

fn refused(visit: &Visit<'_>, error: ConfirmError) -> Result<Response, ApiError> {
    let bad = |title, text: &str| Ok(visit.message(StatusCode::BAD_REQUEST, title, text, false));
    match error {
        ConfirmError::NotFound | ConfirmError::WrongCode => visit.not_found(LookUpError::NotFound),
        ConfirmError::TooMany(error) => visit.not_found(error.into()),
        ConfirmError::NotPending => bad(
            "Already decided",
            "Somebody has decided about this device already. You can close this page.",
        ),
        ConfirmError::Expired => bad(
            "Too late",
            "The device has stopped waiting. Run the command on it again for a new code.",
        ),
        ConfirmError::TooManyWrongCodes => bad(
            "Ended",
            "After too many wrong codes, the request was ended. Run the command on the device again.",
        ),
        ConfirmError::DeviceLocked => bad(
            "Device locked",
            "You have locked this device. Unlock it on the page Your devices, then connect again.",
        ),
        ConfirmError::NotWithThis(error) => Err(error.into()),
        ConfirmError::NotAllowed(error) => Err(error.into()),
        ConfirmError::Internal(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn spans_are_for_people() {
        for (seconds, text) in [
            (30 * 86_400, "30 days"),
            (86_400, "24 hours"),
            (3_600, "1 hour"),
            (90, "90 seconds"),
            (120, "2 minutes"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }
}
