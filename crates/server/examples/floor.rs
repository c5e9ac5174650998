//! The floor that the benchmarks compare with: a bare axum handler that verifies an HS256 token and writes the same
//! JSON as `GET /api/v1/current-user`. It looks nothing up, so nothing can be revoked, and it logs nothing.
//!
//! `floor ADDRESS` serves, after it has printed a token that it takes.

#![allow(
    clippy::print_stdout,
    reason = "it hands its token to the program that started it"
)]

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::routing::get;
use axum::{Json, Router};
use http::request::Parts;
use http::{StatusCode, header};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zenml_auth_api::Hydrate;
use zenml_auth_api::user::UserResponse;
use zenml_auth_model::{Name, Text, Timestamp, User, UserId, Version};

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: Uuid,
    aud: Uuid,
    sub: Uuid,
    iat: u64,
    exp: u64,
    jti: Uuid,
    device_id: Uuid,
}

struct Floor {
    key: DecodingKey,
    validation: Validation,
    user: User,
}

/// The sender of a good token.
struct Verified;

impl FromRequestParts<Arc<Floor>> for Verified {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, floor: &Arc<Floor>) -> Result<Self, StatusCode> {
        let token = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.strip_prefix("Bearer "))
            .ok_or(StatusCode::UNAUTHORIZED)?;
        jsonwebtoken::decode::<Claims>(token, &floor.key, &floor.validation)
            .map(|_| Self)
            .map_err(|_| StatusCode::UNAUTHORIZED)
    }
}

async fn current_user(State(floor): State<Arc<Floor>>, _verified: Verified) -> Json<UserResponse> {
    Json(UserResponse::from_user(&floor.user, Hydrate::Yes, None))
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
    validation.set_audience(&[id]);
    validation.set_issuer(&[id]);
    let floor = Floor {
        key: DecodingKey::from_secret(&secret),
        validation,
        user: User {
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
        },
    };
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("{token}");
    let router = Router::new()
        .route("/api/v1/current-user", get(current_user))
        .with_state(Arc::new(floor));
    axum::serve(listener, router).await?;
    Ok(())
}
