//! Times on the wire.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zenml_auth_model::Timestamp;

/// A moment as it stands on the wire: UTC without an offset, with microseconds, `2026-11-23T18:21:01.987471`.
///
/// Read tolerantly: with or without decimals, with a `T` or a space, with an offset or without.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, example = "2026-11-23T18:21:01.987471"))]
pub struct WireTime(pub Timestamp);

impl From<Timestamp> for WireTime {
    fn from(moment: Timestamp) -> Self {
        Self(moment)
    }
}

impl From<WireTime> for Timestamp {
    fn from(moment: WireTime) -> Self {
        moment.0
    }
}

impl fmt::Display for WireTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for WireTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for WireTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WireTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_recorded() {
        let text = "\"2026-11-23T18:21:01.987471\"";
        let moment: WireTime = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&moment).unwrap(), text);
    }

    #[test]
    fn tolerant() {
        for text in [
            "\"2026-11-23T18:21:01\"",
            "\"2026-11-23 18:21:01\"",
            "\"2026-11-23T18:21:01+00:00\"",
        ] {
            let moment: WireTime = serde_json::from_str(text).unwrap();
            assert_eq!(moment.to_string(), "2026-11-23T18:21:01.000000");
        }
        assert!(serde_json::from_str::<WireTime>("\"soon\"").is_err());
    }
}
