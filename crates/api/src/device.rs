//! `/api/v1/devices`: machines that people connected, and requests that wait for them.
//!
//! On the wire a device authorization request and a connected device are the same kind of thing, and differ in their status.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zenml_auth_model::{Device, DeviceGrant, DeviceId, DeviceState, DeviceTraits, GrantState, Text, User};

use crate::user::UserResponse;
use crate::{Fields, Hydrate, RequestBody, SecretText, WireTime};

/// How far a device has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum DeviceStatus {
    /// Asks for approval; nobody has decided yet.
    Pending,
    /// Was approved, and has not fetched its token yet.
    Verified,
    /// Is connected.
    Active,
    /// Is switched off, or was refused.
    Locked,
    /// Something that this release does not know.
    #[serde(other)]
    Unknown,
}

impl DeviceStatus {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Verified => "verified",
            Self::Active => "active",
            Self::Locked => "locked",
            Self::Unknown => "unknown",
        }
    }
}

impl From<DeviceState> for DeviceStatus {
    fn from(state: DeviceState) -> Self {
        match state {
            DeviceState::Active => Self::Active,
            DeviceState::Locked => Self::Locked,
        }
    }
}

impl From<GrantState> for DeviceStatus {
    fn from(state: GrantState) -> Self {
        match state {
            GrantState::Pending => Self::Pending,
            GrantState::Approved { .. } => Self::Verified,
            GrantState::Denied { .. } => Self::Locked,
            GrantState::Exchanged { .. } => Self::Active,
        }
    }
}

/// A device.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceResponse {
    /// The device's id.
    pub id: Uuid,
    /// What is always sent.
    pub body: DeviceBody,
    /// What is sent when asked for with `hydrate`, and `null` otherwise.
    #[serde(default)]
    pub metadata: Option<DeviceMetadata>,
    /// Whose it is, where releases from 0.80 on look for it.
    #[serde(default)]
    pub resources: Option<DeviceResources>,
    /// Whether the rest was held back; never, here.
    #[serde(default)]
    pub permission_denied: bool,
}

/// What is always sent of a device.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceBody {
    /// When it first asked.
    pub created: WireTime,
    /// When it was last changed.
    pub updated: WireTime,
    /// Whose it is, by id; for releases from 0.80 on.
    #[serde(default)]
    pub user_id: Option<Uuid>,
    /// Whose it is; for releases before 0.80.
    #[serde(default)]
    pub user: Option<Box<UserResponse>>,
    /// The client installation on the machine.
    pub client_id: Uuid,
    /// When its connection, or its request, ends; `null` from servers whose devices never expire.
    #[serde(default)]
    pub expires: Option<WireTime>,
    /// Whether its owner trusts it.
    #[serde(default)]
    pub trusted_device: bool,
    /// How far it has come.
    pub status: DeviceStatus,
    /// The operating system.
    #[serde(default)]
    pub os: Option<String>,
    /// The address it asked from.
    #[serde(default)]
    pub ip_address: Option<String>,
    /// The machine's name.
    #[serde(default)]
    pub hostname: Option<String>,
}

/// What is sent of a device when asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceMetadata {
    /// The Python version, for the Python client.
    #[serde(default)]
    pub python_version: Option<String>,
    /// The client's version.
    #[serde(default)]
    pub zenml_version: Option<String>,
    /// Where the address is thought to be; always empty, as nobody is asked.
    #[serde(default)]
    pub city: Option<String>,
    /// Where the address is thought to be; always empty, as nobody is asked.
    #[serde(default)]
    pub region: Option<String>,
    /// Where the address is thought to be; always empty, as nobody is asked.
    #[serde(default)]
    pub country: Option<String>,
    /// How many wrong user codes were tried on the request.
    #[serde(default)]
    pub failed_auth_attempts: u32,
    /// When it last connected or was last used.
    #[serde(default)]
    pub last_login: Option<WireTime>,
    /// From which address it was last used; ours alone.
    #[serde(default)]
    pub last_ip_address: Option<String>,
    /// With which program it was last used, by its own account; ours alone.
    #[serde(default)]
    pub last_user_agent: Option<String>,
}

/// What belongs to a device.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceResources {
    /// Whose it is.
    #[serde(default)]
    pub user: Option<Box<UserResponse>>,
}

fn shown(text: Option<&Text>) -> Option<String> {
    text.map(Text::to_string)
}

fn metadata(traits: &DeviceTraits, failed_attempts: u32, device: Option<&Device>) -> DeviceMetadata {
    let from = device.map(|device| &device.last_used_from);
    DeviceMetadata {
        python_version: shown(traits.python_version.as_ref()),
        zenml_version: shown(traits.zenml_version.as_ref()),
        city: Some(String::new()),
        region: Some(String::new()),
        country: Some(String::new()),
        failed_auth_attempts: failed_attempts,
        last_login: device.and_then(|device| device.last_login).map(WireTime),
        last_ip_address: from
            .and_then(|from| from.address)
            .map(|address| address.to_string()),
        last_user_agent: shown(from.and_then(|from| from.agent.as_ref())),
    }
}

