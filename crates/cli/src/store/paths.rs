//! Where the files are: where the Python client has them.

use std::path::PathBuf;

use super::StoreError;
use crate::env::{CONFIG_PATH, Env};

/// The folder: what `ZENML_CONFIG_PATH` says, or the platform's folder for applications as Python's click names it.
pub(crate) fn config_dir(env: &Env) -> Result<PathBuf, StoreError> {
    if let Some(path) = env.get(CONFIG_PATH) {
        let path = PathBuf::from(path);
        return std::path::absolute(&path).map_err(|source| StoreError::Io {
            path,
            action: "found",
            source,
        });
    }
    application_dir(env).ok_or(StoreError::NoHome)
}

#[cfg(windows)]
fn application_dir(env: &Env) -> Option<PathBuf> {
    let base = env
        .get("APPDATA")
        .map(PathBuf::from)
        .or_else(std::env::home_dir)?;
    Some(base.join("zenml"))
}

#[cfg(target_os = "macos")]
fn application_dir(env: &Env) -> Option<PathBuf> {
    Some(home(env)?.join("Library/Application Support/zenml"))
}

#[cfg(not(any(windows, target_os = "macos")))]
fn application_dir(env: &Env) -> Option<PathBuf> {
    let base = match env.get("XDG_CONFIG_HOME") {
        Some(path) => PathBuf::from(path),
        None => home(env)?.join(".config"),
    };
    Some(base.join("zenml"))
}

#[cfg(not(windows))]
fn home(env: &Env) -> Option<PathBuf> {
    env.get("HOME").map(PathBuf::from).or_else(std::env::home_dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_can_be_named() {
        let dir = config_dir(&Env::of(&[
            ("ZENML_CONFIG_PATH", "/tmp/here"),
            ("HOME", "/home/ann"),
        ]))
        .unwrap();
        assert_eq!(dir, PathBuf::from("/tmp/here"));
        assert!(
            config_dir(&Env::of(&[("ZENML_CONFIG_PATH", "here")]))
                .unwrap()
                .is_absolute()
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn otherwise_it_is_where_python_has_it() {
        assert_eq!(
            config_dir(&Env::of(&[("HOME", "/home/ann")])).unwrap(),
            PathBuf::from("/home/ann/.config/zenml")
        );
        let env = Env::of(&[("HOME", "/home/ann"), ("XDG_CONFIG_HOME", "/xdg")]);
        assert_eq!(config_dir(&env).unwrap(), PathBuf::from("/xdg/zenml"));
    }
}
