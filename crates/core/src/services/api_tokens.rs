//! Tokens for use by hand, in a script or a tool that takes nothing but a token.

use std::time::Duration;

use zenml_auth_model::{Action, Details, TargetKind};

use super::sign_in::{AccessToken, Issue};
use super::transact::Decision;
use super::{Engine, Internal};
use crate::audit_target;
use crate::audit_writer::AuditWriter;
use crate::caller::Caller;
use crate::token::Provenance;

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
pub enum ApiTokenError {
    /// It should be good for longer than is allowed.
    #[error("a token is good for at most {} seconds", .max.as_secs())]
    TooLong {
        /// The most that is allowed.
        max: Duration,
    },
    /// It should be good for no time at all.
    #[error("a token is good for at least one second")]
    TooShort,
    /// The caller has no credential to make one from.
    #[error("there is no credential to make a token from")]
    NoCredential,
    /// Not the caller's fault.
    #[error(transparent)]
    Internal(#[from] Internal),
}

/// Makes tokens for use by hand.
#[derive(Clone, Copy)]
pub struct ApiTokens<'a>(pub(super) &'a Engine);

impl ApiTokens<'_> {
    /// Makes a token with the caller's rights, for as long as what the caller showed is good and no longer. It stands and
    /// falls with the credential it was made from: locking the device, rotating the key or changing the password ends it
    /// too. It says that it was made by hand, and gives rise to less than its parent does; see
    /// [`recent_authentication`](crate::rules::recent_authentication).
    ///
    /// # Errors
    /// [`ApiTokenError`]
    pub async fn issue(
        self,
        caller: &Caller,
        expires_in: Option<Duration>,
    ) -> Result<AccessToken, ApiTokenError> {
        let engine = self.0;
        let lifetimes = &engine.settings.lifetimes;
        let lifetime = expires_in.unwrap_or(lifetimes.access_token);
        if lifetime > lifetimes.max_api_token {
            return Err(ApiTokenError::TooLong {
                max: lifetimes.max_api_token,
            });
        }
        if lifetime < Duration::from_secs(1) {
            return Err(ApiTokenError::TooShort);
        }
        let provenance = caller.credential.ok_or(ApiTokenError::NoCredential)?;
        let target = &match provenance {
            Provenance::Device { device, .. } => audit_target::unnamed(TargetKind::Device, device.as_uuid()),
            Provenance::ApiKey { key, .. } => audit_target::unnamed(TargetKind::ApiKey, key.as_uuid()),
            Provenance::Session { session, .. } => audit_target::session(session),
        };
        let made = Issue {
            made_from: Some(caller.shown.unwrap_or_default()),
            ..Issue::of(provenance)
        };
        engine
            .transact("issue a token", |now| async move {
                // No token outlives the one that asked for it. An API key may have no end of its own; every request with a
                // token that was made from it asks about the key.
                let expires = caller
                    .expires
                    .map_or(now + lifetime, |latest| latest.min(now + lifetime));
                let by = &AuditWriter::of(caller);
                let details = Details::TokenIssued { expires };
                let token = engine.issue(made, now, expires)?;
                Ok(Decision::answer(token).audit_with(by, Action::ApiTokenIssued, target.clone(), details))
            })
            .await
    }
}
