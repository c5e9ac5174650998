//! How many connections are served at the same time, and whose.
//!
//! Most places are for everybody. When they are taken, the idlest connection that never showed a good credential makes
//! room for a new one: the one whose client has kept the server waiting for longest, for a request, a body, or to take
//! an answer. If the server works on all of them, or if they only seem to wait for a moment each, a new connection gets a
//! place of the reserve, for a short time: it keeps it only if it shows a good credential. One address has no more than a share of either; proxies that are
//! trusted, and the machine itself, speak for many clients and have no share.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::idle_timeout::Activity;
use super::network::network_of;

/// The most connections unless told otherwise. What a connection may hold of the server's memory, times this, has to fit
/// where the server runs. What is idle is closed after seconds, so that many more clients can come.
pub const DEFAULT_MAX_CONNECTIONS: u32 = 512;
/// The fewest, where there is hardly any room.
const FEWEST: usize = 16;
/// Files for other things: the database's own, a lock, a socket for operators, the standard streams, what the system
/// needs to look up names, connections that are on their way out.
const OTHERS: u64 = 96;
/// The files that a connection to an embedded database holds: the database, its log and its index.
const PER_DATABASE_CONNECTION: u64 = 3;
/// Of how many places one is kept.
const RESERVE: usize = 8;
/// How many of them one address may have at the same time.
const RESERVE_PER_ADDRESS: usize = 4;
/// Of how many places one address may have one, unless told otherwise.
const SHARE: usize = 8;
/// How many connections are looked at to find the idlest.
const SAMPLE: usize = 64;
/// How many connections may be on their way out; each still has its file handle.
pub(super) const MAX_LEAVING: usize = 32;
/// How many of them may leave for others of their own address, so that no address stands in the way of all others.
const MAX_LEAVING_OF_SHARES: usize = MAX_LEAVING / 2;
/// For how long the server has to have waited for a stranger before their place is given to another one. A request that is
/// there already is read by then, also on a busy machine. A new connection waits no longer than this for such a place.
pub(super) const WAIT_WHEN_FULL: Duration = Duration::from_millis(250);

/// How many connections there may be.
#[derive(Debug, Clone)]
pub struct ConnectionLimits {
    total: usize,
    per_address: usize,
    without_share: Vec<IpNet>,
}

impl From<usize> for ConnectionLimits {
    fn from(total: usize) -> Self {
        let total = total.max(FEWEST);
        Self {
            total,
            per_address: (total / SHARE).max(FEWEST / 2),
            without_share: Vec::new(),
        }
    }
}

impl ConnectionLimits {
    /// As many as asked for, or as many as there are file handles for beside so many connections to the database. Each
    /// takes a handle, and the database must never be without: so this raises the process's own limit as far as it needs
    /// and may, and leaves some for others.
    #[must_use]
    pub fn within_open_files(wanted: u32, database_connections: u32) -> Self {
        let others = OTHERS + PER_DATABASE_CONNECTION * (u64::from(database_connections) + 1);
        let files = open_files(u64::from(wanted) + others);
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let possible = usize::try_from(files.saturating_sub(others)).unwrap_or(usize::MAX);
        if possible < wanted {
            tracing::warn!(
                connections = possible.max(FEWEST),
                files,
                "the limit on open files leaves room for few connections"
            );
        }
        Self::from(possible.min(wanted))
    }

    /// One address has at most so many.
    #[must_use]
    pub fn per_address(mut self, connections: Option<u32>) -> Self {
        if let Some(connections) = connections {
            self.per_address = usize::try_from(connections).unwrap_or(usize::MAX);
        }
        self
    }

    /// Addresses in these networks have no share, as they speak for many clients.
    #[must_use]
    pub fn without_share(mut self, networks: Vec<IpNet>) -> Self {
        self.without_share = networks;
        self
    }

    fn reserve(&self) -> usize {
        self.total / RESERVE
    }

    fn ordinary(&self) -> usize {
        self.total - self.reserve()
    }

    /// Whose connections are counted together with one from here.
    fn counted_as(&self, address: IpAddr) -> Option<IpAddr> {
        let address = address.to_canonical();
        let is_without = address.is_loopback()
            || self
                .without_share
                .iter()
                .any(|network| network.contains(&address));
        (!is_without).then(|| network_of(address))
    }
}

