//! `cargo xtask promises`: every promise of the documents names tests that exist.
//!
//! A document that promises something has tables with the column `Test`. Each row names at least one test function, or a
//! file of tests, in backticks. Functions that are said to be in a file have to be in that one: "`a`, `b` in `x.rs`; `c` in
//! `y.rs`; `d`, same file". Functions without a file may be anywhere. A test that was renamed, moved or deleted, or that is
//! ignored, leaves its promise unproven; this finds it.

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
        let mut file = None;
        for row in rows {
            problems.extend(
                check(&row, &mut file, &tree)
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

/// What is wrong with a row. `file` is the one that was named last, in this row or one before it.
fn check(row: &Row, file: &mut Option<String>, tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    let mut proofs = 0;
    // Functions that were named since the last file, which are in the next one.
    let mut functions: Vec<&str> = Vec::new();
    for part in parts(&row.tests) {
        match part {
            Part::Test(name) => {
                functions.push(name);
                proofs += 1;
                if !tree.has_test(name) {
                    problems.push(format!("there is no test `{name}`"));
                }
            }
            Part::Path(path) | Part::In(path) if !tree.has(path) => {
                problems.push(format!("there is no file `{path}`"));
            }
            Part::In(path) if !functions.is_empty() => {
                problems.extend(missing(&mut functions, path, tree));
                *file = Some(path.to_owned());
            }
            // A file, or a folder, may be a proof itself.
            Part::Path(path) | Part::In(path) => {
                proofs += usize::from(tree.has_tests_in(path));
                *file = Some(path.to_owned());
            }
            Part::SameFile => {
                if let Some(path) = file.as_deref() {
                    problems.extend(missing(&mut functions, path, tree));
                }
            }
            Part::Anywhere => functions.clear(),
        }
    }
    if proofs == 0 {
        problems.push("no test".to_owned());
    }
    problems
        .into_iter()
        .map(|problem| format!("{problem}, for \"{}\"", row.promise))
        .collect()
}

/// What is wrong with functions that are said to be in a file.
fn missing(functions: &mut Vec<&str>, path: &str, tree: &Tree) -> Vec<String> {
    functions
        .drain(..)
        .filter(|function| tree.has_test(function) && !tree.is_in(function, path))
        .map(|function| format!("`{function}` is not in `{path}`"))
        .collect()
}

/// What a row says, word by word.
#[derive(Debug, PartialEq, Eq)]
enum Part<'a> {
    /// A function.
    Test(&'a str),
    /// A file or a folder.
    Path(&'a str),
    /// The same, and what came before is in it.
    In(&'a str),
    /// What came before is in the file that was named last.
    SameFile,
    /// What came before may be anywhere.
    Anywhere,
}

fn parts(tests: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut is_in = false;
    for (index, piece) in tests.split('`').enumerate() {
        if index % 2 == 0 {
            is_in = piece.trim_end().ends_with(" in");
            if piece.contains("same file") {
                parts.push(Part::SameFile);
            }
            if piece.contains(';') {
                parts.push(Part::Anywhere);
            }
        } else if let Some(test) = test_called(piece) {
            parts.push(Part::Test(test));
        } else if is_in {
            parts.push(Part::In(piece));
        } else {
            parts.push(Part::Path(piece));
        }
    }
    parts
}

/// The test that a name in a document stands for; `None` when it is the name of a file.
fn test_called(name: &str) -> Option<&str> {
    let nickname = NICKNAMES.iter().find(|(nickname, _)| *nickname == name);
    let name = nickname.map_or(name, |(_, test)| *test);
    is_function(name).then_some(name)
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
    /// The name of each test, and the file that it is in.
    tests: BTreeSet<(String, String)>,
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
                let tests = tests_of(&fs::read_to_string(&path)?, is_contract);
                self.tests
                    .extend(tests.into_iter().map(|test| (test, shown.clone())));
            }
            self.files.push(shown);
        }
        Ok(())
    }

    /// Whether there is such a path, or a file or folder of that name.
    fn has(&self, path: &str) -> bool {
        self.files.iter().any(|file| is_at(file, path))
    }

    fn has_test(&self, name: &str) -> bool {
        self.tests.iter().any(|(test, _)| test == name)
    }

    /// Whether a test is in a file, or below a folder.
    fn is_in(&self, name: &str, path: &str) -> bool {
        self.tests
            .iter()
            .any(|(test, file)| test == name && is_below(file, path))
    }

    /// Whether a file has tests, or a folder has a file with some, or with scripts that run programs of others.
    fn has_tests_in(&self, path: &str) -> bool {
        let scripts = |file: &String| file.contains("conformance") && is_below(file, path);
        self.tests.iter().any(|(_, file)| is_below(file, path)) || self.files.iter().any(scripts)
    }
}

/// Whether a path of the tree is the one that is meant, which may be given by its end.
fn is_at(file: &str, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    file == path || file.ends_with(&format!("/{path}"))
}

/// The same, or whether it is below a folder that is meant.
fn is_below(file: &str, path: &str) -> bool {
    Path::new(file)
        .ancestors()
        .any(|part| is_at(&part.display().to_string(), path))
}

/// The names of the tests in a file. Some are functions that a macro makes tests of: those of the contract of stores, and
/// those whose name stands alone on a line, in a list for a macro. Those that are ignored prove nothing.
fn tests_of(source: &str, is_contract: bool) -> Vec<String> {
    let listed: BTreeSet<&str> = source
        .lines()
        .map(|line| line.trim().trim_end_matches(','))
        .filter(|line| is_function(line))
        .collect();
    let mut tests = Vec::new();
    let (mut is_test, mut is_ignored) = (false, false);
    for line in source.lines().map(str::trim_start) {
        if line.starts_with("#[") {
            is_test |= line.contains("test") && !line.contains("cfg(test)");
            is_ignored |= line.starts_with("#[ignore");
        } else if let Some(name) = function(line) {
            if !is_ignored && (is_test || is_contract || listed.contains(name)) {
                tests.push(name.to_owned());
            }
            (is_test, is_ignored) = (false, false);
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
        let model = "crates/core/tests/model.rs".to_owned();
        let tests = tests_of(source, false).into_iter();
        Tree {
            tests: tests.map(|test| (test, model.clone())).collect(),
            files: [
                "crates/core/tests",
                "crates/core/tests/common",
                "crates/core/tests/common/mod.rs",
            ]
            .map(ToOwned::to_owned)
            .into_iter()
            .chain([model])
            .collect(),
        }
    }

    fn problems(tests: &str) -> Vec<String> {
        let row = Row {
            promise: "P".to_owned(),
            tests: tests.to_owned(),
        };
        check(
            &row,
            &mut Some("crates/core/tests/common/mod.rs".to_owned()),
            &tree(),
        )
    }

    #[test]
    fn tests_that_exist_hold_a_promise() {
        for tests in [
            "`it_holds`",
            "`it_holds` and `raced` in `model.rs`",
            "`it_holds` in `crates/core/tests`; `raced`, same file",
            "`raced`; `it_holds` in `model.rs`",
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
        assert_eq!(problems("`slow_one`").len(), 1, "one that is ignored");
        assert_eq!(problems("`it_holds` in `gone.rs`").len(), 1, "no such file");
        assert_eq!(
            problems("`it_holds`, `raced` in `common/mod.rs`").len(),
            2,
            "in another"
        );
        assert_eq!(problems("`it_holds`, same file").len(), 1, "in another");
        assert_eq!(problems("`crates/core/tests/common`").len(), 1, "no tests in it");
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
