//! Randomness that can be repeated.

use parking_lot::Mutex;
use rand::rngs::ChaCha20Rng;
use rand::{Rng as _, SeedableRng as _};
use zenml_auth_core::ports::Entropy;

/// Gives the same bytes for the same seed. For tests alone: to know the seed is to know every secret.
pub struct SeededEntropy {
    generator: Mutex<ChaCha20Rng>,
}

impl SeededEntropy {
    /// The bytes that follow from a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            generator: Mutex::new(ChaCha20Rng::seed_from_u64(seed)),
        }
    }
}

impl std::fmt::Debug for SeededEntropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SeededEntropy").finish_non_exhaustive()
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        self.generator.lock().fill_bytes(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(entropy: &SeededEntropy) -> [u8; 32] {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes);
        bytes
    }

    #[test]
    fn the_seed_decides() {
        let (one, same, other) = (
            SeededEntropy::new(1),
            SeededEntropy::new(1),
            SeededEntropy::new(2),
        );
        let first = bytes(&one);
        assert_eq!(first, bytes(&same));
        assert_ne!(first, bytes(&other));
        assert_ne!(first, bytes(&one));
    }
}
