//! Making secrets, and comparing what was presented with what was kept.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zenml_auth_model::{Secret, SecretHash};

use crate::ports::Entropy;

/// Makes a secret of 256 random bits, as 64 hexadecimal digits: a device code, the random part of an API key, an
/// activation token, a cookie.
#[must_use]
pub fn random_secret(entropy: &dyn Entropy) -> Secret {
    let mut bytes = zeroize::Zeroizing::new([0_u8; 32]);
    entropy.fill(bytes.as_mut_slice());
    let mut text = String::with_capacity(64);
    for byte in bytes.iter() {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    Secret::new(text)
}

/// The SHA-256 of a secret, over its text as it is presented.
#[must_use]
pub fn hash(secret: &Secret) -> SecretHash {
    SecretHash::from_bytes(Sha256::digest(secret.expose().as_bytes()).into())
}

/// Authenticates a text under the server's secret, for one purpose only: a MAC for one is none for another.
#[must_use]
pub fn mac(server_secret: &[u8; 32], purpose: &str, text: &str) -> SecretHash {
    // A key of 32 bytes always fits; HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(server_secret) else {
        return SecretHash::from_bytes([0; 32]);
    };
    mac.update(purpose.as_bytes());
    mac.update(b"\0");
    mac.update(text.as_bytes());
    SecretHash::from_bytes(mac.finalize().into_bytes().into())
}

/// Whether two hashes are the same, in a time that does not depend on where they differ.
#[must_use]
pub fn same(one: &SecretHash, other: &SecretHash) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::atomic::AtomicU8;

    use super::*;
    use crate::ports::{Counting, SystemEntropy};

    #[test]
    fn a_secret_has_256_random_bits() {
        let secret = random_secret(&Counting(AtomicU8::new(1)));
        assert_eq!(
            secret.expose(),
            "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
        );
        let made: HashSet<_> = (0..10_000)
            .map(|_| random_secret(&SystemEntropy).expose().to_owned())
            .collect();
        assert_eq!(made.len(), 10_000);
        // Every digit takes on every value: 10,000 times without one of them has a chance of 1 in 10^279.
        for place in 0..64 {
            let digits: HashSet<_> = made
                .iter()
                .filter_map(|text| text.as_bytes().get(place))
                .collect();
            assert_eq!(digits.len(), 16, "digit {place}");
        }
    }
}
