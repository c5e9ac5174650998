//! The environment variables, read once and in one place.

use std::collections::BTreeMap;

/// The variables of the process, or of a test.
#[derive(Debug, Clone, Default)]
pub(crate) struct Env(BTreeMap<String, String>);

/// Another address than the one that is stored.
pub(crate) const STORE_URL: &str = "ZENML_STORE_URL";
/// An API key instead of what is stored.
pub(crate) const STORE_API_KEY: &str = "ZENML_STORE_API_KEY";
/// An access token instead of what is stored.
pub(crate) const STORE_API_TOKEN: &str = "ZENML_STORE_API_TOKEN";
/// A user name instead of what is stored.
pub(crate) const STORE_USERNAME: &str = "ZENML_STORE_USERNAME";
/// The password that goes with it.
pub(crate) const STORE_PASSWORD: &str = "ZENML_STORE_PASSWORD";
/// Whether to check the server's certificate, or the file of authorities to trust.
pub(crate) const STORE_VERIFY_SSL: &str = "ZENML_STORE_VERIFY_SSL";
/// Whether credentials may go to another machine without encryption.
pub(crate) const ALLOW_HTTP: &str = "ZENML_ALLOW_HTTP";
/// Where the files are.
pub(crate) const CONFIG_PATH: &str = "ZENML_CONFIG_PATH";
/// Forbids to write credentials to disk. (The Python client calls it so, without a prefix.)
pub(crate) const NO_DISK: &str = "DISABLE_CREDENTIALS_DISK_CACHING";

impl Env {
    /// The variables of this process. Values that are not Unicode are left out, as nothing that is read here may be such a value.
    pub(crate) fn of_process() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        )
    }

    #[cfg(test)]
    pub(crate) fn of(pairs: &[(&str, &str)]) -> Self {
        Self(
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    /// A variable that is set to something.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Whether a variable is set to something.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Whether a variable is set, but to nothing.
    pub(crate) fn is_empty(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(String::is_empty)
    }

    /// Whether a variable says yes, as the Python client reads it.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| {
            matches!(
                value.to_ascii_lowercase().as_str(),
                "1" | "y" | "yes" | "true" | "t" | "on"
            )
        })
    }
}
