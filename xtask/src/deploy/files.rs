//! The files for hosting, as texts and as values.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::yaml;
use crate::TaskError;
use crate::run::root;

/// What is in `deploy`, by the path from there.
#[derive(Debug, Clone)]
pub(super) struct Files {
    texts: BTreeMap<String, String>,
    documents: BTreeMap<String, Vec<Value>>,
    /// The version of the server.
    pub(super) version: String,
}

impl Files {
    pub(super) fn read() -> Result<Self, TaskError> {
        let folder = root().join("deploy");
        let mut texts = BTreeMap::new();
        walk(&folder, &folder, &mut texts)?;
        let manifest = fs::read_to_string(root().join("crates/server/Cargo.toml"))?;
        let version = manifest
            .lines()
            .find_map(|line| line.strip_prefix("version = \""))
            .and_then(|rest| rest.strip_suffix('"'))
            .ok_or("the server has no version")?;
        Self::of(texts, version)
    }

    fn of(texts: BTreeMap<String, String>, version: &str) -> Result<Self, TaskError> {
        let mut documents = BTreeMap::new();
        for (path, text) in texts.iter().filter(|(path, _)| path.ends_with(".yaml")) {
            let read = yaml::documents(text).map_err(|error| format!("{path}: {error}"))?;
            documents.insert(path.clone(), read);
        }
        Ok(Self {
            texts,
            documents,
            version: version.to_owned(),
        })
    }

    /// The text of a file; nothing, if there is no such file.
    pub(super) fn text(&self, path: &str) -> &str {
        self.texts.get(path).map_or("", String::as_str)
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.texts.contains_key(path)
    }

    /// The first document of a file of YAML.
    pub(super) fn yaml(&self, path: &str) -> &Value {
        let documents = self.documents.get(path);
        documents.and_then(|all| all.first()).unwrap_or(&Value::Null)
    }

    /// All documents of the files in a folder.
    pub(super) fn all(&self, folder: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.documents
            .iter()
            .filter(move |(path, _)| path.starts_with(folder))
            .flat_map(|(path, all)| all.iter().map(move |document| (path.as_str(), document)))
    }

    /// The same files with another text in one of them.
    #[cfg(test)]
    pub(super) fn with(&self, path: &str, from: &str, to: &str) -> Self {
        let mut texts = self.texts.clone();
        let text = texts.get_mut(path).unwrap();
        assert!(text.contains(from), "{path} does not say {from:?}");
        *text = text.replace(from, to);
        Self::of(texts, &self.version).unwrap()
    }
}

fn walk(base: &Path, folder: &Path, texts: &mut BTreeMap<String, String>) -> Result<(), TaskError> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(base, &path, texts)?;
        } else if let Ok(text) = fs::read_to_string(&path) {
            let name = path.strip_prefix(base)?.to_string_lossy().into_owned();
            texts.insert(name, text);
        }
    }
    Ok(())
}
