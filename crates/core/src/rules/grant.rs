//! The device authorization grant (RFC 8628) as a state machine.
//!
//! ```text
//!              approve                exchange
//!   pending ───────────► approved ───────────────► exchanged
//!      │
//!      │ deny, or too many wrong user codes
//!      └──────────────► denied
//!
//!   pending, approved and denied ──(time passes)──► expired
//! ```

use std::time::Duration;

use zenml_auth_model::{
    ClientId, CodeMac, DenialReason, DeviceGrant, DeviceId, DeviceTraits, GrantId, GrantState, Polling,
    SecretHash, Timestamp, User, UserId, Version,
};

use crate::settings::Lifetimes;

/// How much a poll that comes too early adds to the interval (RFC 8628 §3.5).
pub const SLOW_DOWN: Duration = Duration::from_secs(5);

/// The longest interval. A poll that comes too early under it changes nothing any more, so that one request causes only so
/// many writes, however often it is polled.
pub const LONGEST_INTERVAL: Duration = Duration::from_secs(60);

/// Where a request stands at a given time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Nobody has decided yet.
    Pending,
    /// Approved; the token was not fetched yet.
    Approved,
    /// Turned away.
    Denied,
    /// The token was fetched.
    Exchanged,
    /// Nobody decided, or the token was not fetched, in time.
    Expired,
}

/// What can be tried on a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transition {
    /// A person approves the request.
    Approve,
    /// A person turns it away.
    Deny,
    /// Somebody typed a wrong user code.
    RejectCode,
    /// The machine fetches its token.
    Exchange,
}

/// A transition that the state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a request that is {from:?} can't take the step {attempted:?}")]
pub struct TransitionError {
    /// The state it was in.
    pub from: Status,
    /// What was tried.
    pub attempted: Transition,
}

/// What a new request consists of.
#[derive(Debug, Clone)]
pub struct Request {
    /// The request's id.
    pub id: GrantId,
    /// Who asks.
    pub client_id: ClientId,
    /// The hash of the device code.
    pub device_code: SecretHash,
    /// The MAC of the user code.
    pub user_code: CodeMac,
    /// What the machine says of itself.
    pub traits: DeviceTraits,
}

/// Begins a request.
#[must_use]
pub fn request(request: Request, lifetimes: &Lifetimes, now: Timestamp) -> DeviceGrant {
    DeviceGrant {
        id: request.id,
        client_id: request.client_id,
        device_code: request.device_code,
        user_code: request.user_code,
        traits: request.traits,
        polling: Polling {
            interval: lifetimes.polling_interval,
            last: None,
        },
        failed_attempts: 0,
        state: GrantState::Pending,
        created: now,
        updated: now,
        expires: now + lifetimes.device_grant,
        version: Version::FIRST,
    }
}

/// Where a request stands.
#[must_use]
pub fn status(grant: &DeviceGrant, now: Timestamp) -> Status {
    match grant.state {
        GrantState::Exchanged { .. } => Status::Exchanged,
        _ if now >= grant.expires => Status::Expired,
        GrantState::Pending => Status::Pending,
        GrantState::Approved { .. } => Status::Approved,
        GrantState::Denied { .. } => Status::Denied,
    }
}

fn expect(
    grant: &DeviceGrant,
    wanted: Status,
    attempted: Transition,
    now: Timestamp,
) -> Result<(), TransitionError> {
    let from = status(grant, now);
    if from == wanted {
        Ok(())
    } else {
        Err(TransitionError { from, attempted })
    }
}

/// A person approves the request.
///
/// # Errors
/// When the request is not pending.
pub fn approve(
    grant: DeviceGrant,
    by: &User,
    trusted: bool,
    now: Timestamp,
) -> Result<DeviceGrant, TransitionError> {
    expect(&grant, Status::Pending, Transition::Approve, now)?;
    let state = GrantState::Approved {
        by: by.id,
        credentials_gen: by.credentials_gen,
        trusted,
        at: now,
    };
    Ok(DeviceGrant {
        state,
        updated: now,
        ..grant
    })
}

/// A person turns the machine away.
///
/// # Errors
/// When the request is not pending.
pub fn deny(grant: DeviceGrant, now: Timestamp) -> Result<DeviceGrant, TransitionError> {
    expect(&grant, Status::Pending, Transition::Deny, now)?;
    Ok(DeviceGrant {
        state: GrantState::Denied {
            reason: DenialReason::ByUser,
            at: now,
        },
        updated: now,
        ..grant
    })
}

