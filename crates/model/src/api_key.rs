//! Keys of workloads.

use crate::{ApiKeyId, Name, SecretHash, ServiceAccountId, Text, Timestamp, UsedFrom, Version};

/// The value of an API key between two rotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyGeneration {
    /// Counts rotations, from 1. Tokens made from a key carry it as `key_gen`.
    pub number: u32,
    /// The hash of the key's random part.
    pub hash: SecretHash,
}

/// The value that a rotation replaced. It is kept after its end, so that a holder who still has it can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetainedKey {
    /// The replaced value.
    pub generation: KeyGeneration,
    /// The first moment at which it is no longer good; that of the rotation itself if it was not to be retained.
    pub until: Timestamp,
}

/// A key of a service account. At most two values of it are good at a time: the current and a retained one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The key's id; part of what the owner sends.
    pub id: ApiKeyId,
    /// Whose it is.
    pub service_account_id: ServiceAccountId,
    /// Its name, unique within the service account.
    pub name: Name,
    /// What it is for; may be empty.
    pub description: Text,
    /// Whether it may be used.
    pub active: bool,
    /// The current value.
    pub current: KeyGeneration,
    /// The value before it, once there was a rotation. Its end may lie in the past; see [`RetainedKey::until`].
    pub retained: Option<RetainedKey>,
    /// The retention that was asked for at the latest rotation, in minutes.
    pub retain_period_minutes: u32,
    /// The first moment at which it is no longer good, if it was made to expire.
    pub expires: Option<Timestamp>,
    /// When it was last used.
    pub last_login: Option<Timestamp>,
    /// From where it was last used.
    pub last_used_from: UsedFrom,
    /// When it was last rotated.
    pub last_rotated: Option<Timestamp>,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// For compare-and-swap.
    pub version: Version,
}
