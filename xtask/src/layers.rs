//! `cargo xtask layers`: what each crate may import.
//!
//! The table is the picture of the layers in `docs/architecture.md`, written down so that a machine can hold us to it.

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::TaskError;
use crate::run::root;

struct Rule {
    name: &'static str,
    /// The crates of ours that it may import.
    ours: &'static [&'static str],
    /// The crates of others that it must not import, by trade.
    never: &'static [&'static [&'static str]],
}

/// What speaks HTTP.
const HTTP: &[&str] = &["axum", "hyper", "hyper-util", "reqwest", "tower", "tower-http"];
/// What names the parts of HTTP, and speaks nothing.
const HTTP_TYPES: &[&str] = &["http"];
const SQL: &[&str] = &["sea-orm", "sea-orm-migration", "sqlx", "rusqlite"];
/// What only a server needs, beside SQL.
const SERVING: &[&str] = &["axum", "tower-http", "askama", "argon2"];

/// Nothing points the other way.
const RULES: &[Rule] = &[
    Rule {
        name: "zenml-auth-model",
        ours: &[],
        never: &[
            HTTP,
            HTTP_TYPES,
            SQL,
            &["serde", "serde_json", "tokio", "rand", "tracing"],
        ],
    },
    Rule {
        name: "zenml-auth-core",
        ours: &["zenml-auth-model"],
        never: &[HTTP, HTTP_TYPES, SQL, &["clap", "toml", "directories"]],
    },
    Rule {
        name: "zenml-auth-migrations",
        ours: &[],
        never: &[HTTP, HTTP_TYPES],
    },
    Rule {
        name: "zenml-auth-storage",
        ours: &["zenml-auth-core", "zenml-auth-model", "zenml-auth-migrations"],
        never: &[HTTP, HTTP_TYPES],
    },
    Rule {
        name: "zenml-auth-api",
        ours: &["zenml-auth-model"],
        never: &[HTTP, SQL, &["tokio"]],
    },
    Rule {
        name: "zenml-auth-client",
        ours: &["zenml-auth-api", "zenml-auth-model"],
        never: &[SERVING, SQL],
    },
    Rule {
        name: "zenml-auth-cli",
        ours: &["zenml-auth-client", "zenml-auth-api", "zenml-auth-model"],
        never: &[SERVING, SQL],
    },
    Rule {
        name: "zenml-auth-server",
        ours: &[
            "zenml-auth-core",
            "zenml-auth-storage",
            "zenml-auth-api",
            "zenml-auth-model",
        ],
        never: &[SQL],
    },
    Rule {
        name: "zenml-auth-testkit",
        ours: &[
            "zenml-auth-core",
            "zenml-auth-model",
            "zenml-auth-server",
            "zenml-auth-storage",
        ],
        never: &[],
    },
    Rule {
        name: "xtask",
        ours: &[],
        never: &[],
    },
];

pub(crate) fn run() -> Result<(), TaskError> {
    let metadata = MetadataCommand::new().current_dir(root()).no_deps().exec()?;
    let mut imports: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in metadata.workspace_packages() {
        // What tests import is theirs to choose.
        let normal = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind != DependencyKind::Development);
        imports.insert(
            package.name.to_string(),
            normal.map(|dependency| dependency.name.clone()).collect(),
        );
    }
    let violations = check(&imports);
    if violations.is_empty() {
        println!("The layers hold: {} crates checked.", imports.len());
        return Ok(());
    }
    for violation in &violations {
        eprintln!("{violation}");
    }
    Err(format!("{} imports break the layers", violations.len()).into())
}

fn check(imports: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut violations = Vec::new();
    for (name, imported) in imports {
        let Some(rule) = RULES.iter().find(|rule| rule.name == name) else {
            violations.push(format!("{name} has no rule; give it one in xtask/src/layers.rs"));
            continue;
        };
        for other in imported {
            let is_ours = imports.contains_key(other);
            if is_ours && !rule.ours.contains(&other.as_str()) {
                violations.push(format!("{name} must not import {other}: it is not below it"));
            }
            if rule.never.iter().any(|trade| trade.contains(&other.as_str())) {
                violations.push(format!(
                    "{name} must not import {other}: that belongs to another layer"
                ));
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        edges
            .iter()
            .map(|(name, imported)| {
                (
                    (*name).to_owned(),
                    imported.iter().map(|&other| other.to_owned()).collect(),
                )
            })
            .collect()
    }

    #[test]
    fn a_sound_graph_passes() {
        let sound = graph(&[
            ("zenml-auth-model", &["jiff"]),
            ("zenml-auth-core", &["zenml-auth-model", "argon2"]),
            ("zenml-auth-storage", &["zenml-auth-core", "sea-orm"]),
        ]);
        assert_eq!(check(&sound), Vec::<String>::new());
    }

    #[test]
    fn imports_that_point_up_are_caught() {
        let upward = graph(&[
            ("zenml-auth-core", &["zenml-auth-storage"]),
            ("zenml-auth-storage", &[]),
        ]);
        assert_eq!(check(&upward).len(), 1);
    }

    #[test]
    fn foreign_trades_are_caught() {
        for (name, other) in [
            ("zenml-auth-core", "axum"),
            ("zenml-auth-model", "serde"),
            ("zenml-auth-server", "sea-orm"),
            ("zenml-auth-cli", "askama"),
        ] {
            assert_eq!(
                check(&graph(&[(name, &[other])])).len(),
                1,
                "{name} imports {other}"
            );
        }
    }

    #[test]
    fn a_new_crate_needs_a_rule() {
        assert_eq!(check(&graph(&[("zenml-auth-attic", &[])])).len(), 1);
    }
}
