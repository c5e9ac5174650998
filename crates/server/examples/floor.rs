//! The floor that the benchmarks compare with: a bare handler on hyper that verifies an HS256 token and its expiry, and
//! writes the same bytes as `GET /api/v1/current-user`, which it has written once before. It has no routes, looks
//! nothing up, so that nothing can be revoked, and logs nothing.
//!
//! `floor ADDRESS` serves, after it has printed a token that it takes.

#![allow(
    clippy::print_stdout,
    reason = "it hands its token to the program that started it"
)]

use std::convert::Infallible;
use std::sync::Arc;

use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zenml_auth_api::Hydrate;
use zenml_auth_api::user::UserResponse;
use zenml_auth_model::{Name, Text, Timestamp, User, UserId, Version};

/// What a device's token says.
#[derive(Serialize)]
struct Claims {
    iss: Uuid,
    aud: Uuid,
    sub: Uuid,
    iat: u64,
    exp: u64,
    jti: Uuid,
    device_id: Uuid,
}

/// All that is read of it.
#[derive(Deserialize)]
struct Expiry {}

struct Floor {
    key: DecodingKey,
    validation: Validation,
    answer: Bytes,
}

impl Floor {
    fn is_good<B>(&self, request: &Request<B>) -> bool {
        request
            .headers()
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.strip_prefix("Bearer "))
            .is_some_and(|token| jsonwebtoken::decode::<Expiry>(token, &self.key, &self.validation).is_ok())
    }

    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if !self.is_good(request) {
            let mut refused = Response::new(Full::default());
            *refused.status_mut() = StatusCode::UNAUTHORIZED;
            return refused;
        }
        let mut answer = Response::new(Full::new(self.answer.clone()));
        answer
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).ok_or("usage: floor ADDRESS")?;
    let secret = [7; 32];
    let id = Uuid::from_u128(1);
    let claims = Claims {
        iss: id,
        aud: id,
        sub: id,
        iat: 0,
        // Far enough for a benchmark; whether it has passed is looked at all the same.
        exp: 4_102_444_800,
        jti: id,
        device_id: id,
    };
    let token = jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(&secret))?;
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_aud = false;
    let user = User {
        id: UserId::from_uuid(id),
        name: Name::new("default")?,
        full_name: Text::default(),
        email: None,
        email_opted_in: None,
        active: true,
        is_admin: true,
        password: None,
        password_changed: Some(Timestamp::UNIX_EPOCH),
        invitation: None,
        credentials_gen: 1,
        metadata: None,
        default_project_id: None,
        avatar_url: None,
        created: Timestamp::UNIX_EPOCH,
        updated: Timestamp::UNIX_EPOCH,
        version: Version::FIRST,
    };
    let floor = Arc::new(Floor {
        key: DecodingKey::from_secret(&secret),
        validation,
        answer: serde_json::to_vec(&UserResponse::from_user(&user, Hydrate::Yes, None))?.into(),
    });
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("{token}");
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let floor = Arc::clone(&floor);
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = floor.answer(&request);
                async move { Ok::<_, Infallible>(answer) }
            });
            // A client that hangs up has no more to ask.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
