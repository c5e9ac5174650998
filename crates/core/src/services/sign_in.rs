//! Signing in with a password or an API key, and out again.

use std::time::Duration;

use zenml_auth_model::audit::RefusalReason;
use zenml_auth_model::text::nfc;
use zenml_auth_model::{
    Action, ApiKeyId, DeviceId, Name, Origin, Secret, Session, SessionId, SessionPurpose, Timestamp, User,
    Version,
};

use super::attempts::Refused;
use super::authenticator::AuthenticateError;
use super::refusals::Refusal;
use super::transact::Decision;
use super::{Engine, Internal};
use crate::audit_target;
use crate::audit_writer::AuditWriter;
use crate::caller::Caller;
use crate::ports::{Change, id_bytes};
use crate::rules::{api_key, device};
use crate::secrets;
use crate::throttle::TooMany;
use crate::token::{Provenance, Token};

/// An access token, for its new owner.
#[derive(Debug, Clone)]
pub struct AccessToken {
    /// The signed token.
    pub token: Secret,
    /// For how long it is good.
    pub expires_in: Duration,
    /// The device it is for, if it is for one.
    pub device: Option<DeviceId>,
}

/// A browser that signed in.
#[derive(Debug, Clone)]
pub struct BrowserSignIn {
    /// The cookie's value; only its hash is kept.
    pub cookie: Secret,
    /// The sign-in.
    pub session: Session,
    /// Who signed in.
    pub user: User,
}

/// Why a sign-in with a password failed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordSignInError {
    /// There is no such user, or the password is wrong. Strangers are not told which.
    #[error("invalid username or password")]
    Invalid,
    /// The password is right, but the account is switched off.
    #[error("the user {0} is not active")]
    Inactive(Name),
    /// Too many sign-ins failed.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// Not the caller's fault.
    #[error(transparent)]
    Internal(#[from] Internal),
}

impl From<Refused> for PasswordSignInError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::TooMany(error) => error.into(),
            Refused::Internal(error) => error.into(),
        }
    }
}

/// Why a sign-in with an API key failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeySignInError {
    /// Too many sign-ins failed.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// The key is refused.
    #[error(transparent)]
    Refused(#[from] AuthenticateError),
}

/// Signs in and out.
#[derive(Clone, Copy)]
pub struct SignIn<'a>(pub(super) &'a Engine);

