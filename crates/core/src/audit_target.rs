//! What entries of the audit trail are about.

use uuid::Uuid;
use zenml_auth_model::{
    ApiKey, Device, DeviceGrant, DeviceTraits, ServerId, ServiceAccount, SessionId, SigningKeyId, Target,
    TargetKind, Text, User,
};

pub(crate) fn user(user: &User) -> Target {
    named(TargetKind::User, user.id.as_uuid(), user.name.as_str())
}

pub(crate) fn service_account(account: &ServiceAccount) -> Target {
    named(
        TargetKind::ServiceAccount,
        account.id.as_uuid(),
        account.name.as_str(),
    )
}

pub(crate) fn api_key(account: &ServiceAccount, key: &ApiKey) -> Target {
    let name = format!("{}/{}", account.name, key.name);
    named(TargetKind::ApiKey, key.id.as_uuid(), name)
}

pub(crate) fn device(device: &Device) -> Target {
    named(TargetKind::Device, device.id.as_uuid(), host(&device.traits))
}

pub(crate) fn grant(grant: &DeviceGrant) -> Target {
    named(TargetKind::DeviceGrant, grant.id.as_uuid(), host(&grant.traits))
}

pub(crate) fn session(id: SessionId) -> Target {
    unnamed(TargetKind::Session, id.as_uuid())
}

pub(crate) fn server(id: ServerId) -> Target {
    unnamed(TargetKind::Server, id.as_uuid())
}

pub(crate) fn signing_key(id: SigningKeyId) -> Target {
    unnamed(TargetKind::SigningKey, id.as_uuid())
}

/// Something without a name.
pub(crate) const fn unnamed(kind: TargetKind, id: Uuid) -> Target {
    Target { kind, id, name: None }
}

/// Something with a name, unless that is empty.
pub(crate) fn named(kind: TargetKind, id: Uuid, name: impl Into<String>) -> Target {
    let name = name.into();
    Target {
        kind,
        id,
        name: (!name.is_empty()).then(|| Text::from_stored(name)),
    }
}

/// The name of a device: that of its host, or nothing.
pub(crate) fn host(traits: &DeviceTraits) -> &str {
    traits.hostname.as_ref().map_or("", Text::as_str)
}
