//! What tests ran on, and what they were left out for: the output of tests that pass is not shown, so they write it to a file.
//!
//! `TEST_DATABASES_REPORT` names the file, which `cargo xtask test` reads out at its end. `TEST_DATABASES=all` makes it an error
//! that something is missing.

use std::io::Write as _;

/// Says that tests run on this.
pub fn ran(what: &str) {
    add(&format!("ran {what}"));
}

/// Says that a test is left out for want of this: a program that is not installed, or a right that the user does not have.
///
/// # Panics
/// Where all tests have to run.
pub fn missing(what: &str) {
    let wanted = std::env::var("TEST_DATABASES").unwrap_or_default();
    assert_ne!(wanted, "all", "{what} is missing");
    add(&format!("missing {what}"));
    eprintln!("NOT TESTED, for want of {what}");
}

/// Adds a line, if a report is wanted. Several programs may do so at the same time.
fn add(line: &str) {
    if let Some(path) = std::env::var_os("TEST_DATABASES_REPORT") {
        let mut file = std::fs::File::options()
            .append(true)
            .create(true)
            .open(path)
            .unwrap();
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}
