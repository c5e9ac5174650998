//! Where the files are: where the Python client has them.

use std::path::PathBuf;

use super::ConfigFilesError;
use crate::env::{CONFIG_PATH, Env};

/// The folder: what `ZENML_CONFIG_PATH` says, or the platform's folder for applications as Python's click names it.
pub(crate) fn config_dir(env: &Env) -> Result<PathBuf, ConfigFilesError> {
    if let Some(path) = env.get(CONFIG_PATH) {
        let path = PathBuf::from(path);
        return std::path::absolute(&path).map_err(|source| ConfigFilesError::Io {
            path,
            action: "found",
            source,
        });
    }
    application_dir(env, Platform::OURS).ok_or(ConfigFilesError::NoHome)
}

/// The platforms that click tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Platform {
    Windows,
    MacOs,
    Other,
}

impl Platform {
    /// The one that this runs on.
    const OURS: Self = if cfg!(windows) {
        Self::Windows
    } else if cfg!(target_os = "macos") {
        Self::MacOs
    } else {
        Self::Other
    };
}

/// As `click.get_app_dir("zenml")` has it. A variable that is set to nothing is taken for one that is not set.
fn application_dir(env: &Env, platform: Platform) -> Option<PathBuf> {
    let home = || env.get("HOME").map(PathBuf::from).or_else(std::env::home_dir);
    let base = match platform {
        Platform::Windows => env
            .get("APPDATA")
            .map(PathBuf::from)
            .or_else(std::env::home_dir)?,
        Platform::MacOs => home()?.join("Library/Application Support"),
        Platform::Other => match env.get("XDG_CONFIG_HOME") {
            Some(path) => PathBuf::from(path),
            None => home()?.join(".config"),
        },
    };
    Some(base.join("zenml"))
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

    #[test]
    fn otherwise_it_is_where_python_has_it() {
        let dir =
            |platform, variables: &[(&str, &str)]| application_dir(&Env::of(variables), platform).unwrap();
        let home = [("HOME", "/home/ann"), ("APPDATA", "/roaming")];
        for (platform, expected) in [
            (Platform::Other, "/home/ann/.config/zenml"),
            (Platform::MacOs, "/home/ann/Library/Application Support/zenml"),
            (Platform::Windows, "/roaming/zenml"),
        ] {
            assert_eq!(dir(platform, &home), PathBuf::from(expected));
        }
        let xdg = [("HOME", "/home/ann"), ("XDG_CONFIG_HOME", "/xdg")];
        assert_eq!(dir(Platform::Other, &xdg), PathBuf::from("/xdg/zenml"));
        assert_eq!(
            dir(Platform::MacOs, &xdg),
            PathBuf::from("/home/ann/Library/Application Support/zenml"),
            "which has no such variable"
        );
        let empty = [("HOME", "/home/ann"), ("XDG_CONFIG_HOME", "")];
        assert_eq!(
            dir(Platform::Other, &empty),
            PathBuf::from("/home/ann/.config/zenml")
        );
    }
}
