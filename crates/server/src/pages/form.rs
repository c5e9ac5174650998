//! Forms, as browsers send them.

use zenml_auth_model::Secret;

/// The fields of a form, or of a query string.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        Self(serde_urlencoded::from_bytes(bytes).unwrap_or_default())
    }

    /// A field; empty when it is missing.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(field, _)| field == name)
            .map_or("", |(_, value)| value.as_str())
    }

    pub(super) fn secret(&self, name: &str) -> Secret {
        Secret::new(self.get(name))
    }
}
