//! The table `devices`.

use sea_orm::entity::prelude::*;
use zenml_auth_core::ports::StoreError;
use zenml_auth_model::query::DeviceField;
use zenml_auth_model::{ClientId, Device, DeviceId, DeviceState, DeviceTraits, Text, Timestamp, UserId};

use super::value::{corrupt, counter, optional_time, stored, time, used_from, version};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "devices")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    pub client_id: Uuid,
    pub state: String,
    pub trusted: bool,
    pub expires: i64,
    pub hostname: Option<String>,
    pub os: Option<String>,
    pub ip_address: Option<String>,
    pub python_version: Option<String>,
    pub zenml_version: Option<String>,
    pub token_gen: i64,
    pub last_login: Option<i64>,
    pub last_address: Option<String>,
    pub last_agent: Option<String>,
    pub created: i64,
    pub updated: i64,
    pub version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

super::with_id!();
super::versioned!(LastLogin, LastAddress, LastAgent);

impl super::Listed for Entity {
    type Field = DeviceField;

    fn column(field: DeviceField) -> Column {
        match field {
            DeviceField::Id => Column::Id,
            DeviceField::Created => Column::Created,
            DeviceField::Updated => Column::Updated,
            DeviceField::Expires => Column::Expires,
            DeviceField::ClientId => Column::ClientId,
            DeviceField::UserId => Column::UserId,
            DeviceField::Status => Column::State,
            DeviceField::TrustedDevice => Column::Trusted,
            DeviceField::LastLogin => Column::LastLogin,
            DeviceField::Hostname => Column::Hostname,
            DeviceField::Os => Column::Os,
            DeviceField::IpAddress => Column::IpAddress,
        }
    }
}

/// The texts by which listings filter as well.
const ACTIVE: &str = "active";
const LOCKED: &str = "locked";

impl From<&Device> for Model {
    fn from(device: &Device) -> Self {
        Self {
            id: device.id.as_uuid(),
            user_id: device.user_id.as_uuid(),
            client_id: device.client_id.as_uuid(),
            state: match device.state {
                DeviceState::Active => ACTIVE,
                DeviceState::Locked => LOCKED,
            }
            .to_owned(),
            trusted: device.trusted,
            expires: device.expires.as_micros(),
            hostname: stored(device.traits.hostname.as_ref()),
            os: stored(device.traits.os.as_ref()),
            ip_address: stored(device.traits.ip_address.as_ref()),
            python_version: stored(device.traits.python_version.as_ref()),
            zenml_version: stored(device.traits.zenml_version.as_ref()),
            token_gen: device.token_gen.into(),
            last_login: device.last_login.map(Timestamp::as_micros),
            last_address: device.last_used_from.address.map(|address| address.to_string()),
            last_agent: stored(device.last_used_from.agent.as_ref()),
            created: device.created.as_micros(),
            updated: device.updated.as_micros(),
            version: device.version.get().into(),
        }
    }
}

impl TryFrom<Model> for Device {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: DeviceId::from_uuid(row.id),
            user_id: UserId::from_uuid(row.user_id),
            client_id: ClientId::from_uuid(row.client_id),
            state: match row.state.as_str() {
                ACTIVE => DeviceState::Active,
                LOCKED => DeviceState::Locked,
                _ => return Err(corrupt("devices.state", "is none of the known ones")),
            },
            trusted: row.trusted,
            expires: time("devices.expires", row.expires)?,
            traits: DeviceTraits {
                hostname: row.hostname.map(Text::from_stored),
                os: row.os.map(Text::from_stored),
                ip_address: row.ip_address.map(Text::from_stored),
                python_version: row.python_version.map(Text::from_stored),
                zenml_version: row.zenml_version.map(Text::from_stored),
            },
            token_gen: counter("devices.token_gen", row.token_gen)?,
            last_login: optional_time("devices.last_login", row.last_login)?,
            last_used_from: used_from(
                "devices.last_address",
                row.last_address.as_deref(),
                row.last_agent,
            )?,
            created: time("devices.created", row.created)?,
            updated: time("devices.updated", row.updated)?,
            version: version("devices.version", row.version)?,
        })
    }
}