/// How many files may be open, after asking for so many.
#[cfg(unix)]
fn open_files(wanted: u64) -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let Some(current) = limit.current else {
        return u64::MAX;
    };
    let possible = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    if current >= possible {
        return current;
    }
    let raised = Rlimit {
        current: Some(possible),
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => possible,
        Err(error) => {
            tracing::debug!(%error, "can't raise the limit on open files");
            current
        }
    }
}

/// Handles are limited by memory alone here.
#[cfg(not(unix))]
const fn open_files(_wanted: u64) -> u64 {
    u64::MAX
}

/// What becomes of a new connection.
#[derive(Debug)]
pub(super) enum Admission {
    /// It is served.
    Admitted(Place),
    /// Its address has its share.
    OverShare,
    /// There is no place until another connection ends.
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ordinary,
    Reserved,
}

#[derive(Debug)]
struct Entry {
    activity: Arc<Activity>,
    client: Option<IpAddr>,
    kind: Kind,
}

#[derive(Debug, Default)]
struct Places {
    next: u64,
    /// By when they came.
    entries: BTreeMap<u64, Entry>,
    ordinary: usize,
    reserved: BTreeSet<u64>,
    /// Told to leave, and not gone yet.
    leaving: usize,
    by_client: HashMap<IpAddr, Own>,
    /// Where the last search for the idlest ended.
    cursor: u64,
    /// Since when new connections have found no ordinary place.
    full_since: Option<Instant>,
}

/// The connections of one client.
#[derive(Debug, Default)]
struct Own {
    kinds: BTreeMap<u64, Kind>,
    /// Where the last search for the idlest of them ended.
    cursor: u64,
}

impl Own {
    fn count(&self, kind: Kind) -> usize {
        self.kinds.values().filter(|it| **it == kind).count()
    }
}

/// Gives places to connections.
#[derive(Debug)]
pub(super) struct ConnectionLimit {
    limits: ConnectionLimits,
    places: Mutex<Places>,
    freed: Notify,
}

impl ConnectionLimit {
    pub(super) fn new(limits: ConnectionLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            places: Mutex::default(),
            freed: Notify::new(),
        })
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a connection has ended.
    pub(super) async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Finds a place for a connection from this address.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr, activity: &Arc<Activity>) -> Admission {
        let client = self.limits.counted_as(address);
        let mut places = self.places();
        places.settle(&self.limits);
        let kind = match places.kind_for_next(client, &self.limits) {
            Ok(kind) => kind,
            Err(refusal) => return refusal,
        };
        let id = places.add(activity.clone(), client, kind);
        Admission::Admitted(Place {
            limit: self.clone(),
            id,
            is_reserved: kind == Kind::Reserved,
        })
    }
}

impl Places {
    /// The connections of a client that has a share.
    fn own(&self, client: Option<IpAddr>) -> Option<&Own> {
        self.by_client.get(&client?)
    }

    /// Which kind of place the next connection of a client gets, or why none.
    fn kind_for_next(
        &mut self,
        client: Option<IpAddr>,
        limits: &ConnectionLimits,
    ) -> Result<Kind, Admission> {
        let own = self.own(client).map_or(0, |own| own.kinds.len());
        let is_over_share = own >= limits.per_address && !self.make_room_among(client);
        let room = if is_over_share {
            Room::None
        } else if self.ordinary < limits.ordinary() {
            Room::Made
        } else {
            self.make_room()
        };
        match room {
            Room::Made => {
                self.full_since = None;
                return Ok(Kind::Ordinary);
            }
            Room::Soon if !self.has_waited_enough() => return Err(Admission::Full),
            Room::Soon | Room::None => {}
        }
        let reserved = self.own(client).map_or(0, |own| own.count(Kind::Reserved));
        if reserved >= RESERVE_PER_ADDRESS || (is_over_share && self.reserved.len() >= limits.reserve()) {
            return Err(Admission::OverShare);
        }
        if self.reserved.len() >= limits.reserve() {
            return Err(Admission::Full);
        }
        Ok(Kind::Reserved)
    }

    /// Whether new connections have waited for an ordinary place for so long that they are not to wait any more. Clients
    /// that ask again and again would keep them waiting without end.
    fn has_waited_enough(&mut self) -> bool {
        self.full_since.get_or_insert_with(Instant::now).elapsed() >= WAIT_WHEN_FULL
    }

