//! Filters as they are typed, put so that every server reads them, ZenML's older ones too.

use zenml_auth_api::info::InfoResponse;
use zenml_auth_model::Timestamp;
use zenml_auth_model::query::Operator;

use crate::error::{CliError, Exit};

/// The fields that hold moments.
const TIMES: &[&str] = &[
    "created",
    "updated",
    "expires",
    "last_login",
    "last_rotated",
    "password_changed_at",
];

/// The fields that hold ids.
const IDS: &[&str] = &["id", "client_id"];

/// A filter, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Filter<'a> {
    field: &'static str,
    operator: Option<Operator>,
    operand: &'a str,
}

impl<'a> Filter<'a> {
    /// Reads what was typed: `value` or `operator:value`.
    pub(crate) fn read(field: &'static str, typed: &'a str) -> Self {
        let split = typed
            .split_once(':')
            .and_then(|(name, operand)| Some((Operator::parse(name)?, operand)));
        let (operator, operand) =
            split.map_or((None, typed), |(operator, operand)| (Some(operator), operand));
        Self {
            field,
            operator,
            operand,
        }
    }

    /// The field.
    pub(crate) const fn field(&self) -> &'static str {
        self.field
    }

    /// The value to send.
    pub(crate) fn to_send(&self) -> String {
        let operand = match self.operator {
            Some(Operator::OneOf | Operator::NotOneOf) => as_list(self.operand),
            Some(Operator::In) if TIMES.contains(&self.field) => self
                .operand
                .split(',')
                .map(|moment| as_moment(moment.trim()))
                .collect::<Vec<_>>()
                .join(","),
            Some(Operator::StartsWith | Operator::EndsWith | Operator::Contains)
                if IDS.contains(&self.field) =>
            {
                // Older servers compare with the digits alone.
                self.operand.replace('-', "")
            }
            _ if TIMES.contains(&self.field) => as_moment(self.operand),
            _ => self.operand.to_owned(),
        };
        match self.operator {
            Some(operator) => format!("{}:{operand}", operator.as_str()),
            None => operand,
        }
    }

    /// The first release of ZenML's server that knows the operator, where the oldest ones do not. Those take it for a part of the
    /// value, and so find nothing. (Taken from the releases' own `GenericFilterOps`.)
    fn known_since(&self) -> Option<(u32, u32)> {
        match self.operator? {
            Operator::NotEquals | Operator::In => Some((0, 67)),
            Operator::OneOf => Some((0, 70)),
            Operator::NotOneOf | Operator::NotContains | Operator::IsNull | Operator::IsNotNull => {
                Some((0, 95))
            }
            Operator::Equals
            | Operator::Contains
            | Operator::StartsWith
            | Operator::EndsWith
            | Operator::Gt
            | Operator::Gte
            | Operator::Lt
            | Operator::Lte => None,
        }
    }

    /// Whether it depends on the server's release that the operator is known.
    pub(crate) fn needs_check(&self) -> bool {
        self.known_since().is_some()
    }

    /// Fails when this server would misunderstand the operator.
    pub(crate) fn check(&self, info: &InfoResponse, url: &str) -> Result<(), CliError> {
        let (Some(operator), Some(since), Some(release)) =
            (self.operator, self.known_since(), release(&info.version))
        else {
            return Ok(());
        };
        if release >= since {
            return Ok(());
        }
        let (major, minor) = since;
        Err(CliError::new(
            Exit::Failed,
            format!(
                "{url} runs ZenML {}, which does not know the filter `{}`",
                info.version,
                operator.as_str()
            ),
        )
        .next(format!(
            "It is known since ZenML {major}.{minor}. Leave the filter out, and look through the list: add --output json."
        )))
    }
}

