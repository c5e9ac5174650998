//! `POST /api/v1/device_authorization`: a device asks for approval (RFC 8628 §3.1 and §3.2).

use serde::{Deserialize, Serialize};
use zenml_auth_model::{ClientId, DeviceId};

use crate::SecretText;
use crate::error::{Place, Problem, ValidationErrors};

/// The form of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceAuthorizationRequest {
    /// The client installation.
    pub client_id: ClientId,
    /// The device that it was before, where the client remembers it.
    pub device_id: Option<DeviceId>,
}

impl DeviceAuthorizationRequest {
    /// Reads the form.
    ///
    /// # Errors
    /// [`ValidationErrors`] when the client id is missing or one of the ids is none.
    pub fn from_form(body: &[u8]) -> Result<Self, ValidationErrors> {
        // The last one that has a value counts.
        let find = |wanted: &str| {
            form_urlencoded::parse(body)
                .filter(|(name, value)| name == wanted && !value.is_empty())
                .last()
                .map(|(_, value)| value)
        };
        let mut errors = ValidationErrors::default();
        let client_id = match find("client_id").map(|text| text.parse::<ClientId>()) {
            Some(Ok(id)) => Some(id),
            Some(Err(_)) => {
                errors.push(Place::Body, "client_id", Problem::NotAnId);
                None
            }
            None => {
                errors.push(Place::Body, "client_id", Problem::Missing);
                None
            }
        };
        let device_id = match find("device_id").map(|text| text.parse::<DeviceId>()) {
            Some(Ok(id)) => Some(id),
            Some(Err(_)) => {
                errors.push(Place::Body, "device_id", Problem::NotAnId);
                None
            }
            None => None,
        };
        match client_id {
            Some(client_id) => errors.into_result(Self { client_id, device_id }),
            None => Err(errors),
        }
    }

    /// The form.
    #[must_use]
    pub fn to_form(self) -> String {
        match self.device_id {
            Some(device_id) => format!("client_id={}&device_id={device_id}", self.client_id),
            None => format!("client_id={}", self.client_id),
        }
    }
}

/// The answer: a code to poll with, and one for the person to confirm.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceAuthorizationResponse {
    /// What the machine polls with.
    pub device_code: SecretText,
    /// What the person compares or types.
    pub user_code: SecretText,
    /// Where the person goes. ZenML's server gives it relative to the server's address.
    pub verification_uri: String,
    /// Where the person goes, with the code filled in.
    #[serde(default)]
    pub verification_uri_complete: Option<String>,
    /// How long the codes are good, in seconds.
    pub expires_in: u64,
    /// How long to wait between polls, in seconds; RFC 8628 §3.2 says 5 when it is not given.
    #[serde(default = "five")]
    pub interval: u64,
}

fn five() -> u64 {
    5
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "77ec22a2-335b-4130-ba6c-1e1c371236a7";

    #[test]
    fn forms_are_read_and_written() {
        let request = DeviceAuthorizationRequest::from_form(format!("client_id={ID}").as_bytes()).unwrap();
        assert_eq!(request.to_form(), format!("client_id={ID}"));
        let both = format!("client_id={ID}&device_id={ID}");
        assert_eq!(
            DeviceAuthorizationRequest::from_form(both.as_bytes())
                .unwrap()
                .to_form(),
            both
        );
    }

    #[test]
    fn bad_forms_are_refused() {
        let problem = |form: &str| {
            let errors = DeviceAuthorizationRequest::from_form(form.as_bytes()).unwrap_err();
            errors.errors()[0].problem.clone()
        };
        assert_eq!(problem(""), Problem::Missing);
        assert_eq!(problem("client_id="), Problem::Missing);
        assert_eq!(problem("client_id=nope"), Problem::NotAnId);
        assert_eq!(
            problem(&format!("client_id={ID}&device_id=nope")),
            Problem::NotAnId
        );
    }
}
