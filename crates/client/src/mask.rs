//! Leaves secrets out of what is shown of the traffic.

use serde_json::Value;

const MASK: &str = "[masked]";

/// Fields whose values are secrets.
const SECRET_FIELDS: &[&str] = &[
    "access_token",
    "activation_token",
    "api_key",
    "csrf_token",
    "device_code",
    "key",
    "old_password",
    "password",
    "refresh_token",
    "user_code",
];

/// A JSON text without the secrets in it. Anything else is not shown at all.
pub(crate) fn json(body: &[u8]) -> String {
    if body.is_empty() {
        return String::new();
    }
    match serde_json::from_slice::<Value>(body) {
        // `api_token` answers with nothing but a token.
        Ok(Value::String(_)) => MASK.to_owned(),
        Ok(mut value) => {
            mask_value(&mut value);
            value.to_string()
        }
        Err(_) => format!("({} bytes that are not JSON)", body.len()),
    }
}

fn mask_value(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                if SECRET_FIELDS.contains(&name.as_str()) && !value.is_null() {
                    *value = MASK.into();
                } else if name == "verification_uri_complete" {
                    if let Value::String(link) = value {
                        *link = url(link);
                    }
                } else {
                    mask_value(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask_value),
        Value::String(text) if holds_a_key(text) => *value = MASK.into(),
        _ => {}
    }
}

/// Wherever somebody may have typed one, also as a name that is looked for, or in an answer that repeats it.
fn holds_a_key(text: &str) -> bool {
    text.contains(zenml_auth_api::key::PREFIX)
}

/// A form, or the query of a URL, without the secrets in it.
pub(crate) fn form(body: &str) -> String {
    let one = |pair: &str| match pair.split_once('=') {
        Some((name, value)) if SECRET_FIELDS.contains(&name) || holds_a_key(value) => {
            format!("{name}={MASK}")
        }
        _ => pair.to_owned(),
    };
    body.split('&').map(one).collect::<Vec<_>>().join("&")
}

/// A URL without the secrets in its query.
pub(crate) fn url(text: &str) -> String {
    match text.split_once('?') {
        Some((path, query)) => format!("{path}?{}", form(query)),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_left_out() {
        let shown = json(br#"{"name":"x","password":"p1","body":{"key":"ZENKEY_p2","other":["ZENKEY_p3"],"active":true},"user_code":null}"#);
        assert!(
            !shown.contains("p1") && !shown.contains("p2") && !shown.contains("p3"),
            "{shown}"
        );
        assert!(
            shown.contains("\"active\":true") && shown.contains("\"user_code\":null"),
            "{shown}"
        );
        assert_eq!(json(br#""eyJhbGciOi""#), MASK);
        assert_eq!(json(b"<html>p4"), "(8 bytes that are not JSON)");
        assert_eq!(
            form("grant_type=password&password=p5&username=a"),
            "grant_type=password&password=[masked]&username=a"
        );
        assert_eq!(
            url("/api/v1/devices/1?user_code=p6&x=y"),
            "/api/v1/devices/1?user_code=[masked]&x=y"
        );
        let shown = json(br#"{"verification_uri_complete":"/devices/verify?device_id=1&user_code=p7"}"#);
        assert!(!shown.contains("p7"), "{shown}");
    }

    #[test]
    fn a_key_in_the_wrong_place_is_masked() {
        assert_eq!(
            url("http://x/users?name=equals%3AZENKEY_secret&size=1"),
            format!("http://x/users?name={MASK}&size=1")
        );
        let said = json(br#"{"detail": "there is no user 'ZENKEY_secret'"}"#);
        assert!(!said.contains("secret"), "{said}");
    }
}