/// Somebody typed a wrong user code; the `max_attempts`th of them ends the request.
///
/// # Errors
/// When the request is not pending.
pub fn reject_code(
    grant: DeviceGrant,
    max_attempts: u32,
    now: Timestamp,
) -> Result<DeviceGrant, TransitionError> {
    expect(&grant, Status::Pending, Transition::RejectCode, now)?;
    let failed_attempts = grant.failed_attempts.saturating_add(1);
    let state = if failed_attempts >= max_attempts {
        GrantState::Denied {
            reason: DenialReason::TooManyAttempts,
            at: now,
        }
    } else {
        grant.state
    };
    Ok(DeviceGrant {
        failed_attempts,
        state,
        updated: now,
        ..grant
    })
}

/// What a poll comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Poll {
    /// `authorization_pending`; the poll has to be noted.
    Pending(DeviceGrant),
    /// `slow_down`; the poll and the longer interval have to be noted, unless the request is as it was.
    SlowDown(DeviceGrant),
    /// `access_denied`
    Denied(DenialReason),
    /// `expired_token`
    Expired,
    /// The device code was spent before.
    Spent,
    /// The machine may have its token now: see [`exchange`].
    Ready {
        /// Who let it in.
        by: UserId,
        /// Under which count of theirs; it has to be the same still.
        credentials_gen: u32,
        /// Whether they trust it.
        trusted: bool,
    },
}

/// The device asks whether it was approved. Its device code has to be checked before.
#[must_use]
pub fn poll(grant: DeviceGrant, now: Timestamp) -> Poll {
    match grant.state {
        GrantState::Exchanged { .. } => Poll::Spent,
        _ if now >= grant.expires => Poll::Expired,
        GrantState::Denied { reason, .. } => Poll::Denied(reason),
        GrantState::Approved {
            by,
            credentials_gen,
            trusted,
            ..
        } => Poll::Ready {
            by,
            credentials_gen,
            trusted,
        },
        GrantState::Pending => {
            let too_early = grant
                .polling
                .last
                .is_some_and(|last| now < last + grant.polling.interval);
            if too_early {
                let interval = grant.polling.interval.saturating_add(SLOW_DOWN);
                if interval > LONGEST_INTERVAL {
                    return Poll::SlowDown(grant);
                }
                Poll::SlowDown(DeviceGrant {
                    polling: Polling {
                        interval,
                        last: Some(now),
                    },
                    ..grant
                })
            } else {
                Poll::Pending(DeviceGrant {
                    polling: Polling {
                        last: Some(now),
                        ..grant.polling
                    },
                    ..grant
                })
            }
        }
    }
}

