//! Limits on guessing and flooding, counted in the memory of one process.
//!
//! **Only failures count.** An attempt that is under way holds a place in the counters that it would be charged to.
//! When all places that are left are held, the next attempt waits for one of them to end; it is refused only when that
//! many have really failed. So a hundred guesses at once count as a hundred, and right credentials count against nobody,
//! however many come at once.
//!
//! Secrets of 256 bits can't be guessed, so they are checked first, and only wrong ones are looked at here.
//!
//! How often each account failed is kept in the store, where all replicas see it: see
//! [`rules::slow_down`](crate::rules::slow_down).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;
use zenml_auth_model::{ApiKeyId, SecretHash, Timestamp, UserId};

use crate::ports::Clock;
use crate::settings::{Limits, Rate};

/// The most counters of networks kept at a time. Beyond it, networks that are not known yet share one counter; none that
/// matters is forgotten.
const MAX_COUNTERS: usize = 100_000;
/// How many times as much as one network a /48 may do: it is one customer's, or a few thousand homes'.
const NETWORKS_OF_A_SITE: u32 = 8;
/// How many attempts may wait for the same counter. More are refused for a moment.
const MAX_WAITING: u32 = 128;
/// For how long they are refused.
const MOMENT: Duration = Duration::from_secs(1);
/// How many passwords from unfamiliar networks are checked or wait to be checked at the same time: half of the queue for
/// hashing, so that the other half is left to those who are known.
const STRANGERS_AT_ONCE: u32 = 32;
/// How often one machine may poll with its code before its polls are answered without asking the store.
const POLLS: Rate = Rate {
    burst: 30,
    per: Duration::from_secs(60),
};

/// The network a request comes from: an IPv4 address, or the /64 of an IPv6 address, which one subscriber has alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network(IpAddr);

impl Network {
    /// The network that this one is a part of and that most likely has one owner: the /48 of an IPv6 address.
    fn site(self) -> Option<Self> {
        match self.0 {
            IpAddr::V4(_) => None,
            IpAddr::V6(v6) => {
                let [a, b, c, ..] = v6.segments();
                Some(Self(IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))))
            }
        }
    }

    /// The largest network around it that most likely has one owner.
    pub(crate) fn owner(self) -> Self {
        self.site().unwrap_or(self)
    }

    /// Its first address.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        self.0
    }
}

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

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(f, "{address}"),
            IpAddr::V6(address) => write!(f, "{address}/64"),
        }
    }
}

/// Whose attempts a counter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Scope {
    Network(Network),
    Site(Network),
    Everyone,
    /// All networks together that came when there was no room for counters of their own.
    Crowd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Counter {
    /// Attempts at one password, which are made one after the other: the account from unfamiliar networks, or from one
    /// familiar network.
    Turn([u8; 32]),
    SignIn(Scope),
    ApiKey(ApiKeyId, Option<Network>),
    WrongSecret(Scope),
    UserCodePerson(UserId),
    UserCode(Scope),
    DeviceAuthorization(Scope),
    WrongDeviceCode(Scope),
    Poll([u8; 32], Option<Network>),
}

impl Counter {
    /// The counter to use when there is no room for this one.
    const fn in_a_crowd(self) -> Self {
        const fn crowd(scope: Scope) -> Scope {
            match scope {
                Scope::Network(_) | Scope::Site(_) | Scope::Crowd => Scope::Crowd,
                Scope::Everyone => Scope::Everyone,
            }
        }
        match self {
            Self::SignIn(scope) => Self::SignIn(crowd(scope)),
            Self::WrongSecret(scope) => Self::WrongSecret(crowd(scope)),
            Self::UserCode(scope) => Self::UserCode(crowd(scope)),
            Self::DeviceAuthorization(scope) => Self::DeviceAuthorization(crowd(scope)),
            Self::WrongDeviceCode(scope) => Self::WrongDeviceCode(crowd(scope)),
            Self::ApiKey(..) => Self::WrongSecret(Scope::Crowd),
            // As many as there are requests under way, people who signed in, and requests of machines.
            own @ (Self::Turn(_) | Self::UserCodePerson(_) | Self::Poll(..)) => own,
        }
    }
}

