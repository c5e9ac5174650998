//! Listings: which items, in which order, which page.
//!
//! A query is checked when it is made, so that a store only ever sees conditions that fit their fields.

use std::borrow::Cow;
use std::fmt;

use uuid::Uuid;

use crate::text::nfc;
use crate::{ParseTimestampError, Timestamp};

/// The page size when none is asked for, as on ZenML's wire.
pub const DEFAULT_PAGE_SIZE: u32 = 20;
/// The largest page, as on ZenML's wire.
pub const MAX_PAGE_SIZE: u32 = 10_000;
/// The most conditions one query may have, so that nobody can make the database do arbitrary work.
pub const MAX_CONDITIONS: usize = 32;
/// The most values a `oneof` may have.
pub const MAX_CHOICES: usize = 1_000;

/// What a field holds, and so what it can be compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// A text, compared letter by letter.
    Text,
    /// A UUID; also searchable by a part of its text.
    Id,
    /// A moment.
    Time,
    /// Yes or no.
    Bool,
    /// A whole number.
    Number,
}

/// The fields that listings of one kind of item can filter and sort by.
pub trait Field: Copy + Eq + fmt::Debug + Send + Sync + 'static {
    /// All of them.
    const ALL: &'static [Self];

    /// The name on the wire.
    fn name(self) -> &'static str;

    /// What it holds.
    fn kind(self) -> FieldKind;

    /// The field that is called so on the wire.
    fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.name() == name)
    }

    /// The field that listings are sorted by unless told otherwise.
    fn created() -> Self;
}

macro_rules! fields {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident : $kind:ident => $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl Field for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            fn kind(self) -> FieldKind {
                match self { $(Self::$variant => FieldKind::$kind),+ }
            }

            fn created() -> Self {
                Self::Created
            }
        }
    };
}

fields!(
    /// Fields of users.
    UserField {
        /// The id.
        Id: Id => "id",
        /// When it was created.
        Created: Time => "created",
        /// When it was last changed.
        Updated: Time => "updated",
        /// The name.
        Name: Text => "name",
        /// The name to show.
        FullName: Text => "full_name",
        /// The e-mail address.
        Email: Text => "email",
        /// Whether the user may sign in.
        Active: Bool => "active",
        /// Whether the user is an administrator.
        IsAdmin: Bool => "is_admin",
        /// Whether the user shares the address.
        EmailOptedIn: Bool => "email_opted_in",
    }
);

fields!(
    /// Fields of devices.
    DeviceField {
        /// The id.
        Id: Id => "id",
        /// When it first connected.
        Created: Time => "created",
        /// When it was last changed.
        Updated: Time => "updated",
        /// When it expires.
        Expires: Time => "expires",
        /// The client installation.
        ClientId: Id => "client_id",
        /// Whose it is.
        UserId: Id => "user_id",
        /// `active` or `locked`.
        Status: Text => "status",
        /// Whether it is trusted.
        TrustedDevice: Bool => "trusted_device",
        /// When it was last used.
        LastLogin: Time => "last_login",
        /// The machine's name.
        Hostname: Text => "hostname",
        /// The operating system.
        Os: Text => "os",
        /// The network address.
        IpAddress: Text => "ip_address",
    }
);

fields!(
    /// Fields of service accounts.
    ServiceAccountField {
        /// The id.
        Id: Id => "id",
        /// When it was created.
        Created: Time => "created",
        /// When it was last changed.
        Updated: Time => "updated",
        /// The name.
        Name: Text => "name",
        /// The description.
        Description: Text => "description",
        /// Whether it may be used.
        Active: Bool => "active",
    }
);

