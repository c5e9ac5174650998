//! What a value is tested for.

use uuid::Uuid;

use crate::Timestamp;

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
