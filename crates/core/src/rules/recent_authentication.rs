//! What a credential may give rise to: a token never begets a stronger one.
//!
//! Approving or trusting a device, lifting a lock, changing a password and giving administrator rights need a person who
//! proved who they are a short while ago, with a factor of their own ([`recent_person`]). Making an account or a key that
//! stays needs at least a credential that a person approved, and not a token that was made for use by hand ([`may_leave`]).
//! Locking and deleting only take away, and ask for none of it.

use std::time::Duration;

use zenml_auth_model::Timestamp;

/// How a caller proved who they are, as far as it decides what they may give rise to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Proof {
    /// The operator, on the server's own machine.
    Operator,
    /// A person's own factor, at this time: the sign-in itself, on the pages or at the API.
    Factor(Timestamp),
    /// A credential that was handed to a program: the connection of a device, or a sign-in whose token does not say when
    /// it took place.
    Connection,
    /// An API key, or a token made from one.
    Key,
    /// A token that was made for use by hand, from whatever credential.
    Made,
}

/// Why a caller may not give rise to something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// The person signed in too long ago.
    #[error("the sign-in is too long ago")]
    TooLongAgo,
    /// The credential is that of a device.
    #[error("the connection of a device is not enough")]
    Connection,
    /// The credential is an API key.
    #[error("an API key is not enough")]
    Key,
    /// The token was made for use by hand.
    #[error("a token that was made for use by hand is not enough")]
    Made,
}

/// Goes on only for a person who proved who they are within the last `window`, and for the operator.
///
/// # Errors
/// [`Refusal`] says what is wrong with the credential.
pub fn recent_person(proof: Proof, now: Timestamp, window: Duration) -> Result<(), Refusal> {
    match proof {
        Proof::Operator => Ok(()),
        Proof::Factor(at) if now < at + window => Ok(()),
        Proof::Factor(_) => Err(Refusal::TooLongAgo),
        Proof::Connection => Err(Refusal::Connection),
        Proof::Key => Err(Refusal::Key),
        Proof::Made => Err(Refusal::Made),
    }
}

/// Goes on only for credentials that may make something that outlives them and is weaker than they are.
///
/// # Errors
/// [`Refusal`] says what is wrong with the credential.
pub const fn may_leave(proof: Proof) -> Result<(), Refusal> {
    match proof {
        Proof::Operator | Proof::Factor(_) | Proof::Connection => Ok(()),
        Proof::Key => Err(Refusal::Key),
        Proof::Made => Err(Refusal::Made),
    }
}

/// What a token proves. Only the token of the sign-in itself says when it took place (`authenticated`). A token that says that
/// it was made by hand was, and so was one that ends before its credential: earlier builds did not say so.
#[must_use]
pub fn of_token(
    authenticated: Option<Timestamp>,
    made_from: Option<uuid::Uuid>,
    ends: Timestamp,
    credential_ends: Timestamp,
) -> Proof {
    let is_made = made_from.is_some() || ends.as_secs() < credential_ends.as_secs();
    match authenticated {
        _ if is_made => Proof::Made,
        Some(at) => Proof::Factor(at),
        None => Proof::Connection,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    #[test]
    fn only_a_person_who_signed_in_recently_passes() {
        let micro = Duration::from_micros(1);
        for (proof, expected) in [
            (Proof::Operator, Ok(())),
            (Proof::Factor(NOW), Ok(())),
            (Proof::Factor(NOW - HOUR + micro), Ok(())),
            (Proof::Factor(NOW - HOUR), Err(Refusal::TooLongAgo)),
            (Proof::Connection, Err(Refusal::Connection)),
            (Proof::Key, Err(Refusal::Key)),
            (Proof::Made, Err(Refusal::Made)),
        ] {
            assert_eq!(recent_person(proof, NOW, HOUR), expected, "{proof:?}");
        }
    }

    #[test]
    fn what_was_made_by_hand_makes_nothing_that_stays() {
        for proof in [Proof::Operator, Proof::Factor(NOW - HOUR * 9), Proof::Connection] {
            assert_eq!(may_leave(proof), Ok(()));
        }
        assert_eq!(may_leave(Proof::Made), Err(Refusal::Made));
        assert_eq!(may_leave(Proof::Key), Err(Refusal::Key));
    }

    #[test]
    fn a_token_proves_no_more_than_it_says() {
        let (ends, parent) = (NOW + HOUR, Some(uuid::Uuid::nil()));
        let micro = Duration::from_micros(1);
        // A token's end is in whole seconds.
        assert_eq!(of_token(Some(NOW), None, ends, ends + micro), Proof::Factor(NOW));
        assert_eq!(of_token(None, None, ends, ends), Proof::Connection);
        for authenticated in [None, Some(NOW)] {
            assert_eq!(of_token(authenticated, parent, ends, ends), Proof::Made);
            let longer = ends + Duration::from_secs(1);
            assert_eq!(of_token(authenticated, None, ends, longer), Proof::Made);
        }
    }
}
