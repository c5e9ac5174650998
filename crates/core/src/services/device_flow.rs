//! Connecting machines: the device authorization grant (RFC 8628).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use zenml_auth_model::audit::RefusalReason;
use zenml_auth_model::{
    Action, ClientId, DenialReason, Details, DeviceGrant, DeviceState, DeviceTraits, GrantId, GrantState,
    Origin, Secret, Timestamp, User,
};

use super::refusals::Refusal;
use super::requests::facts_of;
use super::sign_in::{AccessToken, Issue};
use super::transact::{Conflict, Decision};
use super::{Engine, Internal};
use crate::audit_target;
use crate::audit_writer::AuditWriter;
use crate::caller::{Caller, NotAllowed, NotWithThis};
use crate::ports::{Change, Unique, id_bytes};
use crate::rules::grant::{self, Poll, Status};
use crate::rules::{device, user};
use crate::throttle::TooMany;
use crate::token::Provenance;
use crate::{device_code, secrets, user_code};

/// A request that was made, for the machine that made it.
#[derive(Debug, Clone)]
pub struct RequestedDevice {
    /// The request's id.
    pub id: GrantId,
    /// What the machine polls with. Only its hash is kept.
    pub device_code: Secret,
    /// What a person confirms, as `WDJB-MJHT`. Only its MAC is kept.
    pub user_code: Secret,
    /// What the link of the request carries beside the code; see [`DeviceFlow::open_link`].
    pub link_proof: String,
    /// For how long the request stands.
    pub expires_in: Duration,
    /// The least time between two polls.
    pub interval: Duration,
}

/// Why a request was not taken.
#[derive(Debug, thiserror::Error)]
pub enum DeviceAuthorizationError {
    /// Too many requests from this address.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// Not the caller's fault.
    #[error(transparent)]
    Internal(#[from] Internal),
}

/// Why a poll got no token (RFC 8628 §3.5, RFC 6749 §5.2).
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// `authorization_pending`: nobody has decided yet.
    #[error("the request is still pending")]
    Pending,
    /// `slow_down`: the poll came too early.
    #[error("the client polls too often; wait {} seconds between polls", .interval.as_secs())]
    SlowDown {
        /// The interval from now on.
        interval: Duration,
    },
    /// `access_denied`: the machine was turned away.
    #[error("the request was denied")]
    Denied,
    /// `expired_token`: nobody decided in time.
    #[error("the request has expired; start again")]
    Expired,
    /// `expired_token`: the code was exchanged before.
    #[error("the device code was used before")]
    Spent,
    /// Too many wrong device codes from this address.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// `invalid_grant`: the device code is wrong.
    #[error("the device code is not valid")]
    InvalidGrant,
    /// `invalid_client`: nobody has made a request as this client.
    #[error("the client is not known")]
    InvalidClient,
    /// Not the caller's fault.
    #[error(transparent)]
    Internal(#[from] Internal),
}

/// A user code as somebody typed it.
#[derive(Debug, Clone)]
pub struct UserCode(Option<Secret>);

impl UserCode {
    /// Takes what was typed, in whatever case and with whatever blanks and dashes. A text that can't be a code is a wrong
    /// one.
    #[must_use]
    pub fn typed(text: &str) -> Self {
        Self(user_code::normalize(text))
    }

