//! Randomness.

/// Gives random bytes that nobody can predict. Ids, codes, keys, salts and signing keys are made from it.
pub trait Entropy: Send + Sync + 'static {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// A cryptographically secure generator, seeded by the operating system.
#[cfg(feature = "system")]
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

#[cfg(feature = "system")]
impl Entropy for SystemEntropy {
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the edge where randomness comes in"
    )]
    fn fill(&self, buffer: &mut [u8]) {
        use rand::Rng as _;

        rand::rng().fill_bytes(buffer);
    }
}

/// Sixteen random bytes, for an id.
pub(crate) fn id_bytes(entropy: &dyn Entropy) -> [u8; 16] {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    bytes
}

/// For tests: counts upwards from a seed, round and round, so that every byte comes up.
#[cfg(test)]
pub(crate) struct Counting(pub(crate) std::sync::atomic::AtomicU8);

#[cfg(test)]
impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        for byte in buffer {
            *byte = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
}
