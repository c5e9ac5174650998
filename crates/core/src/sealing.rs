//! Sealing the server's secrets, so that a copy of the database is of no use without a key that is kept elsewhere.
//!
//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03 on top of RFC 8439), with 24 random bytes as the nonce. What a secret
//! is for and which row it is in is authenticated with it, so that a row's bytes open nowhere else.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use zenml_auth_model::{EncryptionKeyId, KeptSecret, Sealed, Secret, ServerId, SigningKeyId};
use zeroize::Zeroizing;

use crate::ports::Entropy;

/// The format of what is sealed: this byte, the nonce, the ciphertext and its tag.
const FORMAT: u8 = 1;
const NONCE_BYTES: usize = 24;
const KEY_BYTES: usize = 32;

/// What a sealed secret is, and where it belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// The secret of a server.
    ServerSecret(ServerId),
    /// The private half of a signing key.
    SigningKey(ServerId, SigningKeyId),
}

impl Place {
    /// What is authenticated beside the secret. Each part has a fixed length or comes last, so that no two places read
    /// the same.
    fn associated_data(self, key: &EncryptionKeyId) -> Vec<u8> {
        let (table_and_column, server, row) = match self {
            Self::ServerSecret(server) => ("server.secret", server, server.as_uuid()),
            Self::SigningKey(server, id) => ("signing_keys.seed", server, id.as_uuid()),
        };
        let mut data = b"zenml-auth sealed\0".to_vec();
        data.push(FORMAT);
        data.extend_from_slice(server.as_uuid().as_bytes());
        data.extend_from_slice(row.as_bytes());
        data.extend_from_slice(table_and_column.as_bytes());
        data.push(0);
        data.extend_from_slice(key.as_str().as_bytes());
        data
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServerSecret(_) => f.write_str("the server secret"),
            Self::SigningKey(_, id) => write!(f, "the signing key {id}"),
        }
    }
}

/// Why a secret can't be sealed or opened. It never shows a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealingError {
    /// There is no key to seal with.
    #[error("there is no encryption key to seal {0} with")]
    NoKey(Place),
    /// It is sealed under a key that is not known here.
    #[error(
        "{place} is sealed under the encryption key {key:?}, which is not among the keys that were given"
    )]
    UnknownKey {
        /// The secret.
        place: Place,
        /// The key that is needed.
        key: EncryptionKeyId,
    },
    /// The key of this id does not open it.
    #[error(
        "{place} can't be opened with the encryption key {key:?}: another key has that id, or the row was changed"
    )]
    Refused {
        /// The secret.
        place: Place,
        /// The key that was tried.
        key: EncryptionKeyId,
    },
    /// It is in a format that is not known here.
    #[error("{0} is sealed in a format that this program does not know")]
    Format(Place),
    /// It is in plain where it has to be sealed.
    #[error(
        "{0} is in plain, and so not used; a server seals it when it starts, unless other secrets are sealed already: then \
         somebody else has put it there"
    )]
    InPlain(Place),
}

/// Why a text holds no encryption keys. It never repeats the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncryptionKeysError {
    /// There is nothing in it.
    #[error("there is no encryption key in it; `zenml-auth-server encryption generate` makes one")]
    Empty,
    /// An entry can't be read.
    #[error(
        "the encryption key number {0} in it can't be read; each has the form ID:BASE64, with 32 bytes in base64, as \
         `zenml-auth-server encryption generate` prints it"
    )]
    Malformed(usize),
    /// Two have the same id.
    #[error("two encryption keys in it have the id {0:?}; each needs one of its own")]
    Twice(EncryptionKeyId),
}

/// A key that seals.
#[derive(Clone)]
pub struct EncryptionKey {
    id: EncryptionKeyId,
    bytes: Zeroizing<[u8; KEY_BYTES]>,
}