fields!(
    /// Fields of API keys.
    ApiKeyField {
        /// The id.
        Id: Id => "id",
        /// When it was created.
        Created: Time => "created",
        /// When it was last changed.
        Updated: Time => "updated",
        /// The name.
        Name: Text => "name",
        /// The description.
        Description: Text => "description",
        /// Whether it may be used.
        Active: Bool => "active",
        /// When it was last used.
        LastLogin: Time => "last_login",
        /// When it was last rotated.
        LastRotated: Time => "last_rotated",
        /// When it expires.
        Expires: Time => "expires",
    }
);

fields!(
    /// Fields of what there is one of, with a name: the default project and stack.
    NamedField {
        /// The id.
        Id: Id => "id",
        /// When it was created.
        Created: Time => "created",
        /// When it was last changed.
        Updated: Time => "updated",
        /// The name.
        Name: Text => "name",
    }
);

fields!(
    /// Fields of the audit trail.
    AuditField {
        /// The entry's id.
        Id: Id => "id",
        /// When it happened.
        Created: Time => "created",
        /// Who did it, by id.
        ActorId: Id => "actor_id",
        /// Who did it, by name.
        ActorName: Text => "actor_name",
        /// What was done.
        Action: Text => "action",
        /// What it was done to, by id.
        TargetId: Id => "target_id",
        /// What it was done to, by name.
        TargetName: Text => "target_name",
        /// From which address.
        Address: Text => "address",
        /// In which request.
        RequestId: Text => "request_id",
    }
);

/// The operators of ZenML's filters, as in `name=startswith:ci`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `equals`, which is also meant when no operator is given.
    Equals,
    /// `notequals`
    NotEquals,
    /// `contains`
    Contains,
    /// `notcontains`
    NotContains,
    /// `startswith`
    StartsWith,
    /// `endswith`
    EndsWith,
    /// `oneof`, with a JSON list or a comma-separated one
    OneOf,
    /// `notoneof`
    NotOneOf,
    /// `isnull`
    IsNull,
    /// `isnotnull`
    IsNotNull,
    /// `gt`
    Gt,
    /// `gte`
    Gte,
    /// `lt`
    Lt,
    /// `lte`
    Lte,
    /// `in`, for times: two moments with a comma between them, both included
    In,
}

impl Operator {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Equals,
        Self::NotEquals,
        Self::Contains,
        Self::NotContains,
        Self::StartsWith,
        Self::EndsWith,
        Self::OneOf,
        Self::NotOneOf,
        Self::IsNull,
        Self::IsNotNull,
        Self::Gt,
        Self::Gte,
        Self::Lt,
        Self::Lte,
        Self::In,
    ];

    /// The operator's name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equals => "equals",
            Self::NotEquals => "notequals",
            Self::Contains => "contains",
            Self::NotContains => "notcontains",
            Self::StartsWith => "startswith",
            Self::EndsWith => "endswith",
            Self::OneOf => "oneof",
            Self::NotOneOf => "notoneof",
            Self::IsNull => "isnull",
            Self::IsNotNull => "isnotnull",
            Self::Gt => "gt",
            Self::Gte => "gte",
            Self::Lt => "lt",
            Self::Lte => "lte",
            Self::In => "in",
        }
    }

    /// The operator that is called so on the wire.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|operator| operator.as_str() == text)
    }
}

/// A value to compare with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// A text.
    Text(String),
    /// A UUID.
    Id(Uuid),
    /// A moment.
    Time(Timestamp),
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Number(i64),
}

/// How two values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
}

/// Where a text has to be found in another. For ids, the text is hexadecimal without dashes, in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextMatch {
    /// Anywhere.
    Contains,
    /// Nowhere.
    NotContains,
    /// At the beginning.
    StartsWith,
    /// At the end.
    EndsWith,
}

