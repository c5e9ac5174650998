//! Authenticating callers, whatever they show.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use zenml_auth_model::audit::RefusalReason;
use zenml_auth_model::{
    ApiKey, ApiKeyId, DeviceId, Name, Origin, Secret, ServiceAccount, ServiceAccountId, SessionId, Timestamp,
    User, UserId,
};

use super::refusals::Refusal;
use super::{Engine, Internal};
use crate::caller::{Caller, Identity};
use crate::identities::Current;
use crate::rules::recent_authentication::{self, Proof};
use crate::rules::{api_key, device, session, user};
use crate::secrets;
use crate::token::{Provenance, Token, TokenError};

/// How often the signing keys are read again for the sake of a token that names an unknown one.
const RELOAD_KEYS_EVERY: Duration = Duration::from_secs(5);

/// What a caller shows.
#[derive(Debug, Clone, Copy)]
pub enum Presented<'a> {
    /// An access token.
    Token(&'a str),
    /// An API key itself.
    ApiKey {
        /// Which key it says to be.
        id: ApiKeyId,
        /// Its value.
        value: &'a Secret,
    },
    /// The cookie of a browser that signed in to the server's own pages.
    Cookie(&'a Secret),
}

/// Why a caller is not authenticated. A caller who gets to see a name had a credential of its bearer.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticateError {
    /// The token itself is no good.
    #[error(transparent)]
    Token(TokenError),
    /// The device is gone.
    #[error("the device {0} was deleted")]
    DeviceGone(DeviceId),
    /// The device is locked, expired or was signed out.
    #[error("the device {id} is refused: {refusal}")]
    Device {
        /// Which device.
        id: DeviceId,
        /// Why.
        refusal: device::Refusal,
    },
    /// There is no such key, or the value is not the key's. Strangers are not told which.
    #[error("the API key is not valid")]
    ApiKeyUnknown,
    /// The key from which the token was made is gone.
    #[error("the API key {0} was deleted")]
    ApiKeyGone(ApiKeyId),
    /// The key is switched off, expired or was rotated away.
    #[error("the API key {key} of {account} is refused: {refusal}")]
    ApiKey {
        /// The key's name.
        key: Name,
        /// The service account's name.
        account: Name,
        /// Why.
        refusal: api_key::Refusal,
    },
    /// The sign-in has ended.
    #[error("the sign-in {0} has ended")]
    SessionEnded(SessionId),
    /// The cookie is that of no sign-in, or of one that ended long ago.
    #[error("the sign-in has ended")]
    CookieUnknown,
    /// The account is switched off.
    #[error("the account {0} is not active")]
    AccountInactive(Name),
    /// The account is gone.
    #[error("the account was deleted")]
    AccountGone,
    /// The password was changed, or the account deactivated, after the credential was made.
    #[error("the password of {0} was changed since")]
    CredentialsChanged(Name),
    /// Not the caller's fault.
    #[error(transparent)]
    Internal(#[from] Internal),
}

/// Authenticates callers.
#[derive(Clone, Copy)]
pub struct Authenticator<'a>(pub(super) &'a Engine);

