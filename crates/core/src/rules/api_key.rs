//! API keys: present, rotate with retention, admit.

use std::time::Duration;

use zenml_auth_model::{ApiKey, KeyGeneration, RetainedKey, SecretHash, Timestamp};

use crate::secrets;

/// The longest retention: a year. Who needs longer needs two keys.
pub const MAX_RETENTION_MINUTES: u32 = 365 * 24 * 60;

/// For how long a rotation keeps the old value alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention(u32);

/// A retention that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the retention is 0 to {MAX_RETENTION_MINUTES} minutes, not {minutes}")]
pub struct InvalidRetention {
    /// What was asked for, in minutes.
    pub minutes: i64,
}

impl Retention {
    /// The old value ends at once.
    pub const NONE: Self = Self(0);

    /// The old value stays alive for so many minutes.
    ///
    /// # Errors
    /// When the number is negative or more than [`MAX_RETENTION_MINUTES`].
    pub fn from_minutes(minutes: i64) -> Result<Self, InvalidRetention> {
        match u32::try_from(minutes) {
            Ok(valid) if valid <= MAX_RETENTION_MINUTES => Ok(Self(valid)),
            _ => Err(InvalidRetention { minutes }),
        }
    }

    /// The minutes.
    #[must_use]
    pub const fn minutes(self) -> u32 {
        self.0
    }
}

/// Why a key, or a token made from it, is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// The key is switched off.
    #[error("the API key is not active")]
    Inactive,
    /// The key's time is over.
    #[error("the API key has expired")]
    Expired,
    /// The value is neither the current one nor the one before it.
    #[error("the value is not that of the API key")]
    WrongValue,
    /// The value was right until it was rotated away.
    #[error("the value was rotated away")]
    RotatedAway,
    /// The token was made from a value that was rotated away.
    #[error("the token was made from a value that was rotated away")]
    GenerationEnded,
}

/// Replaces the key's value. The value before it stays alive for the retention; a value retained from an earlier
/// rotation ends now.
#[must_use]
pub fn rotate(key: ApiKey, value: SecretHash, retention: Retention, now: Timestamp) -> ApiKey {
    let replaced = key.current;
    let kept_for = Duration::from_secs(60 * u64::from(retention.minutes()));
    ApiKey {
        current: KeyGeneration {
            number: replaced.number.wrapping_add(1),
            hash: value,
        },
        retained: Some(RetainedKey {
            generation: replaced,
            until: now + kept_for,
        }),
        retain_period_minutes: retention.minutes(),
        last_rotated: Some(now),
        updated: now,
        ..key
    }
}

/// Which generation of the key is alive under this value.
///
/// # Errors
/// [`Refusal`] says why none is. The holder of a value that never was right, or was replaced long ago, learns only
/// [`Refusal::WrongValue`]; the one before the current one proves that its holder once had the key.
pub fn present(key: &ApiKey, value: &SecretHash, now: Timestamp) -> Result<u32, Refusal> {
    // Both are compared always, so that the time tells nothing.
    let is_current = secrets::same(&key.current.hash, value);
    let replaced = key
        .retained
        .filter(|retained| secrets::same(&retained.generation.hash, value));
    let generation = match (is_current, replaced) {
        (true, _) => key.current.number,
        (false, Some(retained)) if now < retained.until => retained.generation.number,
        (false, Some(_)) => return Err(Refusal::RotatedAway),
        (false, None) => return Err(Refusal::WrongValue),
    };
    admit(key, generation, now).map(|()| generation)
}

/// Whether a token made from this generation of the key is good.
///
/// # Errors
/// [`Refusal`] says why not.
pub fn admit(key: &ApiKey, generation: u32, now: Timestamp) -> Result<(), Refusal> {
    if !key.active {
        return Err(Refusal::Inactive);
    }
    if key.expires.is_some_and(|expires| now >= expires) {
        return Err(Refusal::Expired);
    }
    let alive = generation == key.current.number
        || key
            .retained
            .is_some_and(|retained| retained.generation.number == generation && now < retained.until);
    if alive {
        Ok(())
    } else {
        Err(Refusal::GenerationEnded)
    }
}

