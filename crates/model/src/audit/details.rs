//! What an entry of the audit trail says besides who, what and to what.

use std::fmt;

use super::named_enum;
use crate::text::Quoted;
use crate::{ApiKeyId, DeviceTraits, EncryptionKeyId, Text, Timestamp};

/// The most characters of a value that the trail keeps. Names fit; of a longer text it keeps the beginning.
const MAX_VALUE_CHARS: usize = 255;

/// More about what was done. Never anything secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Details {
    /// In words, as in entries of builds that knew no types.
    Note(Text),
    /// What was changed.
    Changes(Vec<FieldChange>),
    /// What a new user is.
    UserCreated {
        /// Whether they are an administrator.
        administrator: bool,
        /// When their invitation ends, if they were invited.
        invited_until: Option<Timestamp>,
    },
    /// An activation token was made.
    Invited {
        /// When it ends.
        until: Timestamp,
    },
    /// Whether the person trusts the machine.
    Trust {
        /// Whether they do.
        trusted: bool,
    },
    /// A wrong user code.
    WrongCode {
        /// Which wrong one of this request it was, from 1.
        attempt: u32,
        /// How many end the request.
        most: u32,
        /// The request that it was tried on; `None` in entries of earlier builds.
        request: Option<RequestFacts>,
    },
    /// A decision on a device's request, or the connection that came of it.
    Decided {
        /// Whether the person trusts the device; `None` when it was denied.
        trusted: Option<bool>,
        /// The request.
        request: RequestFacts,
    },
    /// Requests of devices since the entry before.
    Requests {
        /// How many.
        times: u64,
        /// How many of them were refused.
        refused: u64,
        /// When the first of them was made.
        first: Timestamp,
        /// When the last of them was made.
        last: Timestamp,
        /// Whether they came from networks that have no entry of their own.
        of_other_networks: bool,
    },
    /// The secrets at rest were sealed.
    SealedUnder {
        /// The id of the encryption key.
        key: EncryptionKeyId,
    },
    /// Entries of the trail were removed.
    Purged {
        /// How many.
        entries: u64,
        /// For how many days entries are kept.
        kept_days: u64,
    },
    /// A rotation of an API key.
    Rotated {
        /// Until when the old value is good; `None` when it ended at once.
        old_value_until: Option<Timestamp>,
    },
    /// A token was made for use by hand.
    TokenIssued {
        /// When it ends.
        expires: Timestamp,
    },
    /// Attempts that were refused.
    Refused(Refusals),
}

/// What is known of a device's request to be connected. The device says so itself, but for the time and the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestFacts {
    /// When it was made.
    pub at: Timestamp,
    /// What made it, and from where.
    pub traits: DeviceTraits,
}

impl RequestFacts {
    /// The details of a decision on this request.
    #[must_use]
    pub const fn decided(self, trusted: Option<bool>) -> Details {
        Details::Decided {
            trusted,
            request: self,
        }
    }
}

impl fmt::Display for RequestFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let traits = &self.traits;
        write!(f, "requested at {}", self.at)?;
        for (before, value) in [
            (" from ", &traits.ip_address),
            (", host ", &traits.hostname),
            (", system ", &traits.os),
            (", ZenML ", &traits.zenml_version),
            (", Python ", &traits.python_version),
        ] {
            if let Some(value) = value {
                write!(f, "{before}{}", Quoted(value.as_str()))?;
            }
        }
        Ok(())
    }
}

/// Attempts of one kind that were refused since the entry before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusals {
    /// Why.
    pub reason: RefusalReason,
    /// How many.
    pub times: u64,
    /// When the first of them was made.
    pub first: Timestamp,
    /// When the last of them was made. The entry's origin is that of the last one.
    pub last: Timestamp,
    /// What they were about.
    pub about: About,
    /// Whether they came from many networks.
    pub many_networks: bool,
    /// How many different names were tried that are nobody's; the names themselves are not kept, as people type
    /// passwords there. Counting stops at a thousand.
    pub unknown_names: Option<u32>,
    /// The id of the API key that the last one named, if there is no such key.
    pub unknown_key: Option<ApiKeyId>,
}

