//! Waiting for a person to let this machine in (RFC 8628).

use std::time::Duration;

use zenml_auth_api::device_authorization::{DeviceAuthorizationRequest, DeviceAuthorizationResponse};
use zenml_auth_api::login::{LoginRequest, OAuthErrorCode, TokenResponse};
use zenml_auth_model::{ClientId, DeviceId, Secret};

use crate::client::Client;
use crate::error::ClientError;

/// By how much the interval grows with each `slow_down` (RFC 8628 §3.5).
const SLOW_DOWN: Duration = Duration::from_secs(5);
/// The longest pause after network faults.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A device authorization request of this machine, from its codes to its token.
#[derive(Debug)]
pub struct DeviceFlow {
    client: Client,
    client_id: ClientId,
    codes: DeviceAuthorizationResponse,
    link: String,
    short_link: String,
    ends: Duration,
    interval: Duration,
}

/// Something that happened while waiting; for showing it.
#[derive(Debug)]
pub enum FlowEvent<'a> {
    /// Nobody has decided yet.
    Waiting {
        /// How long the codes are still good.
        left: Duration,
        /// When it is asked again.
        next_poll: Duration,
    },
    /// The server wants to be asked less often.
    SlowedDown {
        /// The new interval.
        interval: Duration,
    },
    /// The server could not be asked; it is tried again.
    Interrupted {
        /// Why not.
        error: &'a ClientError,
        /// When it is asked again.
        next_poll: Duration,
    },
}

/// Why the device was not authorized.
#[derive(Debug, thiserror::Error)]
pub enum DeviceFlowError {
    /// The person said no, or wrong codes were tried too often.
    #[error("the request was denied")]
    Denied {
        /// What the server says about it.
        message: Option<String>,
    },
    /// Nobody decided in time.
    #[error("nobody confirmed the code in time")]
    Expired,
    /// Something else went wrong.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl DeviceFlow {
    /// Asks the server for codes. `device_id` is the device this machine was before, where that is known.
    ///
    /// # Errors
    /// [`ClientError::BadResponse`] when the server's link is none that could be opened, and what any request may fail with.
    pub async fn start(
        client: &Client,
        client_id: ClientId,
        device_id: Option<DeviceId>,
    ) -> Result<Self, ClientError> {
        let codes = client
            .device_authorization(DeviceAuthorizationRequest { client_id, device_id })
            .await?;
        let whole = |link: &str| {
            let url = client
                .address()
                .resolve_link(link)
                .ok_or_else(|| ClientError::BadResponse {
                    server: client.address().to_string(),
                    reason: "the link to confirm the code is no web address".to_owned(),
                });
            url.map(String::from)
        };
        let short_link = whole(&codes.verification_uri)?;
        let link = match &codes.verification_uri_complete {
            Some(link) => whole(link)?,
            None => short_link.clone(),
        };
        Ok(Self {
            client: client.clone(),
            client_id,
            link,
            short_link,
            ends: client
                .inner
                .timer
                .elapsed()
                .saturating_add(Duration::from_secs(codes.expires_in)),
            interval: Duration::from_secs(codes.interval),
            codes,
        })
    }

    /// Where the person goes, with the code filled in if the server can do that.
    #[must_use]
    pub fn link(&self) -> &str {
        &self.link
    }

    /// Where the person goes to type the code.
    #[must_use]
    pub fn short_link(&self) -> &str {
        &self.short_link
    }

    /// The code that the person compares or types. Meant to be shown.
    #[must_use]
    pub fn user_code(&self) -> &str {
        self.codes.user_code.expose()
    }

    /// How long the codes are good in all.
    #[must_use]
    pub const fn lifetime(&self) -> Duration {
        Duration::from_secs(self.codes.expires_in)
    }

    /// How long the codes are still good.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.ends.saturating_sub(self.client.inner.timer.elapsed())
    }

    /// Asks until someone has decided, as often as the server wants to be asked. Network faults are waited out for as long as the
    /// codes are good.
    ///
    /// # Errors
    /// [`DeviceFlowError`] when the device is not authorized.
    pub async fn wait(
        &mut self,
        mut on_event: impl FnMut(FlowEvent<'_>),
    ) -> Result<TokenResponse, DeviceFlowError> {
        let request = LoginRequest::DeviceCode {
            client_id: self.client_id,
            device_code: Secret::new(self.codes.device_code.expose()),
        };
        let mut faults: u32 = 0;
        loop {
            let pause = match self.client.login(&request).await {
                Ok(token) => return Ok(token),
                Err(ClientError::OAuth(error)) => {
                    faults = 0;
                    match error.error {
                        OAuthErrorCode::AuthorizationPending => {}
                        OAuthErrorCode::SlowDown => {
                            self.interval += SLOW_DOWN;
                            on_event(FlowEvent::SlowedDown {
                                interval: self.interval,
                            });
                        }
                        OAuthErrorCode::AccessDenied => {
                            return Err(DeviceFlowError::Denied {
                                message: error.error_description,
                            });
                        }
                        OAuthErrorCode::ExpiredToken => return Err(DeviceFlowError::Expired),
                        _ => return Err(ClientError::OAuth(error).into()),
                    }
                    on_event(FlowEvent::Waiting {
                        left: self.left(),
                        next_poll: self.interval,
                    });
                    self.interval
                }
                Err(error) if error.is_transient() => {
                    faults = faults.saturating_add(1);
                    let pause = self.pause_after(faults, &error);
                    if pause >= self.left() {
                        return Err(error.into());
                    }
                    on_event(FlowEvent::Interrupted {
                        error: &error,
                        next_poll: pause,
                    });
                    pause
                }
                Err(error) => return Err(error.into()),
            };
            if self.left().is_zero() {
                return Err(DeviceFlowError::Expired);
            }
            // One last question right before the end, rather than giving up with time left.
            self.client.inner.timer.sleep(pause.min(self.left())).await;
        }
    }

    /// Twice as long with each fault in a row (RFC 8628 §3.5), or as long as the server says.
    fn pause_after(&self, faults: u32, error: &ClientError) -> Duration {
        let doubled = self
            .interval
            .saturating_mul(2_u32.saturating_pow(faults.min(10)))
            .min(LONGEST_PAUSE);
        match error {
            ClientError::Api {
                retry_after: Some(wait),
                ..
            } => doubled.max(*wait),
            _ => doubled,
        }
    }
}