    fn add(&mut self, activity: Arc<Activity>, client: Option<IpAddr>, kind: Kind) -> u64 {
        let id = self.next;
        self.next += 1;
        self.insert(id, activity, client, kind);
        id
    }

    fn insert(&mut self, id: u64, activity: Arc<Activity>, client: Option<IpAddr>, kind: Kind) {
        match kind {
            Kind::Ordinary => self.ordinary += 1,
            Kind::Reserved => {
                self.reserved.insert(id);
            }
        }
        if let Some(client) = client {
            let own = self.by_client.entry(client).or_default();
            own.kinds.insert(id, kind);
        }
        let entry = Entry {
            activity,
            client,
            kind,
        };
        self.entries.insert(id, entry);
    }

    /// Takes a connection off the list, if it is there still.
    fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        match entry.kind {
            Kind::Ordinary => self.ordinary -= 1,
            Kind::Reserved => {
                self.reserved.remove(&id);
            }
        }
        if let Some(client) = entry.client
            && let Some(own) = self.by_client.get_mut(&client)
        {
            own.kinds.remove(&id);
            if own.kinds.is_empty() {
                self.by_client.remove(&client);
            }
        }
        Some(entry)
    }

    /// Tells the idlest of some strangers in ordinary places to leave.
    fn make_room(&mut self) -> Room {
        if self.leaving >= MAX_LEAVING {
            // They are gone in a moment.
            return Room::Soon;
        }
        let (idlest, cursor) = idlest(around(&self.entries, self.cursor));
        self.cursor = cursor;
        match idlest {
            None => Room::None,
            Some(idlest) if !idlest.had_its_time() => Room::Soon,
            Some(idlest) => {
                self.send_away(idlest);
                Room::Made
            }
        }
    }

    /// The same among the strangers of a client.
    fn make_room_among(&mut self, client: Option<IpAddr>) -> bool {
        let Some(own) = client.and_then(|client| self.by_client.get_mut(&client)) else {
            return false;
        };
        let entries = &self.entries;
        let of_client = around(&own.kinds, own.cursor).filter_map(|(id, _)| Some((id, entries.get(id)?)));
        let (idlest, cursor) = idlest(of_client);
        own.cursor = cursor;
        match idlest {
            Some(idlest) if idlest.had_its_time() && self.leaving < MAX_LEAVING_OF_SHARES => {
                self.send_away(idlest);
                true
            }
            _ => false,
        }
    }

    fn send_away(&mut self, idlest: Idle) {
        // Its place is free from now on; its own end finds nothing to free.
        if let Some(entry) = self.remove(idlest.id) {
            self.leaving += 1;
            entry.activity.ask_to_leave();
        }
    }

    /// Moves those who showed a good credential from the reserve to ordinary places, as far as there is room and their
    /// address has a share left.
    fn settle(&mut self, limits: &ConnectionLimits) {
        let is_proven = |id: &u64| self.entries.get(id).is_some_and(|it| it.activity.is_proven());
        let proven: Vec<u64> = self.reserved.iter().copied().filter(is_proven).collect();
        for id in proven {
            let client = self.entries.get(&id).and_then(|entry| entry.client);
            let own = self.own(client).map_or(0, |own| own.count(Kind::Ordinary));
            if own >= limits.per_address {
                continue;
            }
            if self.ordinary >= limits.ordinary() && self.make_room() != Room::Made {
                break;
            }
            if let Some(entry) = self.remove(id) {
                self.insert(id, entry.activity, entry.client, Kind::Ordinary);
            }
        }
    }
}

/// Some of those in a map, each time others.
fn around<V>(map: &BTreeMap<u64, V>, cursor: u64) -> impl Iterator<Item = (&u64, &V)> {
    map.range(cursor..).chain(map.range(..cursor)).take(SAMPLE)
}

/// The idlest of some connections, and where to look the next time.
fn idlest<'a>(connections: impl Iterator<Item = (&'a u64, &'a Entry)>) -> (Option<Idle>, u64) {
    connections.fold((None, 0), |(idlest, _), (id, entry)| {
        (idlest.max(idle(*id, entry)), id.wrapping_add(1))
    })
}

/// Whether there is room for another connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    /// There is.
    Made,
    /// In a moment, when a stranger has had the time to ask, or has left.
    Soon,
    /// Nobody can be sent away.
    None,
}

/// A connection that could leave, ordered by for how long it has been idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Idle {
    wait: Duration,
    id: u64,
}