/// A test that fits the kind of its field. As in SQL, nothing but [`Test::IsNull`] holds for a missing value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// The field has no value.
    IsNull,
    /// The field has a value.
    IsNotNull,
    /// The field compares so with a value.
    Compare(Comparison, Value),
    /// The field's text matches.
    Match(TextMatch, String),
    /// The field is one of these.
    OneOf(Vec<Value>),
    /// The field is none of these.
    NotOneOf(Vec<Value>),
    /// The field lies between these moments, both included.
    Between(Timestamp, Timestamp),
    /// Never holds: an id was compared for equality with something that is not an id.
    Never,
    /// Always holds: an id was compared for inequality with something that is not an id.
    Always,
}

impl Test {
    /// Whether the test holds for a value; `None` is a missing value. Stores that have no query language of their
    /// own evaluate filters with it, and it defines what the others have to do.
    #[must_use]
    pub fn holds(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Self::Always, _) | (Self::IsNull, None) | (Self::IsNotNull, Some(_)) => true,
            (Self::Never | Self::IsNull | Self::IsNotNull, _) | (_, None) => false,
            (Self::Compare(comparison, expected), Some(actual)) => match comparison {
                Comparison::Equal => actual == expected,
                Comparison::NotEqual => actual != expected,
                Comparison::Greater => actual > expected,
                Comparison::GreaterOrEqual => actual >= expected,
                Comparison::Less => actual < expected,
                Comparison::LessOrEqual => actual <= expected,
            },
            (Self::Match(how, part), Some(actual)) => {
                let text = match actual {
                    Value::Text(text) => text.clone(),
                    Value::Id(id) => id.simple().to_string(),
                    Value::Time(_) | Value::Bool(_) | Value::Number(_) => return false,
                };
                match how {
                    TextMatch::Contains => text.contains(part),
                    TextMatch::NotContains => !text.contains(part),
                    TextMatch::StartsWith => text.starts_with(part),
                    TextMatch::EndsWith => text.ends_with(part),
                }
            }
            (Self::OneOf(values), Some(actual)) => values.contains(actual),
            (Self::NotOneOf(values), Some(actual)) => !values.contains(actual),
            (Self::Between(from, to), Some(Value::Time(actual))) => from <= actual && actual <= to,
            (Self::Between(..), Some(_)) => false,
        }
    }
}

/// A field and the test it has to pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition<F> {
    /// The field.
    pub field: F,
    /// The test.
    pub test: Test,
}

/// Why a filter makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// The operator does not go with what the field holds.
    #[error("`{field}` can't be filtered with `{operator}`")]
    OperatorNotAllowed {
        /// The field's name.
        field: &'static str,
        /// The operator's name.
        operator: &'static str,
    },
    /// The value is not yes or no.
    #[error("`{field}` is compared with true or false, not with {value:?}")]
    NotABool {
        /// The field's name.
        field: &'static str,
        /// What was given.
        value: String,
    },
    /// The value is not a whole number.
    #[error("`{field}` is compared with a whole number, not with {value:?}")]
    NotANumber {
        /// The field's name.
        field: &'static str,
        /// What was given.
        value: String,
    },
    /// The value is not a moment.
    #[error("`{field}`: {source}")]
    NotATime {
        /// The field's name.
        field: &'static str,
        /// Why not.
        source: ParseTimestampError,
    },
    /// `in` without two moments.
    #[error("`{field}`: `in` takes two times with a comma between them")]
    NotARange {
        /// The field's name.
        field: &'static str,
    },
    /// Too many values in a list.
    #[error("`{field}`: a list has at most {MAX_CHOICES} values")]
    TooManyChoices {
        /// The field's name.
        field: &'static str,
    },
}

