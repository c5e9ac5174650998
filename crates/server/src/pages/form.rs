//! Forms, as browsers send them.

use zenml_auth_model::Secret;

/// More fields than any of our forms has; those beyond them only cost memory.
const MAX_FIELDS: usize = 32;

/// How many bytes of a field are shown again. An answer is not much larger than its request then.
const MAX_SHOWN: usize = 256;

/// The fields of a form, or of a query string.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let fields = form_urlencoded::parse(bytes).into_owned();
        Self(fields.take(MAX_FIELDS).collect())
    }

    /// A field; empty when it is missing.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(field, _)| field == name)
            .map_or("", |(_, value)| value.as_str())
    }

    /// A field that is shown again in the form; empty when it is longer than any that makes sense.
    pub(super) fn shown(&self, name: &str) -> &str {
        Some(self.get(name))
            .filter(|value| value.len() <= MAX_SHOWN)
            .unwrap_or_default()
    }

    pub(super) fn secret(&self, name: &str) -> Secret {
        Secret::new(self.get(name))
    }
}