impl Authenticator<'_> {
    /// Checks what a caller shows, all the way down to the rows that can take its rights away.
    ///
    /// # Errors
    /// [`AuthenticateError`] says why the caller is not authenticated.
    pub async fn authenticate(
        self,
        presented: Presented<'_>,
        origin: Origin,
    ) -> Result<Caller, AuthenticateError> {
        let now = self.0.now();
        let caller = match presented {
            Presented::Token(text) => {
                let token = self.verify(text, now).await?;
                self.admit(token, origin, now).await?
            }
            Presented::ApiKey { id, value } => {
                let (account, key, generation) = self.api_key(id, value, &origin, now).await?;
                let expires = api_key::ends(&key, generation);
                let credential = Some(Provenance::ApiKey {
                    account: account.id,
                    key: key.id,
                    generation,
                });
                Caller {
                    identity: Identity::ServiceAccount(account),
                    credential,
                    proof: Proof::Key,
                    shown: Some(id.as_uuid()),
                    expires,
                    origin,
                }
            }
            Presented::Cookie(cookie) => self.cookie(cookie, origin, now).await?,
        };
        self.0.last_activity.fetch_max(now.as_micros(), Ordering::Relaxed);
        Ok(caller)
    }

    async fn verify(self, text: &str, now: Timestamp) -> Result<Token, AuthenticateError> {
        match self.0.keyring.verify(text, now) {
            // Another replica may have begun to sign with a new key a moment ago.
            Err(TokenError::UnknownKey) => {
                let fresh = self
                    .0
                    .keyring
                    .loaded_at()
                    .is_some_and(|at| now < at + RELOAD_KEYS_EVERY);
                if fresh {
                    return Err(AuthenticateError::Token(TokenError::Invalid));
                }
                let keys = self.0.store().signing_keys().await.map_err(Internal::from)?;
                self.0
                    .keyring
                    .load(&keys, &self.0.ports.encryption, now)
                    .map_err(Internal::from)?;
                self.0.keyring.verify(text, now).map_err(|error| match error {
                    TokenError::UnknownKey => AuthenticateError::Token(TokenError::Invalid),
                    TokenError::Sealed(error) => Internal::from(error).into(),
                    other => AuthenticateError::Token(other),
                })
            }
            // Not the token's fault, so that its owner must not be told to sign in again.
            Err(TokenError::Sealed(error)) => Err(Internal::from(error).into()),
            verified => verified.map_err(AuthenticateError::Token),
        }
    }

    async fn admit(self, token: Token, origin: Origin, now: Timestamp) -> Result<Caller, AuthenticateError> {
        let current = self.0.identities.catch_up().await.map_err(Internal::from)?;
        let proof_until = |credential_ends| {
            recent_authentication::of_token(
                token.authenticated,
                token.made_from,
                token.expires,
                credential_ends,
            )
        };
        let (identity, proof) = match token.provenance {
            Provenance::Device {
                user,
                credentials_gen,
                device,
                token_gen,
            } => {
                let found = current.device(device).await.map_err(Internal::from)?;
                let device = found.ok_or(AuthenticateError::DeviceGone(device))?;
                let user = good_user(current, user, credentials_gen).await?;
                // A device changes hands only by being deleted, so this holds; it costs nothing to make sure.
                if device.user_id != user.id {
                    return Err(AuthenticateError::DeviceGone(device.id));
                }
                device::admit(&device, token_gen, now).map_err(|refusal| AuthenticateError::Device {
                    id: device.id,
                    refusal,
                })?;
                self.0.uses.device(device.id, &origin, now);
                // Only a sign-in says when it took place.
                let proof = match proof_until(device.expires) {
                    Proof::Factor(_) => Proof::Connection,
                    other => other,
                };
                (Identity::User(user), proof)
            }
            Provenance::ApiKey {
                account,
                key,
                generation,
            } => {
                let found = current.api_key(key).await.map_err(Internal::from)?;
                let key = found.ok_or(AuthenticateError::ApiKeyGone(key))?;
                let account = service_account(current, account).await?;
                if key.service_account_id != account.id {
                    return Err(AuthenticateError::ApiKeyGone(key.id));
                }
                admit_key(&account, &key, api_key::admit(&key, generation, now))?;
                self.0.uses.key(key.id, generation, &origin, now);
                let proof = match token.made_from {
                    Some(_) => Proof::Made,
                    None => Proof::Key,
                };
                (Identity::ServiceAccount(account), proof)
            }
            Provenance::Session {
                user,
                credentials_gen,
                session: id,
            } => {
                let user = good_user(current, user, credentials_gen).await?;
                let found = current.session(id).await.map_err(Internal::from)?;
                let idle = self.0.settings.lifetimes.browser_idle;
                let session = found
                    .filter(|found| found.user_id == user.id && session::is_alive(found, idle, now))
                    .ok_or(AuthenticateError::SessionEnded(id))?;
                // The row knows it to the microsecond.
                let proof = match proof_until(session.expires) {
                    Proof::Factor(_) => Proof::Factor(session.authenticated),
                    other => other,
                };
                (Identity::User(user), proof)
            }
        };
        Ok(Caller {
            identity,
            credential: Some(token.provenance),
            proof,
            shown: Some(token.id),
            expires: Some(token.expires),
            origin,
        })
    }

    async fn cookie(
        self,
        cookie: &Secret,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Caller, AuthenticateError> {
        let found = self.0.store().session_by_cookie(&secrets::hash(cookie)).await;
        let mut session = found
            .map_err(Internal::from)?
            .ok_or(AuthenticateError::CookieUnknown)?;
        self.0.uses.show_session(&mut session);
        let idle = self.0.settings.lifetimes.browser_idle;
        if !session::is_alive(&session, idle, now) {
            return Err(AuthenticateError::SessionEnded(session.id));
        }
        let current = self.0.identities.catch_up().await.map_err(Internal::from)?;
        let user = good_user(current, session.user_id, session.credentials_gen).await?;
        self.0.uses.session(session.id, now);
        let credential = Provenance::Session {
            user: user.id,
            credentials_gen: session.credentials_gen,
            session: session.id,
        };
        Ok(Caller {
            identity: Identity::User(user),
            credential: Some(credential),
            proof: Proof::Factor(session.authenticated),
            shown: None,
            expires: Some(session.expires),
            origin,
        })
    }

    /// The key and its account, when the value is right and both are good.
    pub(super) async fn api_key(
        self,
        id: ApiKeyId,
        value: &Secret,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<(Arc<ServiceAccount>, Arc<ApiKey>, u32), AuthenticateError> {
        let value = secrets::hash(value);
        let current = self.0.identities.catch_up().await.map_err(Internal::from)?;
        let key = current.api_key(id).await.map_err(Internal::from)?;
        let Some(key) = key else {
            self.0.refused(Refusal::of_unknown_key(id, origin));
            return Err(AuthenticateError::ApiKeyUnknown);
        };
        let presented = api_key::present(&key, &value, now);
        let refused = |reason| {
            self.0.refused(Refusal::of_key(reason, key.id, origin));
        };
        if presented == Err(api_key::Refusal::WrongValue) {
            refused(RefusalReason::WrongValue);
            return Err(AuthenticateError::ApiKeyUnknown);
        }
        let account = service_account(current, key.service_account_id).await?;
        let generation = admit_key(&account, &key, presented).inspect_err(|error| {
            refused(match error {
                AuthenticateError::ApiKey { refusal, .. } => reason(*refusal),
                _ => RefusalReason::Inactive,
            });
        })?;
        self.0.uses.key(key.id, generation, origin, now);
        Ok((account, key, generation))
    }
}

/// The user, when they are good and nothing has ended the credentials made at this count.
async fn good_user(
    current: Current<'_>,
    id: UserId,
    credentials_gen: u32,
) -> Result<Arc<User>, AuthenticateError> {
    let found = current.user(id).await.map_err(Internal::from)?;
    let user = found.ok_or(AuthenticateError::AccountGone)?;
    match user::admit(&user, credentials_gen) {
        Ok(()) => Ok(user),
        Err(user::Refusal::Inactive) => Err(AuthenticateError::AccountInactive(user.name.clone())),
        Err(user::Refusal::CredentialsChanged) => {
            Err(AuthenticateError::CredentialsChanged(user.name.clone()))
        }
    }
}

async fn service_account(
    current: Current<'_>,
    id: ServiceAccountId,
) -> Result<Arc<ServiceAccount>, AuthenticateError> {
    let found = current.service_account(id).await.map_err(Internal::from)?;
    found.ok_or(AuthenticateError::AccountGone)
}

const fn reason(refusal: api_key::Refusal) -> RefusalReason {
    match refusal {
        api_key::Refusal::Inactive => RefusalReason::Inactive,
        api_key::Refusal::Expired => RefusalReason::Expired,
        api_key::Refusal::WrongValue => RefusalReason::WrongValue,
        api_key::Refusal::RotatedAway | api_key::Refusal::GenerationEnded => RefusalReason::RotatedAway,
    }
}

/// The service account's own switch rules over its keys.
fn admit_key<T>(
    account: &ServiceAccount,
    key: &ApiKey,
    admitted: Result<T, api_key::Refusal>,
) -> Result<T, AuthenticateError> {
    if !account.active {
        return Err(AuthenticateError::AccountInactive(account.name.clone()));
    }
    admitted.map_err(|refusal| AuthenticateError::ApiKey {
        key: key.name.clone(),
        account: account.name.clone(),
        refusal,
    })
}
