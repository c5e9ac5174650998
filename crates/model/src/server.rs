//! What a server installation is.

use std::fmt;

use crate::{KeptSecret, ServerId, Timestamp};

/// A server installation: made once, on the first start, and shared by all replicas on one database.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerIdentity {
    /// Issuer and audience of its tokens.
    pub id: ServerId,
    /// The secret under which user codes and CSRF tokens are authenticated.
    pub secret: KeptSecret,
    /// The id of the one project, which old clients call workspace.
    pub project_id: uuid::Uuid,
    /// The id of the one stack.
    pub stack_id: uuid::Uuid,
    /// The id of the stack's orchestrator.
    pub orchestrator_id: uuid::Uuid,
    /// The id of the stack's artifact store.
    pub artifact_store_id: uuid::Uuid,
    /// When it was made.
    pub created: Timestamp,
}

impl fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerIdentity")
            .field("id", &self.id)
            .field("secret", &self.secret)
            .field("created", &self.created)
            .finish_non_exhaustive()
    }
}
