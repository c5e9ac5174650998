//! The memory that passwords are hashed in.
//!
//! Each takes 19 MiB for an instant. Where that is given back and asked for again each time, the allocator holds on to more
//! of it than is ever in use: five times as much was seen on a server that hashes two passwords at a time. So it is used
//! again, and given back once it is not.

use argon2::{Argon2, Block};
use parking_lot::Mutex;

use crate::password::HashingError;

/// Memory for as many passwords as were ever hashed at the same time.
#[derive(Default)]
pub(crate) struct HashingMemory(Mutex<Spare>);

#[derive(Default)]
struct Spare {
    blocks: Vec<Vec<Block>>,
    /// Whether any was used since the last look.
    used: bool,
}

impl HashingMemory {
    /// Computes argon2 of a password into the output.
    pub(crate) fn compute(
        &self,
        argon2: &Argon2<'_>,
        password: &[u8],
        salt: &[u8],
        output: &mut [u8],
    ) -> Result<(), HashingError> {
        let needed = argon2.params().block_count();
        let mut blocks = self.0.lock().blocks.pop().unwrap_or_default();
        if blocks.len() < needed {
            // The former ones go first.
            drop(std::mem::take(&mut blocks));
            blocks.resize(needed, Block::new());
        }
        let computed = argon2.hash_password_into_with_memory(password, salt, output, &mut blocks);
        let mut spare = self.0.lock();
        spare.used = true;
        spare.blocks.push(blocks);
        computed.map_err(|_| HashingError::Broken)
    }

    /// Gives all of it back when none was used since the last call.
    pub(crate) fn release(&self) {
        let mut spare = self.0.lock();
        if !std::mem::take(&mut spare.used) {
            spare.blocks = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use argon2::{Algorithm, Params, Version};

    use super::*;

    fn compute(memory: &HashingMemory, memory_kib: u32) -> [u8; 32] {
        let params = Params::new(memory_kib, 1, 1, None).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut output = [0; 32];
        memory
            .compute(&argon2, b"correct horse", b"0123456789abcdef", &mut output)
            .unwrap();
        output
    }

    fn spare(memory: &HashingMemory) -> Vec<usize> {
        memory.0.lock().blocks.iter().map(Vec::len).collect()
    }

    #[test]
    fn it_is_used_again_and_given_back_when_it_is_not() {
        let memory = HashingMemory::default();
        let first = compute(&memory, 64);
        assert_eq!(spare(&memory), [64]);
        // What was there before makes no difference.
        assert_eq!(compute(&memory, 64), first);
        compute(&memory, 128);
        assert_eq!(compute(&memory, 64), first);
        assert_eq!(spare(&memory), [128]);
        memory.release();
        assert_eq!(spare(&memory), [128], "it was used just now");
        memory.release();
        assert!(spare(&memory).is_empty());
        assert_eq!(compute(&memory, 64), first);
    }
}
