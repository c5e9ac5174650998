//! `GET /.well-known/jwks.json`: the public keys of access tokens, for programs that verify them elsewhere (RFC 7517).

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::App;

/// Where the keys are.
pub const PATH: &str = "/.well-known/jwks.json";

/// A set of public keys (RFC 7517 §5).
#[derive(Debug, Serialize, ToSchema)]
pub struct JwkSet {
    /// The keys, oldest first.
    pub keys: Vec<Jwk>,
}

/// An Ed25519 public key (RFC 8037 §2).
#[derive(Debug, Serialize, ToSchema)]
pub struct Jwk {
    /// `OKP`
    pub kty: &'static str,
    /// `Ed25519`
    pub crv: &'static str,
    /// `EdDSA`
    pub alg: &'static str,
    /// `sig`
    #[serde(rename = "use")]
    pub usage: &'static str,
    /// The id that tokens name it by.
    pub kid: String,
    /// The key itself, base64url.
    pub x: String,
}

/// The public keys of access tokens.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "server", responses((status = 200, body = JwkSet)))]
pub async fn jwks(State(app): State<App>) -> Json<JwkSet> {
    let keys = app.engine.keyring().public_keys();
    let keys = keys.into_iter().map(|key| Jwk {
        kty: "OKP",
        crv: "Ed25519",
        alg: "EdDSA",
        usage: "sig",
        kid: key.id.to_string(),
        x: key.x,
    });
    Json(JwkSet { keys: keys.collect() })
}
