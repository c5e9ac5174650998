//! The table `device_grants`. Which of the columns about the decision have a value depends on `state`.

use std::time::Duration;

use sea_orm::entity::prelude::*;
use zenml_auth_core::ports::StoreError;
use zenml_auth_model::{
    ClientId, CodeMac, DenialReason, DeviceGrant, DeviceId, DeviceTraits, GrantId, GrantState, Polling,
    SecretHash, Text, Timestamp, UserId,
};

use super::SecretBytes;
use super::value::{bytes32, corrupt, counter, optional_time, required, stored, time, version};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "device_grants")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub client_id: Uuid,
    pub device_code: SecretBytes,
    pub user_code: SecretBytes,
    pub hostname: Option<String>,
    pub os: Option<String>,
    pub ip_address: Option<String>,
    pub python_version: Option<String>,
    pub zenml_version: Option<String>,
    /// In microseconds.
    pub poll_interval: i64,
    pub last_polled: Option<i64>,
    pub failed_attempts: i64,
    pub state: String,
    pub decided: Option<i64>,
    pub approved_by: Option<Uuid>,
    pub credentials_gen: Option<i64>,
    pub trusted: Option<bool>,
    pub denial_reason: Option<String>,
    pub device_id: Option<Uuid>,
    pub created: i64,
    pub updated: i64,
    pub expires: i64,
    pub version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

super::with_id!();
super::versioned!();

const PENDING: &str = "pending";
const APPROVED: &str = "approved";
const DENIED: &str = "denied";
const EXCHANGED: &str = "exchanged";

const BY_USER: &str = "by_user";
const TOO_MANY_ATTEMPTS: &str = "too_many_attempts";

impl From<&DeviceGrant> for Model {
    fn from(grant: &DeviceGrant) -> Self {
        let mut row = Self {
            id: grant.id.as_uuid(),
            client_id: grant.client_id.as_uuid(),
            device_code: SecretBytes::from(grant.device_code.as_bytes()),
            user_code: SecretBytes::from(grant.user_code.as_bytes()),
            hostname: stored(grant.traits.hostname.as_ref()),
            os: stored(grant.traits.os.as_ref()),
            ip_address: stored(grant.traits.ip_address.as_ref()),
            python_version: stored(grant.traits.python_version.as_ref()),
            zenml_version: stored(grant.traits.zenml_version.as_ref()),
            poll_interval: i64::try_from(grant.polling.interval.as_micros()).unwrap_or(i64::MAX),
            last_polled: grant.polling.last.map(Timestamp::as_micros),
            failed_attempts: grant.failed_attempts.into(),
            state: PENDING.to_owned(),
            decided: None,
            approved_by: None,
            credentials_gen: None,
            trusted: None,
            denial_reason: None,
            device_id: None,
            created: grant.created.as_micros(),
            updated: grant.updated.as_micros(),
            expires: grant.expires.as_micros(),
            version: grant.version.get().into(),
        };
        match grant.state {
            GrantState::Pending => {}
            GrantState::Approved {
                by,
                credentials_gen,
                trusted,
                at,
            } => {
                row.state = APPROVED.to_owned();
                row.approved_by = Some(by.as_uuid());
                row.credentials_gen = Some(credentials_gen.into());
                row.trusted = Some(trusted);
                row.decided = Some(at.as_micros());
            }
            GrantState::Denied { reason, at } => {
                row.state = DENIED.to_owned();
                row.denial_reason = Some(
                    match reason {
                        DenialReason::ByUser => BY_USER,
                        DenialReason::TooManyAttempts => TOO_MANY_ATTEMPTS,
                    }
                    .to_owned(),
                );
                row.decided = Some(at.as_micros());
            }
            GrantState::Exchanged { by, device, at } => {
                row.state = EXCHANGED.to_owned();
                row.approved_by = Some(by.as_uuid());
                row.device_id = Some(device.as_uuid());
                row.decided = Some(at.as_micros());
            }
        }
        row
    }
}

impl Model {
    fn grant_state(&self) -> Result<GrantState, StoreError> {
        if self.state == PENDING {
            return Ok(GrantState::Pending);
        }
        let decided = required("device_grants.decided", self.decided)?;
        let at = time("device_grants.decided", decided)?;
        let by = || required("device_grants.approved_by", self.approved_by).map(UserId::from_uuid);
        match self.state.as_str() {
            APPROVED => Ok(GrantState::Approved {
                by: by()?,
                credentials_gen: counter(
                    "device_grants.credentials_gen",
                    required("device_grants.credentials_gen", self.credentials_gen)?,
                )?,
                trusted: required("device_grants.trusted", self.trusted)?,
                at,
            }),
            DENIED => Ok(GrantState::Denied {
                reason: match self.denial_reason.as_deref() {
                    Some(BY_USER) => DenialReason::ByUser,
                    Some(TOO_MANY_ATTEMPTS) => DenialReason::TooManyAttempts,
                    Some(_) => {
                        return Err(corrupt(
                            "device_grants.denial_reason",
                            "is none of the known ones",
                        ));
                    }
                    None => return Err(corrupt("device_grants.denial_reason", "is missing")),
                },
                at,
            }),
            EXCHANGED => Ok(GrantState::Exchanged {
                by: by()?,
                device: DeviceId::from_uuid(required("device_grants.device_id", self.device_id)?),
                at,
            }),
            _ => Err(corrupt("device_grants.state", "is none of the known ones")),
        }
    }
}

impl TryFrom<Model> for DeviceGrant {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let interval = u64::try_from(row.poll_interval)
            .map_err(|_| corrupt("device_grants.poll_interval", "is negative"))?;
        Ok(Self {
            state: row.grant_state()?,
            id: GrantId::from_uuid(row.id),
            client_id: ClientId::from_uuid(row.client_id),
            device_code: SecretHash::from_bytes(bytes32("device_grants.device_code", &row.device_code)?),
            user_code: CodeMac::from_bytes(bytes32("device_grants.user_code", &row.user_code)?),
            traits: DeviceTraits {
                hostname: row.hostname.map(Text::from_stored),
                os: row.os.map(Text::from_stored),
                ip_address: row.ip_address.map(Text::from_stored),
                python_version: row.python_version.map(Text::from_stored),
                zenml_version: row.zenml_version.map(Text::from_stored),
            },
            polling: Polling {
                interval: Duration::from_micros(interval),
                last: optional_time("device_grants.last_polled", row.last_polled)?,
            },
            failed_attempts: counter("device_grants.failed_attempts", row.failed_attempts)?,
            created: time("device_grants.created", row.created)?,
            updated: time("device_grants.updated", row.updated)?,
            expires: time("device_grants.expires", row.expires)?,
            version: version("device_grants.version", row.version)?,
        })
    }
}
