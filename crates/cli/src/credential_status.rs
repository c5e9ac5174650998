//! How the credential stands that a command uses, as far as it says itself and as the server tells.

use uuid::Uuid;
use zenml_auth_api::api_key::KeyValue;
use zenml_auth_api::key::KeyText;
use zenml_auth_api::login::LoginRequest;
use zenml_auth_client::{Client, Credentials};
use zenml_auth_model::Timestamp;

use crate::clock;
use crate::connection::{Kind, SignIn};
use crate::token::Claims;

/// What can be read from a credential itself.
#[derive(Debug, Default)]
pub(crate) struct LocalStatus {
    pub(crate) device: Option<Uuid>,
    pub(crate) api_key: Option<Uuid>,
    /// When the token ends, where it is what one signs in with.
    pub(crate) token_ends: Option<Timestamp>,
}

impl LocalStatus {
    pub(crate) fn by(sign_in: &SignIn) -> Self {
        let claims = sign_in.token.as_ref().map(Claims::of).unwrap_or_default();
        let key = match &sign_in.credentials {
            Credentials::Exchanged {
                login: LoginRequest::ApiKey { key },
                ..
            } => KeyText::parse(key.expose()).ok().map(|key| key.id.as_uuid()),
            _ => None,
        };
        Self {
            device: claims.device_id,
            api_key: key.or(claims.api_key_id),
            token_ends: sign_in.ends.filter(|_| sign_in.kind == Kind::Token),
        }
    }
}

/// What the server tells of it. Nothing is amiss where it does not.
#[derive(Debug, Default)]
pub(crate) struct RemoteStatus {
    pub(crate) trusted: Option<bool>,
    pub(crate) key_name: Option<String>,
    /// When the device's connection or the key ends.
    pub(crate) ends: Option<Timestamp>,
    /// Which value of the key it is.
    pub(crate) value: Option<&'static str>,
    /// When that value ends, if a rotation has replaced it.
    pub(crate) value_ends: Option<Timestamp>,
}

impl RemoteStatus {
    pub(crate) async fn by(client: &Client, named: &LocalStatus, account: Uuid) -> Self {
        let mut told = Self::default();
        if let Some(id) = named.device
            && let Ok(device) = client.device(id).await
        {
            told.trusted = Some(device.body.trusted_device);
            told.ends = device.body.expires.map(|ends| ends.0);
        }
        if let Some(id) = named.api_key
            && let Ok(key) = client.api_key(account, id).await
        {
            let metadata = key.metadata.as_ref();
            told.ends = metadata.and_then(|it| it.expires).map(|ends| ends.0);
            match metadata.and_then(|it| it.own_value) {
                Some(KeyValue::Current) => told.value = Some("current"),
                Some(KeyValue::Previous) => {
                    told.value = Some("previous");
                    told.value_ends = metadata.and_then(|it| it.retained_until).map(|ends| ends.0);
                }
                Some(KeyValue::Unknown) | None => {}
            }
            told.key_name = Some(key.name);
        }
        told
    }

    /// What to do in good time.
    pub(crate) fn warning(&self, now: Timestamp) -> Option<String> {
        let until = self.value_ends?;
        Some(format!(
            "the API key was rotated, and this value of it ends {}: get the new one from the person who rotated it",
            clock::relative(until, now)
        ))
    }
}
