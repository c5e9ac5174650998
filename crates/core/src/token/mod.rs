//! Access tokens: what they say ([`Token`]), and the keys that sign them ([`Keyring`]).

mod claims;
mod keyring;

pub use claims::{Provenance, Token};
pub use keyring::{Keyring, PublicKey, TokenError};
