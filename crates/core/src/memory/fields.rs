//! How listings read the fields of a row.

use zenml_auth_model::query::{ApiKeyField, AuditField, DeviceField, ServiceAccountField, UserField, Value};
use zenml_auth_model::{
    Actor, ApiKey, AuditEvent, Device, DeviceState, Name, ServiceAccount, Text, Timestamp, User,
};

fn text(text: &Text) -> Option<Value> {
    Some(Value::Text(text.as_str().to_owned()))
}

fn name(name: &Name) -> Option<Value> {
    Some(Value::Text(name.as_str().to_owned()))
}

fn time(time: Timestamp) -> Option<Value> {
    Some(Value::Time(time))
}

/// A field of a user.
pub(super) fn user(row: &User, field: UserField) -> Option<Value> {
    match field {
        UserField::Id => Some(Value::Id(row.id.as_uuid())),
        UserField::Created => time(row.created),
        UserField::Updated => time(row.updated),
        UserField::Name => name(&row.name),
        UserField::FullName => text(&row.full_name),
        UserField::Email => row.email.as_ref().and_then(text),
        UserField::Active => Some(Value::Bool(row.active)),
        UserField::IsAdmin => Some(Value::Bool(row.is_admin)),
        UserField::EmailOptedIn => row.email_opted_in.map(Value::Bool),
    }
}

/// A field of a device.
pub(super) fn device(row: &Device, field: DeviceField) -> Option<Value> {
    match field {
        DeviceField::Id => Some(Value::Id(row.id.as_uuid())),
        DeviceField::Created => time(row.created),
        DeviceField::Updated => time(row.updated),
        DeviceField::Expires => time(row.expires),
        DeviceField::ClientId => Some(Value::Id(row.client_id.as_uuid())),
        DeviceField::UserId => Some(Value::Id(row.user_id.as_uuid())),
        DeviceField::Status => Some(Value::Text(
            match row.state {
                DeviceState::Active => "active",
                DeviceState::Locked => "locked",
            }
            .to_owned(),
        )),
        DeviceField::TrustedDevice => Some(Value::Bool(row.trusted)),
        DeviceField::LastLogin => row.last_login.and_then(time),
        DeviceField::Hostname => row.traits.hostname.as_ref().and_then(text),
        DeviceField::Os => row.traits.os.as_ref().and_then(text),
        DeviceField::IpAddress => row.traits.ip_address.as_ref().and_then(text),
    }
}

/// A field of a service account.
pub(super) fn service_account(row: &ServiceAccount, field: ServiceAccountField) -> Option<Value> {
    match field {
        ServiceAccountField::Id => Some(Value::Id(row.id.as_uuid())),
        ServiceAccountField::Created => time(row.created),
        ServiceAccountField::Updated => time(row.updated),
        ServiceAccountField::Name => name(&row.name),
        ServiceAccountField::Description => text(&row.description),
        ServiceAccountField::Active => Some(Value::Bool(row.active)),
    }
}

/// A field of an API key.
pub(super) fn api_key(row: &ApiKey, field: ApiKeyField) -> Option<Value> {
    match field {
        ApiKeyField::Id => Some(Value::Id(row.id.as_uuid())),
        ApiKeyField::Created => time(row.created),
        ApiKeyField::Updated => time(row.updated),
        ApiKeyField::Name => name(&row.name),
        ApiKeyField::Description => text(&row.description),
        ApiKeyField::Active => Some(Value::Bool(row.active)),
        ApiKeyField::LastLogin => row.last_login.and_then(time),
        ApiKeyField::LastRotated => row.last_rotated.and_then(time),
        ApiKeyField::Expires => row.expires.and_then(time),
    }
}

/// A field of an entry of the audit trail.
pub(super) fn audit_event(row: &AuditEvent, field: AuditField) -> Option<Value> {
    let actor = match &row.actor {
        Actor::User { id, name } => Some((id.as_uuid(), name)),
        Actor::ServiceAccount { id, name } => Some((id.as_uuid(), name)),
        Actor::Anonymous | Actor::Operator | Actor::Server => None,
    };
    match field {
        AuditField::Id => Some(Value::Id(row.id.as_uuid())),
        AuditField::Created => time(row.at),
        AuditField::ActorId => actor.map(|(id, _)| Value::Id(id)),
        AuditField::ActorName => actor.and_then(|(_, actor)| name(actor)),
        AuditField::Action => Some(Value::Text(row.action.as_str().to_owned())),
        AuditField::TargetId => Some(Value::Id(row.target.id)),
        AuditField::TargetName => row.target.name.as_ref().and_then(text),
        AuditField::Address => row.origin.address.map(|address| Value::Text(address.to_string())),
        AuditField::RequestId => row.origin.request_id.as_ref().and_then(text),
    }
}