impl Idle {
    /// Whether its client could have asked by now.
    fn had_its_time(&self) -> bool {
        self.wait >= WAIT_WHEN_FULL
    }
}

fn idle(id: u64, entry: &Entry) -> Option<Idle> {
    // Those in the reserve have a short time anyway.
    if entry.activity.is_proven() || entry.kind == Kind::Reserved {
        return None;
    }
    let wait = entry.activity.waits_for()?;
    Some(Idle { wait, id })
}

/// A connection's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    limit: Arc<ConnectionLimit>,
    id: u64,
    is_reserved: bool,
}

impl Place {
    /// Whether the connection has to show a good credential to keep it.
    pub(super) const fn is_reserved(&self) -> bool {
        self.is_reserved
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.limit.places();
        if places.remove(self.id).is_none() {
            places.leaving = places.leaving.saturating_sub(1);
        }
        drop(places);
        self.limit.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::idle_timeout::Stay;
    use super::*;

    struct Connected {
        activity: Arc<Activity>,
        place: Place,
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    /// 32 places: 28 for everybody, of which one address has 8, and 4 in reserve.
    fn limit() -> Arc<ConnectionLimit> {
        ConnectionLimit::new(ConnectionLimits::from(32).per_address(Some(8)))
    }

    fn try_connect(limit: &Arc<ConnectionLimit>, from: IpAddr) -> Result<Connected, Admission> {
        let activity = Arc::new(Activity::new());
        match limit.admit(from, &activity) {
            Admission::Admitted(place) => Ok(Connected { activity, place }),
            other => Err(other),
        }
    }

    fn connect(limit: &Arc<ConnectionLimit>, from: IpAddr) -> Connected {
        try_connect(limit, from).unwrap()
    }

    /// As many connections as there are ordinary places, which are busy all the time.
    fn busy(limit: &Arc<ConnectionLimit>) -> Vec<(Connected, super::super::idle_timeout::OpenRequest)> {
        (0..28)
            .map(|number| {
                let one = connect(limit, address(100 + number / 7));
                let request = one.activity.begin();
                (one, request)
            })
            .collect()
    }

    async fn was_sent_away(connected: &Connected) -> bool {
        tokio::time::timeout(Duration::ZERO, connected.activity.ends(Stay::Open))
            .await
            .is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_has_its_share() {
        let limit = limit();
        let mut own: Vec<_> = (0..8)
            .map(|_| {
                let one = connect(&limit, address(1));
                let request = one.activity.begin();
                (one, request)
            })
            .collect();
        assert!(own.iter().all(|(one, _)| !one.place.is_reserved()));
        // Four more may show who they are.
        let reserved: Vec<_> = (0..4).map(|_| connect(&limit, address(1))).collect();
        assert!(reserved.iter().all(|one| one.place.is_reserved()));
        assert!(matches!(
            try_connect(&limit, address(1)),
            Err(Admission::OverShare)
        ));
        assert!(!connect(&limit, address(2)).place.is_reserved());
        drop(reserved);
        // One that ended, or is idle, makes room for the next.
        own.pop();
        assert!(!connect(&limit, address(1)).place.is_reserved());
    }

    #[tokio::test(start_paused = true)]
    async fn a_64_counts_as_one_address_and_proxies_as_none() {
        let limits = ConnectionLimits::from(32).per_address(Some(2));
        let limit = ConnectionLimit::new(limits.without_share(vec!["10.0.0.0/8".parse().unwrap()]));
        let kept: Vec<_> = ["2001:db8::1", "2001:db8::2", "2001:db8::3"]
            .iter()
            .map(|text| {
                let one = connect(&limit, text.parse().unwrap());
                let request = one.activity.begin();
                (one.place.is_reserved(), one, request)
            })
            .collect();
        assert_eq!(
            kept.iter().map(|(reserved, ..)| *reserved).collect::<Vec<_>>(),
            [false, false, true]
        );
        for text in ["10.1.2.3", "::ffff:10.1.2.3", "127.0.0.1", "::1"] {
            let kept: Vec<_> = (0..5)
                .map(|_| connect(&limit, text.parse().unwrap()))
                .map(|one| (one.activity.begin(), one))
                .collect();
            assert!(kept.iter().all(|(_, one)| !one.place.is_reserved()), "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_idlest_stranger_makes_room() {
        let limit = limit();
        let mut all = Vec::new();
        for number in 0..28 {
            all.push(connect(&limit, address(100 + number / 7)));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // The first one signed in, the second one is being served, the third one was a moment ago, and the fourth one
        // has begun to send a body a moment ago.
        all[0].activity.prove();
        let request = all[1].activity.begin();
        drop(all[2].activity.begin());
        let sending = all[3].activity.begin();
        let body = all[3].activity.wait_for_body();
        let new = connect(&limit, address(1));
        assert!(!new.place.is_reserved());
        for (number, one) in all.iter().enumerate() {
            assert_eq!(was_sent_away(one).await, number == 4, "{number}");
        }
        drop((request, body, sending));
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_are_busy_there_is_a_reserve_for_those_who_show_a_credential() {
        let limit = limit();
        let mut all = busy(&limit);
        let known: Vec<_> = (1..=4).map(|last| connect(&limit, address(last))).collect();
        assert!(known.iter().all(|one| one.place.is_reserved()));
        assert!(matches!(try_connect(&limit, address(5)), Err(Admission::Full)));
        // Those who did are moved as soon as there is room, and the reserve is free again.
        for one in &known {
            one.activity.prove();
        }
        assert!(matches!(try_connect(&limit, address(5)), Err(Admission::Full)));
        all.truncate(25);
        let new: Vec<_> = (5..=8)
            .map_while(|last| try_connect(&limit, address(last)).ok())
            .collect();
        assert_eq!(new.len(), 3, "three were moved, and three came in their place");
        assert!(new.iter().all(|one| one.place.is_reserved()));
        let places = limit.places();
        assert_eq!((places.ordinary, places.reserved.len()), (28, 4));
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_have_a_moment_to_ask_before_their_place_is_needed() {
        let limit = limit();
        let all: Vec<_> = (0..28)
            .map(|number| connect(&limit, address(100 + number / 7)))
            .collect();
        let early = try_connect(&limit, address(1));
        assert!(
            matches!(early, Err(Admission::Full)),
            "nor does it get the reserve"
        );
        tokio::time::advance(WAIT_WHEN_FULL - Duration::from_millis(1)).await;
        assert!(try_connect(&limit, address(1)).is_err());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!connect(&limit, address(1)).place.is_reserved());
        drop(all);
    }

    /// A connection of this address that showed a good credential.
    fn connect_proven(limit: &Arc<ConnectionLimit>, from: IpAddr) -> Connected {
        let one = connect(limit, from);
        one.activity.prove();
        one
    }

    #[tokio::test(start_paused = true)]
    async fn good_credentials_do_not_get_an_address_more_than_its_share() {
        let limit = limit();
        let others: Vec<_> = (0..20)
            .map(|number| connect(&limit, address(100 + number / 7)))
            .collect();
        tokio::time::advance(WAIT_WHEN_FULL * 2).await;
        let own: Vec<_> = (0..12).map(|_| connect_proven(&limit, address(1))).collect();
        for _ in 0..3 {
            assert!(matches!(
                try_connect(&limit, address(1)),
                Err(Admission::OverShare)
            ));
        }
        assert!(!connect(&limit, address(2)).place.is_reserved());
        {
            let places = limit.places();
            let counted = &places.by_client[&address(1)];
            assert_eq!(counted.count(Kind::Ordinary), 8);
            assert_eq!(counted.count(Kind::Reserved), RESERVE_PER_ADDRESS);
        }
        let mut stayed = 0;
        for one in &others {
            stayed += usize::from(!was_sent_away(one).await);
        }
        assert_eq!(stayed, 19, "one made room for a stranger, none for them");
        // When one of them ends, another one has its place.
        let mut own = own;
        own.truncate(11);
        own.remove(0);
        assert!(connect_proven(&limit, address(1)).place.is_reserved());
        assert_eq!(limit.places().by_client[&address(1)].count(Kind::Ordinary), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_do_not_leave_do_not_keep_others_from_the_reserve() {
        let limit = ConnectionLimit::new(ConnectionLimits::from(320));
        let mut all = Vec::new();
        // Told to leave, and still there.
        for number in 0..312 {
            all.push(connect(&limit, address(u8::try_from(number / 10).unwrap())));
            tokio::time::advance(WAIT_WHEN_FULL / 8).await;
        }
        assert_eq!(limit.places().leaving, MAX_LEAVING);
        assert!(matches!(try_connect(&limit, address(200)), Err(Admission::Full)));
        tokio::time::advance(WAIT_WHEN_FULL).await;
        assert!(connect(&limit, address(200)).place.is_reserved());
        assert_eq!(limit.places().leaving, MAX_LEAVING);
        drop(all);
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_ask_all_the_time_do_not_keep_others_from_the_reserve() {
        let limit = limit();
        let all: Vec<_> = (0..28)
            .map(|number| connect(&limit, address(100 + number / 7)))
            .collect();
        for _ in 0..5 {
            for one in &all {
                drop(one.activity.begin());
            }
            assert!(matches!(try_connect(&limit, address(1)), Err(Admission::Full)));
            tokio::time::advance(WAIT_WHEN_FULL / 5).await;
        }
        for one in &all {
            drop(one.activity.begin());
        }
        let first = connect(&limit, address(1));
        assert!(first.place.is_reserved());
        // The line moves on: the next one has waited, too.
        let second = connect(&limit, address(2));
        assert!(second.place.is_reserved());
        // As soon as a place is free it is for strangers again, who have a moment to wait for one.
        drop(all);
        assert!(!connect(&limit, address(3)).place.is_reserved());
        assert!(limit.places().full_since.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_with_its_share_keeps_what_is_on_its_way() {
        let limit = limit();
        let own: Vec<_> = (0..8).map(|_| connect(&limit, address(1))).collect();
        assert!(connect(&limit, address(1)).place.is_reserved());
        tokio::time::advance(WAIT_WHEN_FULL).await;
        drop(own[0].activity.begin());
        assert!(!connect(&limit, address(1)).place.is_reserved());
        assert!(!was_sent_away(&own[0]).await);
        let mut gone = 0;
        for one in &own {
            gone += usize::from(was_sent_away(one).await);
        }
        assert_eq!(gone, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_with_a_large_share_finds_each_of_its_idle_connections() {
        let limit = ConnectionLimit::new(ConnectionLimits::from(1000).per_address(Some(200)));
        let own: Vec<_> = (0..200)
            .map(|number| {
                let one = connect(&limit, address(1));
                if number < 190 {
                    one.activity.prove();
                }
                one
            })
            .collect();
        tokio::time::advance(WAIT_WHEN_FULL).await;
        let new: Vec<_> = (0..4).map(|_| connect(&limit, address(1))).collect();
        assert!(
            new.iter().any(|one| !one.place.is_reserved()),
            "all that it has are looked at in turn"
        );
        drop(own);
    }

    #[tokio::test(start_paused = true)]
    async fn no_address_keeps_others_from_making_room() {
        let limit = ConnectionLimit::new(ConnectionLimits::from(512).per_address(Some(64)));
        let mut all = Vec::new();
        for _ in 0..4 {
            all.extend((0..64).filter_map(|_| try_connect(&limit, address(1)).ok()));
            tokio::time::advance(WAIT_WHEN_FULL).await;
        }
        assert_eq!(limit.places().leaving, MAX_LEAVING_OF_SHARES);
        drop(all);
        assert_eq!(limit.places().leaving, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn places_are_given_back_once() {
        let limit = limit();
        for _ in 0..3 {
            let mut all = Vec::new();
            for number in 0..60 {
                all.push(connect(&limit, address(number)));
                tokio::time::advance(WAIT_WHEN_FULL / 8).await;
            }
            assert!(all.iter().all(|one| !one.place.is_reserved()));
            drop(all);
            let places = limit.places();
            assert_eq!(
                (places.ordinary, places.reserved.len(), places.leaving),
                (0, 0, 0)
            );
            assert!(places.entries.is_empty() && places.by_client.is_empty());
        }
    }

    #[test]
    fn an_address_has_an_eighth_of_the_connections_and_eight_at_least() {
        for (total, share) in [(512, 64), (100, 12), (64, 8), (16, 8), (0, 8)] {
            assert_eq!(ConnectionLimits::from(total).per_address, share, "{total}");
        }
        let told = ConnectionLimits::from(512).per_address(Some(20));
        assert_eq!(told.per_address, 20);
    }

    #[test]
    fn the_database_always_has_files() {
        let limits = ConnectionLimits::within_open_files(u32::MAX, 10);
        assert!(limits.total >= FEWEST);
        assert_eq!(ConnectionLimits::from(0).total, FEWEST);
    }
}