    /// As it is shown to people, if it can be a code at all.
    #[must_use]
    pub fn display(&self) -> Option<String> {
        self.0.as_ref().map(user_code::display)
    }
}

/// Why a person does not get to see a request.
#[derive(Debug, thiserror::Error)]
pub enum LookUpError {
    /// There is none with this id or code, or not for this person.
    #[error("no such request")]
    NotFound,
    /// Only people decide about machines.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// Too many wrong codes.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// Not the caller's fault.
    #[error(transparent)]
    Internal(#[from] Internal),
}

/// Why a person's decision was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    /// The credential is not enough.
    #[error(transparent)]
    NotWithThis(#[from] NotWithThis),
    /// There is no such request.
    #[error("no such request")]
    NotFound,
    /// It was decided already.
    #[error("the request is not pending")]
    NotPending,
    /// It has expired.
    #[error("the request has expired")]
    Expired,
    /// The user code is wrong.
    #[error("the user code is wrong")]
    WrongCode,
    /// The user code is wrong, and it was the last try.
    #[error("the request was ended after too many wrong user codes")]
    TooManyWrongCodes,
    /// This person has locked this device.
    #[error("the device is locked; unlock it first")]
    DeviceLocked,
    /// Only people decide about machines.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// Too many wrong codes by this person or from this address.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// Not the caller's fault.
    #[error(transparent)]
    Internal(#[from] Internal),
}

/// What a person chose.
#[derive(Clone, Copy)]
enum Choice {
    Approve { trusted: bool },
    Deny,
}

/// Connects machines.
#[derive(Clone, Copy)]
pub struct DeviceFlow<'a>(pub(super) &'a Engine);

impl DeviceFlow<'_> {
    /// A machine asks for approval (RFC 8628 §3.1). Nothing that exists is touched by it.
    ///
    /// # Errors
    /// [`DeviceAuthorizationError`]
    pub async fn request(
        self,
        client_id: ClientId,
        traits: DeviceTraits,
        origin: &Origin,
    ) -> Result<RequestedDevice, DeviceAuthorizationError> {
        let engine = self.0;
        if let Err(refused) = self.make_way(client_id, origin).await {
            if matches!(refused, DeviceAuthorizationError::TooMany(_)) {
                engine.requests.count(origin.address, true, engine.now());
                engine.refused(Refusal::too_many(Action::DeviceRequestThrottled, origin));
            }
            return Err(refused);
        }
        let traits = &traits;
        let (requested, at) = engine
            .transact::<_, DeviceAuthorizationError, _>("request a device", |now| async move {
                let id = GrantId::at(now, id_bytes(engine.entropy()));
                let device_code = device_code::random_device_code(engine.entropy(), id);
                let user_code = user_code::random_user_code(engine.entropy());
                let grant = grant::request(
                    grant::Request {
                        id,
                        client_id,
                        device_code: secrets::hash(&device_code),
                        user_code: user_code::mac(engine.server_secret(), &user_code),
                        traits: traits.clone(),
                    },
                    &engine.settings.lifetimes,
                    now,
                );
                let requested = RequestedDevice {
                    id,
                    link_proof: user_code::link_proof(engine.server_secret(), id, &user_code),
                    user_code: Secret::new(user_code::display(&user_code)),
                    device_code,
                    expires_in: grant.expires.since(now),
                    interval: grant.polling.interval,
                };
                // If another request has the same user code, another one is drawn.
                Ok(Decision::answer((requested, now))
                    .change(Change::InsertGrant(grant))
                    .again_if_taken(Unique::Code)
                    .again_if_taken(Unique::Id))
            })
            .await?;
        engine.requests.count(origin.address, false, at);
        Ok(requested)
    }

    /// Whether the limits leave room for another request. Machines that were connected before do not notice when strangers have
    /// used up what all of them have together.
    async fn make_way(self, client_id: ClientId, origin: &Origin) -> Result<(), DeviceAuthorizationError> {
        let engine = self.0;
        let now = engine.now();
        engine.throttle.device_authorization(origin.address, now)?;
        if let Err(refused) = engine.throttle.device_authorization_of_all(now) {
            let known = engine.store().client_has_device(client_id).await;
            if !known.map_err(Internal::from)? {
                return Err(refused.into());
            }
        }
        Ok(())
    }

    /// The device asks whether it was approved, and fetches its token if it was (RFC 8628 §3.4). Of several polls
    /// with one code, at most one gets a token.
    ///
    /// # Errors
    /// [`PollError`]
    pub async fn poll(
        self,
        client_id: ClientId,
        device_code: &Secret,
        origin: &Origin,
    ) -> Result<AccessToken, PollError> {
        let engine = self.0;
        let presented = secrets::hash(device_code);
        let named = device_code::grant_of(device_code);
        if engine
            .throttle
            .polls_too_often(&presented, origin.address, engine.now())
        {
            let reason = RefusalReason::PollsTooOften;
            engine.refused(Refusal::of_grant(
                Action::DeviceCodeThrottled,
                reason,
                named,
                None,
                origin,
            ));
            return Err(PollError::SlowDown {
                interval: grant::LONGEST_INTERVAL,
            });
        }
        let (presented, counted) = (&presented, &AtomicBool::new(false));
        let polled: Result<AccessToken, PollError> = engine
            .transact::<_, PollError, _>("poll for a token", |now| async move {
                let found = match named {
                    Some(id) => engine.store().grant(id).await.map_err(Internal::from)?,
                    None => None,
                };
                let right = |found: &DeviceGrant| {
                    found.client_id == client_id && secrets::same(&found.device_code, presented)
                };
                let found = match found {
                    Some(found) if right(&found) => found,
                    other => return Err(self.wrong_device_code(client_id, other.as_ref(), origin).await),
                };
                if !counted.swap(true, Ordering::Relaxed) {
                    engine.throttle.polled(presented, origin.address, now);
                }
                match grant::poll(found.clone(), now) {
                    Poll::Denied(_) => Err(PollError::Denied),
                    Poll::Expired => Err(PollError::Expired),
                    Poll::Spent => Err(PollError::Spent),
                    Poll::Pending(noted) => {
                        Ok(Decision::answer(Err(PollError::Pending)).change(Change::UpdateGrant(noted)))
                    }
                    Poll::SlowDown(noted) => {
                        let interval = noted.polling.interval;
                        let answer = Decision::answer(Err(PollError::SlowDown { interval }));
                        if noted == found {
                            return Ok(answer);
                        }
                        // Of many polls at the same moment one is noted, which is enough: a client that sends as many as it
                        // can must not make each of them wait for all others.
                        Ok(answer
                            .change(Change::UpdateGrant(noted))
                            .same_answer_on(Conflict::Stale))
                    }
                    Poll::Ready {
                        by,
                        credentials_gen,
                        trusted,
                    } => {
                        let user = engine.store().user(by).await.map_err(Internal::from)?;
                        let user = user
                            .filter(|user| user::admit(user, credentials_gen).is_ok())
                            .ok_or(PollError::Denied)?;
                        self.connect(found, &user, trusted, origin, now).await
                    }
                }
            })
            .await?;
        polled
    }