impl EncryptionKey {
    /// Makes a key of 256 random bits.
    #[must_use]
    pub fn generate(id: EncryptionKeyId, entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        entropy.fill(bytes.as_mut_slice());
        Self { id, bytes }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> &EncryptionKeyId {
        &self.id
    }

    /// The text that [`EncryptionKeys::parse`] reads: `ID:BASE64`.
    #[must_use]
    pub fn to_text(&self) -> Secret {
        let mut text = format!("{}:", self.id);
        STANDARD.encode_string(self.bytes.as_slice(), &mut text);
        Secret::new(text)
    }

    fn parse(entry: &str) -> Option<Self> {
        let (id, text) = entry.split_once(':')?;
        let decoded = Zeroizing::new(STANDARD.decode(text).ok()?);
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        if decoded.len() != KEY_BYTES {
            return None;
        }
        bytes.copy_from_slice(&decoded);
        Some(Self {
            id: EncryptionKeyId::new(id).ok()?,
            bytes,
        })
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.bytes))
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptionKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The keys that open, the first of which seals.
#[derive(Debug, Clone, Default)]
pub struct EncryptionKeys {
    keys: Vec<EncryptionKey>,
}

impl EncryptionKeys {
    /// No keys: nothing can be sealed or opened. For programs that read nothing secret.
    #[must_use]
    pub const fn none() -> Self {
        Self { keys: Vec::new() }
    }

    /// One key, which seals and opens.
    #[must_use]
    pub fn one(key: EncryptionKey) -> Self {
        Self { keys: vec![key] }
    }

    /// Reads keys of the form `ID:BASE64`, with blanks, line breaks or commas between them. What follows a `#` on a line
    /// is a remark. The first key seals; all of them open.
    ///
    /// # Errors
    /// [`EncryptionKeysError`] says what is wrong, and never shows any of it.
    pub fn parse(text: &str) -> Result<Self, EncryptionKeysError> {
        let lines = text
            .lines()
            .map(|line| line.split_once('#').map_or(line, |(keys, _)| keys));
        let entries = lines
            .flat_map(|line| line.split(|character: char| character.is_whitespace() || character == ','))
            .filter(|entry| !entry.is_empty());
        let mut keys: Vec<EncryptionKey> = Vec::new();
        for (index, entry) in entries.enumerate() {
            let key = EncryptionKey::parse(entry).ok_or(EncryptionKeysError::Malformed(index + 1))?;
            if keys.iter().any(|known| known.id == key.id) {
                return Err(EncryptionKeysError::Twice(key.id));
            }
            keys.push(key);
        }
        if keys.is_empty() {
            return Err(EncryptionKeysError::Empty);
        }
        Ok(Self { keys })
    }

    /// The id of the key that seals.
    #[must_use]
    pub fn current(&self) -> Option<&EncryptionKeyId> {
        self.keys.first().map(EncryptionKey::id)
    }

