//! Values in columns: what they become, and what is wrong with them when they can't.

use std::fmt;
use std::net::IpAddr;

use sea_orm::{DbErr, DeriveValueType, TryFromU64};
use zenml_auth_core::ports::StoreError;
use zenml_auth_model::{EncryptionKeyId, KeptSecret, Sealed, Text, Timestamp, UsedFrom, Version};
use zeroize::Zeroizing;

/// Bytes that are not to be printed.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
pub struct SecretBytes(pub Vec<u8>);

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(…)")
    }
}

/// For rows that are named by bytes: no database makes them up from a counter.
impl TryFromU64 for SecretBytes {
    fn try_from_u64(_: u64) -> Result<Self, DbErr> {
        Err(DbErr::ConvertFromU64("SecretBytes"))
    }
}

impl From<&[u8; 32]> for SecretBytes {
    fn from(bytes: &[u8; 32]) -> Self {
        Self(bytes.to_vec())
    }
}

/// A text that is not to be printed.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
pub struct SecretText(pub String);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

/// What is said of a value that can't be. Never the value itself, as it may be secret.
pub(crate) fn corrupt(column: &str, problem: &str) -> StoreError {
    StoreError::Corrupt(format!("{column} {problem}"))
}

/// Thirty-two bytes.
pub(crate) fn bytes32(column: &str, bytes: &SecretBytes) -> Result<[u8; 32], StoreError> {
    bytes
        .0
        .as_slice()
        .try_into()
        .map_err(|_| corrupt(column, "does not have 32 bytes"))
}

/// A secret of the server, and the id of the key that it is sealed under if it is.
pub(crate) fn stored_secret(secret: &KeptSecret) -> (SecretBytes, Option<String>) {
    match secret {
        KeptSecret::Sealed(sealed) => (
            SecretBytes(sealed.bytes.clone()),
            Some(sealed.key.as_str().to_owned()),
        ),
        KeptSecret::Plain(plain) => (SecretBytes::from(&**plain), None),
    }
}

/// A secret of the server. What is sealed is handed on as it is.
pub(crate) fn kept_secret(
    column: &str,
    bytes: SecretBytes,
    sealed_by: Option<String>,
) -> Result<KeptSecret, StoreError> {
    let Some(key) = sealed_by else {
        return Ok(KeptSecret::Plain(Zeroizing::new(bytes32(column, &bytes)?)));
    };
    let key = EncryptionKeyId::new(key)
        .map_err(|_| corrupt(column, "is sealed under a key without a proper id"))?;
    Ok(KeptSecret::Sealed(Sealed { key, bytes: bytes.0 }))
}

/// A counter.
pub(crate) fn counter(column: &str, number: i64) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|_| corrupt(column, "is out of range"))
}

/// A row's version.
pub(crate) fn version(column: &str, number: i64) -> Result<Version, StoreError> {
    counter(column, number).map(Version::new)
}

/// A moment.
pub(crate) fn time(column: &str, micros: i64) -> Result<Timestamp, StoreError> {
    let time = Timestamp::from_micros(micros);
    if time.as_micros() == micros {
        Ok(time)
    } else {
        Err(corrupt(column, "lies outside of all time"))
    }
}

/// A moment that may be missing.
pub(crate) fn optional_time(column: &str, micros: Option<i64>) -> Result<Option<Timestamp>, StoreError> {
    micros.map(|micros| time(column, micros)).transpose()
}

/// A value that this kind of row has to have.
pub(crate) fn required<T>(column: &str, value: Option<T>) -> Result<T, StoreError> {
    value.ok_or_else(|| corrupt(column, "is missing"))
}

/// A network address that may be missing.
pub(crate) fn address(column: &str, text: Option<&str>) -> Result<Option<IpAddr>, StoreError> {
    let address = text.map(str::parse).transpose();
    address.map_err(|_| corrupt(column, "is no network address"))
}

/// From where something was used; `column` is that of the address.
pub(crate) fn used_from(
    column: &str,
    last_address: Option<&str>,
    last_agent: Option<String>,
) -> Result<UsedFrom, StoreError> {
    Ok(UsedFrom {
        address: address(column, last_address)?,
        agent: last_agent.map(Text::from_stored),
    })
}

/// A text that may be missing, as it is stored.
pub(crate) fn stored(text: Option<&Text>) -> Option<String> {
    text.map(|text| text.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_cannot_be_are_reported() {
        let message = |error: StoreError| error.to_string();
        assert!(bytes32("t.c", &SecretBytes(vec![0; 32])).is_ok());
        assert!(
            bytes32("t.c", &SecretBytes(vec![0; 31]))
                .map_err(message)
                .unwrap_err()
                .ends_with("32 bytes")
        );
        assert!(counter("t.c", -1).is_err());
        assert!(counter("t.c", i64::from(u32::MAX)).is_ok());
        assert!(time("t.c", i64::MAX).is_err());
        assert!(time("t.c", -1).is_ok());
        assert!(
            required::<i64>("t.c", None)
                .map_err(message)
                .unwrap_err()
                .ends_with("t.c is missing")
        );
    }

    #[test]
    fn secrets_are_not_printed() {
        let printed = format!(
            "{:?} {:?}",
            SecretBytes(vec![7; 32]),
            SecretText("hunter2".to_owned())
        );
        assert_eq!(printed, "SecretBytes(…) SecretText(…)");
    }
}
