//! `credentials.yaml`: what this machine signs in with, by server.

use yaml_serde::{Mapping, Value};
use zenml_auth_api::info::InfoResponse;
use zenml_auth_client::ServerAddress;
use zenml_auth_model::{DeviceId, Secret, Timestamp};

use super::StoreError;
use super::document::Document;

/// The deployment types that the Python client knows; it would throw an entry with another one away.
const DEPLOYMENT_TYPES: &[&str] = &[
    "local",
    "docker",
    "kubernetes",
    "aws",
    "gcp",
    "azure",
    "alpha",
    "other",
    "hf_spaces",
    "sandbox",
    "cloud",
];

/// What this machine signs in to a server with.
#[derive(Debug, Clone, Default)]
pub(crate) struct StoredCredentials {
    /// An API key.
    pub(crate) api_key: Option<Secret>,
    /// A user name and a password; written by the Python client only.
    pub(crate) password: Option<(String, Secret)>,
    /// An access token: the device's, or one that was made from the above.
    pub(crate) token: Option<StoredToken>,
}

/// An access token.
#[derive(Debug, Clone)]
pub(crate) struct StoredToken {
    /// The token.
    pub(crate) access_token: Secret,
    /// How long it was good when it was issued, in seconds.
    pub(crate) expires_in: Option<u64>,
    /// When it ends; `None` when it never does by itself.
    pub(crate) expires_at: Option<Timestamp>,
    /// The device it belongs to, where the server said so.
    pub(crate) device_id: Option<DeviceId>,
}

/// What the Python client keeps of a server beside the credentials.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerDetails {
    id: Option<String>,
    name: Option<String>,
    version: Option<String>,
    deployment_type: Option<String>,
}

impl From<&InfoResponse> for ServerDetails {
    fn from(info: &InfoResponse) -> Self {
        let known = DEPLOYMENT_TYPES.contains(&info.deployment_type.as_str());
        Self {
            id: Some(info.id.to_string()),
            name: info.name.clone(),
            version: Some(info.version.clone()),
            deployment_type: known.then(|| info.deployment_type.clone()),
        }
    }
}

/// The key under which a server's entry stands: the Python client writes addresses as they were typed.
fn key_of(document: &Document, server: &ServerAddress) -> Option<String> {
    let keys = document.root.keys().filter_map(Value::as_str);
    let mut same = keys.filter(|key| {
        key.parse::<ServerAddress>()
            .is_ok_and(|address| address == *server)
    });
    same.next().map(str::to_owned)
}

/// A server's credentials, if there are any.
pub(crate) fn find(
    document: &Document,
    server: &ServerAddress,
) -> Result<Option<StoredCredentials>, StoreError> {
    let Some(key) = key_of(document, server) else {
        return Ok(None);
    };
    let broken = |field: &str| document.broken(format!("the entry for {server} has no good `{field}`"));
    let entry = document
        .root
        .get(key.as_str())
        .and_then(Value::as_mapping)
        .ok_or_else(|| broken("settings"))?;
    let text = |entry: &Mapping, field: &str| match entry.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(broken(field)),
    };
    let token = match entry.get("api_token") {
        None | Some(Value::Null) => None,
        Some(Value::Mapping(token)) => {
            let expires_at = match token.get("expires_at") {
                None | Some(Value::Null) => None,
                Some(value) => {
                    let moment = value.as_str().and_then(|text| text.parse().ok());
                    Some(moment.ok_or_else(|| broken("expires_at"))?)
                }
            };
            Some(StoredToken {
                access_token: Secret::new(
                    text(token, "access_token")?.ok_or_else(|| broken("access_token"))?,
                ),
                expires_in: token.get("expires_in").and_then(Value::as_u64),
                expires_at,
                device_id: text(token, "device_id")?.and_then(|id| id.parse().ok()),
            })
        }
        Some(_) => return Err(broken("api_token")),
    };
    let password = match (text(entry, "username")?, text(entry, "password")?) {
        (Some(username), Some(password)) => Some((username, Secret::new(password))),
        _ => None,
    };
    Ok(Some(StoredCredentials {
        api_key: text(entry, "api_key")?.map(Secret::new),
        password,
        token,
    }))
}

/// The id of the server that answered at this address when it was connected to, if that is kept.
pub(crate) fn server_id(document: &Document, server: &ServerAddress) -> Option<String> {
    let entry = document.root.get(key_of(document, server)?.as_str())?;
    entry.as_mapping()?.get("server_id")?.as_str().map(str::to_owned)
}

/// Keeps credentials for a server, instead of those before. What else the entry says is kept.
pub(crate) fn set(
    document: &mut Document,
    server: &ServerAddress,
    credentials: &StoredCredentials,
    details: Option<&ServerDetails>,
) -> Result<(), StoreError> {
    let before = key_of(document, server).and_then(|key| document.root.shift_remove(key.as_str()));
    let mut entry = match before {
        Some(Value::Mapping(entry)) => entry,
        None => Mapping::new(),
        Some(_) => return Err(document.broken(format!("the entry for {server} holds no settings"))),
    };
    entry.insert("url".into(), server.as_str().into());
    put(
        &mut entry,
        "api_key",
        credentials.api_key.as_ref().map(|key| key.expose().into()),
    );
    let (username, password) = match &credentials.password {
        Some((username, password)) => (Some(username.as_str().into()), Some(password.expose().into())),
        None => (None, None),
    };
    put(&mut entry, "username", username);
    put(&mut entry, "password", password);
    put(
        &mut entry,
        "api_token",
        credentials.token.as_ref().map(token_to_yaml),
    );
    if let Some(details) = details {
        for (field, value) in [
            ("server_id", &details.id),
            ("server_name", &details.name),
            ("version", &details.version),
            ("deployment_type", &details.deployment_type),
        ] {
            put(&mut entry, field, value.as_deref().map(Into::into));
        }
        entry.insert("status".into(), "available".into());
    }
    document
        .root
        .insert(server.as_str().into(), Value::Mapping(entry));
    Ok(())
}

/// Keeps a token for credentials that are there; tells whether they are.
pub(crate) fn set_token(
    document: &mut Document,
    server: &ServerAddress,
    token: &StoredToken,
) -> Result<bool, StoreError> {
    let Some(key) = key_of(document, server) else {
        return Ok(false);
    };
    let Some(Value::Mapping(entry)) = document.root.get_mut(key.as_str()) else {
        return Err(document.broken(format!("the entry for {server} holds no settings")));
    };
    entry.insert("api_token".into(), token_to_yaml(token));
    Ok(true)
}

/// Forgets a server's credentials; tells whether there were any.
pub(crate) fn remove(document: &mut Document, server: &ServerAddress) -> bool {
    key_of(document, server).is_some_and(|key| document.root.shift_remove(key.as_str()).is_some())
}

fn put(entry: &mut Mapping, field: &str, value: Option<Value>) {
    match value {
        Some(value) => {
            entry.insert(field.into(), value);
        }
        None => {
            entry.shift_remove(field);
        }
    }
}

fn token_to_yaml(token: &StoredToken) -> Value {
    let mut yaml = Mapping::new();
    yaml.insert("access_token".into(), token.access_token.expose().into());
    put(&mut yaml, "expires_in", token.expires_in.map(Into::into));
    // With an offset: the Python client compares it with a time that has one.
    put(
        &mut yaml,
        "expires_at",
        token.expires_at.map(|end| format!("{end}+00:00").into()),
    );
    put(
        &mut yaml,
        "device_id",
        token.device_id.map(|id| id.to_string().into()),
    );
    Value::Mapping(yaml)
}
