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
