//! `/api/v1/users` and `/api/v1/current-user`: people, and the caller.

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use uuid::Uuid;
use zenml_auth_model::{Name, Secret, ServiceAccount, Text, User, UserId};

use crate::fields::{display, display_change, display_option};
use crate::{Change, Fields, Hydrate, RequestBody, SecretText, WireTime};

/// A person; or, read by id or as the one who is signed in, a service account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserResponse {
    /// The account's id.
    pub id: Uuid,
    /// The sign-in name.
    pub name: String,
    /// What is always sent.
    pub body: UserBody,
    /// What is sent when asked for with `hydrate`, and `null` otherwise.
    #[serde(default)]
    pub metadata: Option<UserMetadata>,
    /// Nothing so far.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub resources: Option<Value>,
    /// Whether the rest was held back; never, here.
    #[serde(default)]
    pub permission_denied: bool,
}

/// What is always sent of a user.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserBody {
    /// When it was created.
    pub created: WireTime,
    /// When it was last changed.
    pub updated: WireTime,
    /// Whether the user may sign in.
    #[serde(default)]
    pub active: bool,
    /// The token with which an invited user gets in; only in the answer that makes it.
    #[serde(default)]
    pub activation_token: Option<SecretText>,
    /// The name to show.
    #[serde(default)]
    pub full_name: String,
    /// Whether the user shares the e-mail address; `null` when never asked.
    #[serde(default)]
    pub email_opted_in: Option<bool>,
    /// Whether it is a service account.
    pub is_service_account: bool,
    /// Whether the user is an administrator.
    pub is_admin: bool,
    /// The project that clients use unless told otherwise.
    #[serde(default)]
    pub default_project_id: Option<Uuid>,
    /// A picture to show.
    #[serde(default)]
    pub avatar_url: Option<String>,
}

/// What is sent of a user when asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserMetadata {
    /// When the password was last changed.
    #[serde(default)]
    pub password_changed_at: Option<WireTime>,
    /// The e-mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// Asked for by releases before 0.60; never set.
    #[serde(default)]
    pub hub_token: Option<String>,
    /// Only for ZenML Pro.
    #[serde(default)]
    pub external_user_id: Option<Uuid>,
    /// What clients keep with the account.
    #[serde(default = "no_metadata")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub user_metadata: Box<RawValue>,
    /// Only for single sign-on.
    #[serde(default, deserialize_with = "object_or_null")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub oidc_claims: Map<String, Value>,
}

/// `{}`
fn no_metadata() -> Box<RawValue> {
    // An empty object can always be written.
    to_raw_value(&Map::new()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// The stored text as it is: earlier releases took up to 1 MiB of it, and a tree of values takes many times its size.
fn stored_metadata(text: Option<&String>) -> Box<RawValue> {
    text.filter(|text| text.starts_with('{'))
        .and_then(|text| RawValue::from_string(text.clone()).ok())
        .unwrap_or_else(no_metadata)
}

fn object_or_null<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    Option::<Map<String, Value>>::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl UserResponse {
    /// The answer for a person. `activation_token` is given right after it was made, and never again.
    #[must_use]
    pub fn from_user(user: &User, hydrate: Hydrate, activation_token: Option<&Secret>) -> Self {
        let metadata = || UserMetadata {
            password_changed_at: user.password_changed.map(WireTime),
            email: user.email.as_ref().map(Text::to_string),
            hub_token: None,
            external_user_id: None,
            user_metadata: stored_metadata(user.metadata.as_ref()),
            oidc_claims: Map::new(),
        };
        Self {
            id: user.id.as_uuid(),
            name: user.name.to_string(),
            body: UserBody {
                created: user.created.into(),
                updated: user.updated.into(),
                active: user.active,
                activation_token: activation_token.map(SecretText::from),
                full_name: user.full_name.to_string(),
                email_opted_in: user.email_opted_in,
                is_service_account: false,
                is_admin: user.is_admin,
                default_project_id: user.default_project_id,
                avatar_url: user.avatar_url.as_ref().map(Text::to_string),
            },
            metadata: hydrate.then(metadata),
            resources: None,
            permission_denied: false,
        }
    }

    /// The answer for a service account that is read as a user: no e-mail address, not opted in, never an administrator.
    #[must_use]
    pub fn from_service_account(account: &ServiceAccount, hydrate: Hydrate) -> Self {
        Self {
            id: account.id.as_uuid(),
            name: account.name.to_string(),
            body: UserBody {
                created: account.created.into(),
                updated: account.updated.into(),
                active: account.active,
                activation_token: None,
                full_name: account.full_name.to_string(),
                email_opted_in: Some(false),
                is_service_account: true,
                is_admin: false,
                default_project_id: None,
                avatar_url: account.avatar_url.as_ref().map(Text::to_string),
            },
            metadata: hydrate.then(|| UserMetadata {
                password_changed_at: None,
                email: None,
                hub_token: None,
                external_user_id: None,
                user_metadata: no_metadata(),
                oidc_claims: Map::new(),
            }),
            resources: None,
            permission_denied: false,
        }
    }

    /// The id, as a user's.
    #[must_use]
    pub const fn user_id(&self) -> UserId {
        UserId::from_uuid(self.id)
    }
}

/// `POST /api/v1/users`
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserRequest {
    /// The sign-in name.
    #[serde(serialize_with = "display")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, max_length = 255))]
    pub name: Name,
    /// The name to show.
    #[serde(serialize_with = "display_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, max_length = 255))]
    pub full_name: Option<Text>,
    /// The e-mail address.
    #[serde(serialize_with = "display_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, max_length = 255))]
    pub email: Option<Text>,
    /// Whether the user shares it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_opted_in: Option<bool>,
    /// The password; without one the user is invited, and gets in with the activation token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretText>,
    /// Whether the user becomes an administrator. ZenML's server takes a missing value for no.
    pub is_admin: bool,
    /// Whether the user may sign in at once.
    pub active: bool,
    /// What clients keep with the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub user_metadata: Option<Map<String, Value>>,
    /// A picture to show.
    #[serde(serialize_with = "display_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub avatar_url: Option<Text>,
}

impl UserRequest {
    /// A request with nothing but a name: an invitation for someone who is not an administrator.
    #[must_use]
    pub const fn invitation(name: Name) -> Self {
        Self {
            name,
            full_name: None,
            email: None,
            email_opted_in: None,
            password: None,
            is_admin: false,
            active: false,
            user_metadata: None,
            avatar_url: None,
        }
    }
}

impl RequestBody for UserRequest {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            name: fields.name("name"),
            full_name: fields.optional_line("full_name"),
            email: fields.optional_line("email"),
            email_opted_in: fields.optional_bool("email_opted_in"),
            password: fields.optional_secret("password"),
            is_admin: fields.optional_bool("is_admin").unwrap_or(false),
            active: fields.optional_bool("active").unwrap_or(false),
            user_metadata: fields.optional_object("user_metadata"),
            avatar_url: fields.optional_line("avatar_url"),
        }
    }
}

