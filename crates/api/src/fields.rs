//! Reading the JSON bodies of requests, field by field.
//!
//! A derive would do, but for what it says when something is wrong: here a missing field and one of the wrong type are told
//! apart, all of them are reported at once, and no value is repeated in the message, as it may be a password.
//! Fields that nobody asks for are ignored: newer clients send more. `null` counts as absent, except where a [`Change`] is read.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use uuid::Uuid;
use zenml_auth_model::text::MAX_NAME_CHARS;
use zenml_auth_model::{Name, NameError, Text};

use crate::SecretText;
use crate::error::{Place, Problem, ValidationErrors};

/// A JSON object that is being read.
#[derive(Debug)]
pub struct Fields {
    values: Map<String, Value>,
    errors: ValidationErrors,
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
    fn read(fields: &mut Fields) -> Self;

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

impl Fields {
    fn parse(body: &[u8]) -> Result<Self, ValidationErrors> {
        if body.is_empty() {
            return Err(ValidationErrors::whole_body(Problem::Missing));
        }
        let value: Value = serde_json::from_slice(body).map_err(|error| {
            // The parser's own message may quote what it read.
            let reason = format!("line {}, column {}", error.line(), error.column());
            ValidationErrors::whole_body(Problem::NotJson { reason })
        })?;
        match value {
            Value::Object(values) => Ok(Self {
                values,
                errors: ValidationErrors::default(),
            }),
            _ => Err(ValidationErrors::whole_body(Problem::WrongType {
                wanted: "a JSON object",
            })),
        }
    }

    fn wrong(&mut self, field: &str, problem: Problem) {
        self.errors.push(Place::Body, field, problem);
    }

    fn take(&mut self, field: &str) -> Option<Value> {
        self.values.remove(field).filter(|value| !value.is_null())
    }

    /// A text, if it is there.
    pub fn optional_string(&mut self, field: &str) -> Option<String> {
        match self.take(field)? {
            Value::String(text) => Some(text),
            _ => {
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
        let read = match self.take(field)? {
            Value::Bool(value) => Some(value),
            Value::Number(number) => match number.as_u64() {
                Some(0) => Some(false),
                Some(1) => Some(true),
                _ => None,
            },
            Value::String(text) => crate::query::parse_bool(&text),
            _ => None,
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
        let value = self.take(field)?;
        let number = match &value {
            Value::Number(number) => whole(number),
            Value::String(text) => text.trim().parse::<i128>().ok(),
            _ => None,
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

    /// A JSON object, if it is there.
    pub fn optional_object(&mut self, field: &str) -> Option<Map<String, Value>> {
        match self.take(field)? {
            Value::Object(map) => Some(map),
            _ => {
                self.wrong(
                    field,
                    Problem::WrongType {
                        wanted: "a JSON object",
                    },
                );
                None
            }
        }
    }

    /// What an update does to a value that need not be there, given how to read one.
    pub fn change<T>(&mut self, field: &str, read: impl FnOnce(&mut Self, &str) -> Option<T>) -> Change<T> {
        match self.values.get(field) {
            None => Change::Keep,
            Some(Value::Null) => Change::Clear,
            Some(_) => read(self, field).map_or(Change::Keep, Change::Set),
        }
    }
}

/// `60` and `60.0`, but not `60.5`.
fn whole(number: &serde_json::Number) -> Option<i128> {
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
        fn read(fields: &mut Fields) -> Self {
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
}