    /// The ids of all keys, the one that seals first.
    pub fn ids(&self) -> impl Iterator<Item = &EncryptionKeyId> {
        self.keys.iter().map(EncryptionKey::id)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Seals a secret for one place.
    ///
    /// # Errors
    /// [`SealingError::NoKey`]
    pub fn seal(
        &self,
        place: Place,
        secret: &[u8; 32],
        entropy: &dyn Entropy,
    ) -> Result<Sealed, SealingError> {
        let key = self.keys.first().ok_or(SealingError::NoKey(place))?;
        let mut nonce = [0; NONCE_BYTES];
        entropy.fill(&mut nonce);
        let payload = Payload {
            msg: secret,
            aad: &place.associated_data(&key.id),
        };
        let sealed = key.cipher().encrypt(&XNonce::from(nonce), payload);
        // It fails for messages of more than 256 GiB only.
        let sealed = sealed.map_err(|_| SealingError::NoKey(place))?;
        let mut bytes = vec![FORMAT];
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&sealed);
        Ok(Sealed {
            key: key.id.clone(),
            bytes,
        })
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// [`SealingError`] says why it can't be opened.
    pub fn open(&self, place: Place, kept: &KeptSecret) -> Result<Zeroizing<[u8; 32]>, SealingError> {
        let KeptSecret::Sealed(sealed) = kept else {
            return Err(SealingError::InPlain(place));
        };
        let known = self.keys.iter().find(|key| key.id == sealed.key);
        let key = known.ok_or_else(|| SealingError::UnknownKey {
            place,
            key: sealed.key.clone(),
        })?;
        let (format, rest) = sealed.bytes.split_first().ok_or(SealingError::Format(place))?;
        if *format != FORMAT {
            return Err(SealingError::Format(place));
        }
        let (nonce, message) = rest
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(SealingError::Format(place))?;
        let payload = Payload {
            msg: message,
            aad: &place.associated_data(&sealed.key),
        };
        let opened = key.cipher().decrypt(&XNonce::from(*nonce), payload);
        let opened = opened.map(Zeroizing::new).map_err(|_| SealingError::Refused {
            place,
            key: sealed.key.clone(),
        })?;
        let mut secret = Zeroizing::new([0; 32]);
        if opened.len() != secret.len() {
            return Err(SealingError::Format(place));
        }
        secret.copy_from_slice(&opened);
        Ok(secret)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU8;

    use proptest::prelude::*;

    use super::*;
    use crate::ports::Counting;

    fn key(id: &str, seed: u8) -> EncryptionKey {
        EncryptionKey::generate(EncryptionKeyId::new(id).unwrap(), &Counting(AtomicU8::new(seed)))
    }

    fn keys(keys: &[EncryptionKey]) -> EncryptionKeys {
        EncryptionKeys { keys: keys.to_vec() }
    }

    fn server(number: u8) -> ServerId {
        ServerId::from_random([number; 16])
    }

    fn places() -> [Place; 5] {
        let signing = |number| SigningKeyId::from_random([number; 16]);
        [
            Place::ServerSecret(server(1)),
            Place::ServerSecret(server(2)),
            Place::SigningKey(server(1), signing(1)),
            Place::SigningKey(server(1), signing(2)),
            Place::SigningKey(server(2), signing(1)),
        ]
    }

    fn sealed(place: Place, with: &EncryptionKeys) -> Sealed {
        with.seal(place, &[42; 32], &Counting(AtomicU8::new(9))).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_in_its_place_only() {
        let ours = keys(&[key("k1", 1)]);
        for place in places() {
            let kept = KeptSecret::from(sealed(place, &ours));
            assert_eq!(*ours.open(place, &kept).unwrap(), [42; 32]);
            for other in places().into_iter().filter(|other| *other != place) {
                let key = EncryptionKeyId::new("k1").unwrap();
                assert_eq!(
                    ours.open(other, &kept).unwrap_err(),
                    SealingError::Refused { place: other, key }
                );
            }
        }
    }

    #[test]
    fn the_secret_is_not_in_it() {
        let bytes = sealed(places()[0], &keys(&[key("k1", 1)])).bytes;
        assert_eq!(bytes.len(), 1 + NONCE_BYTES + 32 + 16);
        assert!(!bytes.windows(4).any(|window| window == [42; 4]));
    }

    #[test]
    fn a_missing_key_and_a_wrong_one_are_told_apart() {
        let place = places()[0];
        let kept = KeptSecret::from(sealed(place, &keys(&[key("k1", 1)])));
        let id = EncryptionKeyId::new("k1").unwrap();
        let missing = keys(&[key("k2", 2)]).open(place, &kept).unwrap_err();
        assert_eq!(
            missing,
            SealingError::UnknownKey {
                place,
                key: id.clone()
            }
        );
        let wrong = keys(&[key("k1", 2)]).open(place, &kept).unwrap_err();
        assert_eq!(wrong, SealingError::Refused { place, key: id });
    }

    #[test]
    fn the_first_seals_and_all_open() {
        let (old, new) = (key("old", 1), key("new", 2));
        let place = places()[2];
        let before = KeptSecret::from(sealed(place, &keys(std::slice::from_ref(&old))));
        let both = keys(&[new, old]);
        assert!(both.open(place, &before).is_ok());
        let after = sealed(place, &both);
        assert_eq!(after.key.as_str(), "new");
        assert!(both.open(place, &after.into()).is_ok());
    }

    #[test]
    fn the_id_of_the_key_cannot_be_changed() {
        let place = places()[0];
        let bytes = key("k1", 1).bytes;
        let renamed = EncryptionKey {
            id: EncryptionKeyId::new("k2").unwrap(),
            bytes,
        };
        let mut row = sealed(place, &keys(&[key("k1", 1)]));
        row.key = renamed.id.clone();
        assert!(matches!(
            keys(&[renamed]).open(place, &row.into()),
            Err(SealingError::Refused { .. })
        ));
    }

    #[test]
    fn what_is_in_plain_is_not_used() {
        let place = places()[2];
        let plain = KeptSecret::Plain(Zeroizing::new([1; 32]));
        assert_eq!(
            keys(&[key("k1", 1)]).open(place, &plain),
            Err(SealingError::InPlain(place))
        );
    }

    #[test]
    fn keys_are_read_as_they_are_written() {
        let (one, two) = (key("one", 1), key("two", 2));
        let (first, second) = (one.to_text(), two.to_text());
        for text in [
            format!("{}\n{}\n", first.expose(), second.expose()),
            format!(
                "# the new one\r\n {} # since May\r\n\r\n{}",
                first.expose(),
                second.expose()
            ),
            format!("{},{}", first.expose(), second.expose()),
            format!("{} {}", first.expose(), second.expose()),
        ] {
            let read = EncryptionKeys::parse(&text).unwrap();
            assert_eq!(
                read.ids().map(EncryptionKeyId::as_str).collect::<Vec<_>>(),
                ["one", "two"]
            );
            assert_eq!(*read.keys[0].bytes, *one.bytes);
            assert_eq!(*read.keys[1].bytes, *two.bytes);
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        let good = key("k1", 1).to_text();
        let short = format!("k1:{}", STANDARD.encode([7; 31]));
        for (text, expected) in [
            (String::new(), EncryptionKeysError::Empty),
            ("# nothing\n \n".to_owned(), EncryptionKeysError::Empty),
            ("hunter2".to_owned(), EncryptionKeysError::Malformed(1)),
            (
                format!("{}\nhunter2:", good.expose()),
                EncryptionKeysError::Malformed(2),
            ),
            (short, EncryptionKeysError::Malformed(1)),
            (
                format!("{}\n{}", good.expose(), good.expose()),
                EncryptionKeysError::Twice(EncryptionKeyId::new("k1").unwrap()),
            ),
        ] {
            let error = EncryptionKeys::parse(&text).unwrap_err();
            assert_eq!(error, expected);
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn keys_are_not_printed() {
        let key = key("k1", 1);
        let text = key.to_text();
        let base64 = text.expose().strip_prefix("k1:").unwrap().to_owned();
        let printed = format!("{key:?} {:?} {text:?}", EncryptionKeys::one(key.clone()));
        assert!(
            !printed.contains(&base64) && !printed.contains("bytes"),
            "{printed}"
        );
    }

    proptest! {
        #[test]
        fn any_change_is_noticed(position in 0_usize..73, change in 1_u8..=255) {
            let ours = keys(&[key("k1", 1)]);
            let place = places()[2];
            let mut row = sealed(place, &ours);
            row.bytes[position] ^= change;
            prop_assert!(ours.open(place, &row.into()).is_err());
        }

        #[test]
        fn any_end_is_noticed(length in 0_usize..73) {
            let ours = keys(&[key("k1", 1)]);
            let place = places()[2];
            let mut row = sealed(place, &ours);
            row.bytes.truncate(length);
            prop_assert!(ours.open(place, &row.into()).is_err());
        }
    }
}
