//! Attempts at passwords: who waits, who is refused, and what is remembered of failures.
//!
//! An account has one count of failures for all networks that it is not known to use, and one for each network from which
//! it signed in during the last 30 days. So nobody who fails elsewhere keeps its owner out of a network that the owner uses.
//! The counts are in the store, where every replica sees them. Names that nobody has are treated alike in everything.

use std::net::IpAddr;
use std::time::Duration;

use zenml_auth_model::{SecretHash, Timestamp};

use super::{Engine, Internal};
use crate::ports::FamiliarNetwork;
use crate::rules::slow_down;
use crate::secrets;
use crate::throttle::{Attempt, Network, TooMany};

/// For how long a network from which an account signed in is known to be its owner's.
pub(super) const FAMILIAR_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How old the note of it may be before it is written again.
const NOTED_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// Longer names are nobody's; they are counted by their beginning.
const LONGEST_NAME: usize = 255;

/// Why an attempt may not be made now.
pub(super) enum Refused {
    TooMany(TooMany),
    Internal(Internal),
}

impl From<TooMany> for Refused {
    fn from(error: TooMany) -> Self {
        Self::TooMany(error)
    }
}

impl<E: Into<Internal>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Internal(error.into())
    }
}

/// An attempt at the password of an account. Nobody else makes one at the same count until it has ended.
pub(super) struct PasswordAttempt<'a> {
    engine: &'a Engine,
    attempt: Attempt<'a>,
    account: SecretHash,
    /// The account and the network it is made from.
    pair: Option<SecretHash>,
    /// When the account last signed in from this network.
    seen: Option<Timestamp>,
    failed_before: bool,
}

impl Engine {
    /// Waits until the attempts before this one have ended, and tells whether it may be made.
    pub(super) async fn attempt_password(
        &self,
        name: &str,
        from: Option<IpAddr>,
    ) -> Result<PasswordAttempt<'_>, Refused> {
        let name: String = name.chars().take(LONGEST_NAME).collect();
        let mac = |purpose, text: &str| secrets::mac(self.server_secret(), purpose, text);
        let account = mac("zenml-auth sign-in account", &name);
        let pair = from.map(|address| {
            mac(
                "zenml-auth sign-in network",
                &format!("{}\0{name}", Network::from(address)),
            )
        });
        let mut seen = None;
        if self.limits().enabled
            && let Some(pair) = &pair
        {
            let now = self.now();
            let noted = self.store().network_seen(pair).await?;
            seen = noted.filter(|seen| now < *seen + FAMILIAR_FOR);
        }
        let key = pair.filter(|_| seen.is_some()).unwrap_or(account);
        let clock = self.ports.clock.as_ref();
        let attempt = self.throttle.sign_in(&key, seen.is_some(), from, clock).await?;
        let mut made = PasswordAttempt {
            engine: self,
            attempt,
            account,
            pair,
            seen,
            failed_before: false,
        };
        if self.limits().enabled {
            let failures = match self.store().failures(&key).await {
                Ok(failures) => failures,
                Err(error) => {
                    made.came_to_nothing();
                    return Err(error.into());
                }
            };
            made.failed_before = failures.is_some();
            let now = self.now();
            let allowed = self.limits().sign_in_per_account;
            if let Some(wait) = failures.and_then(|failures| slow_down::wait(failures, allowed, now)) {
                made.came_to_nothing();
                return Err(self.throttle.refused(&key, wait, now).into());
            }
        }
        Ok(made)
    }
}

impl PasswordAttempt<'_> {
    fn key(&self) -> &SecretHash {
        match &self.pair {
            Some(pair) if self.seen.is_some() => pair,
            _ => &self.account,
        }
    }

    /// The password was wrong. That is noted before anybody learns of it.
    pub(super) async fn failed(self) -> Result<(), Internal> {
        let engine = self.engine;
        let now = engine.now();
        if engine.limits().enabled {
            let forgotten = now - slow_down::remembered(engine.limits().sign_in_per_account);
            engine.store().count_failure(self.key(), now, forgotten).await?;
        }
        self.attempt.failed(now);
        Ok(())
    }

    /// The password was right: the network is the owner's from now on, and what failed there before is forgotten. What
    /// failed from other networks is not: that were others. Where that can't be noted, the next attempt only waits longer.
    pub(super) async fn succeeded(self) {
        if let Err(error) = self.note_success().await {
            tracing::warn!(%error, "that a password was right was not noted for the next attempt");
        }
        self.attempt.passed();
    }

    async fn note_success(&self) -> Result<(), Internal> {
        let engine = self.engine;
        if !engine.limits().enabled {
            return Ok(());
        }
        let now = engine.now();
        if self.failed_before && (self.seen.is_some() || self.pair.is_none()) {
            engine.store().forget_failures(self.key()).await?;
        }
        if let Some(pair) = &self.pair
            && self.seen.is_none_or(|seen| now >= seen + NOTED_EVERY)
        {
            let network = FamiliarNetwork {
                id: *pair,
                account: self.account,
                seen: now,
            };
            engine.store().note_network(&network).await?;
        }
        Ok(())
    }

    /// It could not be made, through no fault of its caller.
    pub(super) fn came_to_nothing(self) {
        self.attempt.passed();
    }
}
