//! The details of the audit trail as JSON: how stores keep them and programs read them, in one place.
//!
//! Each is an object with a `kind`. Entries of builds before there were kinds hold prose. Text that is none of the kinds is
//! read as a [`Details::Note`] with that text, so nothing is lost.

use serde_json::{Map, Value, json};
use zenml_auth_model::audit::{
    About, ChangedField, FieldChange, FieldValue, RefusalReason, Refusals, RequestFacts, ValueChange,
};
use zenml_auth_model::{ApiKeyId, Details, DeviceTraits, EncryptionKeyId, Text, Timestamp};

/// The details as a JSON object.
#[must_use]
pub fn to_json(details: &Details) -> Value {
    match details {
        Details::Note(text) => json!({"kind": "note", "text": text.as_str()}),
        Details::Changes(changes) => json!({
            "kind": "changes",
            "changes": changes.iter().map(change_to_json).collect::<Vec<_>>(),
        }),
        Details::UserCreated {
            administrator,
            invited_until,
        } => json!({
            "kind": "user_created",
            "administrator": administrator,
            "invited_until": time(*invited_until),
        }),
        Details::Invited { until } => json!({"kind": "invited", "until": until.to_string()}),
        Details::Trust { trusted } => json!({"kind": "trust", "trusted": trusted}),
        Details::WrongCode {
            attempt,
            most,
            request,
        } => json!({
            "kind": "wrong_code",
            "attempt": attempt,
            "most": most,
            "request": request.as_ref().map(request_to_json),
        }),
        Details::Decided { trusted, request } => json!({
            "kind": "decided",
            "trusted": trusted,
            "request": request_to_json(request),
        }),
        Details::Requests {
            times,
            refused,
            first,
            last,
            of_other_networks,
        } => json!({
            "kind": "requests",
            "times": times,
            "refused": refused,
            "first": first.to_string(),
            "last": last.to_string(),
            "of_other_networks": of_other_networks,
        }),
        Details::SealedUnder { key } => json!({"kind": "sealed_under", "key": key.to_string()}),
        Details::Purged { entries, kept_days } => {
            json!({"kind": "purged", "entries": entries, "kept_days": kept_days})
        }
        Details::Rotated { old_value_until } => {
            json!({"kind": "rotated", "old_value_until": time(*old_value_until)})
        }
        Details::TokenIssued { expires } => {
            json!({"kind": "token_issued", "expires": expires.to_string()})
        }
        Details::Refused(refusals) => json!({
            "kind": "refused",
            "reason": refusals.reason.as_str(),
            "times": refusals.times,
            "first": refusals.first.to_string(),
            "last": refusals.last.to_string(),
            "about": refusals.about.as_str(),
            "many_networks": refusals.many_networks,
            "unknown_names": refusals.unknown_names,
            "unknown_key": refusals.unknown_key.map(|key| key.to_string()),
        }),
    }
}

/// Reads what a store kept.
#[must_use]
pub fn from_stored(text: String) -> Details {
    read(&text).unwrap_or_else(|| Details::Note(Text::from_stored(text)))
}

fn time(moment: Option<Timestamp>) -> Option<String> {
    moment.map(|moment| moment.to_string())
}

fn change_to_json(change: &FieldChange) -> Value {
    let field = change.field.as_str();
    match &change.change {
        ValueChange::Told { before, after } => json!({
            "field": field,
            "before": value_to_json(before),
            "after": value_to_json(after),
        }),
        ValueChange::Untold => json!({"field": field}),
    }
}

fn value_to_json(value: &FieldValue) -> Value {
    match value {
        FieldValue::Missing => Value::Null,
        FieldValue::Text(text) => text.as_str().into(),
        FieldValue::Flag(flag) => (*flag).into(),
    }
}

