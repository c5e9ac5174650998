//! `config.yaml`: the client's id, and the server it is connected to.

use std::path::PathBuf;

use zenml_auth_client::{ServerAddress, TlsTrust};
use zenml_auth_model::ClientId;

use super::ConfigFilesError;
use super::document::Document;
use crate::yaml::{Mapping, Node};

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

    fn to_yaml(&self) -> Node {
        match self {
            Self::Check(check) => Node::bool(*check),
            Self::Authorities(text) => Node::text(text.as_str()),
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
pub(crate) fn server(config: &Document) -> Result<Option<StoredServer>, ConfigFilesError> {
    let store = match config.root.get("store").filter(|store| !store.is_null()) {
        None => return Ok(None),
        Some(store) => store
            .as_mapping()
            .ok_or_else(|| config.broken("`store` holds no settings"))?,
    };
    let Some(url) = store.get("url").and_then(Node::as_text) else {
        return Ok(None);
    };
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Ok(None);
    }
    let address = url
        .parse()
        .map_err(|error| config.broken(format!("`store.url`: {error}")))?;
    let verify_ssl = match store.get("verify_ssl").filter(|value| !value.is_null()) {
        None => VerifySsl::Check(true),
        Some(value) => match (value.as_bool(), value.as_text()) {
            (Some(check), _) => VerifySsl::Check(check),
            (None, Some(text)) => match text.to_ascii_lowercase().as_str() {
                "true" => VerifySsl::Check(true),
                "false" => VerifySsl::Check(false),
                _ => VerifySsl::Authorities(text.to_owned()),
            },
            (None, None) => {
                return Err(config.broken("`store.verify_ssl` is neither yes nor no nor a file"));
            }
        },
    };
    Ok(Some(StoredServer { address, verify_ssl }))
}

/// The server's address as the file has it, which is what the Python client looks for in `credentials.yaml`.
pub(crate) fn url_as_written(config: &Document) -> Option<&str> {
    config.root.get("store")?.as_mapping()?.get("url")?.as_text()
}

/// Connects to a server. What the file says of the same server besides is kept.
pub(crate) fn set_server(config: &mut Document, stored: &StoredServer) -> Result<(), ConfigFilesError> {
    let before = server(config)?;
    let same = before.is_some_and(|before| before.address == stored.address);
    let kept = config.root.get_mut("store").filter(|_| same);
    match kept.and_then(Node::as_mapping_mut) {
        Some(store) => point_at(store, stored),
        None => {
            let mut store = Mapping::new();
            point_at(&mut store, stored);
            config.root.insert("store", store);
        }
    }
    if !same {
        forget_the_server_s(config);
    }
    Ok(())
}

fn point_at(store: &mut Mapping, stored: &StoredServer) {
    store.insert("type", "rest");
    store.insert("url", stored.address.as_str());
    store.insert("verify_ssl", stored.verify_ssl.to_yaml());
}

/// Is connected to no server.
pub(crate) fn clear_server(config: &mut Document) {
    config.root.remove("store");
    forget_the_server_s(config);
}

fn forget_the_server_s(config: &mut Document) {
    for key in OF_THE_SERVER {
        config.root.remove(key);
    }
}

/// The client's id, which the Python client calls `user_id`.
pub(crate) fn client_id(config: &Document) -> Result<Option<ClientId>, ConfigFilesError> {
    match config.root.get("user_id").filter(|value| !value.is_null()) {
        None => Ok(None),
        Some(value) => {
            let id = value.as_text().and_then(|text| text.parse().ok());
            id.map(Some)
                .ok_or_else(|| config.broken("`user_id` is not a UUID"))
        }
    }
}

/// Sets the client's id.
pub(crate) fn set_client_id(config: &mut Document, id: ClientId) {
    config.root.insert("user_id", Node::text(id.to_string()));
}

/// A client id of one's own.
pub(crate) fn new_client_id() -> Result<ClientId, ConfigFilesError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| ConfigFilesError::NoRandomness(error.to_string()))?;
    Ok(ClientId::from_random(bytes))
}
