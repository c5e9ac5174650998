//! Reads, and the upkeep in the background.

pub(crate) mod attempts;
pub(crate) mod filter;
pub(crate) mod key_uses;
pub(crate) mod listing;
pub(crate) mod upkeep;
