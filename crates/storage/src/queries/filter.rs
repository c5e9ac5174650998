//! Filters as SQL. [`Test::holds`] says what each of them means; here the database does it.

use std::borrow::Cow;

use sea_orm::sea_query::{Condition, Expr, ExprTrait, SimpleExpr};
use uuid::Uuid;
use zenml_auth_model::Timestamp;
use zenml_auth_model::query::{Combine, Comparison, Field, FieldKind, Query, Test, TextMatch, Value};

use crate::dialect::Dialect;

/// What rows have to fulfil to match the query.
pub(crate) fn condition<F: Field>(
    dialect: Dialect,
    query: &Query<F>,
    column: impl Fn(F) -> SimpleExpr,
) -> Condition {
    // Without conditions everything matches, also when one of them would be enough.
    let combined = match query.combine {
        Combine::Or if !query.conditions.is_empty() => Condition::any(),
        Combine::And | Combine::Or => Condition::all(),
    };
    query.conditions.iter().fold(combined, |combined, condition| {
        let column = column(condition.field);
        combined.add(test(dialect, condition.field.kind(), column, &condition.test))
    })
}

fn test(dialect: Dialect, kind: FieldKind, column: SimpleExpr, test: &Test) -> SimpleExpr {
    if !fits(kind, test) {
        // Values of different kinds compare by their kinds alone, so that all values of the field do it alike.
        return if test.holds(Some(&any_value(kind))) {
            column.is_not_null()
        } else {
            never()
        };
    }
    match &*holdable(dialect, test) {
        Test::IsNull => column.is_null(),
        Test::IsNotNull => column.is_not_null(),
        Test::Always => Expr::cust("1 = 1"),
        Test::Never => never(),
        Test::Compare(comparison, value) => {
            let value = expression(value);
            match comparison {
                Comparison::Equal => column.eq(value),
                Comparison::NotEqual => column.ne(value),
                Comparison::Greater => column.gt(value),
                Comparison::GreaterOrEqual => column.gte(value),
                Comparison::Less => column.lt(value),
                Comparison::LessOrEqual => column.lte(value),
            }
        }
        Test::OneOf(values) => {
            let values: Vec<SimpleExpr> = of_kind(kind, values).map(expression).collect();
            if values.is_empty() {
                never()
            } else {
                column.is_in(values)
            }
        }
        Test::NotOneOf(values) => {
            let values: Vec<SimpleExpr> = of_kind(kind, values).map(expression).collect();
            if values.is_empty() {
                column.is_not_null()
            } else {
                column.is_not_in(values)
            }
        }
        Test::Between(from, to) => column.between(from.as_micros(), to.as_micros()),
        Test::Match(how, part) if kind == FieldKind::Id => match_id(dialect, column, *how, part),
        Test::Match(how, part) => match how {
            TextMatch::StartsWith => starts_with(column, part),
            how => match_text(dialect, column, *how, part),
        },
    }
}

/// The same test of texts that the database can hold, without those that it can't even compare with. All that it holds
/// come before or after them as they do with what precedes the first letter that it can't hold, which is the smallest.
fn holdable(dialect: Dialect, test: &Test) -> Cow<'_, Test> {
    let without = |values: &[Value]| {
        let kept = values.iter().filter(
            |value| !matches!(value, Value::Text(text) if dialect.first_unsupported_char(text).is_some()),
        );
        kept.cloned().collect()
    };
    match test {
        Test::Compare(comparison, Value::Text(text)) => match dialect.first_unsupported_char(text) {
            None => Cow::Borrowed(test),
            Some(at) => {
                let before = Value::Text(text.get(..at).unwrap_or_default().to_owned());
                Cow::Owned(match comparison {
                    Comparison::Equal => Test::Never,
                    Comparison::NotEqual => Test::IsNotNull,
                    Comparison::Greater | Comparison::GreaterOrEqual => {
                        Test::Compare(Comparison::Greater, before)
                    }
                    Comparison::Less | Comparison::LessOrEqual => {
                        Test::Compare(Comparison::LessOrEqual, before)
                    }
                })
            }
        },
        Test::OneOf(values) => Cow::Owned(Test::OneOf(without(values))),
        Test::NotOneOf(values) => Cow::Owned(Test::NotOneOf(without(values))),
        Test::Match(how, part) if dialect.first_unsupported_char(part).is_some() => Cow::Owned(match how {
            TextMatch::NotContains => Test::IsNotNull,
            TextMatch::Contains | TextMatch::StartsWith | TextMatch::EndsWith => Test::Never,
        }),
        _ => Cow::Borrowed(test),
    }
}

