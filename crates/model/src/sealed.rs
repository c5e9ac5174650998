//! Secrets of the server as a store keeps them: sealed under a key that the store never sees.

use std::fmt;

use zeroize::Zeroizing;

/// The most characters of an [`EncryptionKeyId`].
pub const MAX_ENCRYPTION_KEY_ID_CHARS: usize = 64;

/// Names an encryption key. It stands beside everything that is sealed under the key, and is no secret.
///
/// 1 to 64 letters, digits, dots, dashes and underscores of ASCII.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EncryptionKeyId(String);

/// Why a text can't be an [`EncryptionKeyId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an id of an encryption key has 1 to {MAX_ENCRYPTION_KEY_ID_CHARS} letters, digits, dots, dashes and underscores"
)]
pub struct EncryptionKeyIdError;

impl EncryptionKeyId {
    /// Checks a text and makes it an id.
    ///
    /// # Errors
    /// [`EncryptionKeyIdError`] when it is too long, empty, or has other characters.
    pub fn new(text: impl Into<String>) -> Result<Self, EncryptionKeyIdError> {
        let text = text.into();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if text.is_empty() || text.len() > MAX_ENCRYPTION_KEY_ID_CHARS || !text.bytes().all(allowed) {
            return Err(EncryptionKeyIdError);
        }
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EncryptionKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EncryptionKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// A secret that was sealed. Core makes and opens it; a store keeps it as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The key that opens it.
    pub key: EncryptionKeyId,
    /// A version, a nonce and the ciphertext with its tag.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// A secret of 32 bytes as a row holds it.
#[derive(Clone, PartialEq, Eq)]
pub enum KeptSecret {
    /// Under a key that is not in the store.
    Sealed(Sealed),
    /// In plain, as a schema before `m0013` has it. It is sealed when a server starts, and not used before that.
    Plain(Zeroizing<[u8; 32]>),
}

impl KeptSecret {
    /// The key that it is sealed under; `None` for one in plain.
    #[must_use]
    pub const fn sealed_by(&self) -> Option<&EncryptionKeyId> {
        match self {
            Self::Sealed(sealed) => Some(&sealed.key),
            Self::Plain(_) => None,
        }
    }
}

impl From<Sealed> for KeptSecret {
    fn from(sealed: Sealed) -> Self {
        Self::Sealed(sealed)
    }
}

impl fmt::Debug for KeptSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sealed(sealed) => sealed.fmt(f),
            Self::Plain(_) => f.write_str("Plain(…)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_a_small_alphabet() {
        for text in ["k1", "2026-11.a_B", &"a".repeat(64)] {
            assert_eq!(EncryptionKeyId::new(text).unwrap().as_str(), text);
        }
        for text in ["", "a b", "a:b", "ä", "a\n", &"a".repeat(65)] {
            assert_eq!(EncryptionKeyId::new(text), Err(EncryptionKeyIdError), "{text:?}");
        }
    }

    #[test]
    fn nothing_secret_is_printed() {
        let key = EncryptionKeyId::new("k1").unwrap();
        let sealed = KeptSecret::from(Sealed {
            key,
            bytes: vec![77; 73],
        });
        let plain = KeptSecret::Plain(Zeroizing::new([77; 32]));
        let printed = format!("{sealed:?} {plain:?}");
        assert_eq!(printed, "Sealed { key: \"k1\", .. } Plain(…)");
    }
}
