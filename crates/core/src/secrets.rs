//! Making secrets, and comparing what was presented with what was kept.

use std::fmt::Write as _;

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

/// Whether two hashes are the same, in a time that does not depend on where they differ.
#[must_use]
pub fn same(one: &SecretHash, other: &SecretHash) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}
