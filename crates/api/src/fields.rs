//! Reading the JSON bodies of requests, field by field.
//!
//! A derive would do, but for what it says when something is wrong: here a missing field and one of the wrong type are told
//! apart, all of them are reported at once, and no value is repeated in the message, as it may be a password.
//! Fields that nobody asks for are ignored: newer clients send more. `null` counts as absent, except where a [`Change`] is read.
//!
//! A body is never turned into a tree of values, which takes many times the memory of its text. Each field keeps the
//! slice of the body that holds its value, and a value is read when it is asked for, as what it has to be.

mod object;

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};
use uuid::Uuid;
use zenml_auth_model::text::MAX_NAME_CHARS;
use zenml_auth_model::{Name, NameError, Text};

use crate::SecretText;
use crate::error::{Place, Problem, ValidationErrors};

pub use object::{MAX_OBJECT_BYTES, MAX_OBJECT_DEPTH, MAX_OBJECT_VALUES};

/// How many fields a body may have. No client sends half as many; those beyond it only cost memory.
pub const MAX_FIELDS: usize = 64;

/// A JSON object that is being read.
#[derive(Debug)]
pub struct Fields<'a> {
    values: Vec<(Cow<'a, str>, &'a RawValue)>,
    errors: ValidationErrors,
}

/// What a body is, looked at from outside.
enum Body<'a> {
    Object(Vec<(Cow<'a, str>, &'a RawValue)>),
    TooManyFields,
    Other,
}

struct BodyVisitor;

/// Accepts a value of another kind, so that the caller can say what was wanted.
macro_rules! others {
    ($answer:expr, $($method:ident($type:ty)),+) => {
        $(fn $method<E: serde::de::Error>(self, _: $type) -> Result<Self::Value, E> { Ok($answer) })+
        fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> { Ok($answer) }
    };
}

impl<'de> Visitor<'de> for BodyVisitor {
    type Value = Body<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
        while let Some(name) = map.next_key_seed(FieldName)? {
            if let Some(known) = values.iter_mut().find(|(known, _)| *known == name) {
                // The last one counts, as in most parsers.
                known.1 = map.next_value()?;
            } else if values.len() < MAX_FIELDS {
                values.push((name, map.next_value()?));
            } else {
                map.next_value::<IgnoredAny>()?;
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Ok(Body::TooManyFields);
            }
        }
        Ok(Body::Object(values))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Body::Other)
    }

    others!(
        Body::Other,
        visit_bool(bool),
        visit_i64(i64),
        visit_u64(u64),
        visit_f64(f64),
        visit_str(&str)
    );
}

impl<'de> Deserialize<'de> for Body<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BodyVisitor)
    }
}

/// The name of a field: a slice of the body, unless it has escapes in it.
struct FieldName;

impl<'de> DeserializeSeed<'de> for FieldName {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for FieldName {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of a field")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

/// A value that is neither an object nor a list.
enum Scalar {
    Bool(bool),
    Number(Number),
    Text(String),
    /// A text with an escape of half a character. Only those get through the check that a body is JSON.
    BrokenText,
    Other,
}

impl Scalar {
    fn of(value: &RawValue) -> Self {
        let text = value.get();
        let read = match text.as_bytes().first() {
            Some(b'"') => serde_json::from_str(text).map(Self::Text),
            Some(b't' | b'f') => serde_json::from_str(text).map(Self::Bool),
            Some(b'-' | b'0'..=b'9') => serde_json::from_str(text).map(Self::Number),
            _ => Ok(Self::Other),
        };
        read.unwrap_or_else(|_| match text.as_bytes().first() {
            Some(b'"') => Self::BrokenText,
            _ => Self::Other,
        })
    }
}

/// What an update does to a value that need not be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Change<T> {
    /// Nothing: the field was not sent.
    #[default]
    Keep,
    /// Takes it away: `null` was sent.
    Clear,
    /// Gives it a new value.
    Set(T),
}

impl<T> Change<T> {
    /// Whether nothing changes.
    #[must_use]
    pub const fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }

    /// Applies the change to what was there.
    #[must_use]
    pub fn apply(self, before: Option<T>) -> Option<T> {
        match self {
            Self::Keep => before,
            Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }
}

impl<T: Serialize> Serialize for Change<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Set(value) => value.serialize(serializer),
            Self::Keep | Self::Clear => serializer.serialize_none(),
        }
    }
}

