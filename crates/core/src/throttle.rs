//! Limits on guessing and flooding.
//!
//! The limit is taken **before** an attempt and given back when it succeeds, so that a hundred guesses at once
//! count as a hundred, and success never counts against anyone.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use zenml_auth_model::{ApiKeyId, Timestamp, UserId};

use crate::settings::{Limits, Rate};

/// The most counters kept at a time; beyond it, the ones that matter least are forgotten first.
const MAX_COUNTERS: usize = 100_000;
/// How long an address from which an account signed in is known to be its owner's.
const FAMILIAR_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The network somebody comes from: an IPv4 address, or the /64 that an IPv6 subscriber has to himself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(IpAddr::V4(v4)),
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Self(IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)))
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Counter {
    SignInAccount(String),
    /// For an address from which the account signed in before: a stranger who uses up the account's own counter
    /// can't lock its owner out.
    SignInFamiliar(String, Network),
    SignInAddress(Network),
    /// Per address too: nobody guesses a key, and a stranger who knows its id must not be able to block it.
    ApiKey(ApiKeyId, Option<Network>),
    ApiKeyAddress(Network),
    UserCodePerson(UserId),
    UserCodeAddress(Network),
    DeviceAuthorization(Network),
}

/// Too many attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts; try again in {} seconds", .retry_after.as_secs().max(1))]
pub struct TooMany {
    /// When the next attempt will be let through.
    pub retry_after: Duration,
}

/// An attempt that was let through. It counts unless it is given back.
#[derive(Debug)]
#[must_use = "an attempt counts against somebody unless it is given back"]
pub struct Attempt {
    taken: Vec<(Counter, Rate)>,
    familiar: Option<(String, Network)>,
}

#[derive(Debug, Default)]
struct State {
    /// The theoretical arrival time of the generic cell rate algorithm: the later, the more was used.
    used_until: HashMap<Counter, Timestamp>,
    familiar: HashMap<(String, Network), Timestamp>,
}

/// Counts attempts, in memory.
#[derive(Debug)]
pub struct Throttle {
    limits: Limits,
    state: Mutex<State>,
}

