//! Entries of the audit trail, and who is said to have caused them.

use zenml_auth_model::{
    Action, Actor, AuditEvent, AuditEventId, CredentialRef, Details, Origin, Target, Timestamp, User,
};

use crate::caller::Caller;
use crate::ports::{Change, Entropy, id_bytes};

/// Writes entries of the audit trail in the name of an actor.
#[derive(Clone)]
pub(crate) struct AuditWriter {
    actor: Actor,
    credential: Option<CredentialRef>,
    origin: Origin,
}

impl AuditWriter {
    pub(crate) fn of(caller: &Caller) -> Self {
        Self {
            actor: caller.actor(),
            credential: caller.credential_ref(),
            origin: caller.origin.clone(),
        }
    }

    pub(crate) fn anonymous(origin: &Origin) -> Self {
        Self {
            actor: Actor::Anonymous,
            credential: None,
            origin: origin.clone(),
        }
    }

    pub(crate) fn user(user: &User, origin: &Origin) -> Self {
        let actor = Actor::User {
            id: user.id,
            name: user.name.clone(),
        };
        Self {
            actor,
            credential: None,
            origin: origin.clone(),
        }
    }

    pub(crate) fn server() -> Self {
        Self {
            actor: Actor::Server,
            credential: None,
            origin: Origin::default(),
        }
    }

    /// The change that appends an entry.
    pub(crate) fn entry(
        &self,
        entropy: &dyn Entropy,
        now: Timestamp,
        action: Action,
        target: Target,
        details: Option<Details>,
    ) -> Change {
        Change::Audit(AuditEvent {
            id: AuditEventId::at(now, id_bytes(entropy)),
            at: now,
            actor: self.actor.clone(),
            credential: self.credential,
            action,
            target,
            origin: self.origin.clone(),
            details,
        })
    }
}
