//! Who is asking.

use std::sync::Arc;

use zenml_auth_model::{Actor, ApiKeyId, CredentialRef, Origin, ServiceAccount, Timestamp, User, UserId};

use crate::rules::recent_authentication::{self, Proof, Refusal};
use crate::token::Provenance;

/// Who is asking.
#[derive(Debug, Clone)]
pub enum Identity {
    /// A person.
    User(Arc<User>),
    /// A workload.
    ServiceAccount(Arc<ServiceAccount>),
    /// The operator of the server, on its own machine: may do everything that administrators may.
    Operator,
}

/// Somebody who was authenticated, with what and from where. Only an [`Authenticator`](crate::services::Authenticator) makes
/// one, and [`Caller::operator`].
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub(crate) identity: Identity,
    /// With what; the operator has nothing to show.
    pub(crate) credential: Option<Provenance>,
    /// How they proved who they are, which decides what they may give rise to.
    pub(crate) proof: Proof,
    /// The id of what was shown: of the token (`jti`), or of the API key.
    pub(crate) shown: Option<uuid::Uuid>,
    /// Until when the credential that was shown is good, as far as is known.
    pub(crate) expires: Option<Timestamp>,
    /// From where.
    pub(crate) origin: Origin,
}

/// Something that only administrators may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("only administrators can {action}")]
pub struct NotAllowed {
    /// What was tried, as in "create a user".
    pub action: &'static str,
}

/// Something that the caller may do, but not with the credential that they came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the credential is not enough to {action}: {refusal}")]
pub struct NotWithThis {
    /// What was tried, as in "unlock a device".
    pub action: &'static str,
    /// What is wrong with the credential.
    pub refusal: Refusal,
}

impl Caller {
    /// The operator of the server.
    #[must_use]
    pub fn operator() -> Self {
        Self {
            identity: Identity::Operator,
            credential: None,
            proof: Proof::Operator,
            shown: None,
            expires: None,
            origin: Origin::default(),
        }
    }

    /// Who asks.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// From where.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Until when the credential that was shown is good, as far as is known.
    #[must_use]
    pub const fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// The person who asks, if it is one.
    #[must_use]
    pub fn user(&self) -> Option<&User> {
        match &self.identity {
            Identity::User(user) => Some(user),
            Identity::ServiceAccount(_) | Identity::Operator => None,
        }
    }

    /// The id of the person who asks, if it is one.
    #[must_use]
    pub fn user_id(&self) -> Option<UserId> {
        self.user().map(|user| user.id)
    }

    /// Whether it is an administrator. Service accounts never are.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        match &self.identity {
            Identity::User(user) => user.is_admin,
            Identity::ServiceAccount(_) => false,
            Identity::Operator => true,
        }
    }

    /// The key that a workload came with, itself or a token made from it, and the generation of its value.
    #[must_use]
    pub const fn api_key(&self) -> Option<(ApiKeyId, u32)> {
        match self.credential {
            Some(Provenance::ApiKey { key, generation, .. }) => Some((key, generation)),
            Some(Provenance::Device { .. } | Provenance::Session { .. }) | None => None,
        }
    }

    /// Goes on only for administrators.
    ///
    /// # Errors
    /// [`NotAllowed`] for everybody else.
    pub fn require_admin(&self, action: &'static str) -> Result<(), NotAllowed> {
        if self.is_admin() {
            Ok(())
        } else {
            Err(NotAllowed { action })
        }
    }

    /// Goes on only with a credential that may make something which outlives it.
    ///
    /// # Errors
    /// [`NotWithThis`] for API keys and for tokens that were made for use by hand.
    pub fn may_leave(&self, action: &'static str) -> Result<(), NotWithThis> {
        recent_authentication::may_leave(self.proof).map_err(|refusal| NotWithThis { action, refusal })
    }

    /// As the audit trail names the caller.
    pub(crate) fn actor(&self) -> Actor {
        match &self.identity {
            Identity::User(user) => Actor::User {
                id: user.id,
                name: user.name.clone(),
            },
            Identity::ServiceAccount(account) => Actor::ServiceAccount {
                id: account.id,
                name: account.name.clone(),
            },
            Identity::Operator => Actor::Operator,
        }
    }

    /// As the audit trail names what the caller showed.
    pub(crate) fn credential_ref(&self) -> Option<CredentialRef> {
        self.credential.map(|provenance| match provenance {
            Provenance::Device { device, .. } => CredentialRef::Device(device),
            Provenance::ApiKey { key, .. } => CredentialRef::ApiKey(key),
            Provenance::Session { session, .. } => CredentialRef::Session(session),
        })
    }
}
