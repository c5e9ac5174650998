//! `/api/v1/service_accounts`: accounts of workloads.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;
use zenml_auth_model::{Name, ServiceAccount, ServiceAccountId, Text};

use crate::fields::{display, display_change, display_option};
use crate::{Change, Fields, Hydrate, RequestBody, WireTime};

/// A service account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServiceAccountResponse {
    /// The account's id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What is always sent.
    pub body: ServiceAccountBody,
    /// What is sent when asked for with `hydrate`, and `null` otherwise.
    #[serde(default)]
    pub metadata: Option<ServiceAccountMetadata>,
    /// Nothing so far.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub resources: Option<Value>,
    /// Whether the rest was held back; never, here.
    #[serde(default)]
    pub permission_denied: bool,
}

/// What is always sent of a service account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServiceAccountBody {
    /// When it was created.
    pub created: WireTime,
    /// When it was last changed.
    pub updated: WireTime,
    /// The name to show.
    #[serde(default)]
    pub full_name: String,
    /// Whether it may be used.
    #[serde(default)]
    pub active: bool,
    /// A picture to show.
    #[serde(default)]
    pub avatar_url: Option<String>,
}

/// What is sent of a service account when asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServiceAccountMetadata {
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Only for ZenML Pro.
    #[serde(default)]
    pub external_user_id: Option<Uuid>,
}

impl ServiceAccountResponse {
    /// The answer for a service account.
    #[must_use]
    pub fn from_account(account: &ServiceAccount, hydrate: Hydrate) -> Self {
        Self {
            id: account.id.as_uuid(),
            name: account.name.to_string(),
            body: ServiceAccountBody {
                created: account.created.into(),
                updated: account.updated.into(),
                full_name: account.full_name.to_string(),
                active: account.active,
                avatar_url: account.avatar_url.as_ref().map(Text::to_string),
            },
            metadata: hydrate.then(|| ServiceAccountMetadata {
                description: account.description.to_string(),
                external_user_id: None,
            }),
            resources: None,
            permission_denied: false,
        }
    }

    /// The id, as a service account's.
    #[must_use]
    pub const fn service_account_id(&self) -> ServiceAccountId {
        ServiceAccountId::from_uuid(self.id)
    }
}

/// `POST /api/v1/service_accounts`
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServiceAccountRequest {
    /// The name.
    #[serde(serialize_with = "display")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, max_length = 255))]
    pub name: Name,
    /// The name to show.
    #[serde(serialize_with = "display_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, max_length = 255))]
    pub full_name: Option<Text>,
    /// What it is for.
    #[serde(serialize_with = "display_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub description: Option<Text>,
    /// Whether it may be used; yes unless said otherwise.
    pub active: bool,
    /// A picture to show.
    #[serde(serialize_with = "display_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub avatar_url: Option<Text>,
}

impl ServiceAccountRequest {
    /// A request with nothing but a name: an account that may be used at once.
    #[must_use]
    pub const fn named(name: Name) -> Self {
        Self {
            name,
            full_name: None,
            description: None,
            active: true,
            avatar_url: None,
        }
    }
}

impl RequestBody for ServiceAccountRequest {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            name: fields.name("name"),
            full_name: fields.optional_line("full_name"),
            description: fields.optional_text("description"),
            active: fields.optional_bool("active").unwrap_or(true),
            avatar_url: fields.optional_line("avatar_url"),
        }
    }
}

/// `PUT /api/v1/service_accounts/{name_or_id}`
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServiceAccountUpdate {
    /// A new name.
    #[serde(serialize_with = "display_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, max_length = 255))]
    pub name: Option<Name>,
    /// A new name to show.
    #[serde(serialize_with = "display_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, max_length = 255))]
    pub full_name: Option<Text>,
    /// What it is for now.
    #[serde(serialize_with = "display_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub description: Option<Text>,
    /// Whether it may be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// A picture to show.
    #[serde(serialize_with = "display_change", skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub avatar_url: Change<Text>,
}

impl RequestBody for ServiceAccountUpdate {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            name: fields.optional_name("name"),
            full_name: fields.optional_line("full_name"),
            description: fields.optional_text("description"),
            active: fields.optional_bool("active"),
            // The Python client sends `null` for whatever its user left out, so that it can't mean more than that here.
            avatar_url: fields
                .optional_line("avatar_url")
                .map_or(Change::Keep, Change::Set),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_survive_the_wire() {
        let body = r#"{"name":"ci","description":"for CI","active":true}"#;
        let request = ServiceAccountRequest::from_json(body.as_bytes()).unwrap();
        assert_eq!(serde_json::to_string(&request).unwrap(), body);
        let update =
            ServiceAccountUpdate::from_json(br#"{"active":false,"name":null,"avatar_url":null}"#).unwrap();
        assert_eq!(serde_json::to_string(&update).unwrap(), r#"{"active":false}"#);
    }
}
