//! One condition of a query, checked against its field.

use std::borrow::Cow;

use uuid::Uuid;

use super::{Comparison, Field, FieldKind, Operator, Test, TextMatch, Value};
use crate::ParseTimestampError;
use crate::text::nfc;

/// The most values a `oneof` may have.
pub const MAX_CHOICES: usize = 1_000;

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

#[cfg(test)]
mod tests {
    use super::super::DeviceField;
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
}
