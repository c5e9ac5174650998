//! Requests of machines, counted instead of audited one by one: anybody may make them, and as many as the limits allow. What
//! is known of a request that somebody decided on is in the entry of the decision.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use parking_lot::Mutex;
use zenml_auth_model::audit::RequestFacts;
use zenml_auth_model::{Action, Details, DeviceGrant, Origin, Timestamp};

use super::Engine;
use crate::audit_target;
use crate::audit_writer::AuditWriter;
use crate::ports::Change;
use crate::throttle::Network;

/// How long requests are counted before the counts are written down.
const WRITTEN_EVERY: Duration = Duration::from_secs(60 * 60);
/// How many networks are counted apart. The others are counted together.
const NETWORKS: usize = 20;

/// Requests of one network, or of several.
#[derive(Debug, Clone, Copy)]
struct Counted {
    all: u64,
    refused: u64,
    first: Timestamp,
    last: Timestamp,
}

impl Counted {
    const fn none(now: Timestamp) -> Self {
        Self {
            all: 0,
            refused: 0,
            first: now,
            last: now,
        }
    }

    fn add(&mut self, other: Self) {
        self.all = self.all.saturating_add(other.all);
        self.refused = self.refused.saturating_add(other.refused);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }

    const fn told(self, of_other_networks: bool) -> Details {
        Details::Requests {
            times: self.all,
            refused: self.refused,
            first: self.first,
            last: self.last,
            of_other_networks,
        }
    }
}

/// Counts requests.
#[derive(Debug, Default)]
pub(super) struct Requests(Mutex<BTreeMap<Option<Network>, Counted>>);

impl Requests {
    /// Counts a request, and whether it was refused.
    pub(super) fn count(&self, from: Option<IpAddr>, refused: bool, now: Timestamp) {
        let one = Counted {
            all: 1,
            refused: u64::from(refused),
            ..Counted::none(now)
        };
        self.add(from.map(|address| Network::from(address).owner()), one);
    }

    fn add(&self, network: Option<Network>, counted: Counted) {
        let mut networks = self.0.lock();
        // Those that have no place are counted beside those whose network is not known.
        let known = networks.keys().filter(|network| network.is_some()).count();
        let network = network.filter(|network| known < NETWORKS || networks.contains_key(&Some(*network)));
        networks
            .entry(network)
            .or_insert_with(|| Counted::none(counted.first))
            .add(counted);
    }

    fn is_due(&self, now: Timestamp) -> bool {
        let networks = self.0.lock();
        networks
            .values()
            .any(|counted| now >= counted.first + WRITTEN_EVERY)
    }

    fn take(&self) -> BTreeMap<Option<Network>, Counted> {
        std::mem::take(&mut *self.0.lock())
    }
}

/// What was counted, taken to be written down. It is given back when it is dropped before that.
pub(super) struct Taken<'a> {
    from: &'a Requests,
    counted: BTreeMap<Option<Network>, Counted>,
}

impl Taken<'_> {
    /// It is written down.
    pub(super) fn written(mut self) {
        self.counted.clear();
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        for (network, counted) in std::mem::take(&mut self.counted) {
            self.from.add(network, counted);
        }
    }
}

impl Engine {
    /// The entries that tell of the requests that were counted, when it is time for them or `all` are wanted.
    pub(super) fn counted_requests(&self, all: bool) -> Option<(Taken<'_>, Vec<Change>)> {
        let now = self.now();
        if !all && !self.requests.is_due(now) {
            return None;
        }
        let counted = self.requests.take();
        let entries: Vec<_> = counted
            .iter()
            .map(|(network, counted)| {
                let origin = Origin {
                    address: network.map(Network::address),
                    ..Origin::default()
                };
                AuditWriter::anonymous(&origin).entry(
                    self.entropy(),
                    now,
                    Action::DeviceRequested,
                    audit_target::server(self.server.id),
                    Some(counted.told(network.is_none())),
                )
            })
            .collect();
        let taken = Taken {
            from: &self.requests,
            counted,
        };
        (!entries.is_empty()).then_some((taken, entries))
    }
}

/// What is known of a request, for the entry of a decision on it.
pub(super) fn facts_of(grant: &DeviceGrant) -> RequestFacts {
    RequestFacts {
        at: grant.created,
        traits: grant.traits.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    #[test]
    fn only_so_many_networks_are_counted_apart() {
        let requests = Requests::default();
        for number in 0..1000_u32 {
            requests.count(Some(IpAddr::V4(Ipv4Addr::from(number))), number % 2 == 0, NOW);
        }
        let counted = requests.take();
        assert_eq!(counted.len(), NETWORKS + 1);
        assert_eq!(counted.values().map(|counted| counted.all).sum::<u64>(), 1000);
        assert_eq!(counted.values().map(|counted| counted.refused).sum::<u64>(), 500);
    }

    #[test]
    fn a_48_is_one_network() {
        let requests = Requests::default();
        for number in 0..1000 {
            let from = format!("2001:db8:1:{number:x}::1").parse().unwrap();
            requests.count(Some(from), false, NOW);
        }
        assert_eq!(requests.take().len(), 1);
    }

    #[test]
    fn what_is_not_written_down_is_not_lost() {
        let requests = Requests::default();
        requests.count(None, false, NOW);
        assert!(!requests.is_due(NOW + Duration::from_secs(3599)));
        assert!(requests.is_due(NOW + Duration::from_secs(3600)));
        let take = || Taken {
            from: &requests,
            counted: requests.take(),
        };
        let taken = take();
        requests.count(None, true, NOW + Duration::from_secs(1));
        drop(taken);
        let taken = take();
        assert_eq!(
            taken
                .counted
                .get(&None)
                .map(|counted| (counted.all, counted.refused)),
            Some((2, 1))
        );
        taken.written();
        assert!(take().counted.is_empty());
    }
}
