//! The revocation epoch of a store that sees every commit itself.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::ports::{Epoch, IdentityRef, Revocations, Revoked};

/// How many epochs back it can be told what was revoked.
const REMEMBERED: usize = 4_096;

/// The epoch as a number in memory, for a store that nobody else commits to: reading it costs nothing.
///
/// The store calls [`EpochLog::revoke`] after a commit and before it acknowledges it.
#[derive(Debug)]
pub struct EpochLog {
    epoch: AtomicU64,
    recent: Mutex<VecDeque<(Epoch, Vec<IdentityRef>)>>,
}

impl Default for EpochLog {
    fn default() -> Self {
        Self {
            epoch: AtomicU64::new(Epoch::FIRST.get()),
            recent: Mutex::default(),
        }
    }
}

impl EpochLog {
    /// The epoch now.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        Epoch::new(self.epoch.load(Ordering::SeqCst))
    }

    /// Moves the epoch on, if anything was revoked.
    pub fn revoke(&self, what: Vec<IdentityRef>) {
        if what.is_empty() {
            return;
        }
        let mut recent = self.recent.lock();
        let epoch = self.epoch().next();
        recent.push_back((epoch, what));
        if recent.len() > REMEMBERED {
            recent.pop_front();
        }
        // Last, so that a reader of the epoch finds what it is about.
        self.epoch.store(epoch.get(), Ordering::SeqCst);
    }

    /// What was revoked since.
    #[must_use]
    pub fn since(&self, since: Epoch) -> Revocations {
        let recent = self.recent.lock();
        let epoch = self.epoch();
        let complete = since >= epoch || recent.front().is_some_and(|(oldest, _)| *oldest <= since.next());
        let what = if complete && since != Epoch::UNKNOWN {
            let later = recent.iter().rev().take_while(|(at, _)| *at > since);
            Revoked::These(later.flat_map(|(_, what)| what.iter().copied()).collect())
        } else {
            Revoked::Any
        };
        Revocations { epoch, what }
    }
}

#[cfg(test)]
mod tests {
    use zenml_auth_model::UserId;

    use super::*;

    fn user(number: u8) -> IdentityRef {
        IdentityRef::User(UserId::from_random([number; 16]))
    }

    #[test]
    fn it_tells_what_was_revoked_since() {
        let log = EpochLog::default();
        assert_eq!(log.epoch(), Epoch::FIRST);
        log.revoke(Vec::new());
        assert_eq!(log.epoch(), Epoch::FIRST, "nothing was revoked");
        log.revoke(vec![user(1)]);
        let second = log.epoch();
        log.revoke(vec![user(2), user(3)]);
        let since = |epoch| match log.since(epoch) {
            Revocations {
                epoch,
                what: Revoked::These(what),
            } if epoch == log.epoch() => Some(what.len()),
            _ => None,
        };
        assert_eq!(since(Epoch::FIRST), Some(3));
        assert_eq!(since(second), Some(2));
        assert_eq!(since(log.epoch()), Some(0));
        assert_eq!(log.since(Epoch::UNKNOWN).what, Revoked::Any);
    }

    #[test]
    fn what_was_forgotten_can_be_anything() {
        let log = EpochLog::default();
        for _ in 0..=REMEMBERED {
            log.revoke(vec![user(1)]);
        }
        assert_eq!(log.since(Epoch::FIRST).what, Revoked::Any);
        let oldest_known = Epoch::FIRST.next();
        assert_ne!(log.since(oldest_known).what, Revoked::Any);
    }
}
