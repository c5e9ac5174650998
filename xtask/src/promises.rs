//! `cargo xtask promises`: every promise of the documents names tests that exist.
//!
//! A document that promises something has tables with the column `Test`. Each row names at least one test function, or a
//! file of tests, in backticks. A test that was renamed or deleted leaves its promise unproven; this finds it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::TaskError;
use crate::run::root;

/// The documents whose promises are checked.
const DOCUMENTS: &[&str] = &["docs/security.md", "docs/operating.md"];
/// The column of a table that names the tests.
const COLUMN: &str = "Test";
/// Names that a document gives to a test, beside the test's own: it says so in the text above its table.
const NICKNAMES: &[(&str, &str)] = &[("random", "the_engine_agrees_with_the_model")];

pub(crate) fn run() -> Result<(), TaskError> {
    let tree = Tree::read(&root())?;
    let mut problems = Vec::new();
    let mut promises = 0;
    for document in DOCUMENTS {
        let text = fs::read_to_string(root().join(document))?;
        let rows = rows(&text);
        if rows.is_empty() {
            problems.push(format!("{document} has no table with the column `{COLUMN}`"));
        }
        promises += rows.len();
        for row in rows {
            problems.extend(
                check(&row, &tree)
                    .into_iter()
                    .map(|problem| format!("{document}: {problem}")),
            );
        }
    }
    if problems.is_empty() {
        println!("{promises} promises are held by tests");
        Ok(())
    } else {
        Err(problems.join("\n").into())
    }
}

/// A promise, and what is said to hold it.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    promise: String,
    tests: String,
}

/// The rows of the tables that have the column.
fn rows(text: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut column = None;
    for line in text.lines() {
        let Some(line) = line.trim().strip_prefix('|') else {
            column = None;
            continue;
        };
        let cells: Vec<&str> = line.trim_end_matches('|').split('|').map(str::trim).collect();
        let is_rule = cells
            .iter()
            .all(|cell| !cell.is_empty() && cell.chars().all(|letter| ":-".contains(letter)));
        match column {
            None => column = Some(cells.iter().position(|cell| *cell == COLUMN)),
            Some(Some(index)) if !is_rule => rows.push(Row {
                promise: (*cells.first().unwrap_or(&"")).to_owned(),
                tests: (*cells.get(index).unwrap_or(&"")).to_owned(),
            }),
            Some(_) => {}
        }
    }
    rows
}

/// What is wrong with a row.
fn check(row: &Row, tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    let mut proofs = 0;
    for name in row.tests.split('`').skip(1).step_by(2) {
        let name = NICKNAMES
            .iter()
            .find_map(|(nickname, test)| (*nickname == name).then_some(*test))
            .unwrap_or(name);
        if is_function(name) {
            proofs += 1;
            if !tree.tests.contains(name) {
                problems.push(format!("there is no test `{name}`, for \"{}\"", row.promise));
            }
        } else if tree.has(name) {
            // A folder or a file with nothing but tests is a proof, too.
            proofs += usize::from(name.contains("tests/") || name.contains("conformance"));
        } else {
            problems.push(format!("there is no file `{name}`, for \"{}\"", row.promise));
        }
    }
    if proofs == 0 {
        problems.push(format!("no test holds \"{}\"", row.promise));
    }
    problems
}

fn is_function(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
}

/// What the source tree has.
struct Tree {
    files: Vec<String>,
    tests: BTreeSet<String>,
}

impl Tree {
    fn read(root: &Path) -> Result<Self, TaskError> {
        let mut tree = Self {
            files: Vec::new(),
            tests: BTreeSet::new(),
        };
        for folder in ["crates", "migrations", "xtask", "deploy"] {
            tree.walk(root, &root.join(folder))?;
        }
        Ok(tree)
    }

    fn walk(&mut self, root: &Path, folder: &Path) -> Result<(), TaskError> {
        let mut entries: Vec<PathBuf> = fs::read_dir(folder)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        entries.sort();
        for path in entries {
            let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            if path.is_dir() {
                if !path.ends_with("target") {
                    self.files.push(shown);
                    self.walk(root, &path)?;
                }
                continue;
            }
            if path.extension().is_some_and(|extension| extension == "rs") {
                let is_contract = shown.starts_with("crates/testkit/src/contract");
                self.tests
                    .extend(tests_of(&fs::read_to_string(&path)?, is_contract));
            }
            self.files.push(shown);
        }
        Ok(())
    }

    /// Whether there is such a path, or a file or folder of that name.
    fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        self.files
            .iter()
            .any(|file| file == path || file.ends_with(&format!("/{path}")))
    }
}

/// The names of the tests in a file. Some are functions that a macro makes tests of: those of the contract of stores, and
/// those whose name stands alone on a line, in a list for a macro.
fn tests_of(source: &str, is_contract: bool) -> Vec<String> {
    let listed: BTreeSet<&str> = source
        .lines()
        .map(|line| line.trim().trim_end_matches(','))
        .filter(|line| is_function(line))
        .collect();
    let mut tests = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim_start) {
        if line.starts_with("#[") {
            is_test |= line.contains("test") && !line.contains("cfg(test)");
        } else if let Some(name) = function(line) {
            if is_test || is_contract || listed.contains(name) {
                tests.push(name.to_owned());
            }
            is_test = false;
        }
    }
    tests
}

/// The name of the function that begins on a line.
fn function(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    before
        .split_whitespace()
        .all(|word| word.starts_with("pub") || ["async", "const"].contains(&word))
        .then_some(())?;
    let end = after.find(['(', '<'])?;
    after.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        let source = "#[tokio::test]\nasync fn it_holds() {}\n#[cfg(test)]\nfn helper() {}\n#[test]\n#[ignore]\nfn slow_one() {}\nlist! {\n    raced\n}\nasync fn raced(x: u8) {}\n";
        Tree {
            files: vec!["crates/core/tests/model.rs".to_owned()],
            tests: tests_of(source, false).into_iter().collect(),
        }
    }

    fn problems(tests: &str) -> Vec<String> {
        let row = Row {
            promise: "P".to_owned(),
            tests: tests.to_owned(),
        };
        check(&row, &tree())
    }

    #[test]
    fn tests_that_exist_hold_a_promise() {
        for tests in [
            "`it_holds`",
            "`it_holds`, `raced` and `slow_one` in `model.rs`",
            "`crates/core/tests/model.rs`, by a model checker",
        ] {
            assert_eq!(problems(tests), Vec::<String>::new(), "{tests}");
        }
    }

    #[test]
    fn what_is_missing_is_found() {
        assert_eq!(problems("").len(), 1, "no test at all");
        assert_eq!(problems("trust us").len(), 1);
        assert_eq!(problems("`it_held`").len(), 1, "no such test");
        assert_eq!(problems("`helper`").len(), 1, "no test, but a function");
        assert_eq!(problems("`it_holds` in `gone.rs`").len(), 1, "no such file");
    }

    #[test]
    fn rows_are_those_of_tables_with_the_column() {
        let text =
            "| Promise | Test |\n|---|---|\n| a | `x` |\n\ntext\n\n| Key | Flag |\n|---|---|\n| b | c |\n";
        let row = Row {
            promise: "a".to_owned(),
            tests: "`x`".to_owned(),
        };
        assert_eq!(rows(text), vec![row]);
    }
}
