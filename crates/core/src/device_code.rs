//! Device codes: what a machine polls with (RFC 8628 §3.2).
//!
//! A code names the request it belongs to, as an API key names itself, and goes on with 256 random bits. So a request
//! is found by its id, and whether the code is right is a comparison of hashes: storage needs no index of codes, which
//! would have to change a page of its own for every request that anybody makes.

use uuid::Uuid;
use zenml_auth_model::{GrantId, Secret};

use crate::ports::Entropy;
use crate::secrets;

/// How many hexadecimal digits the id has, without dashes.
const ID: usize = 32;

/// Makes the code of a request: the 32 hexadecimal digits of its id and 64 random ones.
#[must_use]
pub fn random_device_code(entropy: &dyn Entropy, grant: GrantId) -> Secret {
    let random = secrets::random_secret(entropy);
    Secret::new(format!("{}{}", grant.as_uuid().simple(), random.expose()))
}

/// The request that a code names; `None` when it can't be a device code. Nothing says yet that the code is right.
#[must_use]
pub fn grant_of(code: &Secret) -> Option<GrantId> {
    let id = code.expose().get(..ID)?;
    Uuid::try_parse(id).ok().map(GrantId::from_uuid)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU8;

    use super::*;
    use crate::ports::Counting;

    #[test]
    fn a_code_names_its_request_and_has_256_random_bits() {
        let grant = GrantId::from_random([0xab; 16]);
        let code = random_device_code(&Counting(AtomicU8::new(1)), grant);
        assert_eq!(
            code.expose(),
            "abababababab4bababababababababab\
             0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
        );
        assert_eq!(grant_of(&code), Some(grant));
    }

    #[test]
    fn what_is_no_code_names_nothing() {
        for text in [
            "",
            "abababababab4babbbabababababab",
            "not a code at all, though it is long enough",
            "ééééééééééééééééé",
        ] {
            assert_eq!(grant_of(&Secret::new(text.to_owned())), None, "{text}");
        }
    }
}