impl Throttle {
    /// Nothing was attempted yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: Mutex::default(),
        }
    }

    /// Somebody is about to sign in to an account.
    ///
    /// # Errors
    /// [`TooMany`] when too many sign-ins failed for the account or from the address.
    pub fn sign_in(&self, account: &str, from: Option<IpAddr>, now: Timestamp) -> Result<Attempt, TooMany> {
        let account = account.chars().take(255).collect::<String>();
        let network = from.map(Network::from);
        let familiar = network.map(|network| (account.clone(), network));
        let is_familiar = familiar.as_ref().is_some_and(|pair| {
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state
                .familiar
                .get(pair)
                .is_some_and(|since| now < *since + FAMILIAR_FOR)
        });
        let own = match (is_familiar, network) {
            (true, Some(network)) => Counter::SignInFamiliar(account, network),
            _ => Counter::SignInAccount(account),
        };
        let mut counters = vec![(own, self.limits.sign_in_per_account)];
        counters.extend(network.map(|n| (Counter::SignInAddress(n), self.limits.sign_in_per_address)));
        self.take(counters, now)
            .map(|attempt| Attempt { familiar, ..attempt })
    }

    /// A workload is about to exchange an API key for a token.
    ///
    /// # Errors
    /// [`TooMany`] when too many values of the key were wrong, or too many keys, from this address.
    pub fn api_key(&self, key: ApiKeyId, from: Option<IpAddr>, now: Timestamp) -> Result<Attempt, TooMany> {
        let network = from.map(Network::from);
        let mut counters = vec![(Counter::ApiKey(key, network), self.limits.sign_in_per_account)];
        counters.extend(network.map(|n| (Counter::ApiKeyAddress(n), self.limits.sign_in_per_address)));
        self.take(counters, now)
    }

    /// A person is about to try a user code.
    ///
    /// # Errors
    /// [`TooMany`] when too many codes of this person or from the address were wrong.
    pub fn user_code(
        &self,
        person: UserId,
        from: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Attempt, TooMany> {
        let mut counters = vec![(Counter::UserCodePerson(person), self.limits.user_code_per_person)];
        counters.extend(from.map(|address| {
            (
                Counter::UserCodeAddress(address.into()),
                self.limits.user_code_per_address,
            )
        }));
        self.take(counters, now)
    }

    /// A machine is about to ask to be let in.
    ///
    /// # Errors
    /// [`TooMany`] when too many requests came from the address.
    pub fn device_authorization(&self, from: Option<IpAddr>, now: Timestamp) -> Result<Attempt, TooMany> {
        let rate = self.limits.device_authorization_per_address;
        self.take(
            from.map(|address| (Counter::DeviceAuthorization(address.into()), rate))
                .into_iter()
                .collect(),
            now,
        )
    }

    /// The attempt succeeded: it counts against nobody, and the address is known to be its owner's from now on.
    pub fn succeeded(&self, mut attempt: Attempt, now: Timestamp) {
        let familiar = attempt.familiar.take();
        self.give_back(attempt);
        if let Some(pair) = familiar.filter(|_| self.limits.enabled) {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            make_room(&mut state.familiar, |since| now < *since + FAMILIAR_FOR);
            state.familiar.insert(pair, now);
        }
    }

    /// The attempt came to nothing, through no fault of whoever made it: it counts against nobody.
    pub fn give_back(&self, attempt: Attempt) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for (counter, rate) in attempt.taken {
            if let Some(used_until) = state.used_until.get_mut(&counter) {
                *used_until = *used_until - emission(rate);
            }
        }
    }

    fn take(&self, counters: Vec<(Counter, Rate)>, now: Timestamp) -> Result<Attempt, TooMany> {
        if !self.limits.enabled {
            return Ok(Attempt {
                taken: Vec::new(),
                familiar: None,
            });
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut waits = Duration::ZERO;
        for (counter, rate) in &counters {
            let used_until = match state.used_until.get_mut(counter) {
                Some(counted) => {
                    // Nothing can have used up more than there is: what says so was counted before the clock went back.
                    *counted = (*counted).clamp(now, now + rate.per);
                    *counted
                }
                None => now,
            };
            let allowed_from = (used_until + emission(*rate)) - rate.per;
            waits = waits.max(allowed_from.since(now));
        }
        if waits > Duration::ZERO {
            return Err(TooMany { retry_after: waits });
        }
        make_room(&mut state.used_until, |used_until| now < *used_until);
        for (counter, rate) in &counters {
            let used_until = state.used_until.entry(counter.clone()).or_insert(now);
            *used_until = (*used_until).max(now) + emission(*rate);
        }
        Ok(Attempt {
            taken: counters,
            familiar: None,
        })
    }
}

/// What one attempt uses up.
fn emission(rate: Rate) -> Duration {
    rate.per / rate.burst.max(1)
}

