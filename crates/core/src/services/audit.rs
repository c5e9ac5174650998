//! The audit trail.

use zenml_auth_model::AuditEvent;
use zenml_auth_model::query::{AuditField, Page, Query};

use super::{Engine, Internal};
use crate::caller::{Caller, NotAllowed};

/// Why the audit trail can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ListAuditError {
    /// Administrators only.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// Not the caller's fault.
    #[error(transparent)]
    Internal(#[from] Internal),
}

/// Reads the audit trail.
#[derive(Clone, Copy)]
pub struct Audit<'a>(pub(super) &'a Engine);

impl Audit<'_> {
    /// A page of the audit trail.
    ///
    /// # Errors
    /// [`ListAuditError`]
    pub async fn list(
        self,
        caller: &Caller,
        query: &Query<AuditField>,
    ) -> Result<Page<AuditEvent>, ListAuditError> {
        caller.require_admin("read the audit trail")?;
        Ok(self
            .0
            .store()
            .list_audit_events(query)
            .await
            .map_err(Internal::from)?)
    }
}
