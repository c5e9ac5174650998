//! How often attempts at passwords failed, and from where accounts sign in.

use std::collections::HashMap;

use zenml_auth_model::{SecretHash, Timestamp};

use crate::ports::{FamiliarNetwork, NETWORKS_KEPT, PurgeBefore};
use crate::rules::slow_down::Failures;

type Key = [u8; 32];

/// Failures by their key, and networks by their id.
#[derive(Default)]
pub(super) struct Attempts {
    failures: HashMap<Key, Failures>,
    networks: HashMap<Key, FamiliarNetwork>,
}

impl Attempts {
    pub(super) fn failures(&self, key: &SecretHash) -> Option<Failures> {
        self.failures.get(key.as_bytes()).copied()
    }

    pub(super) fn count_failure(&mut self, key: &SecretHash, at: Timestamp, forgotten_before: Timestamp) {
        let noted = self
            .failures
            .entry(*key.as_bytes())
            .or_insert(Failures { count: 0, last: at });
        if noted.last < forgotten_before {
            noted.count = 0;
        }
        noted.count = noted.count.saturating_add(1);
        noted.last = noted.last.max(at);
    }

    pub(super) fn forget_failures(&mut self, key: &SecretHash) {
        self.failures.remove(key.as_bytes());
    }

    pub(super) fn network_seen(&self, id: &SecretHash) -> Option<Timestamp> {
        self.networks.get(id.as_bytes()).map(|network| network.seen)
    }

    pub(super) fn note_network(&mut self, network: &FamiliarNetwork) {
        let noted = self
            .networks
            .entry(*network.id.as_bytes())
            .or_insert_with(|| network.clone());
        noted.seen = noted.seen.max(network.seen);
        let of_account = |known: &&FamiliarNetwork| known.account == network.account;
        let mut latest: Vec<_> = self
            .networks
            .values()
            .filter(of_account)
            .map(|known| (known.seen, *known.id.as_bytes()))
            .collect();
        latest.sort_unstable_by(|one, other| other.cmp(one));
        for (_, id) in latest.into_iter().skip(NETWORKS_KEPT) {
            self.networks.remove(&id);
        }
    }

    pub(super) fn purge(&mut self, before: PurgeBefore, limit: usize) -> usize {
        remove(&mut self.failures, limit, |noted| noted.last < before.failures)
            + remove(&mut self.networks, limit, |noted| noted.seen < before.networks)
    }
}

fn remove<T>(map: &mut HashMap<Key, T>, limit: usize, ended: impl Fn(&T) -> bool) -> usize {
    let doomed: Vec<Key> = map
        .iter()
        .filter(|(_, value)| ended(value))
        .map(|(key, _)| *key)
        .take(limit)
        .collect();
    for key in &doomed {
        map.remove(key);
    }
    doomed.len()
}
