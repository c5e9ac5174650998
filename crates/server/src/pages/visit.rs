//! A request from a browser in which somebody has signed in.

use askama::Template;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use zenml_auth_core::caller::Caller;

use super::render::{Frame, Message, page_with_forms};
use super::sign_in::{self, Pending};
use crate::state::App;

/// Who asks, and what the browser sent along.
pub(super) struct Visit<'a> {
    pub(super) app: &'a App,
    pub(super) headers: &'a HeaderMap,
    pub(super) caller: Caller,
}

impl Visit<'_> {
    /// The person's name.
    pub(super) fn name(&self) -> &str {
        self.caller.user().map_or("", |user| user.name.as_str())
    }

    /// A page for the person.
    pub(super) fn page<T: Template>(
        &self,
        status: StatusCode,
        template: impl FnOnce(Frame) -> T,
    ) -> Response {
        let person = self.caller.user().map(|user| user.name.to_string());
        page_with_forms(self.app, self.headers, status, person, template)
    }

    /// A page that says one thing.
    pub(super) fn message(
        &self,
        status: StatusCode,
        title: &'static str,
        text: impl Into<String>,
        good: bool,
    ) -> Response {
        let text = text.into();
        self.page(status, |frame| Message {
            frame,
            title,
            text,
            good,
        })
    }

    /// Asks the person to sign in again, and then goes on with what they were doing.
    pub(super) fn sign_in_again(&self, next: &str, pending: Option<Pending>) -> Response {
        sign_in::again(self.app, self.headers, self.name(), next, pending)
    }
}
