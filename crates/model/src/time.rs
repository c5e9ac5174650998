//! Moments in time: UTC, to the microsecond.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

/// A moment, in UTC, to the microsecond.
///
/// Microseconds are what the wire shows and what every database keeps, so a value that was stored and read again
/// equals the one that was written. Arithmetic saturates at the ends of the range, which lie outside of what any
/// setting can reach.
///
/// ```
/// use std::time::Duration;
/// use zenml_auth_model::Timestamp;
///
/// let start: Timestamp = "2026-11-23T18:21:01.987471".parse().unwrap();
/// assert_eq!((start + Duration::from_secs(1)).to_string(), "2026-11-23T18:21:02.987471");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00.
    pub const UNIX_EPOCH: Self = Self(0);
    /// The last moment that can be written with a four-digit year: 9999-12-31T23:59:59.999999.
    pub const MAX: Self = Self(253_402_300_799_999_999);
    /// The first moment that can be written with a four-digit year: 0000-01-01T00:00:00.
    pub const MIN: Self = Self(-62_167_219_200_000_000);

    /// The moment that lies this many microseconds after 1970-01-01T00:00:00 UTC, brought into range.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        if micros > Self::MAX.0 {
            Self::MAX
        } else if micros < Self::MIN.0 {
            Self::MIN
        } else {
            Self(micros)
        }
    }

    /// Microseconds since 1970-01-01T00:00:00 UTC.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The moment that lies this many whole seconds after 1970-01-01T00:00:00 UTC (a JWT's `NumericDate`).
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self::from_micros(seconds.saturating_mul(1_000_000))
    }

    /// Whole seconds since 1970-01-01T00:00:00 UTC, rounded down.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// How long it is from `earlier` to this moment; zero when `earlier` is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(if micros > 0 { micros.unsigned_abs() } else { 0 })
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_add(micros))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_sub(micros))
    }
}

impl fmt::Display for Timestamp {
    /// The wire's form: ISO 8601 without an offset, always with six decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // In range by construction, as `from_micros` is the only way in.
        let moment = jiff::Timestamp::from_microsecond(self.0).map_err(|_| fmt::Error)?;
        let civil = jiff::tz::TimeZone::UTC.to_datetime(moment);
        write!(f, "{}", civil.strftime("%Y-%m-%dT%H:%M:%S%.6f"))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that should have been a moment in time but can't be read as one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a date and time: {text:?} (use for example 2026-11-23T18:21:01 or 2026-11-23 18:21:01)")]
pub struct ParseTimestampError {
    /// The text that could not be read.
    pub text: String,
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    /// Reads ISO 8601 with a `T` or a space, with or without decimals, in UTC unless an offset is given.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || ParseTimestampError {
            text: text.to_owned(),
        };
        if let Ok(moment) = text.parse::<jiff::Timestamp>() {
            return Ok(Self::from_micros(moment.as_microsecond()));
        }
        let civil: jiff::civil::DateTime = text.parse().map_err(|_| refused())?;
        let moment = jiff::tz::TimeZone::UTC
            .to_timestamp(civil)
            .map_err(|_| refused())?;
        Ok(Self::from_micros(moment.as_microsecond()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_the_forms_that_clients_send() {
        let expected = Timestamp::from_micros(1_795_458_061_000_000);
        for text in [
            "2026-11-23T18:21:01",
            "2026-11-23 18:21:01",
            "2026-11-23T18:21:01Z",
            "2026-11-23T19:21:01+01:00",
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "soon",
            "2026-13-01T00:00:00",
            "2026-02-30 00:00:00",
            "18:21:01",
        ] {
            assert!(
                text.parse::<Timestamp>().is_err(),
                "{text:?} was taken for a time"
            );
        }
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp::MAX + Duration::MAX, Timestamp::MAX);
        assert_eq!(Timestamp::MIN - Duration::MAX, Timestamp::MIN);
        assert_eq!(Timestamp::UNIX_EPOCH.since(Timestamp::MAX), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn text_and_back_is_the_same_moment(micros in Timestamp::MIN.0..=Timestamp::MAX.0) {
            let moment = Timestamp::from_micros(micros);
            prop_assert_eq!(moment.to_string().parse::<Timestamp>(), Ok(moment));
            prop_assert_eq!(moment.to_string().len(), 26);
        }
    }
}
