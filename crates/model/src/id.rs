//! Typed identifiers: a device id can't be passed where a user id is meant.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::Timestamp;

/// A text that should have been an identifier but is no UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid UUID: {reason}")]
pub struct ParseIdError {
    /// What the UUID parser says is wrong.
    pub reason: String,
}

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID that is known to name this kind of thing.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Makes a version 4 UUID (RFC 9562 §5.4) from 16 random bytes.
            #[must_use]
            pub const fn from_random(bytes: [u8; 16]) -> Self {
                Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
            }

            /// The UUID inside.
            #[must_use]
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self).map_err(|error| ParseIdError { reason: error.to_string() })
            }
        }
    };
}

typed_id!(
    /// Names a [`User`](crate::User).
    UserId
);
typed_id!(
    /// Names a [`Device`](crate::Device).
    DeviceId
);
typed_id!(
    /// Names a [`DeviceGrant`](crate::DeviceGrant). A new device takes over the id of the grant it came from.
    GrantId
);
typed_id!(
    /// The OAuth 2.0 client identifier (RFC 6749 §2.2): one per ZenML client installation.
    ClientId
);
typed_id!(
    /// Names a [`ServiceAccount`](crate::ServiceAccount).
    ServiceAccountId
);
typed_id!(
    /// Names an [`ApiKey`](crate::ApiKey).
    ApiKeyId
);
typed_id!(
    /// Names a [`Session`](crate::Session).
    SessionId
);
typed_id!(
    /// Names a [`SigningKey`](crate::SigningKey); its text is the `kid` of tokens and of the JWKS.
    SigningKeyId
);
typed_id!(
    /// Names an [`AuditEvent`](crate::AuditEvent).
    AuditEventId
);
typed_id!(
    /// Names a server installation; the issuer and audience of its tokens.
    ServerId
);

impl AuditEventId {
    /// Makes a version 7 UUID (RFC 9562 §5.7) from a moment and random bytes, of which the last ten count. Entries are
    /// only ever appended, and nobody types their ids: with the time in front, a database appends to its index as well.
    #[must_use]
    pub fn at(moment: Timestamp, bytes: [u8; 16]) -> Self {
        let millis = u64::try_from(moment.as_micros() / 1000).unwrap_or_default();
        let [_, _, _, _, _, _, random @ ..] = bytes;
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }
}

impl GrantId {
    /// Makes a version 8 UUID (RFC 9562 §5.8) from a moment and random bytes, of which the last thirteen count. The
    /// first three bytes are the same for all ids of about 8 ms, and unlike those before and after.
    ///
    /// Strangers may make many requests at once. Their ids lie together in an index, so that a database changes few
    /// pages for all of them. Otherwise ids lie anywhere, so that a device, whose id this becomes, can be called by its
    /// first few digits; in version 7, those of whole days begin alike.
    #[must_use]
    pub fn at(moment: Timestamp, bytes: [u8; 16]) -> Self {
        // 2⁶⁴ divided by the golden ratio: what is next to each other ends up far apart (Knuth, TAOCP 3, §6.4).
        const SCATTER: u64 = 0x9e37_79b9_7f4a_7c15;
        let span = (moment.as_micros() >> 13).cast_unsigned();
        let start = u128::from(span.wrapping_mul(SCATTER) >> 40) << 104;
        let random = u128::from_be_bytes(bytes) & (u128::MAX >> 24);
        Self(uuid::Builder::from_custom_bytes((start | random).to_be_bytes()).into_uuid())
    }

    /// The id of the device that comes from this grant when the device is new.
    #[must_use]
    pub const fn into_device_id(self) -> DeviceId {
        DeviceId(self.0)
    }
}

impl From<DeviceId> for GrantId {
    /// On the wire a grant is addressed like a device; this reads such an id as a grant's.
    fn from(id: DeviceId) -> Self {
        Self(id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_a_moment_lie_together_and_others_anywhere() {
        let start = |micros: i64, byte: u8| {
            let id = GrantId::at(Timestamp::from_micros(micros), [byte; 16]).as_uuid();
            assert_eq!(id.get_version_num(), 8);
            assert_eq!(id.as_bytes()[3], byte, "the rest is random");
            id.to_string()[..6].to_owned()
        };
        let now = 1_764_000_000_000_000 >> 13 << 13;
        assert_eq!(start(now, 1), start(now + 8191, 2));
        // A minute of them, all different in what a person would type.
        let starts: std::collections::BTreeSet<String> = (0..7_000)
            .map(|span| start(now + span * 8192, 3)[..5].to_owned())
            .collect();
        assert!(starts.len() > 6_900, "{}", starts.len());
    }

    #[test]
    fn random_bytes_make_a_version_4_uuid() {
        let id = DeviceId::from_random([0xff; 16]);
        assert_eq!(id.as_uuid().get_version_num(), 4);
        assert_eq!(id.to_string().parse::<DeviceId>(), Ok(id));
    }

    #[test]
    fn ids_of_audit_events_grow_with_time() {
        let at = |micros, byte| AuditEventId::at(Timestamp::from_micros(micros), [byte; 16]);
        assert_eq!(at(0, 7).as_uuid().get_version_num(), 7);
        assert!(at(1_800_000_000_000_000, 0xff) < at(1_800_000_000_001_000, 0));
        assert!(at(-1, 0) < at(1000, 0));
        assert_ne!(at(5, 1), at(5, 2));
    }

    #[test]
    fn what_is_no_uuid_is_refused() {
        for text in [
            "",
            "x",
            "8e7f2a67e9534ef7b39539f4924716b",
            "8e7f2a67-e953-4ef7-b395-39f4924716b7 ",
        ] {
            assert!(text.parse::<UserId>().is_err(), "{text:?} was taken for an id");
        }
    }
}
