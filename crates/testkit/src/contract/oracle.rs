//! How items show their fields to filters, written down a second time: what a store says is compared with this.

use zenml_auth_model::query::{ApiKeyField, AuditField, DeviceField, ServiceAccountField, UserField, Value};
use zenml_auth_model::{Actor, ApiKey, AuditEvent, Device, DeviceState, ServiceAccount, Timestamp, User};

fn text(text: impl AsRef<str>) -> Option<Value> {
    Some(Value::Text(text.as_ref().to_owned()))
}

fn time(time: Timestamp) -> Option<Value> {
    Some(Value::Time(time))
}

pub(super) fn user(user: &User, field: UserField) -> Option<Value> {
    match field {
        UserField::Id => Some(Value::Id(user.id.as_uuid())),
        UserField::Created => time(user.created),
        UserField::Updated => time(user.updated),
        UserField::Name => text(&user.name),
        UserField::FullName => text(user.full_name.as_str()),
        UserField::Email => text(user.email.as_ref()?.as_str()),
        UserField::Active => Some(Value::Bool(user.active)),
        UserField::IsAdmin => Some(Value::Bool(user.is_admin)),
        UserField::EmailOptedIn => Some(Value::Bool(user.email_opted_in?)),
    }
}

pub(super) fn device(device: &Device, field: DeviceField) -> Option<Value> {
    match field {
        DeviceField::Id => Some(Value::Id(device.id.as_uuid())),
        DeviceField::Created => time(device.created),
        DeviceField::Updated => time(device.updated),
        DeviceField::Expires => time(device.expires),
        DeviceField::ClientId => Some(Value::Id(device.client_id.as_uuid())),
        DeviceField::UserId => Some(Value::Id(device.user_id.as_uuid())),
        DeviceField::Status if device.state == DeviceState::Locked => text("locked"),
        DeviceField::Status => text("active"),
        DeviceField::TrustedDevice => Some(Value::Bool(device.trusted)),
        DeviceField::LastLogin => time(device.last_login?),
        DeviceField::Hostname => text(device.traits.hostname.as_ref()?.as_str()),
        DeviceField::Os => text(device.traits.os.as_ref()?.as_str()),
        DeviceField::IpAddress => text(device.traits.ip_address.as_ref()?.as_str()),
    }
}

pub(super) fn service_account(account: &ServiceAccount, field: ServiceAccountField) -> Option<Value> {
    match field {
        ServiceAccountField::Id => Some(Value::Id(account.id.as_uuid())),
        ServiceAccountField::Created => time(account.created),
        ServiceAccountField::Updated => time(account.updated),
        ServiceAccountField::Name => text(&account.name),
        ServiceAccountField::Description => text(account.description.as_str()),
        ServiceAccountField::Active => Some(Value::Bool(account.active)),
    }
}

pub(super) fn api_key(key: &ApiKey, field: ApiKeyField) -> Option<Value> {
    match field {
        ApiKeyField::Id => Some(Value::Id(key.id.as_uuid())),
        ApiKeyField::Created => time(key.created),
        ApiKeyField::Updated => time(key.updated),
        ApiKeyField::Name => text(&key.name),
        ApiKeyField::Description => text(key.description.as_str()),
        ApiKeyField::Active => Some(Value::Bool(key.active)),
        ApiKeyField::LastLogin => time(key.last_login?),
        ApiKeyField::LastRotated => time(key.last_rotated?),
        ApiKeyField::Expires => time(key.expires?),
    }
}

pub(super) fn audit_event(event: &AuditEvent, field: AuditField) -> Option<Value> {
    match field {
        AuditField::Id => Some(Value::Id(event.id.as_uuid())),
        AuditField::Created => time(event.at),
        AuditField::ActorId => match &event.actor {
            Actor::User { id, .. } => Some(Value::Id(id.as_uuid())),
            Actor::ServiceAccount { id, .. } => Some(Value::Id(id.as_uuid())),
            Actor::Anonymous | Actor::Operator | Actor::Server => None,
        },
        AuditField::ActorName => match &event.actor {
            Actor::User { name, .. } | Actor::ServiceAccount { name, .. } => text(name),
            Actor::Anonymous | Actor::Operator | Actor::Server => None,
        },
        AuditField::Action => text(event.action.as_str()),
        AuditField::TargetId => Some(Value::Id(event.target.id)),
        AuditField::TargetName => text(event.target.name.as_ref()?.as_str()),
        AuditField::Address => text(event.origin.address?.to_string()),
        AuditField::RequestId => text(event.origin.request_id.as_ref()?.as_str()),
    }
}