impl<F: Field> Condition<F> {
    /// Makes a condition from what a client sent; `values` has more than one element for `oneof` and `notoneof` only.
    ///
    /// # Errors
    /// [`FilterError`] when the operator or a value does not fit the field.
    pub fn new(field: F, operator: Operator, values: &[String]) -> Result<Self, FilterError> {
        let not_allowed = || FilterError::OperatorNotAllowed {
            field: field.name(),
            operator: operator.as_str(),
        };
        let single = values.first().map_or("", String::as_str);
        let compare = |comparison| {
            Ok(match parse_value(field, single)? {
                Some(value) => Test::Compare(comparison, value),
                None if comparison == Comparison::NotEqual => Test::Always,
                None => Test::Never,
            })
        };
        let ordered = matches!(field.kind(), FieldKind::Time | FieldKind::Number);
        let textual = matches!(field.kind(), FieldKind::Text | FieldKind::Id);
        let matching = |how| Ok(Test::Match(how, matched_text(field, single)));
        // A name is the same in whatever normalization form it is typed; rows of older builds have it in any.
        let composed = match (field.kind(), field.name()) {
            (FieldKind::Text, "name" | "actor_name" | "target_name") => nfc(single),
            _ => Cow::Borrowed(single),
        };
        let either = || vec![Value::Text(single.to_owned()), Value::Text(composed.to_string())];
        let test = match operator {
            Operator::Equals if composed != single => Ok(Test::OneOf(either())),
            Operator::NotEquals if composed != single => Ok(Test::NotOneOf(either())),
            Operator::IsNull => Ok(Test::IsNull),
            Operator::IsNotNull => Ok(Test::IsNotNull),
            Operator::Equals => compare(Comparison::Equal),
            Operator::NotEquals => compare(Comparison::NotEqual),
            Operator::Gt if ordered => compare(Comparison::Greater),
            Operator::Gte if ordered => compare(Comparison::GreaterOrEqual),
            Operator::Lt if ordered => compare(Comparison::Less),
            Operator::Lte if ordered => compare(Comparison::LessOrEqual),
            Operator::Contains if textual => matching(TextMatch::Contains),
            Operator::NotContains if textual => matching(TextMatch::NotContains),
            Operator::StartsWith if textual => matching(TextMatch::StartsWith),
            Operator::EndsWith if textual => matching(TextMatch::EndsWith),
            Operator::OneOf if textual => choices(field, values).map(Test::OneOf),
            Operator::NotOneOf if textual => choices(field, values).map(Test::NotOneOf),
            Operator::In if field.kind() == FieldKind::Time => range(field, single),
            Operator::Gt
            | Operator::Gte
            | Operator::Lt
            | Operator::Lte
            | Operator::Contains
            | Operator::NotContains
            | Operator::StartsWith
            | Operator::EndsWith
            | Operator::OneOf
            | Operator::NotOneOf
            | Operator::In => Err(not_allowed()),
        }?;
        Ok(Self { field, test })
    }
}

fn matched_text<F: Field>(field: F, text: &str) -> String {
    if field.kind() == FieldKind::Id {
        text.replace('-', "").to_ascii_lowercase()
    } else {
        text.to_owned()
    }
}

fn choices<F: Field>(field: F, values: &[String]) -> Result<Vec<Value>, FilterError> {
    if values.len() > MAX_CHOICES {
        return Err(FilterError::TooManyChoices { field: field.name() });
    }
    let parsed: Result<Vec<_>, _> = values.iter().map(|value| parse_value(field, value)).collect();
    Ok(parsed?.into_iter().flatten().collect())
}

fn range<F: Field>(field: F, text: &str) -> Result<Test, FilterError> {
    let (from, to) = text
        .split_once(',')
        .ok_or(FilterError::NotARange { field: field.name() })?;
    let parse = |part: &str| {
        part.trim().parse().map_err(|source| FilterError::NotATime {
            field: field.name(),
            source,
        })
    };
    Ok(Test::Between(parse(from)?, parse(to)?))
}