impl SignIn<'_> {
    /// Signs in to the API with a password.
    ///
    /// # Errors
    /// [`PasswordSignInError`]
    pub async fn with_password(
        self,
        name: &str,
        password: Secret,
        origin: &Origin,
    ) -> Result<AccessToken, PasswordSignInError> {
        let lifetime = self.0.settings.lifetimes.access_token;
        let (session, _) = self
            .start_session(name, password, origin, lifetime, SessionPurpose::Api)
            .await?;
        let provenance = Provenance::Session {
            user: session.user_id,
            credentials_gen: session.credentials_gen,
            session: session.id,
        };
        let signed_in = Issue {
            authenticated: Some(session.authenticated),
            ..Issue::of(provenance)
        };
        Ok(self.0.issue(signed_in, session.created, session.expires)?)
    }

    /// Signs in to the server's own pages with a password.
    ///
    /// # Errors
    /// [`PasswordSignInError`]
    pub async fn with_browser(
        self,
        name: &str,
        password: Secret,
        origin: &Origin,
    ) -> Result<BrowserSignIn, PasswordSignInError> {
        let cookie = secrets::random_secret(self.0.entropy());
        let hash = secrets::hash(&cookie);
        let lifetime = self.0.settings.lifetimes.browser_session;
        let (session, user) = self
            .start_session(
                name,
                password,
                origin,
                lifetime,
                SessionPurpose::Browser { cookie: hash },
            )
            .await?;
        Ok(BrowserSignIn {
            cookie,
            session,
            user,
        })
    }

    async fn start_session(
        self,
        name: &str,
        password: Secret,
        origin: &Origin,
        lifetime: Duration,
        purpose: SessionPurpose,
    ) -> Result<(Session, User), PasswordSignInError> {
        let engine = self.0;
        // However the name is typed, its failures add up.
        let composed = nfc(name);
        let attempt = engine
            .attempt_password(&composed, origin.address)
            .await
            .inspect_err(|refused| {
                if matches!(refused, Refused::TooMany(_)) {
                    engine.refused(Refusal::too_many_on(Action::SignInThrottled, name, origin));
                }
            })?;
        let (user, right) = match self.check_password(name, password).await {
            Ok(checked) => checked,
            Err(error) => {
                attempt.came_to_nothing();
                return Err(error.into());
            }
        };
        let failed = |reason, user| {
            engine.refused(Refusal::of_account(
                Action::SignInFailed,
                reason,
                user,
                &composed,
                origin,
            ));
        };
        let user = match (user, right) {
            (Some(user), true) => user,
            (user, _) => {
                failed(RefusalReason::WrongPassword, user.as_ref());
                attempt.failed().await?;
                return Err(PasswordSignInError::Invalid);
            }
        };
        attempt.succeeded().await;
        if !user.active {
            failed(RefusalReason::Inactive, Some(&user));
            return Err(PasswordSignInError::Inactive(user.name));
        }
        let (user, by) = (&user, &AuditWriter::user(&user, origin));
        engine
            .transact("start a session", |now| async move {
                let session = Session {
                    id: SessionId::from_random(id_bytes(engine.entropy())),
                    user_id: user.id,
                    purpose,
                    credentials_gen: user.credentials_gen,
                    created: now,
                    authenticated: now,
                    last_active: now,
                    expires: now + lifetime,
                    version: Version::FIRST,
                };
                Ok(Decision::answer((session.clone(), user.clone()))
                    .audit(by, Action::SessionStarted, audit_target::session(session.id))
                    .change(Change::InsertSession(session))
                    // The user was deleted a moment ago.
                    .fail_if_parent_missing(PasswordSignInError::Invalid))
            })
            .await
    }

    /// The user, if there is one, and whether the password is theirs. Both cost the same work.
    async fn check_password(self, name: &str, password: Secret) -> Result<(Option<User>, bool), Internal> {
        let user = self.0.user_by_name(name).await?;
        let hash = user.as_ref().and_then(|user| user.password.clone());
        let right = self.0.passwords.verify(password, hash).await?;
        Ok((user, right))
    }

    /// Exchanges an API key for an access token.
    ///
    /// # Errors
    /// [`ApiKeySignInError`]
    pub async fn with_api_key(
        self,
        id: ApiKeyId,
        value: &Secret,
        origin: &Origin,
    ) -> Result<AccessToken, ApiKeySignInError> {
        let engine = self.0;
        // Nobody guesses 256 bits: the value is checked first, and the right one is never refused for the sake of wrong ones.
        let now = engine.now();
        let checked = engine.authenticator().api_key(id, value, origin, now).await;
        if matches!(checked, Err(AuthenticateError::ApiKeyUnknown)) {
            engine
                .throttle
                .wrong_api_key(id, origin.address, now)
                .inspect_err(|_| engine.refused(Refusal::too_many(Action::ApiKeyThrottled, origin)))?;
        }
        let (account, key, generation) = checked?;
        let expires = now + engine.settings.lifetimes.access_token;
        let expires = api_key::ends(&key, generation).map_or(expires, |ends| ends.min(expires));
        let provenance = Provenance::ApiKey {
            account: account.id,
            key: key.id,
            generation,
        };
        Ok(engine
            .issue(Issue::of(provenance), now, expires)
            .map_err(AuthenticateError::from)?)
    }

    /// Signs out: ends the sign-in, or the device's token. An API key has nothing to end.
    ///
    /// # Errors
    /// [`Internal`] when the store does not answer.
    pub async fn out(self, caller: &Caller) -> Result<(), Internal> {
        match caller.credential {
            Some(Provenance::Session { session, .. }) => self.end_session(caller, session).await,
            Some(Provenance::Device { device, .. }) => self.sign_out_device(caller, device).await,
            Some(Provenance::ApiKey { .. }) | None => Ok(()),
        }
    }

    async fn end_session(self, caller: &Caller, id: SessionId) -> Result<(), Internal> {
        let engine = self.0;
        engine
            .transact("end a session", |_| async move {
                let Some(session) = engine.store().session(id).await? else {
                    return Ok(Decision::answer(()));
                };
                Ok(Decision::answer(())
                    .audit(
                        &AuditWriter::of(caller),
                        Action::SessionEnded,
                        audit_target::session(id),
                    )
                    .change(Change::DeleteSession(session.id, session.version)))
            })
            .await
    }

    async fn sign_out_device(self, caller: &Caller, id: DeviceId) -> Result<(), Internal> {
        let engine = self.0;
        engine
            .transact("sign a device out", |now| async move {
                let Some(found) = engine.store().device(id).await? else {
                    return Ok(Decision::answer(()));
                };
                let by = &AuditWriter::of(caller);
                let target = audit_target::device(&found);
                Ok(Decision::answer(())
                    .audit(by, Action::DeviceSignedOut, target)
                    .change(Change::UpdateDevice(device::sign_out(found, now))))
            })
            .await
    }
}

/// What a token is to say.
#[derive(Clone, Copy)]
pub(super) struct Issue {
    pub(super) provenance: Provenance,
    /// In the token of a sign-in itself only.
    pub(super) authenticated: Option<Timestamp>,
    /// In a token for use by hand only.
    pub(super) made_from: Option<uuid::Uuid>,
}

impl Issue {
    /// The credential's own token.
    pub(super) const fn of(provenance: Provenance) -> Self {
        Self {
            provenance,
            authenticated: None,
            made_from: None,
        }
    }
}

impl Engine {
    /// Signs a token. Its times are whole seconds, as RFC 7519 has them; it never outlives what it was made from.
    pub(super) fn issue(
        &self,
        issue: Issue,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<AccessToken, Internal> {
        let provenance = issue.provenance;
        let token = Token {
            id: uuid::Builder::from_random_bytes(id_bytes(self.entropy())).into_uuid(),
            provenance,
            authenticated: issue.authenticated.map(|at| Timestamp::from_secs(at.as_secs())),
            made_from: issue.made_from,
            issued: Timestamp::from_secs(now.as_secs()),
            expires: Timestamp::from_secs(expires.as_secs()),
        };
        let device = match provenance {
            Provenance::Device { device, .. } => Some(device),
            Provenance::ApiKey { .. } | Provenance::Session { .. } => None,
        };
        Ok(AccessToken {
            token: self.keyring.sign(&token)?,
            expires_in: expires.since(now),
            device,
        })
    }
}
