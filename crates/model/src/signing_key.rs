//! Keys that the server signs tokens with.

use std::fmt;

use crate::{KeptSecret, SigningKeyId, Timestamp, Version};

/// An Ed25519 key pair (RFC 8032) that signs, or once signed, access tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// Its id, the `kid` of tokens.
    pub id: SigningKeyId,
    /// The 32-byte private key.
    pub seed: KeptSecret,
    /// From when it signs.
    pub created: Timestamp,
    /// When the last token it signed has expired; `None` while it signs.
    pub retired_until: Option<Timestamp>,
    /// For compare-and-swap.
    pub version: Version,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .field("seed", &self.seed)
            .field("created", &self.created)
            .field("retired_until", &self.retired_until)
            .finish_non_exhaustive()
    }
}