/// Keeps a map from growing without end: forgets what has no effect any more, and if that is not enough, the half
/// that has the least.
fn make_room<K, V: Ord + Copy>(map: &mut HashMap<K, V>, matters: impl Fn(&V) -> bool) {
    if map.len() >= MAX_COUNTERS {
        map.retain(|_, value| matters(value));
        if map.len() >= MAX_COUNTERS {
            let mut values: Vec<V> = map.values().copied().collect();
            let middle = values.len() / 2;
            let (_, median, _) = values.select_nth_unstable(middle);
            let median = *median;
            let mut places = middle;
            map.retain(|_, value| {
                // Of many alike, only so many can stay.
                let stays = *value > median || (*value == median && places > 0);
                places = places.saturating_sub(usize::from(stays));
                stays
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

    fn throttle() -> Throttle {
        Throttle::new(Limits::default())
    }

    #[test]
    fn ten_failures_and_no_more() {
        let throttle = throttle();
        for _ in 0..10 {
            let _failed = throttle.sign_in("ann", Some(HERE), NOW).unwrap();
        }
        let refused = throttle.sign_in("ann", Some(HERE), NOW).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_secs(90));
        assert!(
            throttle.sign_in("ann", Some(THERE), NOW).is_err(),
            "another address does not help"
        );
        assert!(
            throttle.sign_in("bob", Some(HERE), NOW).is_ok(),
            "another account is not concerned"
        );
        assert!(
            throttle
                .sign_in("ann", Some(HERE), NOW + refused.retry_after)
                .is_ok()
        );
    }

    #[test]
    fn a_clock_that_goes_back_locks_nobody_out() {
        let throttle = throttle();
        let ahead = NOW + Duration::from_secs(24 * 60 * 60);
        while throttle.device_authorization(Some(HERE), ahead).is_ok() {}
        let refused = throttle.device_authorization(Some(HERE), NOW).unwrap_err();
        let rate = Limits::default().device_authorization_per_address;
        assert!(refused.retry_after <= emission(rate), "{refused:?}");
        let later = NOW + refused.retry_after;
        assert!(throttle.device_authorization(Some(HERE), later).is_ok());
    }

    #[test]
    fn success_never_counts() {
        let throttle = throttle();
        for _ in 0..1000 {
            let attempt = throttle.sign_in("ann", Some(HERE), NOW).unwrap();
            throttle.succeeded(attempt, NOW);
        }
    }

    #[test]
    fn strangers_do_not_lock_the_owner_out() {
        let throttle = throttle();
        let attempt = throttle.sign_in("ann", Some(HERE), NOW).unwrap();
        throttle.succeeded(attempt, NOW);
        while throttle.sign_in("ann", Some(THERE), NOW).is_ok() {}
        assert!(throttle.sign_in("ann", Some(HERE), NOW).is_ok());
    }

    #[test]
    fn a_broken_workload_blocks_itself_only() {
        let throttle = throttle();
        let (broken, healthy) = (ApiKeyId::from_random([1; 16]), ApiKeyId::from_random([2; 16]));
        while throttle.api_key(broken, Some(HERE), NOW).is_ok() {}
        assert!(throttle.api_key(healthy, Some(HERE), NOW).is_ok());
        assert!(throttle.api_key(broken, Some(THERE), NOW).is_ok());
        assert!(throttle.sign_in("ann", Some(HERE), NOW).is_ok());
    }

    #[test]
    fn an_ipv6_subscriber_is_one_network() {
        let network = |text: &str| Network::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = throttle();
        for number in 0..(MAX_COUNTERS + 10) {
            let _failed = throttle.sign_in(&number.to_string(), None, NOW).unwrap();
        }
        assert!(throttle.state.lock().unwrap().used_until.len() <= MAX_COUNTERS);
    }

    #[test]
    fn a_flood_does_not_wash_a_full_counter_away() {
        let throttle = throttle();
        while throttle.sign_in("ann", None, NOW).is_ok() {}
        for number in 0..(2 * MAX_COUNTERS) {
            let _failed = throttle.sign_in(&number.to_string(), None, NOW).unwrap();
        }
        assert!(throttle.sign_in("ann", None, NOW).is_err());
    }

    #[test]
    fn off_means_off() {
        let throttle = Throttle::new(Limits {
            enabled: false,
            ..Limits::default()
        });
        for _ in 0..1000 {
            let _failed = throttle.sign_in("ann", Some(HERE), NOW).unwrap();
        }
    }

    proptest! {
        /// However attempts are spread over time, no window of `per` ever lets more than twice the burst through,
        /// and waiting as long as told always helps.
        #[test]
        fn the_rate_holds(gaps in proptest::collection::vec(0_u64..200, 1..200)) {
            let throttle = throttle();
            let mut now = NOW;
            let mut let_through = Vec::new();
            for gap in gaps {
                now = now + Duration::from_secs(gap);
                match throttle.sign_in("ann", None, now) {
                    Ok(_) => let_through.push(now),
                    Err(refused) => {
                        prop_assert!(refused.retry_after > Duration::ZERO);
                        prop_assert!(refused.retry_after <= Duration::from_secs(90));
                    }
                }
            }
            let per = Duration::from_secs(15 * 60);
            for (index, start) in let_through.iter().enumerate() {
                let within = let_through[index..].iter().filter(|time| time.since(*start) < per).count();
                prop_assert!(within <= 20, "{within} in one window");
            }
        }
    }
}
