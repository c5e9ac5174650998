//! The text of an API key: `ZENKEY_` and the base64 of `{"id": "…", "key": "…"}`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zenml_auth_model::{ApiKeyId, Secret};
use zeroize::Zeroizing;

/// What every API key begins with.
pub const PREFIX: &str = "ZENKEY_";

/// The longest text that is looked at; a key takes about 180 bytes.
const MAX_LENGTH: usize = 1024;

/// An API key as its owner has it, taken apart.
#[derive(Debug, Clone)]
pub struct KeyText {
    /// The key's id.
    pub id: ApiKeyId,
    /// Its random part.
    pub key: Secret,
}

/// Why a text is no API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// It begins otherwise.
    #[error("an API key begins with {PREFIX}")]
    NoPrefix,
    /// It is far too long.
    #[error("this is too long for an API key")]
    TooLong,
    /// Characters that don't belong there, or a part is missing.
    #[error("the API key is damaged or was cut off")]
    Damaged,
    /// It says what it should, but not an id that is one.
    #[error("the API key names no key")]
    NoId,
    /// The random part is missing.
    #[error("the API key has no secret part")]
    NoKey,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts<'a> {
    #[serde(borrow)]
    id: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    key: std::borrow::Cow<'a, str>,
}

impl KeyText {
    /// Takes a text apart, whether the JSON in it is compact, as 0.98 writes it, or spaced, as 0.58 did.
    ///
    /// # Errors
    /// [`KeyTextError`] when it is no API key.
    pub fn parse(text: &str) -> Result<Self, KeyTextError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(KeyTextError::NoPrefix)?;
        if encoded.len() > MAX_LENGTH {
            return Err(KeyTextError::TooLong);
        }
        let json = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| KeyTextError::Damaged)?);
        let parts: Parts<'_> = serde_json::from_slice(&json).map_err(|_| KeyTextError::Damaged)?;
        let id = parts.id.parse().map_err(|_| KeyTextError::NoId)?;
        if parts.key.is_empty() {
            return Err(KeyTextError::NoKey);
        }
        Ok(Self {
            id,
            key: Secret::new(parts.key),
        })
    }

    /// The text to hand to its owner.
    #[must_use]
    pub fn encode(&self) -> Secret {
        let key = Zeroizing::new(escaped(self.key.expose()));
        let json = Zeroizing::new(format!(r#"{{"id":"{}","key":{}}}"#, self.id, key.as_str()));
        let mut text = String::with_capacity(PREFIX.len() + json.len() * 2);
        text.push_str(PREFIX);
        STANDARD.encode_string(json.as_bytes(), &mut text);
        Secret::new(text)
    }
}

/// A JSON string; for the hexadecimal keys that are made here, the text between quotes.
fn escaped(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COMPACT: &str = "ZENKEY_eyJpZCI6IjRiMGExMjY0LWUzNjEtNGVkYy04NzA1LTFmMGMzZmYxZjEzYiIsImtleSI6Ijc2NzdmMWE4YjQ4ZjBkYWE3YTA2ODk1ZjgwZjVkZjZlOTNhMmFlMjk2YmQ2ZmYxZDk0ZjY2MDA2MWIwZTQwYzQifQ==";
    const SPACED: &str = "ZENKEY_eyJpZCI6ICI4N2RjNmFmNS1mYjZhLTQ1MjUtODYxMC0wMjIyMzE1M2E3MWYiLCAia2V5IjogImZlOThmY2UyMDM0YWMxY2Q2ZDliYThiYTFmNjI2YWUyOGM5MjRmMzg4MjFhNWZhMDNhODVhZGQ5YjczOWY0NzIifQ==";

    #[test]
    fn recorded_keys_are_read() {
        let key = KeyText::parse(COMPACT).unwrap();
        assert_eq!(key.id.to_string(), "4b0a1264-e361-4edc-8705-1f0c3ff1f13b");
        assert_eq!(
            key.key.expose(),
            "7677f1a8b48f0daa7a06895f80f5df6e93a2ae296bd6ff1d94f660061b0e40c4"
        );
        assert_eq!(key.encode().expose(), COMPACT);
        let key = KeyText::parse(SPACED).unwrap();
        assert_eq!(key.id.to_string(), "87dc6af5-fb6a-4525-8610-02223153a71f");
        assert_eq!(
            key.key.expose(),
            "fe98fce2034ac1cd6d9ba8ba1f626ae28c924f38821a5fa03a85add9b739f472"
        );
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let of = |json: &str| format!("{PREFIX}{}", STANDARD.encode(json));
        let id = "4b0a1264-e361-4edc-8705-1f0c3ff1f13b";
        for (text, error) in [
            (String::new(), KeyTextError::NoPrefix),
            (COMPACT.replace("ZENKEY_", "ZENPROKEY_"), KeyTextError::NoPrefix),
            (format!(" {COMPACT}"), KeyTextError::NoPrefix),
            (format!("{COMPACT}\n"), KeyTextError::Damaged),
            ("ZENKEY_garbage".to_owned(), KeyTextError::Damaged),
            (PREFIX.to_owned(), KeyTextError::Damaged),
            (of("{}"), KeyTextError::Damaged),
            (of("[]"), KeyTextError::Damaged),
            (of(&format!(r#"{{"id":"{id}"}}"#)), KeyTextError::Damaged),
            (of(r#"{"id":"x","key":"y"}"#), KeyTextError::NoId),
            (of(&format!(r#"{{"id":"{id}","key":""}}"#)), KeyTextError::NoKey),
            (of(&format!(r#"{{"id":"{id}","key":7}}"#)), KeyTextError::Damaged),
            (
                of(&format!(r#"{{"id":"{id}","key":"{}"}}"#, "7".repeat(1000))),
                KeyTextError::TooLong,
            ),
        ] {
            assert_eq!(KeyText::parse(&text).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn a_key_cut_anywhere_is_refused() {
        for end in 0..COMPACT.len() {
            assert!(KeyText::parse(&COMPACT[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn no_key_is_printed() {
        assert!(!format!("{:?}", KeyText::parse(COMPACT).unwrap()).contains("7677f1a8"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(id: [u8; 16], key in "[ -~]{1,64}") {
            let written = KeyText { id: ApiKeyId::from_random(id), key: Secret::new(key.clone()) }.encode();
            let read = KeyText::parse(written.expose()).unwrap();
            prop_assert_eq!(read.id, ApiKeyId::from_random(id));
            prop_assert_eq!(read.key.expose(), key);
        }

        #[test]
        fn nothing_makes_it_panic(text in "(ZENKEY_)?[A-Za-z0-9+/=]{0,80}") {
            let _ = KeyText::parse(&text);
        }
    }
}