fn never() -> SimpleExpr {
    Expr::cust("1 = 0")
}

fn fits(kind: FieldKind, test: &Test) -> bool {
    match test {
        Test::Compare(_, value) => is_of_kind(kind, value),
        Test::Match(..) => matches!(kind, FieldKind::Text | FieldKind::Id),
        Test::Between(..) => kind == FieldKind::Time,
        Test::IsNull | Test::IsNotNull | Test::OneOf(_) | Test::NotOneOf(_) | Test::Never | Test::Always => {
            true
        }
    }
}

fn is_of_kind(kind: FieldKind, value: &Value) -> bool {
    kind == match value {
        Value::Text(_) => FieldKind::Text,
        Value::Id(_) => FieldKind::Id,
        Value::Time(_) => FieldKind::Time,
        Value::Bool(_) => FieldKind::Bool,
        Value::Number(_) => FieldKind::Number,
    }
}

fn of_kind(kind: FieldKind, values: &[Value]) -> impl Iterator<Item = &Value> {
    values.iter().filter(move |value| is_of_kind(kind, value))
}

fn any_value(kind: FieldKind) -> Value {
    match kind {
        FieldKind::Text => Value::Text(String::new()),
        FieldKind::Id => Value::Id(Uuid::nil()),
        FieldKind::Time => Value::Time(Timestamp::UNIX_EPOCH),
        FieldKind::Bool => Value::Bool(false),
        FieldKind::Number => Value::Number(0),
    }
}

fn expression(value: &Value) -> SimpleExpr {
    match value {
        Value::Text(text) => Expr::val(text.as_str()),
        Value::Id(id) => Expr::val(*id),
        Value::Time(time) => Expr::val(time.as_micros()),
        Value::Bool(flag) => Expr::val(*flag),
        Value::Number(number) => Expr::val(*number),
    }
}

fn match_text(dialect: Dialect, text: SimpleExpr, how: TextMatch, part: &str) -> SimpleExpr {
    match how {
        TextMatch::Contains => dialect.position(text, part).gt(0),
        TextMatch::NotContains => dialect.position(text, part).eq(0),
        TextMatch::StartsWith => dialect.position(text, part).eq(1),
        TextMatch::EndsWith => dialect.ends_with(text, part),
    }
}

/// A range rather than a function of the column, so that an index helps.
fn starts_with(text: SimpleExpr, part: &str) -> SimpleExpr {
    let from = text.clone().gte(part);
    match after_all_that_start_with(part) {
        Some(end) => from.and(text.lt(end)),
        None => from,
    }
}

/// The smallest text that is larger than all that start with this one.
fn after_all_that_start_with(part: &str) -> Option<String> {
    let mut chars: Vec<char> = part.chars().collect();
    while let Some(last) = chars.pop() {
        // A range of `char` steps over the surrogates.
        if let Some(next) = (last..=char::MAX).nth(1) {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

fn match_id(dialect: Dialect, id: SimpleExpr, how: TextMatch, part: &str) -> SimpleExpr {
    if how == TextMatch::StartsWith {
        return match ids_that_start_with(part) {
            Some((first, last)) => id.between(first, last),
            None => never(),
        };
    }
    match_text(dialect, dialect.id_text(id), how, part)
}

/// The first and the last id whose text starts with these digits.
fn ids_that_start_with(part: &str) -> Option<(Uuid, Uuid)> {
    if !part.chars().all(|digit| matches!(digit, '0'..='9' | 'a'..='f')) {
        return None;
    }
    let first = Uuid::try_parse(&format!("{part:0<32}")).ok()?;
    let last = Uuid::try_parse(&format!("{part:f<32}")).ok()?;
    Some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix() {
        assert_eq!(after_all_that_start_with("ci").as_deref(), Some("cj"));
        assert_eq!(after_all_that_start_with("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(after_all_that_start_with("\u{d7ff}").as_deref(), Some("\u{e000}"));
        assert_eq!(after_all_that_start_with("\u{10ffff}"), None);
        assert_eq!(after_all_that_start_with(""), None);
    }

    #[test]
    fn a_prefix_of_an_id_is_a_range() {
        let (first, last) = ids_that_start_with("8e7").unwrap();
        assert_eq!(first.simple().to_string(), "8e700000000000000000000000000000");
        assert_eq!(last.simple().to_string(), "8e7fffffffffffffffffffffffffffff");
        assert_eq!(ids_that_start_with(""), Some((Uuid::nil(), Uuid::max())));
        assert_eq!(ids_that_start_with("8E7"), None);
        assert_eq!(ids_that_start_with(&"0".repeat(33)), None);
    }
}