/// `0.98.0` is of release 0.98. Anything else is taken for a newer one.
fn release(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// ZenML's server reads a moment only as `2026-11-23 18:21:01`, in UTC. Any other text is for the server to refuse, and so is
/// a part of a second, which would be lost.
fn as_moment(typed: &str) -> String {
    match typed.parse::<Timestamp>() {
        Ok(moment) => {
            let text = moment.to_string();
            match text.strip_suffix(".000000") {
                Some(seconds) => seconds.replace('T', " "),
                None => typed.to_owned(),
            }
        }
        Err(_) => typed.to_owned(),
    }
}

/// ZenML's server reads a list only as JSON; people type commas.
fn as_list(typed: &str) -> String {
    if typed.trim_start().starts_with('[') {
        return typed.to_owned();
    }
    let items: Vec<serde_json::Value> = typed.split(',').map(|item| item.trim().into()).collect();
    serde_json::Value::from(items).to_string()
}

#[cfg(test)]
mod tests {
    use zenml_auth_model::ServerId;

    use super::*;

    fn sent(field: &'static str, typed: &str) -> String {
        Filter::read(field, typed).to_send()
    }

    #[test]
    fn moments_are_sent_as_every_server_reads_them() {
        for (typed, expected) in [
            ("gt:2026-11-23", "gt:2026-11-23 00:00:00"),
            ("lt:2026-11-23T18:21:01", "lt:2026-11-23 18:21:01"),
            ("gte:2026-11-23T18:21:01+01:00", "gte:2026-11-23 17:21:01"),
            ("2026-11-23 18:21:01", "2026-11-23 18:21:01"),
            ("2026-11-23T18:21:01Z", "2026-11-23 18:21:01"),
            (
                "in:2026-11-23, 2026-11-24",
                "in:2026-11-23 00:00:00,2026-11-24 00:00:00",
            ),
            ("2026-11-23T18:21:01.5", "2026-11-23T18:21:01.5"),
            ("gt:yesterday", "gt:yesterday"),
            ("isnull:", "isnull:"),
        ] {
            assert_eq!(sent("created", typed), expected);
        }
        assert_eq!(sent("name", "2026-11-23"), "2026-11-23", "a name is no moment");
    }

    #[test]
    fn lists_are_sent_as_json() {
        assert_eq!(sent("name", "oneof:ci, web"), r#"oneof:["ci","web"]"#);
        assert_eq!(sent("name", r#"notoneof:["ci"]"#), r#"notoneof:["ci"]"#);
        assert_eq!(sent("name", r#"oneof:a"b"#), r#"oneof:["a\"b"]"#);
    }

    #[test]
    fn parts_of_ids_are_sent_without_dashes() {
        assert_eq!(sent("id", "startswith:2efa1441-60a"), "startswith:2efa144160a");
        let whole = "2efa1441-60a3-462a-9644-ac74f84d8518";
        assert_eq!(sent("id", whole), whole);
        assert_eq!(sent("name", "startswith:a-b"), "startswith:a-b");
    }

    #[test]
    fn other_values_are_sent_as_they_are() {
        for typed in ["ci", "startswith:ci", "a:b", "", ":", "contains:2026-11-23"] {
            assert_eq!(sent("name", typed), typed);
        }
    }

    #[test]
    fn what_a_release_does_not_know_is_refused() {
        let info = |version: &str| InfoResponse::new(ServerId::from_random([0; 16]), "x", version);
        let check =
            |typed: &str, version: &str| Filter::read("name", typed).check(&info(version), "http://x");
        for (typed, known, unknown) in [
            ("notequals:x", "0.67.0", "0.66.0"),
            ("oneof:x", "0.70.0", "0.68.1"),
            ("isnull:", "0.95.0", "0.94.6"),
        ] {
            assert!(Filter::read("name", typed).needs_check());
            assert!(check(typed, known).is_ok(), "{typed}");
            let refused = check(typed, unknown).unwrap_err();
            assert!(refused.what.contains(unknown), "{}", refused.what);
        }
        assert!(check("startswith:x", "0.10.0").is_ok() && !Filter::read("name", "x").needs_check());
        assert!(check("oneof:x", "1.0.0").is_ok() && check("oneof:x", "nightly").is_ok());
    }
}
