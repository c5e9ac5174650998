//! Bodies of requests, up to a size.

use axum::body::{Body, Bytes};
use axum::extract::{FromRef, FromRequest, Request};
use zenml_auth_api::{ErrorCode, RequestBody};

use super::origin::{ClientAddress, Peer};
use crate::errors::ApiError;
use crate::serve::body_budget::{BODY_TIMEOUT, BodyError, BodyHold};
use crate::state::App;

/// The most bytes that a body may have unless its route says otherwise, and that a stranger may send.
pub const SMALL_BODY: usize = 16 * 1024;

/// The most bytes of a body with texts that people write, or with what clients keep with an account. A text has up to
/// 16 KiB, and JSON may take six bytes for one of them. The caller is authenticated before it is read.
pub const LARGE_BODY: usize = 128 * 1024;

/// A JSON body, whatever its content type says: clients before 0.70 send none.
#[derive(Debug)]
pub struct Json<T, const MAX: usize = SMALL_BODY>(pub T);

/// A form body, not yet taken apart.
#[derive(Debug)]
pub struct Form(pub Bytes);

impl<S, T: RequestBody, const MAX: usize> FromRequest<S> for Json<T, MAX>
where
    App: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let bytes = read(request, &App::from_ref(state), MAX).await?;
        Ok(Self(T::from_json(&bytes)?))
    }
}

impl<S> FromRequest<S> for Form
where
    App: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let bytes = read(request, &App::from_ref(state), SMALL_BODY).await?;
        Ok(Self(bytes.into()))
    }
}

async fn read(request: Request<Body>, app: &App, max: usize) -> Result<Vec<u8>, ApiError> {
    let (parts, body) = request.into_parts();
    let client = parts
        .extensions
        .get::<ClientAddress>()
        .and_then(|client| client.0);
    let waiting = parts.extensions.get::<Peer>().map(Peer::wait_for_body);
    let (bytes, reservation) = app
        .facts
        .bodies
        .read(body, max, client)
        .await
        .map_err(|error| refusal(error, max))?;
    drop(waiting);
    if let (Some(hold), Some(reservation)) = (parts.extensions.get::<BodyHold>(), reservation) {
        hold.keep(reservation);
    }
    Ok(bytes)
}

fn refusal(error: BodyError, max: usize) -> ApiError {
    match error {
        BodyError::TooLarge => ApiError::new(
            ErrorCode::BodyTooLarge,
            format!("A body has at most {max} bytes here."),
        ),
        BodyError::TooSlow => ApiError::new(
            ErrorCode::BodyTimeout,
            format!(
                "The body did not arrive within {} seconds. Send it again.",
                BODY_TIMEOUT.as_secs()
            ),
        ),
        BodyError::Busy => ApiError::busy(),
        BodyError::Broken => ApiError::new(ErrorCode::BodyIncomplete, "The body did not arrive whole."),
    }
}
