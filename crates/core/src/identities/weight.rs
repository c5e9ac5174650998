//! How much memory a row takes, so that a few large ones do not crowd out everything else.

use std::sync::Arc;

use quick_cache::Weighter;
use zenml_auth_model::{ApiKey, Device, ServiceAccount, Session, Text, User};

/// A row weighs one, and one more for each started so many bytes of text in it that somebody chose.
const UNIT: usize = 1024;

/// A row that may hold texts of any length.
pub(super) trait Weighed {
    /// How many bytes of such texts it holds.
    fn texts(&self) -> usize;
}

/// Weighs rows.
#[derive(Debug, Clone)]
pub(super) struct ByTexts;

impl<K, V: Weighed> Weighter<K, Arc<V>> for ByTexts {
    fn weight(&self, _: &K, row: &Arc<V>) -> u64 {
        let units = 1 + row.texts() / UNIT;
        u64::try_from(units).unwrap_or(u64::MAX)
    }
}

fn length(text: Option<&Text>) -> usize {
    text.map_or(0, |text| text.as_str().len())
}

impl Weighed for User {
    fn texts(&self) -> usize {
        self.metadata.as_ref().map_or(0, String::len)
            + length(Some(&self.full_name))
            + length(self.email.as_ref())
            + length(self.avatar_url.as_ref())
    }
}

impl Weighed for Device {
    fn texts(&self) -> usize {
        let traits = &self.traits;
        [
            &traits.hostname,
            &traits.os,
            &traits.ip_address,
            &traits.python_version,
            &traits.zenml_version,
            &self.last_used_from.agent,
        ]
        .into_iter()
        .map(|text| length(text.as_ref()))
        .sum()
    }
}

impl Weighed for ServiceAccount {
    fn texts(&self) -> usize {
        length(Some(&self.full_name)) + length(Some(&self.description)) + length(self.avatar_url.as_ref())
    }
}

impl Weighed for ApiKey {
    fn texts(&self) -> usize {
        length(Some(&self.description)) + length(self.last_used_from.agent.as_ref())
    }
}

impl Weighed for Session {
    fn texts(&self) -> usize {
        0
    }
}