/// When this generation of the key ends by itself, as far as is known now.
#[must_use]
pub fn ends(key: &ApiKey, generation: u32) -> Option<Timestamp> {
    let retained_until = key
        .retained
        .filter(|retained| retained.generation.number == generation)
        .map(|retained| retained.until);
    match (retained_until, key.expires) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use zenml_auth_model::{ApiKeyId, Name, ServiceAccountId, Text, UsedFrom, Version};

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const MICRO: Duration = Duration::from_micros(1);

    fn value(number: u8) -> SecretHash {
        SecretHash::from_bytes([number; 32])
    }

    fn key() -> ApiKey {
        ApiKey {
            id: ApiKeyId::from_random([1; 16]),
            service_account_id: ServiceAccountId::from_random([2; 16]),
            name: Name::new("default").unwrap(),
            description: Text::default(),
            active: true,
            current: KeyGeneration {
                number: 1,
                hash: value(1),
            },
            retained: None,
            retain_period_minutes: 0,
            expires: None,
            last_login: None,
            last_used_from: UsedFrom::default(),
            last_rotated: None,
            created: NOW,
            updated: NOW,
            version: Version::FIRST,
        }
    }

    fn minutes(minutes: i64) -> Retention {
        Retention::from_minutes(minutes).unwrap()
    }

    #[test]
    fn retentions_are_checked() {
        for minutes in [-1, i64::MIN, i64::MAX, i64::from(MAX_RETENTION_MINUTES) + 1] {
            assert_eq!(
                Retention::from_minutes(minutes),
                Err(InvalidRetention { minutes })
            );
        }
        assert_eq!(minutes(0), Retention::NONE);
        assert_eq!(
            minutes(i64::from(MAX_RETENTION_MINUTES)).minutes(),
            MAX_RETENTION_MINUTES
        );
    }

    #[test]
    fn rotation_keeps_the_old_value_exactly_as_long_as_asked() {
        let rotated = rotate(key(), value(2), minutes(60), NOW);
        let end = NOW + Duration::from_secs(3600);
        assert_eq!(present(&rotated, &value(2), NOW), Ok(2));
        assert_eq!(present(&rotated, &value(1), end - MICRO), Ok(1));
        assert_eq!(present(&rotated, &value(1), end), Err(Refusal::RotatedAway));
        assert_eq!(admit(&rotated, 1, end - MICRO), Ok(()));
        assert_eq!(admit(&rotated, 1, end), Err(Refusal::GenerationEnded));
        assert_eq!((ends(&rotated, 1), ends(&rotated, 2)), (Some(end), None));
    }

    #[test]
    fn a_second_rotation_ends_the_retained_value() {
        let twice = rotate(
            rotate(key(), value(2), minutes(60), NOW),
            value(3),
            minutes(60),
            NOW,
        );
        assert_eq!(present(&twice, &value(1), NOW), Err(Refusal::WrongValue));
        assert_eq!(admit(&twice, 1, NOW), Err(Refusal::GenerationEnded));
        assert_eq!(present(&twice, &value(2), NOW), Ok(2));
        let cut = rotate(twice, value(4), Retention::NONE, NOW);
        assert_eq!(present(&cut, &value(3), NOW), Err(Refusal::RotatedAway));
        assert_eq!(
            present(&cut, &value(2), NOW),
            Err(Refusal::WrongValue),
            "long gone"
        );
        assert_eq!(present(&cut, &value(4), NOW), Ok(4));
    }

    #[test]
    fn the_switch_and_the_expiry_rule_over_both_values() {
        let rotated = rotate(key(), value(2), minutes(60), NOW);
        let off = ApiKey {
            active: false,
            ..rotated.clone()
        };
        let ended = ApiKey {
            expires: Some(NOW),
            ..rotated
        };
        for number in [1, 2] {
            assert_eq!(present(&off, &value(number), NOW), Err(Refusal::Inactive));
            assert_eq!(present(&ended, &value(number), NOW), Err(Refusal::Expired));
        }
        assert_eq!(
            present(&off, &value(9), NOW),
            Err(Refusal::WrongValue),
            "strangers learn nothing of the switch"
        );
        assert_eq!(ends(&ended, 1), Some(NOW), "whichever comes first");
    }
}