impl DeviceResponse {
    /// The answer for a connected machine and its owner.
    #[must_use]
    pub fn from_device(device: &Device, owner: &User, hydrate: Hydrate) -> Self {
        let owner = Box::new(UserResponse::from_user(owner, Hydrate::No, None));
        Self {
            id: device.id.as_uuid(),
            body: DeviceBody {
                created: device.created.into(),
                updated: device.updated.into(),
                user_id: Some(device.user_id.as_uuid()),
                user: Some(owner.clone()),
                client_id: device.client_id.as_uuid(),
                expires: Some(device.expires.into()),
                trusted_device: device.trusted,
                status: device.state.into(),
                os: shown(device.traits.os.as_ref()),
                ip_address: shown(device.traits.ip_address.as_ref()),
                hostname: shown(device.traits.hostname.as_ref()),
            },
            metadata: hydrate.then(|| metadata(&device.traits, 0, Some(device))),
            resources: Some(DeviceResources { user: Some(owner) }),
            permission_denied: false,
        }
    }

    /// The answer for a device authorization request, and for who approved it, if anyone has.
    #[must_use]
    pub fn from_grant(grant: &DeviceGrant, approver: Option<&User>, hydrate: Hydrate) -> Self {
        let owner = approver.map(|user| Box::new(UserResponse::from_user(user, Hydrate::No, None)));
        let trusted = matches!(grant.state, GrantState::Approved { trusted: true, .. });
        let by = match grant.state {
            GrantState::Approved { by, .. } | GrantState::Exchanged { by, .. } => Some(by.as_uuid()),
            GrantState::Pending | GrantState::Denied { .. } => None,
        };
        Self {
            id: grant.id.as_uuid(),
            body: DeviceBody {
                created: grant.created.into(),
                updated: grant.updated.into(),
                user_id: by,
                user: owner.clone(),
                client_id: grant.client_id.as_uuid(),
                expires: Some(grant.expires.into()),
                trusted_device: trusted,
                status: grant.state.into(),
                os: shown(grant.traits.os.as_ref()),
                ip_address: shown(grant.traits.ip_address.as_ref()),
                hostname: shown(grant.traits.hostname.as_ref()),
            },
            metadata: hydrate.then(|| metadata(&grant.traits, grant.failed_attempts, None)),
            resources: Some(DeviceResources { user: owner }),
            permission_denied: false,
        }
    }

    /// The id, as a device's.
    #[must_use]
    pub const fn device_id(&self) -> DeviceId {
        DeviceId::from_uuid(self.id)
    }

    /// Whose it is, wherever the server's release puts it.
    #[must_use]
    pub fn owner(&self) -> Option<&UserResponse> {
        let resource = self
            .resources
            .as_ref()
            .and_then(|resources| resources.user.as_deref());
        resource.or(self.body.user.as_deref())
    }
}

/// `PUT /api/v1/devices/{id}`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceUpdate {
    /// Whether to switch the device off, or on again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locked: Option<bool>,
}

impl RequestBody for DeviceUpdate {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            locked: fields.optional_bool("locked"),
        }
    }
}

/// `PUT /api/v1/devices/{id}/verify`
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceVerifyRequest {
    /// The code that the machine shows.
    pub user_code: SecretText,
    /// Whether to let it stay connected for longer.
    pub trusted_device: bool,
}

impl RequestBody for DeviceVerifyRequest {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            user_code: fields.secret("user_code"),
            trusted_device: fields.optional_bool("trusted_device").unwrap_or(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_and_written() {
        assert_eq!(
            DeviceUpdate::from_json(br#"{"locked":true}"#).unwrap(),
            DeviceUpdate { locked: Some(true) }
        );
        assert_eq!(
            serde_json::to_string(&DeviceUpdate { locked: Some(false) }).unwrap(),
            r#"{"locked":false}"#
        );
        let verify = DeviceVerifyRequest::from_json(br#"{"user_code":"c"}"#).unwrap();
        assert!(!verify.trusted_device);
        assert_eq!(
            serde_json::to_string(&verify).unwrap(),
            r#"{"user_code":"c","trusted_device":false}"#
        );
        assert!(DeviceVerifyRequest::from_json(b"{}").is_err());
    }

    #[test]
    fn a_status_from_the_future_is_read() {
        assert_eq!(
            serde_json::from_str::<DeviceStatus>("\"active\"").unwrap(),
            DeviceStatus::Active
        );
        assert_eq!(
            serde_json::from_str::<DeviceStatus>("\"asleep\"").unwrap(),
            DeviceStatus::Unknown
        );
    }
}