    /// Counts a wrong device code, and says what its client is told. The request is the one that the code named.
    async fn wrong_device_code(
        self,
        client_id: ClientId,
        named: Option<&DeviceGrant>,
        origin: &Origin,
    ) -> PollError {
        let engine = self.0;
        if let Err(too_many) = engine.throttle.wrong_device_code(origin.address, engine.now()) {
            engine.refused(Refusal::too_many(Action::DeviceCodeThrottled, origin));
            return too_many.into();
        }
        engine.refused(Refusal::of_grant(
            Action::DeviceCodeRejected,
            RefusalReason::WrongDeviceCode,
            named.map(|grant| grant.id),
            named.map(|grant| audit_target::host(&grant.traits)),
            origin,
        ));
        match engine.store().client_is_known(client_id).await {
            Ok(true) => PollError::InvalidGrant,
            Ok(false) => PollError::InvalidClient,
            Err(error) => Internal::from(error).into(),
        }
    }

    /// Makes a device of an approved request, and its token.
    async fn connect(
        self,
        found: DeviceGrant,
        user: &User,
        trusted: bool,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<Decision<Result<AccessToken, PollError>, PollError>, PollError> {
        let engine = self.0;
        let lifetimes = &engine.settings.lifetimes;
        let known = engine
            .store()
            .device_of(found.client_id, user.id)
            .await
            .map_err(Internal::from)?;
        let (device, change) = match known {
            None => {
                let device = device::first_connection(&found, user.id, trusted, lifetimes, (now, origin));
                (device.clone(), Change::InsertDevice(device))
            }
            Some(known) => {
                let device = device::reconnect(known, &found, trusted, lifetimes, (now, origin))
                    .map_err(|_| PollError::Denied)?;
                (device.clone(), Change::UpdateDevice(device))
            }
        };
        let details = facts_of(&found).decided(Some(trusted));
        let spent = grant::exchange(found, device.id, now).map_err(|error| match error.from {
            Status::Expired => PollError::Expired,
            Status::Pending | Status::Approved | Status::Denied | Status::Exchanged => PollError::Spent,
        })?;
        let provenance = Provenance::Device {
            user: user.id,
            credentials_gen: user.credentials_gen,
            device: device.id,
            token_gen: device.token_gen,
        };
        let token = engine.issue(Issue::of(provenance), now, device.expires)?;
        let by = &AuditWriter::user(user, origin);
        Ok(Decision::answer(Ok(token))
            .change(Change::UpdateGrant(spent))
            .change(change)
            .audit_with(by, Action::DeviceConnected, audit_target::device(&device), details)
            // The same person's approval of the same client came first.
            .again_if_taken(Unique::DeviceOfClient)
            .again_if_taken(Unique::Id)
            // The person was deleted a moment ago.
            .fail_if_parent_missing(PollError::Denied))
    }

    /// A person looks at a request, by its id and user code. A wrong code counts. The person who approved a request sees
    /// it without the code, until it becomes a device.
    ///
    /// # Errors
    /// [`LookUpError`]
    pub async fn look_up(
        self,
        caller: &Caller,
        id: GrantId,
        code: Option<&UserCode>,
    ) -> Result<DeviceGrant, LookUpError> {
        let person = caller.user().ok_or(NotAllowed {
            action: "see the sign-in requests of machines",
        })?;
        let now = self.0.now();
        let found = self.0.store().grant(id).await.map_err(Internal::from)?;
        let found = found.ok_or(LookUpError::NotFound)?;
        match (grant::status(&found, now), found.state, code) {
            (Status::Approved, GrantState::Approved { by, .. }, _) if by == person.id => Ok(found),
            (Status::Pending, _, Some(code)) => match self.check_code(caller, found, code).await {
                Ok(found) => Ok(found),
                Err(ConfirmError::TooMany(error)) => Err(error.into()),
                Err(ConfirmError::Internal(error)) => Err(error.into()),
                Err(ConfirmError::NotAllowed(error)) => Err(error.into()),
                Err(
                    ConfirmError::NotFound
                    | ConfirmError::NotPending
                    | ConfirmError::Expired
                    | ConfirmError::WrongCode
                    | ConfirmError::TooManyWrongCodes
                    | ConfirmError::NotWithThis(_)
                    | ConfirmError::DeviceLocked,
                ) => Err(LookUpError::NotFound),
            },
            _ => Err(LookUpError::NotFound),
        }
    }

    /// A person opens the link that a machine showed. Following a link is no guess, as any site can make a browser do so: only a
    /// link that was made here tells anything, and none counts against the person. `None` for a link that was not.
    ///
    /// # Errors
    /// [`LookUpError`]
    pub async fn open_link(
        self,
        caller: &Caller,
        id: GrantId,
        code: &UserCode,
        proof: &str,
    ) -> Result<Option<DeviceGrant>, LookUpError> {
        let engine = self.0;
        caller.user_id().ok_or(NotAllowed {
            action: "see the sign-in requests of machines",
        })?;
        let Some(code) = &code.0 else { return Ok(None) };
        if !user_code::is_our_link(engine.server_secret(), id, code, proof) {
            return Ok(None);
        }
        let found = engine.store().grant(id).await.map_err(Internal::from)?;
        let now = engine.now();
        found
            .filter(|found| {
                grant::status(found, now) == Status::Pending
                    && user_code::same(&found.user_code, &user_code::mac(engine.server_secret(), code))
            })
            .map(Some)
            .ok_or(LookUpError::NotFound)
    }

    /// A person looks at a request by the code they typed. A wrong code counts against them.
    ///
    /// # Errors
    /// [`LookUpError`]
    pub async fn find(self, caller: &Caller, code: &UserCode) -> Result<DeviceGrant, LookUpError> {
        let engine = self.0;
        let person = caller.user().ok_or(NotAllowed {
            action: "see the sign-in requests of machines",
        })?;
        let now = engine.now();
        let clock = engine.ports.clock.as_ref();
        let attempt = engine
            .throttle
            .user_code(person.id, caller.origin.address, clock)
            .await
            .inspect_err(|_| self.refused_code(caller, person, RefusalReason::TooMany))?;
        let found = match &code.0 {
            None => Ok(None),
            Some(code) => {
                let mac = user_code::mac(engine.server_secret(), code);
                engine.store().grant_by_user_code(&mac).await
            }
        };
        match found {
            Ok(Some(found)) if grant::status(&found, now) == Status::Pending => {
                attempt.passed();
                Ok(found)
            }
            Ok(_) => {
                attempt.failed(now);
                self.refused_code(caller, person, RefusalReason::UnknownCode);
                Err(LookUpError::NotFound)
            }
            Err(error) => {
                attempt.passed();
                Err(Internal::from(error).into())
            }
        }
    }

    /// Notes a code of a person that was refused without a request that it could be counted on.
    fn refused_code(self, caller: &Caller, person: &User, reason: RefusalReason) {
        let action = match reason {
            RefusalReason::TooMany => Action::DeviceCodeThrottled,
            _ => Action::DeviceCodeRejected,
        };
        let refusal = Refusal::of_user(action, reason, person, &caller.origin);
        self.0.refused(refusal.by(AuditWriter::of(caller)));
    }

    /// A person approves a device, and says whether they trust it.
    ///
    /// # Errors
    /// [`ConfirmError`]
    pub async fn approve(
        self,
        caller: &Caller,
        id: GrantId,
        code: &UserCode,
        trusted: bool,
    ) -> Result<DeviceGrant, ConfirmError> {
        self.decide(caller, id, code, Choice::Approve { trusted }).await
    }

    /// A person turns a machine away.
    ///
    /// # Errors
    /// [`ConfirmError`]
    pub async fn deny(
        self,
        caller: &Caller,
        id: GrantId,
        code: &UserCode,
    ) -> Result<DeviceGrant, ConfirmError> {
        self.decide(caller, id, code, Choice::Deny).await
    }

    async fn decide(
        self,
        caller: &Caller,
        id: GrantId,
        code: &UserCode,
        choice: Choice,
    ) -> Result<DeviceGrant, ConfirmError> {
        let engine = self.0;
        let person = caller.user().ok_or(NotAllowed {
            action: "decide about machines",
        })?;
        engine
            .transact("decide about a device", |now| async move {
                // Before the code is looked at: a person who may not approve learns nothing about it. Denying only takes away.
                if matches!(choice, Choice::Approve { .. }) {
                    engine.recent_person(caller, "approve a device", now)?;
                }
                let found = engine.store().grant(id).await.map_err(Internal::from)?;
                let found = self
                    .check_code(caller, found.ok_or(ConfirmError::NotFound)?, code)
                    .await?;
                let refused = |error: grant::TransitionError| not_pending(error.from);
                let (decided, action, trusted) = match choice {
                    Choice::Approve { trusted } => {
                        let known = engine
                            .store()
                            .device_of(found.client_id, person.id)
                            .await
                            .map_err(Internal::from)?;
                        if known.is_some_and(|device| device.state == DeviceState::Locked) {
                            return Err(ConfirmError::DeviceLocked);
                        }
                        let decided = grant::approve(found, person, trusted, now).map_err(refused)?;
                        (decided, Action::DeviceApproved, Some(trusted))
                    }
                    Choice::Deny => {
                        let decided = grant::deny(found, now).map_err(refused)?;
                        (decided, Action::DeviceDenied, None)
                    }
                };
                let details = facts_of(&decided).decided(trusted);
                let target = audit_target::grant(&decided);
                Ok(Decision::update(decided).audit_with(&AuditWriter::of(caller), action, target, details))
            })
            .await
    }

    /// Goes on with a pending request whose code is right; a wrong code is counted.
    async fn check_code(
        self,
        caller: &Caller,
        found: DeviceGrant,
        code: &UserCode,
    ) -> Result<DeviceGrant, ConfirmError> {
        let engine = self.0;
        let person = caller.user().ok_or(NotAllowed {
            action: "decide about machines",
        })?;
        let clock = engine.ports.clock.as_ref();
        let attempt = engine
            .throttle
            .user_code(person.id, caller.origin.address, clock)
            .await
            .inspect_err(|_| self.refused_code(caller, person, RefusalReason::TooMany))?;
        let secret = engine.server_secret();
        let right = code
            .0
            .as_ref()
            .is_some_and(|code| user_code::same(&found.user_code, &user_code::mac(secret, code)));
        if right {
            attempt.passed();
            return match grant::status(&found, engine.now()) {
                Status::Pending => Ok(found),
                other => Err(not_pending(other)),
            };
        }
        attempt.failed(engine.now());
        Err(self.reject_code(caller, found.id).await)
    }

    /// Counts a wrong code on its request, and tells the person what came of it.
    async fn reject_code(self, caller: &Caller, id: GrantId) -> ConfirmError {
        let engine = self.0;
        let rejected = engine
            .transact("reject a user code", |now| async move {
                let found = engine.store().grant(id).await.map_err(Internal::from)?;
                let found = found.ok_or(ConfirmError::NotFound)?;
                let most = engine.throttle.limits().user_code_attempts.max(1);
                let rejected =
                    grant::reject_code(found, most, now).map_err(|error| not_pending(error.from))?;
                let ended = matches!(
                    rejected.state,
                    GrantState::Denied {
                        reason: DenialReason::TooManyAttempts,
                        ..
                    }
                );
                let (action, told) = if ended {
                    (Action::DeviceDenied, ConfirmError::TooManyWrongCodes)
                } else {
                    (Action::DeviceCodeRejected, ConfirmError::WrongCode)
                };
                let details = Details::WrongCode {
                    attempt: rejected.failed_attempts,
                    most,
                    request: Some(facts_of(&rejected)),
                };
                let target = audit_target::grant(&rejected);
                Ok(Decision::answer(told)
                    .change(Change::UpdateGrant(rejected))
                    .audit_with(&AuditWriter::of(caller), action, target, details))
            })
            .await;
        rejected.unwrap_or_else(|error| error)
    }
}

const fn not_pending(status: Status) -> ConfirmError {
    match status {
        Status::Expired => ConfirmError::Expired,
        Status::Pending | Status::Approved | Status::Denied | Status::Exchanged => ConfirmError::NotPending,
    }
}