named_enum!(
    /// Why an attempt was refused.
    RefusalReason {
        /// The password was wrong.
        WrongPassword => "wrong_password",
        /// There is no such account.
        UnknownAccount => "unknown_account",
        /// The account, or the key, is switched off.
        Inactive => "inactive",
        /// The activation token was wrong.
        WrongToken => "wrong_token",
        /// The invitation has ended.
        InvitationEnded => "invitation_ended",
        /// The value is not the key's.
        WrongValue => "wrong_value",
        /// There is no such key.
        UnknownKey => "unknown_key",
        /// The key has expired.
        Expired => "expired",
        /// The key was rotated.
        RotatedAway => "rotated_away",
        /// No request has this user code.
        UnknownCode => "unknown_code",
        /// The device code is not that of the request it names, or there is no such request, or it is another client's.
        WrongDeviceCode => "wrong_device_code",
        /// The client polled with its device code far more often than it was told to.
        PollsTooOften => "polls_too_often",
        /// There were too many attempts before.
        TooMany => "too_many",
    }
);

named_enum!(
    /// What refused attempts were about.
    About {
        /// The target of the entry.
        Target => "target",
        /// Nothing that exists; the target is the server.
        Unknown => "unknown",
        /// Several things; the target is the server.
        Many => "many",
    }
);

/// A value that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// Which one.
    pub field: ChangedField,
    /// From what to what.
    pub change: ValueChange,
}

/// From what to what a value was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueChange {
    /// Both values.
    Told {
        /// The value before.
        before: FieldValue,
        /// The value since.
        after: FieldValue,
    },
    /// The values are secret, or too much to keep.
    Untold,
}

/// A value, for the trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldValue {
    /// There is none.
    Missing,
    /// A text.
    Text(Text),
    /// Yes or no.
    Flag(bool),
}

named_enum!(
    /// What can be changed about a user, a service account or an API key.
    ChangedField {
        /// The name.
        Name => "name",
        /// The name to show.
        FullName => "full_name",
        /// What it is for.
        Description => "description",
        /// The e-mail address.
        Email => "email",
        /// Whether the address is shared.
        EmailOptedIn => "email_opted_in",
        /// The password.
        Password => "password",
        /// What clients keep with the account.
        Metadata => "user_metadata",
        /// The project that clients use unless told otherwise.
        DefaultProject => "default_project_id",
        /// A picture to show.
        Avatar => "avatar_url",
    }
);

impl FieldValue {
    /// A text; of a long one, the beginning and how long it is.
    #[must_use]
    pub fn text(text: &str) -> Self {
        let chars = text.chars().count();
        Self::Text(Text::from_stored(if chars <= MAX_VALUE_CHARS {
            text.to_owned()
        } else {
            let beginning: String = text.chars().take(MAX_VALUE_CHARS).collect();
            format!("{beginning}… ({chars} characters)")
        }))
    }
}

impl From<&Text> for FieldValue {
    fn from(text: &Text) -> Self {
        Self::text(text.as_str())
    }
}

impl From<&crate::Name> for FieldValue {
    fn from(name: &crate::Name) -> Self {
        Self::text(name.as_str())
    }
}

impl From<bool> for FieldValue {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<uuid::Uuid> for FieldValue {
    fn from(id: uuid::Uuid) -> Self {
        Self::text(&id.to_string())
    }
}

impl<T: Into<Self>> From<Option<T>> for FieldValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Missing, Into::into)
    }
}

impl FieldChange {
    /// The change of a value, if it was one.
    #[must_use]
    pub fn between(
        field: ChangedField,
        before: impl Into<FieldValue>,
        after: impl Into<FieldValue>,
    ) -> Option<Self> {
        let (before, after) = (before.into(), after.into());
        (before != after).then_some(Self {
            field,
            change: ValueChange::Told { before, after },
        })
    }

    /// The change of a value that is not told.
    #[must_use]
    pub const fn untold(field: ChangedField) -> Self {
        Self {
            field,
            change: ValueChange::Untold,
        }
    }
}

impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("none"),
            Self::Text(text) => Quoted(text.as_str()).fmt(f),
            Self::Flag(flag) => f.write_str(if *flag { "yes" } else { "no" }),
        }
    }
}

impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.field.as_str();
        match &self.change {
            ValueChange::Told { before, after } => write!(f, "{field}: {before} -> {after}"),
            ValueChange::Untold => write!(f, "{field}: changed"),
        }
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.as_str())?;
        if self.times == 1 {
            write!(f, ", at {}", self.first)?;
        } else {
            write!(f, ", {} times from {} to {}", self.times, self.first, self.last)?;
        }
        match self.about {
            About::Target => {}
            About::Unknown => f.write_str(", about nothing that exists")?,
            About::Many => f.write_str(", about many things")?,
        }
        if self.many_networks {
            f.write_str(", from many networks")?;
        }
        if let Some(names) = self.unknown_names {
            write!(f, ", unknown names tried: {names}")?;
        }
        if let Some(key) = self.unknown_key {
            write!(f, ", unknown key {key}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Details {
    /// For people, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Note(text) => Quoted(text.as_str()).fmt(f),
            Self::Changes(changes) if changes.is_empty() => f.write_str("nothing else than before"),
            Self::Changes(changes) => {
                for (index, change) in changes.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    change.fmt(f)?;
                }
                Ok(())
            }
            Self::UserCreated {
                administrator,
                invited_until,
            } => {
                f.write_str(if *administrator {
                    "administrator"
                } else {
                    "not an administrator"
                })?;
                match invited_until {
                    Some(until) => write!(f, ", invited until {until}"),
                    None => Ok(()),
                }
            }
            Self::Invited { until } => write!(f, "invited until {until}"),
            Self::Trust { trusted } => f.write_str(if *trusted { "trusted" } else { "not trusted" }),
            Self::WrongCode {
                attempt,
                most,
                request,
            } => {
                write!(f, "wrong user code, attempt {attempt} of {most}")?;
                match request {
                    Some(request) => write!(f, "; {request}"),
                    None => Ok(()),
                }
            }
            Self::Decided { trusted, request } => {
                match trusted {
                    Some(true) => f.write_str("trusted; ")?,
                    Some(false) => f.write_str("not trusted; ")?,
                    None => {}
                }
                request.fmt(f)
            }
            Self::Requests {
                times,
                refused,
                first,
                last,
                of_other_networks,
            } => {
                let whose = if *of_other_networks {
                    " of other networks"
                } else {
                    ""
                };
                write!(
                    f,
                    "{times} requests{whose} from {first} to {last}, {refused} of them refused"
                )
            }
            Self::SealedUnder { key } => write!(f, "under the encryption key {key}"),
            Self::Purged { entries, kept_days } => {
                write!(f, "{entries} entries that were older than {kept_days} days")
            }
            Self::Rotated {
                old_value_until: Some(until),
            } => write!(f, "the old value is good until {until}"),
            Self::Rotated {
                old_value_until: None,
            } => f.write_str("the old value ended at once"),
            Self::TokenIssued { expires } => write!(f, "good until {expires}"),
            Self::Refused(refusals) => refusals.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut() {
        let FieldValue::Text(kept) = FieldValue::text(&"ü".repeat(16 * 1024)) else {
            panic!("a text");
        };
        assert!(kept.as_str().ends_with("… (16384 characters)"));
        assert!(kept.as_str().chars().count() < 300);
        assert_eq!(
            FieldValue::text(&"x".repeat(255)),
            FieldValue::Text(Text::from_stored("x".repeat(255)))
        );
    }

    #[test]
    fn details_stay_on_their_line() {
        let change = FieldChange::between(
            ChangedField::FullName,
            &Text::from_stored("Ann".to_owned()),
            &Text::from_stored("Ann\"\n2026-11-27  operator".to_owned()),
        );
        let details = Details::Changes(change.into_iter().collect());
        assert_eq!(
            details.to_string(),
            r#"full_name: "Ann" -> "Ann\"\u{a}2026-11-27  operator""#
        );
        assert_eq!(FieldChange::between(ChangedField::EmailOptedIn, true, true), None);
    }
}