/// A counter, and how much it allows.
#[derive(Debug, Clone, Copy)]
struct Limit {
    counter: Counter,
    /// Failures, unless only those under way are limited.
    rate: Option<Rate>,
    /// Attempts under way.
    at_once: u32,
}

impl Limit {
    const fn rate(counter: Counter, rate: Rate) -> Self {
        Self {
            counter,
            rate: Some(rate),
            at_once: u32::MAX,
        }
    }
}

/// Too many attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts; try again in {} seconds", .retry_after.as_secs().max(1))]
pub struct TooMany {
    /// When the next attempt will be let through.
    pub retry_after: Duration,
    /// Whether it is the first refusal by this limit in a while. An audit trail that tells of refusals tells of the first
    /// one only, or it could be flooded.
    pub first: bool,
}

/// An attempt under way. When it is dropped without a word, because its caller went away, it counts as a failure.
#[derive(Debug)]
#[must_use = "an attempt that is dropped counts as a failure"]
pub struct Attempt<'a> {
    throttle: &'a Throttle,
    limits: Vec<Limit>,
    now: Timestamp,
}

impl Attempt<'_> {
    /// It failed: it counts.
    pub fn failed(mut self, now: Timestamp) {
        self.now = now;
    }

    /// It succeeded, or came to nothing through no fault of its caller: it counts against nobody.
    pub fn passed(mut self) {
        let limits = std::mem::take(&mut self.limits);
        self.throttle.leave(&limits, None);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.throttle.leave(&self.limits, Some(self.now));
    }
}

#[derive(Debug)]
struct Count {
    /// The theoretical arrival time of the generic cell rate algorithm: the later, the more was used.
    used_until: Timestamp,
    under_way: u32,
    waiting: u32,
    /// Until when refusals are no news.
    told_until: Timestamp,
    freed: Arc<Notify>,
}

impl Count {
    fn new(now: Timestamp) -> Self {
        Self {
            used_until: now,
            under_way: 0,
            waiting: 0,
            told_until: now,
            freed: Arc::default(),
        }
    }

    fn matters(&self, now: Timestamp) -> bool {
        self.under_way > 0 || self.waiting > 0 || now < self.used_until || now < self.told_until
    }

    /// How many attempts may fail from now on, or how long to wait for one.
    fn room(&mut self, rate: Rate, now: Timestamp) -> Result<u32, Duration> {
        // Nothing can have used up more than there is: what says so was counted before the clock went back.
        self.used_until = self.used_until.clamp(now, now + rate.per);
        let left = rate.per.saturating_sub(self.used_until.since(now));
        let one = emission(rate);
        let room = left.as_micros() / one.as_micros().max(1);
        if room == 0 {
            Err(one.saturating_sub(left).max(Duration::from_micros(1)))
        } else {
            Ok(u32::try_from(room).unwrap_or(u32::MAX))
        }
    }

    /// Whether a refusal is news.
    fn tell(&mut self, quiet: Duration, now: Timestamp) -> bool {
        let first = now >= self.told_until;
        if first {
            self.told_until = now + quiet;
        }
        first
    }
}

#[derive(Debug, Default)]
struct State {
    counts: HashMap<Counter, Count>,
    /// When what does not matter any more was last looked for.
    swept: Option<Timestamp>,
}

enum Entered {
    Yes(Vec<Limit>),
    Refused(TooMany),
    /// Not yet: this one has no place free.
    Busy(Counter, Arc<Notify>),
}

impl State {
    fn count(&mut self, counter: Counter, now: Timestamp) -> &mut Count {
        self.counts.entry(counter).or_insert_with(|| Count::new(now))
    }

    /// The counters to use for these limits.
    fn resolve(&mut self, limits: Vec<Limit>, now: Timestamp) -> Vec<Limit> {
        let missing = |state: &Self| {
            limits
                .iter()
                .any(|limit| !state.counts.contains_key(&limit.counter))
        };
        if self.counts.len() < MAX_COUNTERS || !missing(self) {
            return limits;
        }
        // Looking through all of them is work: not more often than once a second.
        if self
            .swept
            .is_none_or(|swept| now >= swept + MOMENT || now < swept)
        {
            self.swept = Some(now);
            self.counts.retain(|_, count| count.matters(now));
            if self.counts.len() < MAX_COUNTERS {
                return limits;
            }
        }
        limits
            .into_iter()
            .map(|limit| match limit.counter {
                known if self.counts.contains_key(&known) => limit,
                unknown => Limit {
                    counter: unknown.in_a_crowd(),
                    rate: limit.rate.map(site_rate),
                    ..limit
                },
            })
            .collect()
    }

