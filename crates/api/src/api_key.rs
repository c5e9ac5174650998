//! `/api/v1/service_accounts/{id}/api_keys`: keys of workloads.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;
use zenml_auth_model::{ApiKey, ApiKeyId, KeyUse, Name, Secret, ServiceAccount, Text};

use crate::fields::{display, display_option};
use crate::service_account::ServiceAccountResponse;
use crate::{Fields, Hydrate, RequestBody, SecretText, WireTime};

/// An API key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKeyResponse {
    /// The key's id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What is always sent.
    pub body: ApiKeyBody,
    /// What is sent when asked for with `hydrate`, and `null` otherwise.
    #[serde(default)]
    pub metadata: Option<ApiKeyMetadata>,
    /// Nothing so far.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub resources: Option<Value>,
    /// Whether the rest was held back; never, here.
    #[serde(default)]
    pub permission_denied: bool,
}

/// What is always sent of an API key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKeyBody {
    /// When it was created.
    pub created: WireTime,
    /// When it was last changed.
    pub updated: WireTime,
    /// The key as its owner has to send it; only in the answers that make it.
    #[serde(default)]
    pub key: Option<SecretText>,
    /// Whether it may be used.
    #[serde(default)]
    pub active: bool,
    /// Whose it is.
    pub service_account: ServiceAccountResponse,
}

/// What is sent of an API key when asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKeyMetadata {
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// The retention that was asked for at the latest rotation, in minutes.
    #[serde(default)]
    pub retain_period_minutes: i64,
    /// When it was last used.
    #[serde(default)]
    pub last_login: Option<WireTime>,
    /// When it was last rotated.
    #[serde(default)]
    pub last_rotated: Option<WireTime>,
    /// When it ends by itself; ours alone.
    #[serde(default)]
    pub expires: Option<WireTime>,
    /// Until when the value before the current one is good; ours alone.
    #[serde(default)]
    pub retained_until: Option<WireTime>,
    /// From which address it was last used; ours alone.
    #[serde(default)]
    pub last_ip_address: Option<String>,
    /// With which program it was last used, by its own account; ours alone.
    #[serde(default)]
    pub last_user_agent: Option<String>,
    /// Who used it of late, the latest first; ours alone, and `null` in lists.
    #[serde(default)]
    pub recent_uses: Option<Vec<ApiKeyRecentUse>>,
    /// Which value of it the caller authenticated with; ours alone, and only for a workload that asks about its own key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_value: Option<KeyValue>,
}

impl ApiKeyMetadata {
    /// Who used the key of late, if the server tells.
    #[must_use]
    pub fn told_uses(&self) -> Option<&[ApiKeyRecentUse]> {
        self.recent_uses.as_deref()
    }
}

/// The latest use of one value of an API key, or of a token made from it, from one address with one user agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKeyRecentUse {
    /// Which value of the key.
    pub value: KeyValue,
    /// When it was last used from there.
    pub last_login: WireTime,
    /// From which address.
    #[serde(default)]
    pub ip_address: Option<String>,
    /// With which program, by its own account.
    #[serde(default)]
    pub user_agent: Option<String>,
}

/// A value of an API key, as seen from its latest rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum KeyValue {
    /// The one that the latest rotation made.
    Current,
    /// The one that the latest rotation replaced.
    Previous,
    /// Something that this release does not know.
    #[serde(other)]
    Unknown,
}

impl KeyValue {
    /// The value of this generation, of those that are good.
    const fn of(key: &ApiKey, generation: u32) -> Self {
        if generation == key.current.number {
            Self::Current
        } else {
            Self::Previous
        }
    }
}

impl ApiKeyResponse {
    /// The answer for an API key. `value` is given right after it was made, and never again.
    #[must_use]
    pub fn from_key(
        key: &ApiKey,
        account: &ServiceAccount,
        hydrate: Hydrate,
        value: Option<&Secret>,
    ) -> Self {
        Self {
            id: key.id.as_uuid(),
            name: key.name.to_string(),
            body: ApiKeyBody {
                created: key.created.into(),
                updated: key.updated.into(),
                key: value.map(SecretText::from),
                active: key.active,
                service_account: ServiceAccountResponse::from_account(account, Hydrate::No),
            },
            metadata: hydrate.then(|| ApiKeyMetadata {
                description: key.description.to_string(),
                retain_period_minutes: i64::from(key.retain_period_minutes),
                last_login: key.last_login.map(WireTime),
                last_rotated: key.last_rotated.map(WireTime),
                expires: key.expires.map(WireTime),
                retained_until: key
                    .retained
                    .filter(|_| key.retain_period_minutes > 0)
                    .map(|retained| WireTime(retained.until)),
                last_ip_address: key.last_used_from.address.map(|address| address.to_string()),
                last_user_agent: key.last_used_from.agent.as_ref().map(Text::to_string),
                recent_uses: None,
                own_value: None,
            }),
            resources: None,
            permission_denied: false,
        }
    }

