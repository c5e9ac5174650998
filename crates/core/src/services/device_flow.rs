//! Connecting machines: the device authorization grant (RFC 8628).

use std::time::Duration;

use zenml_auth_model::audit::RefusalReason;
use zenml_auth_model::{
    Action, ClientId, DenialReason, Details, Device, DeviceGrant, DeviceState, DeviceTraits, GrantId,
    GrantState, Origin, Secret, Target, TargetKind, Text, User,
};

use super::internal::Tries;
use super::refusals::Refusal;
use super::requests::facts_of;
use super::sign_in::{AccessToken, Issue};
use super::{Engine, Internal};
use crate::caller::{Caller, NotAllowed, NotWithThis, Scribe, target};
use crate::ports::{Change, ChangeSet, CommitError, Unique, id_bytes};
use crate::rules::device;
use crate::rules::grant::{self, Poll, Status};
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
pub enum RequestDeviceError {
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
    /// Takes what was typed, in whatever case and with whatever blanks and dashes. What can't be a code is a wrong
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

enum Decision {
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
    /// [`RequestDeviceError`]
    pub async fn request(
        self,
        client_id: ClientId,
        traits: DeviceTraits,
        origin: &Origin,
    ) -> Result<RequestedDevice, RequestDeviceError> {
        let engine = self.0;
        if let Err(refused) = self.make_way(client_id, origin).await {
            if matches!(refused, RequestDeviceError::TooMany(_)) {
                engine.requests.count(origin.address, true, engine.now());
                engine.refused(Refusal::too_many(Action::DeviceRequestThrottled, origin));
            }
            return Err(refused);
        }
        let mut tries = Tries::new();
        loop {
            tries.next().await?;
            let now = engine.now();
            let id = GrantId::at(now, id_bytes(engine.entropy()));
            let device_code = device_code::random_device_code(engine.entropy(), id);
            let user_code = user_code::random_user_code(engine.entropy());
            let Some(normalized) = user_code::normalize(user_code.expose()) else {
                continue;
            };
            let grant = grant::request(
                grant::Request {
                    id,
                    client_id,
                    device_code: secrets::hash(&device_code),
                    user_code: user_code::mac(engine.server_secret(), &normalized),
                    traits: traits.clone(),
                },
                &engine.settings.lifetimes,
                now,
            );
            let requested = RequestedDevice {
                link_proof: user_code::link_proof(engine.server_secret(), grant.id, &normalized),
                id: grant.id,
                device_code,
                user_code,
                expires_in: grant.expires.since(now),
                interval: grant.polling.interval,
            };
            let changes = ChangeSet::new().with(Change::InsertGrant(grant));
            match engine.store().commit(changes).await {
                Ok(()) => {
                    engine.requests.count(origin.address, false, now);
                    return Ok(requested);
                }
                // Another request has the same user code; draw again.
                Err(CommitError::Taken(Unique::Code | Unique::Id)) => {}
                Err(error) => return Err(Internal::from(error).into()),
            }
        }
    }

