//! What the environment says about the connection, and what in it is likely a mistake.

use crate::env::{
    Env, STORE_API_KEY, STORE_API_TOKEN, STORE_PASSWORD, STORE_URL, STORE_USERNAME, STORE_VERIFY_SSL,
};

/// The variables that change a connection, those that come first before the others.
const VARIABLES: [&str; 6] = [
    STORE_URL,
    STORE_API_KEY,
    STORE_API_TOKEN,
    STORE_USERNAME,
    STORE_PASSWORD,
    STORE_VERIFY_SSL,
];

/// What people set when they mean one of the variables. Nothing reads these.
const MISTAKEN: [(&str, &str); 16] = [
    ("ZENML_URL", STORE_URL),
    ("ZENML_SERVER", STORE_URL),
    ("ZENML_SERVER_URL", STORE_URL),
    ("ZENML_HOST", STORE_URL),
    ("ZENML_STORE", STORE_URL),
    ("ZENML_API_KEY", STORE_API_KEY),
    ("ZENML_APIKEY", STORE_API_KEY),
    ("ZENML_KEY", STORE_API_KEY),
    ("ZENML_STORE_KEY", STORE_API_KEY),
    ("ZENML_STORE_APIKEY", STORE_API_KEY),
    ("ZENML_TOKEN", STORE_API_TOKEN),
    ("ZENML_API_TOKEN", STORE_API_TOKEN),
    ("ZENML_STORE_TOKEN", STORE_API_TOKEN),
    ("ZENML_USERNAME", STORE_USERNAME),
    ("ZENML_PASSWORD", STORE_PASSWORD),
    ("ZENML_VERIFY_SSL", STORE_VERIFY_SSL),
];

/// What there is to say, one sentence or two each. `stored` is the server this machine is connected to by its files.
pub(super) fn remarks(env: &Env, stored: Option<&str>) -> Vec<String> {
    let mut remarks = Vec::new();
    let set: Vec<_> = VARIABLES.into_iter().filter(|name| env.has(name)).collect();
    if set.is_empty() {
        remarks.push("No environment variable changes the connection.".to_owned());
    } else {
        remarks.push(format!(
            "Set in the environment, and used before what is stored: {}.",
            set.join(", ")
        ));
    }
    for name in VARIABLES.into_iter().filter(|name| env.is_empty(name)) {
        remarks.push(format!("{name} is set to nothing, which counts as not set."));
    }
    for (mistaken, meant) in MISTAKEN {
        if env.has(mistaken) {
            let guess = if env.has(meant) {
                String::new()
            } else {
                format!("; it may be meant to be {meant}")
            };
            remarks.push(format!("{mistaken} is set, but nothing reads it{guess}."));
        }
    }
    remarks.extend(ignored(env));
    if let (Some(url), Some(stored)) = (env.get(STORE_URL), stored)
        && url.trim_end_matches('/') != stored
    {
        remarks.push(format!(
            "The stored connection to {stored} is not used, as {STORE_URL} names another server."
        ));
    }
    remarks
}

/// Which credentials are set, but not used.
fn ignored(env: &Env) -> Vec<String> {
    let mut ignored = Vec::new();
    let pair = env.has(STORE_USERNAME) && env.has(STORE_PASSWORD);
    let comes_first = if env.has(STORE_API_KEY) {
        Some(STORE_API_KEY)
    } else if env.has(STORE_API_TOKEN) {
        Some(STORE_API_TOKEN)
    } else {
        None
    };
    if let Some(first) = comes_first {
        for name in [STORE_API_TOKEN, STORE_USERNAME, STORE_PASSWORD] {
            if name != first && env.has(name) {
                ignored.push(format!("{name} is not used, as {first} comes first."));
            }
        }
    } else if !pair {
        for (name, missing) in [(STORE_USERNAME, STORE_PASSWORD), (STORE_PASSWORD, STORE_USERNAME)] {
            if env.has(name) {
                ignored.push(format!("{name} is not used, as {missing} is not set."));
            }
        }
    }
    ignored
}

/// What is wrong with the form of an API key that can't be read, and what to do.
pub(super) fn form_of_key(text: &str) -> &'static str {
    let quoted = |text: &str| text.starts_with(['"', '\'']) || text.ends_with(['"', '\'']);
    if quoted(text) {
        "It stands in quotes. Files of variables (env_file, --env-file) take them as part of the value: leave them out."
    } else if text.contains(char::is_whitespace) {
        "There are blanks or line breaks in it. Copy it as one line."
    } else if text.matches('.').count() == 2 {
        "It looks like an access token; those go into ZENML_STORE_API_TOKEN."
    } else if text.starts_with("ZENKEY_") {
        "Copy the whole key, from ZENKEY_ to its end; many end with =."
    } else {
        "Copy the whole key, from ZENKEY_ to its end."
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pairs: &[(&str, &str)], stored: Option<&str>) -> Vec<String> {
        remarks(&Env::of(pairs), stored).split_off(1)
    }

    #[test]
    fn mistakes_are_pointed_out() {
        assert!(said(&[], Some("http://a")).is_empty());
        assert_eq!(
            said(&[("ZENML_API_KEY", "k")], None),
            ["ZENML_API_KEY is set, but nothing reads it; it may be meant to be ZENML_STORE_API_KEY."]
        );
        assert_eq!(
            said(&[("ZENML_API_KEY", "k"), (STORE_API_KEY, "k")], None),
            ["ZENML_API_KEY is set, but nothing reads it."]
        );
        assert_eq!(
            said(&[(STORE_API_KEY, "")], None),
            ["ZENML_STORE_API_KEY is set to nothing, which counts as not set."]
        );
        assert_eq!(
            said(&[(STORE_USERNAME, "ann")], None),
            ["ZENML_STORE_USERNAME is not used, as ZENML_STORE_PASSWORD is not set."]
        );
        assert_eq!(
            said(
                &[
                    (STORE_API_KEY, "k"),
                    (STORE_API_TOKEN, "t"),
                    (STORE_PASSWORD, "p")
                ],
                None
            ),
            [
                "ZENML_STORE_API_TOKEN is not used, as ZENML_STORE_API_KEY comes first.",
                "ZENML_STORE_PASSWORD is not used, as ZENML_STORE_API_KEY comes first.",
            ]
        );
    }

    #[test]
    fn another_server_is_pointed_out() {
        assert!(said(&[(STORE_URL, "http://a/")], Some("http://a")).is_empty());
        assert_eq!(said(&[(STORE_URL, "http://b")], Some("http://a")).len(), 1);
    }

    #[test]
    fn no_value_is_ever_told() {
        let all: Vec<_> = VARIABLES
            .into_iter()
            .chain(MISTAKEN.map(|(name, _)| name))
            .filter(|name| *name != STORE_URL)
            .map(|name| (name, "hunter2"))
            .collect();
        assert!(!remarks(&Env::of(&all), None).concat().contains("hunter2"));
    }

    #[test]
    fn keys_out_of_form_are_understood() {
        for (text, hint) in [
            ("\"ZENKEY_x\"", "quotes"),
            ("ZENKEY_x y", "blanks"),
            ("a.b.c", "ZENML_STORE_API_TOKEN"),
            ("ZENKEY_x", "many end with ="),
            ("x", "Copy the whole key"),
        ] {
            assert!(form_of_key(text).contains(hint), "{text}");
        }
    }
}