/// The machine fetches its token, as `device`. The device code is spent by it.
///
/// # Errors
/// When the request is not approved.
pub fn exchange(
    grant: DeviceGrant,
    device: DeviceId,
    now: Timestamp,
) -> Result<DeviceGrant, TransitionError> {
    expect(&grant, Status::Approved, Transition::Exchange, now)?;
    match grant.state {
        GrantState::Approved { by, .. } => Ok(DeviceGrant {
            state: GrantState::Exchanged { by, device, at: now },
            updated: now,
            ..grant
        }),
        GrantState::Pending | GrantState::Denied { .. } | GrantState::Exchanged { .. } => {
            Err(TransitionError {
                from: status(&grant, now),
                attempted: Transition::Exchange,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use zenml_auth_model::{Name, Text};

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const SECOND: Duration = Duration::from_secs(1);
    const MICRO: Duration = Duration::from_micros(1);

    fn ann() -> User {
        User {
            id: UserId::from_random([1; 16]),
            name: Name::new("ann").unwrap(),
            full_name: Text::default(),
            email: None,
            email_opted_in: None,
            active: true,
            is_admin: false,
            password: None,
            password_changed: None,
            invitation: None,
            credentials_gen: 5,
            metadata: None,
            default_project_id: None,
            avatar_url: None,
            created: NOW,
            updated: NOW,
            version: Version::FIRST,
        }
    }

    fn pending() -> DeviceGrant {
        let parts = Request {
            id: GrantId::from_random([2; 16]),
            client_id: ClientId::from_random([3; 16]),
            device_code: SecretHash::from_bytes([4; 32]),
            user_code: CodeMac::from_bytes([5; 32]),
            traits: DeviceTraits::default(),
        };
        request(parts, &Lifetimes::default(), NOW)
    }

    fn device() -> DeviceId {
        pending().id.into_device_id()
    }

    /// One of each, at a time at which none has expired.
    fn each() -> [(Status, DeviceGrant); 4] {
        let approved = approve(pending(), &ann(), true, NOW).unwrap();
        [
            (Status::Pending, pending()),
            (Status::Approved, approved.clone()),
            (Status::Denied, deny(pending(), NOW).unwrap()),
            (Status::Exchanged, exchange(approved, device(), NOW).unwrap()),
        ]
    }

    #[test]
    fn only_the_drawn_steps_can_be_taken() {
        for (from, grant) in each() {
            assert_eq!(status(&grant, NOW), from);
            let steps = [
                (
                    Transition::Approve,
                    approve(grant.clone(), &ann(), false, NOW).map(|_| ()),
                ),
                (Transition::Deny, deny(grant.clone(), NOW).map(|_| ())),
                (
                    Transition::RejectCode,
                    reject_code(grant.clone(), 3, NOW).map(|_| ()),
                ),
                (
                    Transition::Exchange,
                    exchange(grant.clone(), device(), NOW).map(|_| ()),
                ),
            ];
            for (attempted, taken) in steps {
                let drawn = match attempted {
                    Transition::Exchange => from == Status::Approved,
                    Transition::Approve | Transition::Deny | Transition::RejectCode => {
                        from == Status::Pending
                    }
                };
                let expected = if drawn {
                    Ok(())
                } else {
                    Err(TransitionError { from, attempted })
                };
                assert_eq!(taken, expected);
            }
        }
    }

    #[test]
    fn everything_but_an_exchange_expires() {
        for (from, grant) in each() {
            let last = grant.expires - MICRO;
            assert_eq!(status(&grant, last), from);
            let expected = if from == Status::Exchanged {
                from
            } else {
                Status::Expired
            };
            assert_eq!(status(&grant, grant.expires), expected);
        }
    }

    #[test]
    fn polls_are_answered_as_the_rfc_says() {
        let [(_, pending), (_, approved), (_, denied), (_, exchanged)] = each();
        assert!(matches!(poll(pending.clone(), NOW), Poll::Pending(_)));
        assert_eq!(
            poll(approved.clone(), NOW),
            Poll::Ready {
                by: ann().id,
                credentials_gen: 5,
                trusted: true
            }
        );
        assert_eq!(poll(denied.clone(), NOW), Poll::Denied(DenialReason::ByUser));
        assert_eq!(poll(exchanged.clone(), NOW), Poll::Spent);
        for grant in [pending, approved, denied] {
            let end = grant.expires;
            assert_eq!(poll(grant, end), Poll::Expired);
        }
        let end = exchanged.expires;
        assert_eq!(poll(exchanged, end), Poll::Spent);
    }

    #[test]
    fn early_polls_are_slowed_down_by_five_seconds_each() {
        let Poll::Pending(mut grant) = poll(pending(), NOW) else {
            panic!("the first poll is never early")
        };
        let mut now = NOW;
        for step in 1..=3_u32 {
            now = now + SECOND;
            let Poll::SlowDown(slowed) = poll(grant, now) else {
                panic!("poll {step} was early")
            };
            assert_eq!(slowed.polling.interval, Duration::from_secs(5) + SLOW_DOWN * step);
            grant = slowed;
        }
        let due = now + grant.polling.interval;
        assert!(matches!(poll(grant.clone(), due - MICRO), Poll::SlowDown(_)));
        let Poll::Pending(noted) = poll(grant, due) else {
            panic!("a poll in time is not early")
        };
        assert_eq!(
            noted.polling.interval,
            Duration::from_secs(20),
            "in time is no reason to speed up again"
        );
    }

    #[test]
    fn the_last_wrong_code_ends_it() {
        let one = reject_code(pending(), 3, NOW).unwrap();
        let two = reject_code(one, 3, NOW).unwrap();
        assert_eq!((two.failed_attempts, status(&two, NOW)), (2, Status::Pending));
        let three = reject_code(two, 3, NOW).unwrap();
        assert_eq!(
            poll(three.clone(), NOW),
            Poll::Denied(DenialReason::TooManyAttempts)
        );
        assert!(reject_code(three, 3, NOW).is_err());
    }
}