    /// The same with who used the key of late, where more than the least of it was asked for.
    #[must_use]
    pub fn with_recent_uses(mut self, key: &ApiKey, uses: &[KeyUse]) -> Self {
        let shown = |user: &KeyUse| ApiKeyRecentUse {
            value: KeyValue::of(key, user.generation),
            last_login: WireTime(user.at),
            ip_address: user.from.address.map(|address| address.to_string()),
            user_agent: user.from.agent.as_ref().map(Text::to_string),
        };
        if let Some(metadata) = &mut self.metadata {
            metadata.recent_uses = Some(uses.iter().map(shown).collect());
        }
        self
    }

    /// The same for a workload that came with this generation of the key.
    #[must_use]
    pub fn with_own_value(mut self, key: &ApiKey, generation: u32) -> Self {
        if let Some(metadata) = &mut self.metadata {
            metadata.own_value = Some(KeyValue::of(key, generation));
        }
        self
    }

    /// The id, as an API key's.
    #[must_use]
    pub const fn api_key_id(&self) -> ApiKeyId {
        ApiKeyId::from_uuid(self.id)
    }
}

/// `POST /api/v1/service_accounts/{id}/api_keys`
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKeyRequest {
    /// The name.
    #[serde(serialize_with = "display")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, max_length = 255))]
    pub name: Name,
    /// What it is for.
    #[serde(serialize_with = "display_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub description: Option<Text>,
    /// After how many seconds it ends by itself; ours alone. Never, unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
}

impl RequestBody for ApiKeyRequest {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            name: fields.name("name"),
            description: fields.optional_text("description"),
            expires_in: fields.optional_number("expires_in", u64::from(u32::MAX)),
        }
    }
}

/// `PUT /api/v1/service_accounts/{id}/api_keys/{name_or_id}`
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKeyUpdate {
    /// A new name.
    #[serde(serialize_with = "display_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, max_length = 255))]
    pub name: Option<Name>,
    /// What it is for now.
    #[serde(serialize_with = "display_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub description: Option<Text>,
    /// Whether it may be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
}

impl RequestBody for ApiKeyUpdate {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            name: fields.optional_name("name"),
            description: fields.optional_text("description"),
            active: fields.optional_bool("active"),
        }
    }
}

/// `PUT /api/v1/service_accounts/{id}/api_keys/{name_or_id}/rotate`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKeyRotateRequest {
    /// For how many minutes the value until now stays good; 0 ends it at once.
    pub retain_period_minutes: u32,
}

impl RequestBody for ApiKeyRotateRequest {
    fn read(fields: &mut Fields<'_>) -> Self {
        let minutes = fields.optional_number("retain_period_minutes", u64::from(u32::MAX));
        // In range, as it was read with that limit.
        Self {
            retain_period_minutes: minutes
                .and_then(|minutes| u32::try_from(minutes).ok())
                .unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Problem;

    #[test]
    fn requests_survive_the_wire() {
        let body = r#"{"name":"default","description":"first"}"#;
        let request = ApiKeyRequest::from_json(body.as_bytes()).unwrap();
        assert_eq!(serde_json::to_string(&request).unwrap(), body);
        let body = r#"{"name":"main","description":"renamed","active":true}"#;
        assert_eq!(
            serde_json::to_string(&ApiKeyUpdate::from_json(body.as_bytes()).unwrap()).unwrap(),
            body
        );
    }

    #[test]
    fn rotation_keeps_nothing_unless_asked() {
        assert_eq!(
            ApiKeyRotateRequest::from_json(b"{}")
                .unwrap()
                .retain_period_minutes,
            0
        );
        assert_eq!(
            ApiKeyRotateRequest::from_json(br#"{"retain_period_minutes":60}"#)
                .unwrap()
                .retain_period_minutes,
            60
        );
    }

    #[test]
    fn a_retention_that_makes_no_sense_is_refused() {
        for (value, problem) in [
            ("-1", Problem::TooSmall { min: 0 }),
            (
                "4294967296",
                Problem::TooLarge {
                    max: u64::from(u32::MAX),
                },
            ),
            (
                "\"soon\"",
                Problem::WrongType {
                    wanted: "a whole number",
                },
            ),
        ] {
            let body = format!(r#"{{"retain_period_minutes":{value}}}"#);
            let errors = ApiKeyRotateRequest::from_json(body.as_bytes()).unwrap_err();
            assert_eq!(errors.errors()[0].problem, problem);
        }
    }
}
