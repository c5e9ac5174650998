//! What an access token says.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zenml_auth_model::{ApiKeyId, DeviceId, ServerId, ServiceAccountId, SessionId, Timestamp, UserId};

/// Which credential a token was made from, and so what has to be asked before it is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provenance {
    /// The connection of a device.
    Device {
        /// Whose device.
        user: UserId,
        /// The user's count at the time; see [`User::credentials_gen`](zenml_auth_model::User::credentials_gen).
        credentials_gen: u32,
        /// The device.
        device: DeviceId,
        /// The device's count at the time; see [`Device::token_gen`](zenml_auth_model::Device::token_gen).
        token_gen: u32,
    },
    /// An API key.
    ApiKey {
        /// Whose key.
        account: ServiceAccountId,
        /// The key.
        key: ApiKeyId,
        /// The generation of its value.
        generation: u32,
    },
    /// A sign-in with a password.
    Session {
        /// Who signed in.
        user: UserId,
        /// The user's count at the time.
        credentials_gen: u32,
        /// The sign-in.
        session: SessionId,
    },
}

/// An access token in the clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// Its own id (`jti`).
    pub id: Uuid,
    /// What it was made from.
    pub provenance: Provenance,
    /// When it was made, in whole seconds.
    pub issued: Timestamp,
    /// The first moment at which it is no longer good, in whole seconds.
    pub expires: Timestamp,
    /// In the token of a sign-in itself, and in no other: when the person proved who they are, in whole seconds.
    pub authenticated: Option<Timestamp>,
    /// In a token that was made for use by hand: the token or the API key that asked for it.
    pub made_from: Option<Uuid>,
}

/// The registered claims of RFC 7519 §4.1 and ours. `device_id`, `api_key_id` and `key_gen` are named as ZenML
/// names them (observed in its tokens).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: Uuid,
    pub(super) aud: Uuid,
    sub: Uuid,
    iat: i64,
    exp: i64,
    jti: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device_id: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device_gen: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api_key_id: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_gen: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_gen: Option<u32>,
    /// OpenID Connect Core §2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    made_from: Option<Uuid>,
}

impl Claims {
    pub(super) fn new(server: ServerId, token: &Token) -> Self {
        let mut claims = Self {
            iss: server.as_uuid(),
            aud: server.as_uuid(),
            sub: Uuid::nil(),
            iat: token.issued.as_secs(),
            exp: token.expires.as_secs(),
            jti: token.id,
            device_id: None,
            device_gen: None,
            api_key_id: None,
            key_gen: None,
            sid: None,
            user_gen: None,
            auth_time: token.authenticated.map(Timestamp::as_secs),
            made_from: token.made_from,
        };
        match token.provenance {
            Provenance::Device {
                user,
                credentials_gen,
                device,
                token_gen,
            } => {
                claims.sub = user.as_uuid();
                claims.user_gen = Some(credentials_gen);
                claims.device_id = Some(device.as_uuid());
                claims.device_gen = Some(token_gen);
            }
            Provenance::ApiKey {
                account,
                key,
                generation,
            } => {
                claims.sub = account.as_uuid();
                claims.api_key_id = Some(key.as_uuid());
                claims.key_gen = Some(generation);
            }
            Provenance::Session {
                user,
                credentials_gen,
                session,
            } => {
                claims.sub = user.as_uuid();
                claims.user_gen = Some(credentials_gen);
                claims.sid = Some(session.as_uuid());
            }
        }
        claims
    }

    /// `None` when the claims name no credential, or several.
    pub(super) fn into_token(self) -> Option<Token> {
        let user = UserId::from_uuid(self.sub);
        let (authenticated, made_from) = (self.auth_time.map(Timestamp::from_secs), self.made_from);
        let provenance = match self {
            Self {
                device_id: Some(device),
                device_gen: Some(token_gen),
                user_gen: Some(credentials_gen),
                api_key_id: None,
                sid: None,
                ..
            } => Provenance::Device {
                user,
                credentials_gen,
                device: DeviceId::from_uuid(device),
                token_gen,
            },
            Self {
                api_key_id: Some(key),
                key_gen: Some(generation),
                device_id: None,
                sid: None,
                ..
            } => Provenance::ApiKey {
                account: ServiceAccountId::from_uuid(self.sub),
                key: ApiKeyId::from_uuid(key),
                generation,
            },
            Self {
                sid: Some(session),
                user_gen: Some(credentials_gen),
                device_id: None,
                api_key_id: None,
                ..
            } => Provenance::Session {
                user,
                credentials_gen,
                session: SessionId::from_uuid(session),
            },
            _ => return None,
        };
        Some(Token {
            id: self.jti,
            provenance,
            issued: Timestamp::from_secs(self.iat),
            expires: Timestamp::from_secs(self.exp),
            authenticated,
            made_from,
        })
    }
}