    /// Whether the limits leave room for another request. Machines that were connected before do not notice when strangers have
    /// used up what all of them have together.
    async fn make_way(self, client_id: ClientId, origin: &Origin) -> Result<(), RequestDeviceError> {
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

    /// The machine asks whether it was let in, and fetches its token if it was (RFC 8628 §3.4). Of several polls
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
        let mut counted = false;
        let mut tries = Tries::new();
        loop {
            tries.next().await?;
            let now = engine.now();
            let found = match named {
                Some(id) => engine.store().grant(id).await.map_err(Internal::from)?,
                None => None,
            };
            let right = |found: &DeviceGrant| {
                found.client_id == client_id && secrets::same(&found.device_code, &presented)
            };
            let found = match found {
                Some(found) if right(&found) => found,
                other => return Err(self.wrong_device_code(client_id, other.as_ref(), origin).await),
            };
            if !std::mem::replace(&mut counted, true) {
                engine.throttle.polled(&presented, origin.address, now);
            }
            let (changes, answer) = match grant::poll(found.clone(), now) {
                Poll::Denied(_) => return Err(PollError::Denied),
                Poll::Expired => return Err(PollError::Expired),
                Poll::Spent => return Err(PollError::Spent),
                Poll::Pending(noted) => (
                    ChangeSet::new().with(Change::UpdateGrant(noted)),
                    Err(PollError::Pending),
                ),
                Poll::SlowDown(noted) => {
                    let interval = noted.polling.interval;
                    if noted == found {
                        return Err(PollError::SlowDown { interval });
                    }
                    (
                        ChangeSet::new().with(Change::UpdateGrant(noted)),
                        Err(PollError::SlowDown { interval }),
                    )
                }
                Poll::Ready {
                    by,
                    credentials_gen,
                    trusted,
                } => {
                    let user = engine.store().user(by).await.map_err(Internal::from)?;
                    let user = user
                        .filter(|user| user.active && user.credentials_gen == credentials_gen)
                        .ok_or(PollError::Denied)?;
                    let (changes, device) = self.connect(found, &user, trusted, origin).await?;
                    let provenance = Provenance::Device {
                        user: user.id,
                        credentials_gen,
                        device: device.id,
                        token_gen: device.token_gen,
                    };
                    let token = engine.issue(Issue::of(provenance), now, device.expires)?;
                    (changes, Ok(token))
                }
            };
            match engine.store().commit(changes).await {
                Ok(()) => return answer,
                // Of many polls at the same moment one is noted, which is enough: whoever sends as many as they can must
                // not make each of them wait for all others.
                Err(CommitError::Stale) if matches!(answer, Err(PollError::SlowDown { .. })) => {
                    return answer;
                }
                // Another poll, a lock, or the same person's approval of the same client came first.
                Err(CommitError::Stale | CommitError::Taken(Unique::DeviceOfClient | Unique::Id)) => {}
                // The person was deleted a moment ago.
                Err(CommitError::ParentMissing) => return Err(PollError::Denied),
                Err(error) => return Err(Internal::from(error).into()),
            }
        }
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
            named.map(|grant| host(&grant.traits)),
            origin,
        ));
        match engine.store().client_is_known(client_id).await {
            Ok(true) => PollError::InvalidGrant,
            Ok(false) => PollError::InvalidClient,
            Err(error) => Internal::from(error).into(),
        }
    }

    /// The changes that make a device of an approved request, and the device.
    async fn connect(
        self,
        found: DeviceGrant,
        user: &User,
        trusted: bool,
        origin: &Origin,
    ) -> Result<(ChangeSet, Device), PollError> {
        let engine = self.0;
        let now = engine.now();
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
        let entry = Scribe::user(user, origin).entry_with(
            engine.entropy(),
            now,
            Action::DeviceConnected,
            device_target(&device),
            Some(details),
        );
        let changes = ChangeSet::new()
            .with(Change::UpdateGrant(spent))
            .with(change)
            .with(entry);
        Ok((changes, device))
    }

    /// A person looks at a request, by its id and user code. A wrong code counts. Whoever approved a request sees
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
        self.0.refused(refusal.by(Scribe::of(caller)));
    }

    /// A person lets a machine in, and says whether they trust it.
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
        self.decide(caller, id, code, &Decision::Approve { trusted })
            .await
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
        self.decide(caller, id, code, &Decision::Deny).await
    }

    async fn decide(
        self,
        caller: &Caller,
        id: GrantId,
        code: &UserCode,
        decision: &Decision,
    ) -> Result<DeviceGrant, ConfirmError> {
        let engine = self.0;
        let person = caller.user().ok_or(NotAllowed {
            action: "decide about machines",
        })?;
        // Before the code is looked at: who may not approve learns nothing about it. Denying only takes away.
        if matches!(decision, Decision::Approve { .. }) {
            engine.recent_person(caller, "approve a device")?;
        }
        let mut tries = Tries::new();
        loop {
            tries.next().await?;
            let found = engine.store().grant(id).await.map_err(Internal::from)?;
            let found = self
                .check_code(caller, found.ok_or(ConfirmError::NotFound)?, code)
                .await?;
            let now = engine.now();
            let refused = |error: grant::TransitionError| not_pending(error.from);
            let (decided, action, details) = match decision {
                Decision::Approve { trusted } => {
                    let known = engine
                        .store()
                        .device_of(found.client_id, person.id)
                        .await
                        .map_err(Internal::from)?;
                    if known.is_some_and(|device| device.state == DeviceState::Locked) {
                        return Err(ConfirmError::DeviceLocked);
                    }
                    let decided = grant::approve(found, person, *trusted, now).map_err(refused)?;
                    let details = facts_of(&decided).decided(Some(*trusted));
                    (decided, Action::DeviceApproved, Some(details))
                }
                Decision::Deny => {
                    let decided = grant::deny(found, now).map_err(refused)?;
                    let details = facts_of(&decided).decided(None);
                    (decided, Action::DeviceDenied, Some(details))
                }
            };
            let entry =
                Scribe::of(caller).entry_with(engine.entropy(), now, action, grant_target(&decided), details);
            let changes = ChangeSet::new()
                .with(Change::UpdateGrant(decided.clone()))
                .with(entry);
            // Otherwise a poll was noted, or somebody else decided.
            if engine.committed(changes).await? {
                return Ok(DeviceGrant {
                    version: decided.version.next(),
                    ..decided
                });
            }
        }
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
        let id = found.id;
        let mut found = found;
        let mut tries = Tries::new();
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
        loop {
            tries.next().await?;
            let now = engine.now();
            let most = engine.throttle.limits().user_code_attempts.max(1);
            let rejected = grant::reject_code(found, most, now).map_err(|error| not_pending(error.from))?;
            let ended = matches!(
                rejected.state,
                GrantState::Denied {
                    reason: DenialReason::TooManyAttempts,
                    ..
                }
            );
            let action = if ended {
                Action::DeviceDenied
            } else {
                Action::DeviceCodeRejected
            };
            let details = Details::WrongCode {
                attempt: rejected.failed_attempts,
                most,
                request: Some(facts_of(&rejected)),
            };
            let entry = Scribe::of(caller).entry_with(
                engine.entropy(),
                now,
                action,
                grant_target(&rejected),
                Some(details),
            );
            let changes = ChangeSet::new().with(Change::UpdateGrant(rejected)).with(entry);
            if engine.committed(changes).await? {
                return Err(if ended {
                    ConfirmError::TooManyWrongCodes
                } else {
                    ConfirmError::WrongCode
                });
            }
            let again = engine.store().grant(id).await.map_err(Internal::from)?;
            found = again.ok_or(ConfirmError::NotFound)?;
        }
    }
}

const fn not_pending(status: Status) -> ConfirmError {
    match status {
        Status::Expired => ConfirmError::Expired,
        Status::Pending | Status::Approved | Status::Denied | Status::Exchanged => ConfirmError::NotPending,
    }
}

fn host(traits: &DeviceTraits) -> &str {
    traits.hostname.as_ref().map_or("", Text::as_str)
}

fn grant_target(grant: &DeviceGrant) -> Target {
    target(TargetKind::DeviceGrant, grant.id.as_uuid(), host(&grant.traits))
}

pub(super) fn device_target(device: &Device) -> Target {
    target(TargetKind::Device, device.id.as_uuid(), host(&device.traits))
}
