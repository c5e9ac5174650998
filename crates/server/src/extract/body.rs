//! Bodies of requests, up to a size.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use http::StatusCode;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use zenml_auth_api::{ErrorClass, RequestBody};

use crate::errors::ApiError;

/// The most bytes that a body may have.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// A JSON body, whatever its content type says: clients before 0.70 send none.
#[derive(Debug)]
pub struct Json<T>(pub T);

/// A form body, not yet taken apart.
#[derive(Debug)]
pub struct Form(pub Bytes);

impl<S: Send + Sync, T: RequestBody> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Self::Rejection> {
        let bytes = read(request.into_body()).await?;
        Ok(Self(T::from_json(&bytes)?))
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(read(request.into_body()).await?))
    }
}

async fn read(body: Body) -> Result<Bytes, ApiError> {
    match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            ErrorClass::ValueError,
            format!("A body has at most {MAX_BODY_BYTES} bytes."),
        )),
        Err(_) => Err(ApiError::bad_request("The body did not arrive whole.")),
    }
}
