//! Which passwords may be set: long enough, not among the first that are guessed, and without the account's name.
//!
//! As NIST SP 800-63B §3.1.1.2 has it: a minimum length and a blocklist, and no rules about kinds of characters. The
//! lists are those of zxcvbn: some 90,000 common passwords, words and names, with the usual substitutions, repetitions,
//! sequences and walks over the keyboard.

use unicode_normalization::UnicodeNormalization as _;
use zenml_auth_model::Secret;
use zenml_auth_model::text::nfc;
use zxcvbn::{Score, zxcvbn};

/// The least that the shortest password for an account can be set to.
pub const LEAST_PASSWORD_CHARS: u32 = 8;
/// The most that the shortest password for an account can be set to.
pub const MOST_PASSWORD_CHARS: u32 = 64;
/// The longest password, in bytes: long enough for any passphrase, short enough to hash.
pub const MAX_PASSWORD_BYTES: usize = 255;
/// A shorter name is in too many words.
const SHORTEST_NAME: usize = 3;

/// A password that can't be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Too few characters.
    #[error("a password has at least {least} characters; four unrelated words make a good one")]
    TooShort {
        /// How many it has to have.
        least: u32,
    },
    /// More than [`MAX_PASSWORD_BYTES`] bytes.
    #[error("a password has at most {MAX_PASSWORD_BYTES} bytes")]
    TooLong,
    /// It holds the name of the account.
    #[error("a password does not contain the name of the account; leave the name out")]
    ContainsName,
    /// Fewer than a million tries find it.
    #[error("this password is among the first that are guessed; four unrelated words make a better one")]
    Common,
}

/// Whose password it is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whose {
    /// The sign-in name.
    pub name: String,
    /// What else is known of the person: the name to show, the e-mail address.
    pub known: Vec<String>,
}

/// Whether a password can be used at all.
///
/// # Errors
/// [`WeakPassword::TooLong`]
pub fn check_usable(password: &Secret) -> Result<(), WeakPassword> {
    if nfc(password.expose()).len() > MAX_PASSWORD_BYTES {
        Err(WeakPassword::TooLong)
    } else {
        Ok(())
    }
}

/// Whether a password may be set. Takes milliseconds of the processor.
///
/// # Errors
/// [`WeakPassword`] says why not.
pub fn check(password: &Secret, least: u32, whose: &Whose) -> Result<(), WeakPassword> {
    check_usable(password)?;
    let text = zeroize::Zeroizing::new(nfc(password.expose()).into_owned());
    if u32::try_from(text.chars().count()).unwrap_or(u32::MAX) < least {
        return Err(WeakPassword::TooShort { least });
    }
    let folded = zeroize::Zeroizing::new(folded(&text));
    let name = self::folded(&whose.name);
    if name.chars().count() >= SHORTEST_NAME && folded.contains(&name) {
        return Err(WeakPassword::ContainsName);
    }
    let mut known = vec![name.as_str(), "zenml"];
    known.extend(
        whose
            .known
            .iter()
            .flat_map(|text| text.split(|c: char| !c.is_alphanumeric()))
            .filter(|word| !word.is_empty()),
    );
    // Below two, fewer than a million guesses find it: what limits on sign-ins leave to a patient stranger.
    if zxcvbn(&text, &known).score() < Score::Two {
        Err(WeakPassword::Common)
    } else {
        Ok(())
    }
}

/// Without regard to case and width.
fn folded(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(password: &str) -> Result<(), WeakPassword> {
        let whose = Whose {
            name: "Sandra".to_owned(),
            known: vec!["Sandra Bullock-Xiaoping".to_owned(), "s.b@example.com".to_owned()],
        };
        check(&Secret::new(password), 12, &whose)
    }

    #[test]
    fn common_passwords_are_refused() {
        for common in [
            "passwordpassword",
            "Password1234",
            "P@ssw0rd1234",
            "123456789012",
            "qwertyuiop12",
            "1q2w3e4r5t6y",
            "iloveyou1234",
            "administrator",
            "aaaaaaaaaaaa",
            "abcdefghijkl",
            "changeme1234",
            "Welcome12345",
            "letmeinletmein",
            "zenmlzenmlzenml",
            "xiaopingxiaoping",
        ] {
            assert_eq!(judge(common), Err(WeakPassword::Common), "{common}");
        }
    }

    #[test]
    fn what_is_long_and_unlikely_is_taken() {
        for good in [
            "rubber-otter-vanish-9",
            "trägt ein grünes Fahrrad",
            "k7Vq!x0pWz3m",
            "正しい馬の電池ホチキスです",
            "the seventh lantern over the harbour hums a tune that nobody in the village remembers, \
             though every gull knows how it ends and none would ever tell",
        ] {
            assert_eq!(judge(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn a_password_does_not_contain_the_name() {
        for with_name in [
            "sandra-otter-vanish-9",
            "otter-vanish-SANDRA!",
            "ｓａｎｄｒａ-otter-vanish",
        ] {
            assert_eq!(judge(with_name), Err(WeakPassword::ContainsName), "{with_name}");
        }
        // "al" is in many a word.
        let whose = Whose {
            name: "al".to_owned(),
            known: Vec::new(),
        };
        assert_eq!(check(&Secret::new("normal-otter-vanish-9"), 12, &whose), Ok(()));
    }

    #[test]
    fn length_is_counted_in_composed_characters() {
        let short = WeakPassword::TooShort { least: 12 };
        assert_eq!(judge("k7Vq!x0pWz3"), Err(short));
        assert_eq!(
            judge("k7Vq!x0pWze\u{301}"),
            Err(short),
            "one letter, however it is typed"
        );
        assert_eq!(judge(&"é".repeat(128)), Err(WeakPassword::TooLong));
        assert_eq!(
            check(&Secret::new("k7Vq!x0p"), LEAST_PASSWORD_CHARS, &Whose::default()),
            Ok(())
        );
    }
}