/// `PUT /api/v1/users/{name_or_id}`, `PUT /api/v1/current-user`, and the body of an activation.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserUpdate {
    /// A new sign-in name.
    #[serde(serialize_with = "display_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, max_length = 255))]
    pub name: Option<Name>,
    /// A new name to show.
    #[serde(serialize_with = "display_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, max_length = 255))]
    pub full_name: Option<Text>,
    /// A new e-mail address, or none any more.
    #[serde(serialize_with = "display_change", skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, max_length = 255))]
    pub email: Change<Text>,
    /// Whether the user shares it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_opted_in: Option<bool>,
    /// A new password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretText>,
    /// The password until now; needed to change one's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_password: Option<SecretText>,
    /// The token of an invitation, for an activation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation_token: Option<SecretText>,
    /// Whether the user is an administrator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_admin: Option<bool>,
    /// Whether the user may sign in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// What clients keep with the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub user_metadata: Option<Map<String, Value>>,
    /// The project that clients use unless told otherwise.
    #[serde(skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Uuid>))]
    pub default_project_id: Change<Uuid>,
    /// A picture to show.
    #[serde(serialize_with = "display_change", skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub avatar_url: Change<Text>,
}

impl RequestBody for UserUpdate {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            name: fields.optional_name("name"),
            full_name: fields.optional_line("full_name"),
            email: fields.change("email", Fields::optional_line),
            email_opted_in: fields.optional_bool("email_opted_in"),
            password: fields.optional_secret("password"),
            old_password: fields.optional_secret("old_password"),
            activation_token: fields.optional_secret("activation_token"),
            is_admin: fields.optional_bool("is_admin"),
            active: fields.optional_bool("active"),
            user_metadata: fields.optional_object("user_metadata"),
            default_project_id: fields.change("default_project_id", Fields::optional_id),
            avatar_url: fields.change("avatar_url", Fields::optional_line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_survive_the_wire() {
        let body =
            r#"{"name":"ann","full_name":"Ann","password":"First-Passw0rd","is_admin":false,"active":true}"#;
        let request = UserRequest::from_json(body.as_bytes()).unwrap();
        assert_eq!(serde_json::to_string(&request).unwrap(), body);
    }

    #[test]
    fn an_update_sends_only_what_changes() {
        assert_eq!(serde_json::to_string(&UserUpdate::default()).unwrap(), "{}");
        let update = UserUpdate::from_json(br#"{"email":null,"avatar_url":"x","name":null}"#).unwrap();
        assert_eq!(
            serde_json::to_string(&update).unwrap(),
            r#"{"email":null,"avatar_url":"x"}"#
        );
    }

    #[test]
    fn no_password_is_printed() {
        let update = UserUpdate::from_json(br#"{"password":"hunter2","old_password":"hunter1"}"#).unwrap();
        assert!(!format!("{update:?}").contains("hunter"));
    }
}
