//! Codes that people read from one screen and type on another.

use std::fmt::Write as _;

use subtle::ConstantTimeEq as _;
use zenml_auth_model::{CodeMac, GrantId, Secret};

use crate::ports::Entropy;
use crate::secrets;

/// The base-20 alphabet of RFC 8628 §6.1: no vowels, so that no words come about, and no letters that are taken
/// for others.
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LETTERS: usize = 8;

/// Makes a user code, normalized; [`display`] shows it as `WDJB-MJHT`. There are 20⁸, which is about 34.5 bits.
#[must_use]
pub fn random_user_code(entropy: &dyn Entropy) -> Secret {
    let mut code = String::with_capacity(LETTERS);
    let mut letters = 0;
    let mut buffer = [0_u8; 16];
    while letters < LETTERS {
        entropy.fill(&mut buffer);
        for byte in buffer {
            // 240 is the largest multiple of 20 in a byte: what lies above would make some letters likelier.
            if byte >= 240 || letters == LETTERS {
                continue;
            }
            code.push(
                ALPHABET
                    .get(usize::from(byte % 20))
                    .map_or('B', |letter| char::from(*letter)),
            );
            letters += 1;
        }
    }
    Secret::new(code)
}

/// What was typed, without blanks and dashes and in capitals; `None` when it can't be a user code.
#[must_use]
pub fn normalize(typed: &str) -> Option<Secret> {
    let mut letters = String::with_capacity(LETTERS);
    for character in typed.chars() {
        if character.is_whitespace() || matches!(character, '-' | '–' | '—' | '_') {
            continue;
        }
        let letter = character.to_ascii_uppercase();
        if !u8::try_from(letter).is_ok_and(|byte| ALPHABET.contains(&byte)) || letters.len() == LETTERS {
            return None;
        }
        letters.push(letter);
    }
    (letters.len() == LETTERS).then(|| Secret::new(letters))
}

/// The code as it is shown, from its normalized form.
#[must_use]
pub fn display(normalized: &Secret) -> String {
    let letters = normalized.expose();
    match (letters.get(..LETTERS / 2), letters.get(LETTERS / 2..)) {
        (Some(first), Some(second)) => format!("{first}-{second}"),
        _ => letters.to_owned(),
    }
}

/// The MAC of a normalized code under the server's secret.
#[must_use]
pub fn mac(server_secret: &[u8; 32], normalized: &Secret) -> CodeMac {
    CodeMac::from_bytes(*secrets::mac(server_secret, "zenml-auth user code", normalized.expose()).as_bytes())
}

/// What shows that a link with this request and normalized code was made here: such a link is no guess. 128 bits of a MAC, as
/// hexadecimal digits.
#[must_use]
pub fn link_proof(server_secret: &[u8; 32], request: GrantId, normalized: &Secret) -> String {
    let text = format!("{request}\0{}", normalized.expose());
    let mac = secrets::mac(server_secret, "zenml-auth device link", &text);
    let mut proof = String::with_capacity(32);
    for byte in mac.as_bytes().iter().take(16) {
        // Writing to a String can't fail.
        let _ = write!(proof, "{byte:02x}");
    }
    proof
}

/// Whether a link was made here.
#[must_use]
pub fn is_our_link(server_secret: &[u8; 32], request: GrantId, normalized: &Secret, proof: &str) -> bool {
    link_proof(server_secret, request, normalized)
        .as_bytes()
        .ct_eq(proof.as_bytes())
        .into()
}

/// Whether two MACs are the same, in a time that does not depend on where they differ.
#[must_use]
pub fn same(one: &CodeMac, other: &CodeMac) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::atomic::AtomicU8;

    use proptest::prelude::*;

    use super::*;
    use crate::ports::{Counting, SystemEntropy};

    #[test]
    fn people_may_type_it_as_they_like() {
        for typed in [
            "WDJB-MJHT",
            "wdjbmjht",
            " wdjb mjht ",
            "W-D-J-B-M-J-H-T",
            "wdjb–mjht",
        ] {
            assert_eq!(
                normalize(typed).map(|code| code.expose().to_owned()).as_deref(),
                Some("WDJBMJHT"),
                "{typed}"
            );
        }
    }

    #[test]
    fn what_can_be_no_code_is_refused() {
        for typed in [
            "",
            "WDJB-MJH",
            "WDJB-MJHTT",
            "WDJB-MJHA",
            "WDJB-MJH0",
            "ＷDJB-MJHT",
            "WDJB-MJHT\0",
        ] {
            assert!(normalize(typed).is_none(), "{typed:?}");
        }
    }

    #[test]
    fn a_code_is_eight_letters_of_twenty_and_each_is_as_likely() {
        let codes: Vec<_> = (0..20_000).map(|_| random_user_code(&SystemEntropy)).collect();
        let mut counts = [[0_u32; 20]; LETTERS];
        for code in &codes {
            assert_eq!(code.expose().len(), LETTERS, "{}", code.expose());
            for (letter, counts) in code.expose().bytes().zip(&mut counts) {
                let index = ALPHABET.iter().position(|known| *known == letter).unwrap();
                counts[index] += 1;
            }
        }
        // Each letter about 1000 times in each place: chance alone strays by 31, and by eight times as much never.
        for count in counts.iter().flatten() {
            assert!((750..=1250).contains(count), "{counts:?}");
        }
        let different: HashSet<_> = codes.iter().map(Secret::expose).collect();
        assert!(different.len() > 19_990, "of 20^8");
    }

    #[test]
    fn what_would_make_some_letters_likelier_is_not_used() {
        // From 240 on, bytes are left out: 16 of them, and the next one is the first letter.
        let code = random_user_code(&Counting(AtomicU8::new(240)));
        assert_eq!(code.expose(), "BCDFGHJK");
    }

    #[test]
    fn the_secret_matters() {
        let code = Secret::new("WDJBMJHT");
        assert!(same(&mac(&[1; 32], &code), &mac(&[1; 32], &code)));
        assert!(!same(&mac(&[1; 32], &code), &mac(&[2; 32], &code)));
    }

    proptest! {
        #[test]
        fn made_codes_can_be_typed(seed: u8) {
            let code = random_user_code(&Counting(AtomicU8::new(seed)));
            let shown = display(&code);
            prop_assert_eq!(shown.len(), 9);
            let typed = normalize(&shown).unwrap();
            prop_assert_eq!(typed.expose(), code.expose());
        }
    }
}
