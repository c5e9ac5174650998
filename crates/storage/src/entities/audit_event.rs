//! The table `audit_events`, which is only ever appended to.

use sea_orm::entity::prelude::*;
use zenml_auth_core::audit_details;
use zenml_auth_core::ports::StoreError;
use zenml_auth_model::query::AuditField;
use zenml_auth_model::{
    Action, Actor, ActorKind, ApiKeyId, AuditEvent, AuditEventId, CredentialRef, DeviceId, Name, Origin,
    ServiceAccountId, SessionId, Target, TargetKind, Text, UserId,
};

use super::value::{corrupt, required, stored, time};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub created: i64,
    pub actor_kind: String,
    pub actor_id: Option<Uuid>,
    pub actor_name: Option<String>,
    pub credential_kind: Option<String>,
    pub credential_id: Option<Uuid>,
    pub action: String,
    pub target_kind: String,
    pub target_id: Uuid,
    pub target_name: Option<String>,
    pub address: Option<String>,
    pub request_id: Option<String>,
    pub user_agent: Option<String>,
    pub details: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

super::with_id!();

impl super::Listed for Entity {
    type Field = AuditField;

    fn column(field: AuditField) -> Column {
        match field {
            AuditField::Id => Column::Id,
            AuditField::Created => Column::Created,
            AuditField::ActorId => Column::ActorId,
            AuditField::ActorName => Column::ActorName,
            AuditField::Action => Column::Action,
            AuditField::TargetId => Column::TargetId,
            AuditField::TargetName => Column::TargetName,
            AuditField::Address => Column::Address,
            AuditField::RequestId => Column::RequestId,
        }
    }
}

const DEVICE: &str = "device";
const API_KEY: &str = "api_key";
const SESSION: &str = "session";

impl From<&AuditEvent> for Model {
    fn from(event: &AuditEvent) -> Self {
        let actor = match &event.actor {
            Actor::User { id, name } => Some((id.as_uuid(), name.as_str().to_owned())),
            Actor::ServiceAccount { id, name } => Some((id.as_uuid(), name.as_str().to_owned())),
            Actor::Anonymous | Actor::Operator | Actor::Server => None,
        };
        let (actor_id, actor_name) = actor.unzip();
        let (credential_kind, credential_id) = match event.credential {
            Some(CredentialRef::Device(id)) => (Some(DEVICE), Some(id.as_uuid())),
            Some(CredentialRef::ApiKey(id)) => (Some(API_KEY), Some(id.as_uuid())),
            Some(CredentialRef::Session(id)) => (Some(SESSION), Some(id.as_uuid())),
            None => (None, None),
        };
        Self {
            id: event.id.as_uuid(),
            created: event.at.as_micros(),
            actor_kind: event.actor.kind().as_str().to_owned(),
            actor_id,
            actor_name,
            credential_kind: credential_kind.map(str::to_owned),
            credential_id,
            action: event.action.as_str().to_owned(),
            target_kind: event.target.kind.as_str().to_owned(),
            target_id: event.target.id,
            target_name: stored(event.target.name.as_ref()),
            address: event.origin.address.map(|address| address.to_string()),
            request_id: stored(event.origin.request_id.as_ref()),
            user_agent: stored(event.origin.user_agent.as_ref()),
            details: event
                .details
                .as_ref()
                .map(|details| audit_details::to_json(details).to_string()),
        }
    }
}

impl Model {
    fn actor(&mut self) -> Result<Actor, StoreError> {
        let kind = ActorKind::ALL
            .iter()
            .copied()
            .find(|kind| kind.as_str() == self.actor_kind);
        let id = required("audit_events.actor_id", self.actor_id);
        let name = required("audit_events.actor_name", self.actor_name.take()).map(Name::from_stored);
        match required("audit_events.actor_kind", kind)? {
            ActorKind::User => Ok(Actor::User {
                id: UserId::from_uuid(id?),
                name: name?,
            }),
            ActorKind::ServiceAccount => Ok(Actor::ServiceAccount {
                id: ServiceAccountId::from_uuid(id?),
                name: name?,
            }),
            ActorKind::Anonymous => Ok(Actor::Anonymous),
            ActorKind::Operator => Ok(Actor::Operator),
            ActorKind::Server => Ok(Actor::Server),
        }
    }

    fn credential(&self) -> Result<Option<CredentialRef>, StoreError> {
        let Some(kind) = self.credential_kind.as_deref() else {
            return Ok(None);
        };
        let id = required("audit_events.credential_id", self.credential_id)?;
        match kind {
            DEVICE => Ok(Some(CredentialRef::Device(DeviceId::from_uuid(id)))),
            API_KEY => Ok(Some(CredentialRef::ApiKey(ApiKeyId::from_uuid(id)))),
            SESSION => Ok(Some(CredentialRef::Session(SessionId::from_uuid(id)))),
            _ => Err(corrupt(
                "audit_events.credential_kind",
                "is none of the known ones",
            )),
        }
    }
}

impl TryFrom<Model> for AuditEvent {
    type Error = StoreError;

    fn try_from(mut row: Model) -> Result<Self, StoreError> {
        let unknown = |column| move || corrupt(column, "is none of the known ones");
        let address = row.address.as_deref().map(str::parse).transpose();
        Ok(Self {
            actor: row.actor()?,
            credential: row.credential()?,
            id: AuditEventId::from_uuid(row.id),
            at: time("audit_events.created", row.created)?,
            action: Action::parse(&row.action).ok_or_else(unknown("audit_events.action"))?,
            target: Target {
                kind: TargetKind::parse(&row.target_kind).ok_or_else(unknown("audit_events.target_kind"))?,
                id: row.target_id,
                name: row.target_name.map(Text::from_stored),
            },
            origin: Origin {
                address: address.map_err(|_| corrupt("audit_events.address", "is no network address"))?,
                request_id: row.request_id.map(Text::from_stored),
                user_agent: row.user_agent.map(Text::from_stored),
            },
            details: row.details.map(audit_details::from_stored),
        })
    }
}