fn read(text: &str) -> Option<Details> {
    let Ok(Value::Object(object)) = serde_json::from_str(text) else {
        return None;
    };
    let object = Object(object);
    Some(match object.text("kind")? {
        "note" => Details::Note(Text::from_stored(object.text("text")?.to_owned())),
        "changes" => {
            let changes = object.0.get("changes")?.as_array()?;
            Details::Changes(changes.iter().map(read_change).collect::<Option<_>>()?)
        }
        "user_created" => Details::UserCreated {
            administrator: object.flag("administrator")?,
            invited_until: object.optional("invited_until")?,
        },
        "invited" => Details::Invited {
            until: object.parsed("until")?,
        },
        "trust" => Details::Trust {
            trusted: object.flag("trusted")?,
        },
        "wrong_code" => Details::WrongCode {
            attempt: object.number("attempt")?,
            most: object.number("most")?,
            request: match object.0.get("request") {
                None | Some(Value::Null) => None,
                Some(request) => Some(read_request(request)?),
            },
        },
        "decided" => Details::Decided {
            trusted: match object.0.get("trusted") {
                None | Some(Value::Null) => None,
                Some(_) => Some(object.flag("trusted")?),
            },
            request: read_request(object.0.get("request")?)?,
        },
        "requests" => Details::Requests {
            times: object.count("times")?,
            refused: object.count("refused")?,
            first: object.parsed("first")?,
            last: object.parsed("last")?,
            of_other_networks: object.flag("of_other_networks")?,
        },
        "sealed_under" => Details::SealedUnder {
            key: EncryptionKeyId::new(object.text("key")?).ok()?,
        },
        "purged" => Details::Purged {
            entries: object.count("entries")?,
            kept_days: object.count("kept_days")?,
        },
        "rotated" => Details::Rotated {
            old_value_until: object.optional("old_value_until")?,
        },
        "token_issued" => Details::TokenIssued {
            expires: object.parsed("expires")?,
        },
        "refused" => Details::Refused(Refusals {
            reason: RefusalReason::parse(object.text("reason")?)?,
            times: object.count("times")?,
            first: object.parsed("first")?,
            last: object.parsed("last")?,
            about: About::parse(object.text("about")?)?,
            many_networks: object.flag("many_networks")?,
            unknown_names: match object.0.get("unknown_names") {
                None | Some(Value::Null) => None,
                Some(_) => Some(object.number("unknown_names")?),
            },
            unknown_key: object.optional::<ApiKeyId>("unknown_key")?,
        }),
        _ => return None,
    })
}

fn request_to_json(request: &RequestFacts) -> Value {
    let DeviceTraits {
        hostname,
        os,
        ip_address,
        python_version,
        zenml_version,
    } = &request.traits;
    let text = |text: &Option<Text>| text.as_ref().map(|text| text.as_str().to_owned());
    json!({
        "at": request.at.to_string(),
        "hostname": text(hostname),
        "os": text(os),
        "ip_address": text(ip_address),
        "python_version": text(python_version),
        "zenml_version": text(zenml_version),
    })
}

fn read_request(value: &Value) -> Option<RequestFacts> {
    let object = Object(value.as_object()?.clone());
    let text = |key: &str| object.text(key).map(|text| Text::from_stored(text.to_owned()));
    Some(RequestFacts {
        at: object.parsed("at")?,
        traits: DeviceTraits {
            hostname: text("hostname"),
            os: text("os"),
            ip_address: text("ip_address"),
            python_version: text("python_version"),
            zenml_version: text("zenml_version"),
        },
    })
}

fn read_change(value: &Value) -> Option<FieldChange> {
    let object = value.as_object()?;
    let field = ChangedField::parse(object.get("field")?.as_str()?)?;
    let change = match (object.get("before"), object.get("after")) {
        (None, None) => ValueChange::Untold,
        (before, after) => ValueChange::Told {
            before: read_value(before?)?,
            after: read_value(after?)?,
        },
    };
    Some(FieldChange { field, change })
}