/// A request body that can be read from JSON.
pub trait RequestBody: Sized {
    /// Takes the fields that belong to it.
    fn read(fields: &mut Fields<'_>) -> Self;

    /// Reads a whole body. Whatever the content type says: releases before 0.70 send none.
    ///
    /// # Errors
    /// [`ValidationErrors`] with everything that is wrong with it.
    fn from_json(body: &[u8]) -> Result<Self, ValidationErrors> {
        let mut fields = Fields::parse(body)?;
        let request = Self::read(&mut fields);
        fields.errors.into_result(request)
    }
}

impl<'a> Fields<'a> {
    fn parse(body: &'a [u8]) -> Result<Self, ValidationErrors> {
        if body.is_empty() {
            return Err(ValidationErrors::whole_body(Problem::Missing));
        }
        let body: Body<'a> = serde_json::from_slice(body).map_err(|error| {
            // The parser's own message may quote what it read.
            let reason = format!("line {}, column {}", error.line(), error.column());
            ValidationErrors::whole_body(Problem::NotJson { reason })
        })?;
        match body {
            Body::Object(values) => Ok(Self {
                values,
                errors: ValidationErrors::default(),
            }),
            Body::TooManyFields => Err(ValidationErrors::whole_body(Problem::Unsuitable {
                reason: format!("has more than {MAX_FIELDS} fields"),
            })),
            Body::Other => Err(ValidationErrors::whole_body(Problem::WrongType {
                wanted: "a JSON object",
            })),
        }
    }

    fn wrong(&mut self, field: &str, problem: Problem) {
        self.errors.push(Place::Body, field, problem);
    }

    fn find(&self, field: &str) -> Option<&'a RawValue> {
        let found = self.values.iter().find(|(name, _)| name == field);
        found.map(|(_, value)| *value)
    }

    fn take(&mut self, field: &str) -> Option<&'a RawValue> {
        self.find(field).filter(|value| !is_null(value))
    }

    /// A text, if it is there.
    pub fn optional_string(&mut self, field: &str) -> Option<String> {
        match Scalar::of(self.take(field)?) {
            Scalar::Text(text) => Some(text),
            Scalar::BrokenText => {
                let reason = "has an escape (\\u) that stands for no character".to_owned();
                self.wrong(field, Problem::Unsuitable { reason });
                None
            }
            Scalar::Bool(_) | Scalar::Number(_) | Scalar::Other => {
                self.wrong(field, Problem::WrongType { wanted: "a text" });
                None
            }
        }
    }

    /// A text that has to be there.
    pub fn string(&mut self, field: &str) -> String {
        let before = self.errors.errors().len();
        self.optional_string(field).unwrap_or_else(|| {
            if self.errors.errors().len() == before {
                self.wrong(field, Problem::Missing);
            }
            String::new()
        })
    }

    /// A secret, if it is there.
    pub fn optional_secret(&mut self, field: &str) -> Option<SecretText> {
        self.optional_string(field).map(SecretText::new)
    }

    /// A secret that has to be there.
    pub fn secret(&mut self, field: &str) -> SecretText {
        SecretText::new(self.string(field))
    }

    fn checked_name(&mut self, field: &str, text: String) -> Option<Name> {
        match Name::new(text) {
            Ok(name) => Some(name),
            Err(NameError::TooLong) => {
                self.wrong(field, Problem::TooLong { max: MAX_NAME_CHARS });
                None
            }
            Err(error) => {
                self.wrong(
                    field,
                    Problem::Unsuitable {
                        reason: error.to_string(),
                    },
                );
                None
            }
        }
    }

    /// A name, if it is there.
    pub fn optional_name(&mut self, field: &str) -> Option<Name> {
        let text = self.optional_string(field)?;
        self.checked_name(field, text)
    }

    /// A name that has to be there.
    pub fn name(&mut self, field: &str) -> Name {
        let before = self.errors.errors().len();
        let text = self.string(field);
        let name = if self.errors.errors().len() == before {
            self.checked_name(field, text)
        } else {
            None
        };
        // Never seen by anyone: reading fails when there was no good name.
        name.unwrap_or_else(|| Name::from_stored(String::new()))
    }

    /// A free text, if it is there.
    pub fn optional_text(&mut self, field: &str) -> Option<Text> {
        let text = self.optional_string(field)?;
        self.checked_text(field, text)
    }

    /// A free text of one line, such as a name to show, if it is there; as long as a name at most.
    pub fn optional_line(&mut self, field: &str) -> Option<Text> {
        let text = self.optional_string(field)?;
        if text.chars().count() > MAX_NAME_CHARS {
            self.wrong(field, Problem::TooLong { max: MAX_NAME_CHARS });
            return None;
        }
        if text.chars().any(char::is_control) {
            self.wrong(
                field,
                Problem::Unsuitable {
                    reason: "has no line breaks or control characters".to_owned(),
                },
            );
            return None;
        }
        self.checked_text(field, text)
    }

    fn checked_text(&mut self, field: &str, text: String) -> Option<Text> {
        match Text::new(text) {
            Ok(text) => Some(text),
            Err(error) => {
                self.wrong(
                    field,
                    Problem::Unsuitable {
                        reason: error.to_string(),
                    },
                );
                None
            }
        }
    }

    /// Yes or no, if it is there; also as a number or a text, as ZenML's server reads them.
    pub fn optional_bool(&mut self, field: &str) -> Option<bool> {
        let read = match Scalar::of(self.take(field)?) {
            Scalar::Bool(value) => Some(value),
            Scalar::Number(number) => match number.as_u64() {
                Some(0) => Some(false),
                Some(1) => Some(true),
                _ => None,
            },
            Scalar::Text(text) => crate::query::parse_bool(&text),
            Scalar::BrokenText | Scalar::Other => None,
        };
        if read.is_none() {
            self.wrong(
                field,
                Problem::WrongType {
                    wanted: "true or false",
                },
            );
        }
        read
    }

    /// A whole number that is not negative, if it is there; also as a text, as ZenML's server reads it.
    pub fn optional_number(&mut self, field: &str, max: u64) -> Option<u64> {
        let number = match Scalar::of(self.take(field)?) {
            Scalar::Number(number) => whole(&number),
            Scalar::Text(text) => text.trim().parse::<i128>().ok(),
            Scalar::Bool(_) | Scalar::BrokenText | Scalar::Other => None,
        };
        let problem = match number {
            None => Problem::WrongType {
                wanted: "a whole number",
            },
            Some(number) if number < 0 => Problem::TooSmall { min: 0 },
            Some(number) => match u64::try_from(number) {
                Ok(number) if number <= max => return Some(number),
                _ => Problem::TooLarge { max },
            },
        };
        self.wrong(field, problem);
        None
    }

    /// An id, if it is there.
    pub fn optional_id(&mut self, field: &str) -> Option<Uuid> {
        let text = self.optional_string(field)?;
        let id = Uuid::try_parse(&text).ok();
        if id.is_none() {
            self.wrong(field, Problem::NotAnId);
        }
        id
    }

    /// A JSON object, if it is there, of at most 32 KiB, 1,000 values and 16 levels.
    pub fn optional_object(&mut self, field: &str) -> Option<Map<String, Value>> {
        let read = object::read(self.take(field)?);
        read.map_err(|problem| self.wrong(field, problem)).ok()
    }

    /// What an update does to a value that need not be there, given how to read one.
    pub fn change<T>(&mut self, field: &str, read: impl FnOnce(&mut Self, &str) -> Option<T>) -> Change<T> {
        match self.find(field) {
            None => Change::Keep,
            Some(value) if is_null(value) => Change::Clear,
            Some(_) => read(self, field).map_or(Change::Keep, Change::Set),
        }
    }
}

fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

/// `60` and `60.0`, but not `60.5`.
fn whole(number: &Number) -> Option<i128> {
    if let Some(number) = number.as_i64() {
        return Some(i128::from(number));
    }
    if let Some(number) = number.as_u64() {
        return Some(i128::from(number));
    }
    let float = number.as_f64().filter(|float| float.fract() == 0.0)?;
    format!("{float:.0}").parse().ok()
}

/// Writes a name or a text as a string; for `serialize_with`.
pub(crate) fn display<T: std::fmt::Display, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Writes an optional name or text as a string or `null`; for `serialize_with`.
pub(crate) fn display_option<T: std::fmt::Display, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

/// Writes a change of a name or a text; for `serialize_with`.
pub(crate) fn display_change<T: std::fmt::Display, S: Serializer>(
    value: &Change<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Change::Set(value) => serializer.collect_str(value),
        Change::Keep | Change::Clear => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Sample {
        name: Name,
        minutes: Option<u64>,
        flag: Option<bool>,
        email: Change<String>,
    }

    impl RequestBody for Sample {
        fn read(fields: &mut Fields<'_>) -> Self {
            Self {
                name: fields.name("name"),
                minutes: fields.optional_number("minutes", 100),
                flag: fields.optional_bool("flag"),
                email: fields.change("email", Fields::optional_string),
            }
        }
    }

    fn problems(body: &str) -> Vec<Problem> {
        Sample::from_json(body.as_bytes())
            .unwrap_err()
            .errors()
            .iter()
            .map(|error| error.problem.clone())
            .collect()
    }

    #[test]
    fn good_bodies_are_read() {
        let sample =
            Sample::from_json(br#"{"name":"ci","minutes":"60","flag":"yes","email":null,"colour":1}"#)
                .unwrap();
        assert_eq!(sample.name.as_str(), "ci");
        assert_eq!(
            (sample.minutes, sample.flag, sample.email),
            (Some(60), Some(true), Change::Clear)
        );
        let sample = Sample::from_json(br#"{"name":"ci","minutes":60.0,"flag":null,"email":"a@b"}"#).unwrap();
        assert_eq!((sample.minutes, sample.flag), (Some(60), None));
        assert_eq!(sample.email, Change::Set("a@b".to_owned()));
        assert!(Sample::from_json(br#"{"name":"ci"}"#).unwrap().email.is_keep());
    }

    #[test]
    fn each_problem_is_told_apart() {
        assert_eq!(problems("{}"), [Problem::Missing]);
        assert_eq!(problems(r#"{"name":null}"#), [Problem::Missing]);
        assert_eq!(
            problems(r#"{"name":1}"#),
            [Problem::WrongType { wanted: "a text" }]
        );
        assert!(matches!(
            problems(r#"{"name":""}"#).as_slice(),
            [Problem::Unsuitable { .. }]
        ));
        assert_eq!(
            problems(&format!(r#"{{"name":"{}"}}"#, "x".repeat(256))),
            [Problem::TooLong { max: 255 }]
        );
        assert_eq!(
            problems(r#"{"name":"a","minutes":-1}"#),
            [Problem::TooSmall { min: 0 }]
        );
        assert_eq!(
            problems(r#"{"name":"a","minutes":101}"#),
            [Problem::TooLarge { max: 100 }]
        );
        assert_eq!(
            problems(r#"{"name":"a","minutes":1e30}"#),
            [Problem::TooLarge { max: 100 }]
        );
        for minutes in ["\"soon\"", "1.5", "[]", "true", "\"\""] {
            let body = format!(r#"{{"name":"a","minutes":{minutes}}}"#);
            assert_eq!(
                problems(&body),
                [Problem::WrongType {
                    wanted: "a whole number"
                }],
                "{minutes}"
            );
        }
        assert_eq!(problems(r#"{"minutes":-1,"flag":2}"#).len(), 3);
    }

    #[test]
    fn what_is_no_object_is_refused_without_repeating_it() {
        for body in [
            "",
            "null",
            "[]",
            "\"hunter2\"",
            "{\"name\": \"hunter2",
            "hunter2",
            "\u{0}",
        ] {
            let error = Sample::from_json(body.as_bytes()).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn the_last_of_fields_with_one_name_counts() {
        let sample = Sample::from_json(br#"{"name":"a","name":"b","flag":true,"fl\u0061g":null}"#).unwrap();
        assert_eq!((sample.name.as_str(), sample.flag), ("b", None));
    }

    #[test]
    fn there_are_so_many_fields_and_no_more() {
        let body = |count: usize| {
            let others: Vec<String> = (1..count).map(|number| format!("\"f{number}\":{{}}")).collect();
            format!("{{{},\"name\":\"ci\"}}", others.join(","))
        };
        assert!(Sample::from_json(body(MAX_FIELDS).as_bytes()).is_ok());
        assert!(matches!(
            problems(&body(MAX_FIELDS + 1)).as_slice(),
            [Problem::Unsuitable { .. }]
        ));
        // What follows has to be JSON all the same.
        let broken = body(MAX_FIELDS + 1).replace("\"ci\"", "ci");
        assert!(matches!(problems(&broken).as_slice(), [Problem::NotJson { .. }]));
    }

    #[test]
    fn texts_with_broken_escapes_are_refused() {
        let found = problems(r#"{"name":"\ud800"}"#);
        assert!(
            matches!(found.as_slice(), [Problem::Unsuitable { reason }] if reason.contains("escape")),
            "{found:?}"
        );
        assert!(Sample::from_json(b"{\"name\":\"ci\",\"x\":\"\xff\"}").is_err());
    }

    #[test]
    fn what_nobody_asks_for_may_be_nested_as_deeply_as_it_likes() {
        let deep = format!(
            "{{\"x\":{}{},\"name\":\"ci\"}}",
            "[".repeat(8_000),
            "]".repeat(8_000)
        );
        assert_eq!(Sample::from_json(deep.as_bytes()).unwrap().name.as_str(), "ci");
    }
}