/// `None` means that the text is no id, and so equals none.
fn parse_value<F: Field>(field: F, text: &str) -> Result<Option<Value>, FilterError> {
    let name = field.name();
    Ok(match field.kind() {
        FieldKind::Text => Some(Value::Text(text.to_owned())),
        FieldKind::Id => Uuid::try_parse(text).ok().map(Value::Id),
        FieldKind::Time => {
            let moment = text
                .parse()
                .map_err(|source| FilterError::NotATime { field: name, source })?;
            Some(Value::Time(moment))
        }
        FieldKind::Bool => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "y" | "t" | "on" => Some(Value::Bool(true)),
            "false" | "0" | "no" | "n" | "f" | "off" => Some(Value::Bool(false)),
            _ => {
                return Err(FilterError::NotABool {
                    field: name,
                    value: text.to_owned(),
                });
            }
        },
        FieldKind::Number => {
            let number = text.trim().parse().map_err(|_| FilterError::NotANumber {
                field: name,
                value: text.to_owned(),
            })?;
            Some(Value::Number(number))
        }
    })
}

/// How several conditions combine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Combine {
    /// All have to hold.
    #[default]
    And,
    /// At least one has to hold.
    Or,
}

/// Which way to sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Smallest first; missing values before all others.
    #[default]
    Ascending,
    /// Largest first; missing values after all others.
    Descending,
}

/// What to sort by. Ties are broken by id, in the same direction, so that pages never overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort<F> {
    /// The field.
    pub field: F,
    /// The direction.
    pub direction: Direction,
}

/// Which page of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    number: u32,
    size: u32,
}

/// Why there is no such page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PageRequestError {
    /// Pages are counted from 1.
    #[error("pages are counted from 1")]
    NumberTooSmall,
    /// Nothing fits on an empty page.
    #[error("a page holds at least one item")]
    SizeTooSmall,
    /// More than [`MAX_PAGE_SIZE`].
    #[error("a page holds at most {MAX_PAGE_SIZE} items")]
    SizeTooLarge,
}

impl PageRequest {
    /// Checks a page's number, counted from 1, and its size.
    ///
    /// # Errors
    /// [`PageRequestError`] when there can't be such a page.
    pub const fn new(number: u32, size: u32) -> Result<Self, PageRequestError> {
        if number == 0 {
            return Err(PageRequestError::NumberTooSmall);
        }
        if size == 0 {
            return Err(PageRequestError::SizeTooSmall);
        }
        if size > MAX_PAGE_SIZE {
            return Err(PageRequestError::SizeTooLarge);
        }
        Ok(Self { number, size })
    }

    /// The page's number, counted from 1.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.number
    }

    /// The most items on it.
    #[must_use]
    pub const fn size(self) -> u32 {
        self.size
    }

    /// How many items come before it.
    #[must_use]
    pub fn offset(self) -> u64 {
        u64::from(self.number.saturating_sub(1)) * u64::from(self.size)
    }
}

impl Default for PageRequest {
    fn default() -> Self {
        Self {
            number: 1,
            size: DEFAULT_PAGE_SIZE,
        }
    }
}

/// A whole query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query<F> {
    /// What has to hold; everything matches when there are none.
    pub conditions: Vec<Condition<F>>,
    /// How the conditions combine.
    pub combine: Combine,
    /// What to sort by.
    pub sort: Sort<F>,
    /// Which page.
    pub page: PageRequest,
}

impl<F: Field> Default for Query<F> {
    fn default() -> Self {
        Self {
            conditions: Vec::new(),
            combine: Combine::And,
            sort: Sort {
                field: F::created(),
                direction: Direction::Ascending,
            },
            page: PageRequest::default(),
        }
    }
}

impl<F: Field> Query<F> {
    /// Whether an item matches, given a way to read its fields.
    pub fn matches(&self, read: impl Fn(F) -> Option<Value>) -> bool {
        if self.conditions.is_empty() {
            return true;
        }
        let mut results = self
            .conditions
            .iter()
            .map(|condition| condition.test.holds(read(condition.field).as_ref()));
        match self.combine {
            Combine::And => results.all(|held| held),
            Combine::Or => results.any(|held| held),
        }
    }
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in order.
    pub items: Vec<T>,
    /// How many items match in all.
    pub total: u64,
    /// Which page was asked for.
    pub request: PageRequest,
}