fn read_value(value: &Value) -> Option<FieldValue> {
    match value {
        Value::Null => Some(FieldValue::Missing),
        Value::String(text) => Some(FieldValue::Text(Text::from_stored(text.clone()))),
        Value::Bool(flag) => Some(FieldValue::Flag(*flag)),
        Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

struct Object(Map<String, Value>);

impl Object {
    fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str()
    }

    fn flag(&self, key: &str) -> Option<bool> {
        self.0.get(key)?.as_bool()
    }

    fn number(&self, key: &str) -> Option<u32> {
        u32::try_from(self.0.get(key)?.as_u64()?).ok()
    }

    fn count(&self, key: &str) -> Option<u64> {
        self.0.get(key)?.as_u64()
    }

    fn parsed<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.text(key)?.parse().ok()
    }

    /// What may be missing: the outer `None` is something that can't be read.
    fn optional<T: std::str::FromStr>(&self, key: &str) -> Option<Option<T>> {
        match self.0.get(key) {
            None | Some(Value::Null) => Some(None),
            Some(_) => self.parsed(key).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_001);

    fn text(text: &str) -> Text {
        Text::from_stored(text.to_owned())
    }

    fn every_kind() -> Vec<Details> {
        let refused = Refusals {
            reason: RefusalReason::WrongPassword,
            times: u64::MAX,
            first: NOW,
            last: NOW,
            about: About::Many,
            many_networks: true,
            unknown_names: Some(3),
            unknown_key: Some(ApiKeyId::from_random([7; 16])),
        };
        let request = RequestFacts {
            at: NOW,
            traits: DeviceTraits {
                hostname: Some(text("laptop")),
                ip_address: Some(text("2001:db8::1")),
                ..DeviceTraits::default()
            },
        };
        let told = |before, after| FieldChange {
            field: ChangedField::Name,
            change: ValueChange::Told { before, after },
        };
        vec![
            Details::Note(text("retained for 60 minutes")),
            Details::Note(text(r#"{"kind":"trust","trusted":true}"#)),
            Details::Changes(Vec::new()),
            Details::Changes(vec![
                told(FieldValue::Missing, FieldValue::text("\"\n\u{202e}")),
                told(FieldValue::Flag(true), FieldValue::Missing),
                FieldChange::untold(ChangedField::Password),
            ]),
            Details::UserCreated {
                administrator: true,
                invited_until: Some(NOW),
            },
            Details::UserCreated {
                administrator: false,
                invited_until: None,
            },
            Details::Invited { until: NOW },
            Details::Trust { trusted: true },
            Details::WrongCode {
                attempt: 2,
                most: 3,
                request: None,
            },
            Details::WrongCode {
                attempt: 2,
                most: 3,
                request: Some(request.clone()),
            },
            request.clone().decided(Some(true)),
            request.decided(None),
            Details::Requests {
                times: u64::MAX,
                refused: 2,
                first: NOW,
                last: NOW,
                of_other_networks: true,
            },
            Details::SealedUnder {
                key: EncryptionKeyId::new("2026-11").unwrap(),
            },
            Details::Purged {
                entries: 12,
                kept_days: 365,
            },
            Details::Rotated {
                old_value_until: Some(NOW),
            },
            Details::Rotated {
                old_value_until: None,
            },
            Details::TokenIssued { expires: NOW },
            Details::Refused(Refusals {
                unknown_names: None,
                unknown_key: None,
                ..refused.clone()
            }),
            Details::Refused(refused),
        ]
    }

    #[test]
    fn every_kind_comes_back_as_it_was() {
        for details in every_kind() {
            assert_eq!(from_stored(to_json(&details).to_string()), details);
        }
    }

    #[test]
    fn what_older_builds_wrote_is_kept_word_for_word() {
        for prose in [
            "trusted",
            "wrong user code, attempt 2 of 3",
            "the old value ended at once",
            "",
            "{",
            "{}",
            "null",
            "[1]",
            r#"{"kind":"of a later build"}"#,
            r#"{"kind":"trust"}"#,
        ] {
            assert_eq!(from_stored(prose.to_owned()), Details::Note(text(prose)));
        }
    }
}
