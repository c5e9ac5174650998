//! Reads, and the upkeep in the background.

pub(crate) mod filter;
pub(crate) mod listing;
pub(crate) mod upkeep;