    fn room(&mut self, limits: &[Limit], now: Timestamp) -> Result<(), TooMany> {
        let mut refused: Option<(Counter, Rate, Duration)> = None;
        for limit in limits {
            let Some(rate) = limit.rate else { continue };
            if let Err(wait) = self.count(limit.counter, now).room(rate, now)
                && refused.is_none_or(|(_, _, longest)| wait > longest)
            {
                refused = Some((limit.counter, rate, wait));
            }
        }
        match refused {
            None => Ok(()),
            Some((counter, rate, retry_after)) => Err(TooMany {
                retry_after,
                first: self.count(counter, now).tell(rate.per, now),
            }),
        }
    }

    /// Turns are for those under way and those who wait. Without any, there is nothing to keep.
    fn end_turn(&mut self, counter: Counter) {
        let over = |count: &Count| {
            count.under_way == 0 && count.waiting == 0 && count.told_until <= count.used_until
        };
        if matches!(counter, Counter::Turn(_)) && self.counts.get(&counter).is_some_and(over) {
            self.counts.remove(&counter);
        }
    }

    fn enter(&mut self, limits: &[Limit], now: Timestamp) -> Entered {
        let limits = self.resolve(limits.to_vec(), now);
        if let Err(refused) = self.room(&limits, now) {
            return Entered::Refused(refused);
        }
        for limit in &limits {
            let count = self.count(limit.counter, now);
            let room = limit
                .rate
                .map_or(u32::MAX, |rate| count.room(rate, now).unwrap_or(0));
            if count.under_way < room.min(limit.at_once) {
                continue;
            }
            if count.waiting >= MAX_WAITING {
                return Entered::Refused(TooMany {
                    retry_after: MOMENT,
                    first: false,
                });
            }
            count.waiting += 1;
            return Entered::Busy(limit.counter, Arc::clone(&count.freed));
        }
        for limit in &limits {
            self.count(limit.counter, now).under_way += 1;
        }
        Entered::Yes(limits)
    }
}

/// Counts attempts, in memory.
#[derive(Debug)]
pub struct Throttle {
    limits: RwLock<Limits>,
    state: Mutex<State>,
}

/// Somebody who waits. No more, once dropped.
struct Waiting<'a>(&'a Throttle, Counter);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        if let Some(count) = state.counts.get_mut(&self.1) {
            count.waiting = count.waiting.saturating_sub(1);
        }
        state.end_turn(self.1);
    }
}