impl<T> Page<T> {
    /// How many pages there are; an empty listing has one empty page.
    #[must_use]
    pub fn total_pages(&self) -> u64 {
        self.total.div_ceil(u64::from(self.request.size())).max(1)
    }

    /// Whether the page that was asked for lies after the last one.
    #[must_use]
    pub fn is_past_the_end(&self) -> bool {
        u64::from(self.request.number()) > self.total_pages()
    }

    /// The same page with other items.
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(convert).collect(),
            total: self.total,
            request: self.request,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(
        field: DeviceField,
        operator: Operator,
        value: &str,
    ) -> Result<Condition<DeviceField>, FilterError> {
        Condition::new(field, operator, &[value.to_owned()])
    }

    #[test]
    fn operators_go_with_kinds() {
        assert!(condition(DeviceField::Hostname, Operator::Contains, "lap").is_ok());
        assert!(condition(DeviceField::Created, Operator::Gte, "2026-11-23 18:21:01").is_ok());
        assert!(matches!(
            condition(DeviceField::TrustedDevice, Operator::Contains, "x"),
            Err(FilterError::OperatorNotAllowed { .. })
        ));
        assert!(matches!(
            condition(DeviceField::TrustedDevice, Operator::Equals, "maybe"),
            Err(FilterError::NotABool { .. })
        ));
        assert!(matches!(
            condition(DeviceField::Created, Operator::In, "soon"),
            Err(FilterError::NotARange { .. })
        ));
    }

    #[test]
    fn an_id_that_is_none_matches_nothing() {
        assert_eq!(
            condition(DeviceField::Id, Operator::Equals, "x").map(|c| c.test),
            Ok(Test::Never)
        );
        assert_eq!(
            condition(DeviceField::Id, Operator::NotEquals, "x").map(|c| c.test),
            Ok(Test::Always)
        );
    }

    #[test]
    fn ids_match_by_a_part_of_their_text() {
        let id = Value::Id(Uuid::try_parse("8e7f2a67-e953-4ef7-b395-39f4924716b7").unwrap());
        let starts = condition(DeviceField::Id, Operator::StartsWith, "8E7F2A67-e9").unwrap();
        assert!(starts.test.holds(Some(&id)));
        assert!(
            !condition(DeviceField::Id, Operator::EndsWith, "6b8")
                .unwrap()
                .test
                .holds(Some(&id))
        );
    }

    #[test]
    fn a_missing_value_passes_no_test_but_isnull() {
        for operator in [
            Operator::NotEquals,
            Operator::NotContains,
            Operator::NotOneOf,
            Operator::IsNotNull,
        ] {
            assert!(
                !condition(DeviceField::Hostname, operator, "x")
                    .unwrap()
                    .test
                    .holds(None),
                "{operator:?}"
            );
        }
        assert!(
            condition(DeviceField::Hostname, Operator::IsNull, "")
                .unwrap()
                .test
                .holds(None)
        );
    }

    #[test]
    fn pages_are_counted_as_on_the_wire() {
        let page = |total, number, size| Page::<()> {
            items: Vec::new(),
            total,
            request: PageRequest::new(number, size).unwrap(),
        };
        assert_eq!(page(0, 1, 20).total_pages(), 1);
        assert_eq!(page(20, 1, 20).total_pages(), 1);
        assert_eq!(page(21, 2, 20).total_pages(), 2);
        assert!(page(1, 99, 20).is_past_the_end());
        assert!(!page(0, 1, 20).is_past_the_end());
        assert_eq!(PageRequest::new(1, 10_001), Err(PageRequestError::SizeTooLarge));
    }

    #[test]
    fn field_names_are_unique() {
        for field in DeviceField::ALL {
            assert_eq!(DeviceField::parse(field.name()), Some(*field));
        }
    }
}
