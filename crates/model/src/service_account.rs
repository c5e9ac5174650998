//! Accounts of workloads.

use crate::{Name, ServiceAccountId, Text, Timestamp, Version};

/// An account for something that has no browser: a pipeline in CI, a container, a scheduled job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    /// The account's id.
    pub id: ServiceAccountId,
    /// Its name, unique among service accounts; a user may bear the same one.
    pub name: Name,
    /// The name to show; may be empty.
    pub full_name: Text,
    /// What it is for; may be empty.
    pub description: Text,
    /// A picture to show.
    pub avatar_url: Option<Text>,
    /// Whether it may be used. Rules over all of its keys.
    pub active: bool,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// For compare-and-swap.
    pub version: Version,
}