impl Throttle {
    /// Nothing was attempted yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits: RwLock::new(limits),
            state: Mutex::default(),
        }
    }

    /// What is allowed at the moment.
    #[must_use]
    pub fn limits(&self) -> Limits {
        *self.limits.read()
    }

    /// Allows something else from now on. What was counted stays counted.
    pub fn set_limits(&self, limits: Limits) {
        *self.limits.write() = limits;
    }

    /// Waits for the attempts at the same password that came before. From a `familiar` network, failures from anywhere
    /// else are no reason to refuse; from any other, there are limits for the network and for all of them together.
    ///
    /// # Errors
    /// [`TooMany`] when too many sign-ins failed from the network, or too many wait.
    pub(crate) async fn sign_in(
        &self,
        turn: &SecretHash,
        familiar: bool,
        from: Option<IpAddr>,
        clock: &dyn Clock,
    ) -> Result<Attempt<'_>, TooMany> {
        let mut limits = vec![Limit {
            counter: Counter::Turn(*turn.as_bytes()),
            rate: None,
            at_once: 1,
        }];
        if !familiar {
            limits.extend(self.scoped(Counter::SignIn, from, self.limits().sign_in_per_address));
            limits.push(Limit {
                at_once: STRANGERS_AT_ONCE,
                ..Limit::rate(Counter::SignIn(Scope::Everyone), self.limits().sign_in_total)
            });
        }
        self.enter(limits, clock).await
    }

    /// A refusal for a reason that is counted elsewhere, under the same key as the turns; whether it is news is known here.
    pub(crate) fn refused(&self, turn: &SecretHash, retry_after: Duration, now: Timestamp) -> TooMany {
        let mut state = self.state.lock();
        let count = state.count(Counter::Turn(*turn.as_bytes()), now);
        TooMany {
            retry_after,
            first: count.tell(self.limits().sign_in_per_account.per, now),
        }
    }

    /// The value of an API key was wrong, or there is no such key. The right value is never asked about here, so that
    /// whatever fails behind the same address can't keep it out.
    ///
    /// # Errors
    /// [`TooMany`] when too many values of the key, or too many keys, were wrong.
    pub(crate) fn wrong_api_key(
        &self,
        key: ApiKeyId,
        from: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), TooMany> {
        let key = Counter::ApiKey(key, from.map(Network::from));
        let mut limits = vec![Limit::rate(key, self.limits().sign_in_per_account)];
        limits.extend(self.scoped(Counter::WrongSecret, from, self.limits().sign_in_per_address));
        self.take(limits, now)
    }

    /// Another secret of 256 bits was wrong, such as an activation token.
    ///
    /// # Errors
    /// [`TooMany`] when too many were, from this network.
    pub(crate) fn wrong_secret(&self, from: Option<IpAddr>, now: Timestamp) -> Result<(), TooMany> {
        let limits = self.scoped(Counter::WrongSecret, from, self.limits().sign_in_per_address);
        self.take(limits.collect(), now)
    }

    /// A person is about to try a user code.
    ///
    /// # Errors
    /// [`TooMany`] when too many codes of this person or from the network were wrong.
    pub(crate) async fn user_code(
        &self,
        person: UserId,
        from: Option<IpAddr>,
        clock: &dyn Clock,
    ) -> Result<Attempt<'_>, TooMany> {
        let person = Counter::UserCodePerson(person);
        let mut limits = vec![Limit::rate(person, self.limits().user_code_per_person)];
        limits.extend(self.scoped(Counter::UserCode, from, self.limits().user_code_per_address));
        self.enter(limits, clock).await
    }

    /// A machine asks to be connected. That always counts.
    ///
    /// # Errors
    /// [`TooMany`] when too many requests came from the network.
    pub(crate) fn device_authorization(&self, from: Option<IpAddr>, now: Timestamp) -> Result<(), TooMany> {
        let rate = self.limits().device_authorization_per_address;
        self.take(
            self.scoped(Counter::DeviceAuthorization, from, rate).collect(),
            now,
        )
    }

    /// And it was not connected before, as far as is known.
    ///
    /// # Errors
    /// [`TooMany`] when too many requests came from all networks together.
    pub(crate) fn device_authorization_of_all(&self, now: Timestamp) -> Result<(), TooMany> {
        let everyone = Counter::DeviceAuthorization(Scope::Everyone);
        let limit = Limit::rate(everyone, self.limits().device_authorization_total);
        self.take(vec![limit], now)
    }

    /// A device code was wrong.
    ///
    /// # Errors
    /// [`TooMany`] when too many were, from this network.
    pub(crate) fn wrong_device_code(&self, from: Option<IpAddr>, now: Timestamp) -> Result<(), TooMany> {
        let rate = self.limits().device_authorization_per_address;
        self.take(self.scoped(Counter::WrongDeviceCode, from, rate).collect(), now)
    }

    /// Counts a poll with a code that is right.
    pub(crate) fn polled(&self, code: &SecretHash, from: Option<IpAddr>, now: Timestamp) {
        if !self.limits().enabled {
            return;
        }
        let counter = Counter::Poll(*code.as_bytes(), from.map(Network::from));
        let mut state = self.state.lock();
        // At most as many as there are open requests, and each for a minute.
        if state.counts.len() >= MAX_COUNTERS && !state.counts.contains_key(&counter) {
            state.resolve(vec![Limit::rate(counter, POLLS)], now);
        }
        let count = state.count(counter, now);
        if count.room(POLLS, now).is_ok() {
            count.used_until = count.used_until + emission(POLLS);
        }
    }

    /// Whether a code was [polled](Self::polled) with so often of late that nothing new can be learned. Of codes that
    /// are not known to be right it tells nothing.
    pub(crate) fn polls_too_often(&self, code: &SecretHash, from: Option<IpAddr>, now: Timestamp) -> bool {
        let counter = Counter::Poll(*code.as_bytes(), from.map(Network::from));
        let mut state = self.state.lock();
        let count = state.counts.get_mut(&counter);
        count.is_some_and(|count| count.room(POLLS, now).is_err())
    }

    /// The limits of a network, and of the /48 it is in.
    fn scoped(
        &self,
        counter: fn(Scope) -> Counter,
        from: Option<IpAddr>,
        rate: Rate,
    ) -> impl Iterator<Item = Limit> + use<> {
        let network = from.map(Network::from);
        let site = network.and_then(Network::site);
        let own = network.map(|network| Limit::rate(counter(Scope::Network(network)), rate));
        let site = site.map(|site| Limit::rate(counter(Scope::Site(site)), site_rate(rate)));
        own.into_iter().chain(site)
    }

    async fn enter(&self, limits: Vec<Limit>, clock: &dyn Clock) -> Result<Attempt<'_>, TooMany> {
        if !self.limits().enabled {
            return Ok(self.attempt(Vec::new(), clock.now()));
        }
        loop {
            let now = clock.now();
            let freed;
            let waiting;
            let is_freed;
            {
                let mut state = self.state.lock();
                match state.enter(&limits, now) {
                    Entered::Yes(limits) => return Ok(self.attempt(limits, now)),
                    Entered::Refused(refused) => return Err(refused),
                    Entered::Busy(counter, notify) => {
                        freed = notify;
                        waiting = Waiting(self, counter);
                        // While the state is locked, so that nothing is missed that ends from now on.
                        is_freed = freed.notified();
                    }
                }
            }
            is_freed.await;
            drop(waiting);
        }
    }

    const fn attempt(&self, limits: Vec<Limit>, now: Timestamp) -> Attempt<'_> {
        Attempt {
            throttle: self,
            limits,
            now,
        }
    }

    /// An attempt has ended; if it failed, at this time.
    fn leave(&self, limits: &[Limit], failed: Option<Timestamp>) {
        if limits.is_empty() {
            return;
        }
        let mut state = self.state.lock();
        for limit in limits {
            let Some(count) = state.counts.get_mut(&limit.counter) else {
                continue;
            };
            count.under_way = count.under_way.saturating_sub(1);
            if let (Some(rate), Some(now)) = (limit.rate, failed) {
                count.used_until = count.used_until.max(now) + emission(rate);
            }
            count.freed.notify_waiters();
            state.end_turn(limit.counter);
        }
    }

    /// Counts something at once, if there is room for it in all of the counters.
    fn take(&self, limits: Vec<Limit>, now: Timestamp) -> Result<(), TooMany> {
        if !self.limits().enabled {
            return Ok(());
        }
        let mut state = self.state.lock();
        let limits = state.resolve(limits, now);
        state.room(&limits, now)?;
        for limit in limits {
            if let Some(rate) = limit.rate {
                let count = state.count(limit.counter, now);
                count.used_until = count.used_until.max(now) + emission(rate);
            }
        }
        Ok(())
    }
}

