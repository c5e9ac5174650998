//! `config.yaml`: the client's id, and the server it is connected to.

use std::path::PathBuf;

use yaml_serde::{Mapping, Value};
use zenml_auth_client::{ServerAddress, TlsTrust};
use zenml_auth_model::ClientId;

use super::StoreError;
use super::document::Document;

/// What belongs to the server one was connected to before, and means nothing to another.
const OF_THE_SERVER: &[&str] = &["active_stack_id", "active_project_id", "active_workspace_id"];

/// Which certificates to trust, as the Python client writes it: yes, no, or a file (or the text) of authorities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum VerifySsl {
    /// Those the system trusts, or all.
    Check(bool),
    /// Those signed by the authorities in this file or text.
    Authorities(String),
}

impl VerifySsl {
    /// What it means to the client.
    pub(crate) fn trust(&self) -> TlsTrust {
        match self {
            Self::Check(true) => TlsTrust::System,
            Self::Check(false) => TlsTrust::Anything,
            Self::Authorities(text) if text.contains("-----BEGIN") => TlsTrust::Pem(text.clone()),
            Self::Authorities(path) => TlsTrust::File(PathBuf::from(path)),
        }
    }

    fn to_yaml(&self) -> Value {
        match self {
            Self::Check(check) => Value::Bool(*check),
            Self::Authorities(text) => Value::String(text.clone()),
        }
    }
}

/// The server this machine is connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredServer {
    /// Where it is.
    pub(crate) address: ServerAddress,
    /// Which certificates to trust.
    pub(crate) verify_ssl: VerifySsl,
}

/// The server, if the file names one. A local database, which the Python client can use too, is none.
pub(crate) fn server(config: &Document) -> Result<Option<StoredServer>, StoreError> {
    let store = match config.root.get("store") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Mapping(store)) => store,
        Some(_) => return Err(config.broken("`store` holds no settings")),
    };
    let Some(url) = store.get("url").and_then(Value::as_str) else {
        return Ok(None);
    };
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Ok(None);
    }
    let address = url
        .parse()
        .map_err(|error| config.broken(format!("`store.url`: {error}")))?;
    let verify_ssl = match store.get("verify_ssl") {
        None | Some(Value::Null) => VerifySsl::Check(true),
        Some(Value::Bool(check)) => VerifySsl::Check(*check),
        Some(Value::String(text)) => match text.to_ascii_lowercase().as_str() {
            "true" => VerifySsl::Check(true),
            "false" => VerifySsl::Check(false),
            _ => VerifySsl::Authorities(text.clone()),
        },
        Some(_) => return Err(config.broken("`store.verify_ssl` is neither yes nor no nor a file")),
    };
    Ok(Some(StoredServer { address, verify_ssl }))
}

/// Connects to a server. What the file says of the same server besides is kept.
pub(crate) fn set_server(config: &mut Document, stored: &StoredServer) -> Result<(), StoreError> {
    let before = server(config)?;
    let same = before.is_some_and(|before| before.address == stored.address);
    let mut store = match config.root.shift_remove("store") {
        Some(Value::Mapping(store)) if same => store,
        _ => Mapping::new(),
    };
    store.insert("type".into(), "rest".into());
    store.insert("url".into(), stored.address.as_str().into());
    store.insert("verify_ssl".into(), stored.verify_ssl.to_yaml());
    config.root.insert("store".into(), Value::Mapping(store));
    if !same {
        forget_the_server_s(config);
    }
    Ok(())
}

/// Is connected to no server.
pub(crate) fn clear_server(config: &mut Document) {
    config.root.shift_remove("store");
    forget_the_server_s(config);
}

fn forget_the_server_s(config: &mut Document) {
    for key in OF_THE_SERVER {
        config.root.shift_remove(*key);
    }
}

/// The client's id, which the Python client calls `user_id`.
pub(crate) fn client_id(config: &Document) -> Result<Option<ClientId>, StoreError> {
    match config.root.get("user_id") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let id = value.as_str().and_then(|text| text.parse().ok());
            id.map(Some)
                .ok_or_else(|| config.broken("`user_id` is not a UUID"))
        }
    }
}

/// Sets the client's id.
pub(crate) fn set_client_id(config: &mut Document, id: ClientId) {
    config.root.insert("user_id".into(), id.to_string().into());
}

/// A client id of one's own.
pub(crate) fn new_client_id() -> Result<ClientId, StoreError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::NoRandomness(error.to_string()))?;
    Ok(ClientId::from_random(bytes))
}
