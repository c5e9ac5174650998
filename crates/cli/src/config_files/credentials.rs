//! `credentials.yaml`: what this machine signs in with, by server.

use zenml_auth_api::info::InfoResponse;
use zenml_auth_client::ServerAddress;
use zenml_auth_model::{DeviceId, Secret, Timestamp};

use super::ConfigFilesError;
use super::document::Document;
use crate::yaml::{Mapping, Node};

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

/// The keys under which a server's entries stand: the Python client writes addresses as they were typed, and so may have several for one
/// server.
fn keys_of(document: &Document, server: &ServerAddress) -> Vec<String> {
    let same = |key: &&str| {
        key.parse::<ServerAddress>()
            .is_ok_and(|address| address == *server)
    };
    document.root.keys().filter(same).map(str::to_owned).collect()
}

/// The entry that counts: the one that is called as `config.yaml` calls the server, or as we do, or the first.
fn key_of(document: &Document, server: &ServerAddress, written: Option<&str>) -> Option<String> {
    let mut keys = keys_of(document, server);
    let called = |name: &str| keys.iter().position(|key| key == name);
    let counts = written.and_then(called).or_else(|| called(server.as_str()));
    (!keys.is_empty()).then(|| keys.swap_remove(counts.unwrap_or(0)))
}

/// A server's credentials, if there are any.
pub(crate) fn find(
    document: &Document,
    server: &ServerAddress,
    written: Option<&str>,
) -> Result<Option<StoredCredentials>, ConfigFilesError> {
    let Some(key) = key_of(document, server, written) else {
        return Ok(None);
    };
    let broken = |field: &str| document.broken(format!("the entry for {server} has no good `{field}`"));
    let entry = document
        .root
        .get(&key)
        .and_then(Node::as_mapping)
        .ok_or_else(|| broken("settings"))?;
    let text = |entry: &Mapping, field: &str| match entry.get(field).filter(|value| !value.is_null()) {
        None => Ok(None),
        Some(value) => match value.as_text() {
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(broken(field)),
        },
    };
    let token = match entry.get("api_token").filter(|token| !token.is_null()) {
        None => None,
        Some(token) => {
            let token = token.as_mapping().ok_or_else(|| broken("api_token"))?;
            let expires_at = text(token, "expires_at")?
                .map(|moment| moment.parse().map_err(|_| broken("expires_at")))
                .transpose()?;
            Some(StoredToken {
                access_token: Secret::new(
                    text(token, "access_token")?.ok_or_else(|| broken("access_token"))?,
                ),
                expires_in: text(token, "expires_in")?.and_then(|seconds| seconds.parse().ok()),
                expires_at,
                device_id: text(token, "device_id")?.and_then(|id| id.parse().ok()),
            })
        }
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
pub(crate) fn server_id(
    document: &Document,
    server: &ServerAddress,
    written: Option<&str>,
) -> Option<String> {
    let entry = document.root.get(&key_of(document, server, written)?)?;
    entry.as_mapping()?.get("server_id")?.as_text().map(str::to_owned)
}

/// Keeps credentials for a server that this machine connects to, instead of those before. What else the entry says is kept. The entry
/// is called as `config.yaml` calls the server from now on, and is the only one for it.
pub(crate) fn set(
    document: &mut Document,
    server: &ServerAddress,
    written: Option<&str>,
    credentials: &StoredCredentials,
    details: &ServerDetails,
) -> Result<(), ConfigFilesError> {
    let kept = key_of(document, server, written);
    for key in keys_of(document, server) {
        if Some(&key) != kept.as_ref() {
            document.root.remove(&key);
        }
    }
    if let Some(kept) = &kept {
        document.root.rename(kept, server.as_str());
    }
    replace(document, server, server.as_str(), credentials)?;
    let entry = entry_of(document, server, server.as_str())?;
    for (field, value) in [
        ("server_id", &details.id),
        ("server_name", &details.name),
        ("version", &details.version),
        ("deployment_type", &details.deployment_type),
    ] {
        put(entry, field, value.as_deref().map(Node::from));
    }
    entry.insert("status", "available");
    Ok(())
}

/// Keeps other credentials for a server, under the name that it has: the one by which `config.yaml` calls it.
pub(crate) fn set_credentials(
    document: &mut Document,
    server: &ServerAddress,
    written: Option<&str>,
    credentials: &StoredCredentials,
) -> Result<(), ConfigFilesError> {
    let key = key_of(document, server, written).unwrap_or_else(|| server.as_str().to_owned());
    replace(document, server, &key, credentials)
}

fn replace(
    document: &mut Document,
    server: &ServerAddress,
    key: &str,
    credentials: &StoredCredentials,
) -> Result<(), ConfigFilesError> {
    if document.root.get(key).is_none() {
        let mut entry = Mapping::new();
        entry.insert("url", server.as_str());
        document.root.insert(key, entry);
    }
    let entry = entry_of(document, server, key)?;
    entry.insert("url", key);
    let api_key = credentials.api_key.as_ref();
    put(entry, "api_key", api_key.map(|key| key.expose().into()));
    let (username, password) = match &credentials.password {
        Some((username, password)) => (Some(username.as_str().into()), Some(password.expose().into())),
        None => (None, None),
    };
    put(entry, "username", username);
    put(entry, "password", password);
    put(entry, "api_token", credentials.token.as_ref().map(token_to_yaml));
    Ok(())
}

fn entry_of<'a>(
    document: &'a mut Document,
    server: &ServerAddress,
    key: &str,
) -> Result<&'a mut Mapping, ConfigFilesError> {
    let broken = document.broken(format!("the entry for {server} holds no settings"));
    let entry = document.root.get_mut(key).and_then(Node::as_mapping_mut);
    entry.ok_or(broken)
}

/// Keeps a token for credentials that are there; tells whether they are.
pub(crate) fn set_token(
    document: &mut Document,
    server: &ServerAddress,
    written: Option<&str>,
    token: &StoredToken,
) -> Result<bool, ConfigFilesError> {
    let Some(key) = key_of(document, server, written) else {
        return Ok(false);
    };
    entry_of(document, server, &key)?.insert("api_token", token_to_yaml(token));
    Ok(true)
}

/// Forgets a server's credentials; tells whether there were any.
pub(crate) fn remove(document: &mut Document, server: &ServerAddress) -> bool {
    let keys = keys_of(document, server);
    for key in &keys {
        document.root.remove(key);
    }
    !keys.is_empty()
}

fn put(entry: &mut Mapping, field: &str, value: Option<Node>) {
    match value {
        Some(value) => entry.insert(field, value),
        None => {
            entry.remove(field);
        }
    }
}

fn token_to_yaml(token: &StoredToken) -> Node {
    let mut yaml = Mapping::new();
    yaml.insert("access_token", token.access_token.expose());
    put(&mut yaml, "expires_in", token.expires_in.map(Node::number));
    // With an offset: the Python client compares it with a time that has one.
    let expires_at = token.expires_at.map(|end| Node::text(format!("{end}+00:00")));
    put(&mut yaml, "expires_at", expires_at);
    let device_id = token.device_id.map(|id| Node::text(id.to_string()));
    put(&mut yaml, "device_id", device_id);
    yaml.into()
}