/// What one attempt uses up.
fn emission(rate: Rate) -> Duration {
    rate.per / rate.burst.max(1)
}

/// What a /48 may do when a network may do this.
const fn site_rate(rate: Rate) -> Rate {
    Rate {
        burst: rate.burst.saturating_mul(NETWORKS_OF_A_SITE),
        per: rate.per,
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

    /// A clock that stands still.
    struct At(Timestamp);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            self.0
        }
    }

    fn throttle() -> Throttle {
        Throttle::new(Limits::default())
    }

    fn turn(number: u32) -> SecretHash {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        SecretHash::from_bytes(bytes)
    }

    fn v6(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    type Entering<'a> = Pin<Box<dyn Future<Output = Result<Attempt<'a>, TooMany>> + 'a>>;

    /// Goes on as far as it can without waiting.
    fn poll<'a>(entering: &mut Entering<'a>) -> Option<Result<Attempt<'a>, TooMany>> {
        match entering.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(entered) => Some(entered),
            Poll::Pending => None,
        }
    }

    /// What comes of an attempt of somebody whom nobody keeps waiting.
    fn sign_in(
        throttle: &Throttle,
        number: u32,
        from: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Attempt<'_>, TooMany> {
        let (turn, clock) = (turn(number), At(now));
        let entering = std::pin::pin!(throttle.sign_in(&turn, false, from, &clock));
        match entering.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(entered) => entered,
            Poll::Pending => panic!("somebody is in the way"),
        }
    }

    #[test]
    fn fifty_failures_of_an_address_and_no_more() {
        let throttle = throttle();
        for number in 0..50 {
            sign_in(&throttle, number, Some(HERE), NOW).unwrap().failed(NOW);
        }
        let refused = sign_in(&throttle, 50, Some(HERE), NOW).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_secs(18));
        assert!(refused.first);
        assert!(!sign_in(&throttle, 50, Some(HERE), NOW).unwrap_err().first);
        sign_in(&throttle, 50, Some(THERE), NOW).unwrap().passed();
        let later = NOW + refused.retry_after;
        sign_in(&throttle, 50, Some(HERE), later).unwrap().failed(later);
        assert!(sign_in(&throttle, 51, Some(HERE), later).is_err());
    }

    #[test]
    fn success_never_counts() {
        let throttle = throttle();
        for _ in 0..1000 {
            sign_in(&throttle, 0, Some(HERE), NOW).unwrap().passed();
        }
        assert!(
            throttle
                .state
                .lock()
                .counts
                .values()
                .all(|count| !count.matters(NOW))
        );
    }

    #[test]
    fn an_attempt_that_is_dropped_counts() {
        let throttle = throttle();
        for number in 0..50 {
            drop(sign_in(&throttle, number, Some(HERE), NOW).unwrap());
        }
        assert!(sign_in(&throttle, 50, Some(HERE), NOW).is_err());
    }

    #[test]
    fn one_attempt_at_a_password_waits_for_the_other() {
        let (throttle, clock, turn) = (throttle(), At(NOW), turn(1));
        let enter = || -> Entering<'_> { Box::pin(throttle.sign_in(&turn, false, Some(HERE), &clock)) };
        let (mut first, mut second, mut third) = (enter(), enter(), enter());
        let attempt = poll(&mut first).unwrap().unwrap();
        assert!(poll(&mut second).is_none() && poll(&mut third).is_none());
        // Who goes away holds nobody up.
        drop(second);
        attempt.passed();
        poll(&mut third).unwrap().unwrap().passed();
        drop((first, third));
        assert!(
            throttle
                .state
                .lock()
                .counts
                .keys()
                .all(|counter| !matches!(counter, Counter::Turn(_)))
        );
    }

    /// Tries a code that is wrong.
    fn wrong_code(throttle: &Throttle, person: u8, from: IpAddr) -> Result<(), TooMany> {
        let (person, clock) = (UserId::from_random([person; 16]), At(NOW));
        let entering = std::pin::pin!(throttle.user_code(person, Some(from), &clock));
        match entering.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(entered) => entered.map(|attempt| attempt.failed(NOW)),
            Poll::Pending => panic!("somebody is in the way"),
        }
    }

    #[test]
    fn ten_wrong_user_codes_of_a_person_and_fifty_from_an_address() {
        let throttle = throttle();
        for number in 0..50 {
            // Each person has ten of their own.
            wrong_code(&throttle, number / 10, HERE).unwrap();
        }
        let refused = wrong_code(&throttle, 5, HERE).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_secs(18));
        wrong_code(&throttle, 5, THERE).unwrap();
        // Who has used up their own is refused wherever they are.
        let refused = wrong_code(&throttle, 0, THERE).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_secs(90));
    }

    #[test]
    fn only_so_many_wait() {
        let (throttle, clock, turn) = (throttle(), At(NOW), turn(1));
        let mut waiting: Vec<Entering<'_>> = (0..=MAX_WAITING)
            .map(|_| -> Entering<'_> { Box::pin(throttle.sign_in(&turn, true, None, &clock)) })
            .collect();
        let attempt = poll(&mut waiting[0]).unwrap().unwrap();
        for entering in &mut waiting[1..] {
            assert!(poll(entering).is_none());
        }
        let mut late: Entering<'_> = Box::pin(throttle.sign_in(&turn, true, None, &clock));
        assert_eq!(poll(&mut late).unwrap().unwrap_err().retry_after, MOMENT);
        attempt.passed();
    }

    #[test]
    fn strangers_leave_room_for_those_who_are_known() {
        let (throttle, clock) = (throttle(), At(NOW));
        let turns: Vec<_> = (0..200).map(turn).collect();
        let mut strangers: Vec<Entering<'_>> = turns[..100]
            .iter()
            .map(|turn| -> Entering<'_> { Box::pin(throttle.sign_in(turn, false, None, &clock)) })
            .collect();
        let under_way: Vec<_> = strangers.iter_mut().filter_map(poll).collect();
        assert_eq!(under_way.len(), 32);
        for turn in &turns[100..] {
            let mut known: Entering<'_> = Box::pin(throttle.sign_in(turn, true, None, &clock));
            poll(&mut known).unwrap().unwrap().passed();
        }
    }

    #[test]
    fn all_strangers_together_have_a_limit_and_those_who_are_known_do_not_notice() {
        let throttle = throttle();
        for number in 0..1000_u32 {
            let from = IpAddr::V4(std::net::Ipv4Addr::from(number));
            sign_in(&throttle, number, Some(from), NOW).unwrap().failed(NOW);
        }
        assert!(sign_in(&throttle, 1000, Some(HERE), NOW).is_err());
        let (clock, turn) = (At(NOW), turn(1));
        let mut known: Entering<'_> = Box::pin(throttle.sign_in(&turn, true, Some(HERE), &clock));
        poll(&mut known).unwrap().unwrap().passed();
    }

    #[test]
    fn an_ipv6_subscriber_is_one_network_and_a_48_is_eight() {
        let network = |text: &str| Network::from(v6(text));
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_eq!(network("2001:db8:1:2::1").to_string(), "2001:db8:1:2::/64");

        let throttle = throttle();
        let mut taken = 0;
        for subnet in 0..20 {
            let from = Some(v6(&format!("2001:db8:1:{subnet:x}::1")));
            while throttle.device_authorization(from, NOW).is_ok() {
                taken += 1;
            }
        }
        assert_eq!(taken, 8 * 60);
        let elsewhere = Some(v6("2001:db8:2::1"));
        assert!(throttle.device_authorization(elsewhere, NOW).is_ok());
    }

    #[test]
    fn a_broken_workload_uses_up_its_own_count_first() {
        let throttle = throttle();
        let broken = ApiKeyId::from_random([1; 16]);
        let mut wrong = 0;
        while throttle.wrong_api_key(broken, Some(HERE), NOW).is_ok() {
            wrong += 1;
        }
        assert_eq!(wrong, 10);
        assert!(
            throttle
                .wrong_api_key(ApiKeyId::from_random([2; 16]), Some(HERE), NOW)
                .is_ok()
        );
        assert!(throttle.wrong_api_key(broken, Some(THERE), NOW).is_ok());
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

    /// A flood from more networks than there are counters.
    fn flooded() -> Throttle {
        let throttle = throttle();
        while throttle.wrong_device_code(Some(HERE), NOW).is_ok() {}
        for number in 0..u32::try_from(2 * MAX_COUNTERS).unwrap() {
            let from = Some(IpAddr::V4(std::net::Ipv4Addr::from(number)));
            let _refused_once_it_is_a_crowd = throttle.wrong_device_code(from, NOW);
        }
        throttle
    }

    #[test]
    fn memory_is_bounded_and_a_flood_washes_nothing_away() {
        let throttle = flooded();
        // One more for each kind that has a crowd.
        assert!(throttle.state.lock().counts.len() <= MAX_COUNTERS + 8);
        assert!(
            throttle.wrong_device_code(Some(HERE), NOW).is_err(),
            "its own counter is there"
        );
        assert!(
            throttle.wrong_device_code(Some(THERE), NOW).is_err(),
            "it is one of the crowd"
        );
        let later = NOW + Duration::from_secs(2 * 60);
        assert!(throttle.wrong_device_code(Some(THERE), later).is_ok());
        assert!(
            throttle.state.lock().counts.len() < 10,
            "what does not matter any more is gone"
        );
    }

    #[test]
    fn off_means_off() {
        let throttle = Throttle::new(Limits {
            enabled: false,
            ..Limits::default()
        });
        for _ in 0..1000 {
            sign_in(&throttle, 0, Some(HERE), NOW).unwrap().failed(NOW);
            throttle.device_authorization(Some(HERE), NOW).unwrap();
            throttle.device_authorization_of_all(NOW).unwrap();
        }
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Enter,
        Pass(usize),
        Fail(usize),
        Drop(usize),
        GiveUp(usize),
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => Just(Step::Enter),
            2 => any::<usize>().prop_map(Step::Pass),
            3 => any::<usize>().prop_map(Step::Fail),
            1 => any::<usize>().prop_map(Step::Drop),
            1 => any::<usize>().prop_map(Step::GiveUp),
            1 => (0_u64..300).prop_map(Step::Wait),
        ]
    }

    fn pick<T>(from: &mut Vec<T>, index: usize) -> Option<T> {
        (!from.is_empty()).then(|| from.swap_remove(index % from.len()))
    }

    /// A clock that is moved while others hold it.
    #[derive(Default)]
    struct Moving(std::sync::atomic::AtomicU64);

    impl Moving {
        fn advance(&self, seconds: u64) {
            self.0.fetch_add(seconds, std::sync::atomic::Ordering::Relaxed);
        }
    }

    impl Clock for Moving {
        fn now(&self) -> Timestamp {
            NOW + Duration::from_secs(self.0.load(std::sync::atomic::Ordering::Relaxed))
        }
    }

    proptest! {
        /// Whatever attempts at once from one address come to, in whatever order: no more fail within a window than are
        /// allowed in two, and nobody is refused as long as fewer have failed, however many are under way.
        #[test]
        fn the_rate_holds_for_failures_and_failures_only(steps in proptest::collection::vec(step(), 1..200)) {
            let clock = Moving::default();
            let per = Duration::from_secs(15 * 60);
            let throttle = Throttle::new(Limits {
                sign_in_per_address: Rate { burst: 8, per },
                ..Limits::default()
            });
            let turns: Vec<_> = (0..200).map(turn).collect();
            let mut next = turns.iter();
            let mut waiting: Vec<Entering<'_>> = Vec::new();
            let mut under_way = Vec::new();
            // When each failure counts from at the earliest, and at the latest.
            let mut failed: Vec<(Timestamp, Timestamp)> = Vec::new();
            for step in steps {
                let now = clock.now();
                match step {
                    Step::Enter => {
                        let turn = next.next().unwrap();
                        waiting.push(Box::pin(throttle.sign_in(turn, false, Some(HERE), &clock)));
                    }
                    Step::Pass(index) => if let Some((_, attempt)) = pick(&mut under_way, index) {
                        Attempt::passed(attempt);
                    },
                    Step::Fail(index) => if let Some((_, attempt)) = pick(&mut under_way, index) {
                        Attempt::failed(attempt, now);
                        failed.push((now, now));
                    },
                    // Nobody says when that was: it counts from when it began, or from the latest failure since.
                    Step::Drop(index) => if let Some((began, attempt)) = pick(&mut under_way, index) {
                        drop(attempt);
                        failed.push((began, now));
                    },
                    Step::GiveUp(index) => drop(pick(&mut waiting, index)),
                    Step::Wait(seconds) => clock.advance(seconds),
                }
                let now = clock.now();
                let lately = failed.iter().filter(|(at, _)| now.since(*at) < per).count();
                let told = failed.iter().filter(|(_, at)| now.since(*at) < per).count();
                prop_assert!(lately <= 16, "{lately} failures in one window");
                let mut still = Vec::new();
                for mut entering in std::mem::take(&mut waiting) {
                    match poll(&mut entering) {
                        None => still.push(entering),
                        Some(Ok(attempt)) => under_way.push((now, attempt)),
                        Some(Err(refused)) => {
                            prop_assert!(told >= 8, "refused after {told} failures");
                            prop_assert!(refused.retry_after <= per / 8);
                        }
                    }
                }
                prop_assert!(still.is_empty() || !under_way.is_empty(), "somebody waits for nobody");
                waiting = still;
                prop_assert!(under_way.len() <= 16 - lately.min(16));
            }
        }
    }
}
