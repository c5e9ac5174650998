//! `cargo xtask ci`: everything that has to pass before a change lands.
//!
//! Fast checks come first, so that a slip is told early; each step says how long it took.

#![allow(
    clippy::disallowed_methods,
    reason = "how long a step took is for whoever waits, and decides nothing"
)]

use std::time::{Duration, Instant};

use crate::run::{cargo, exists, succeed};
use crate::{TaskError, conformance, demo, generate, layers, test};

struct Step {
    name: &'static str,
    run: fn() -> Result<(), TaskError>,
}

const TESTS: &str = "tests";

const STEPS: &[Step] = &[
    Step {
        name: "formatting",
        run: || succeed(cargo().args(["fmt", "--all", "--check"])),
    },
    Step {
        name: "layers",
        run: layers::run,
    },
    Step {
        name: TESTS,
        run: || test::run(&[]),
    },
    Step {
        name: "clippy",
        run: clippy,
    },
    Step {
        name: "docs",
        run: docs,
    },
    Step {
        name: "licences, bans and sources",
        run: deny,
    },
    Step {
        name: "generated files",
        run: || generate::run(true),
    },
    Step {
        name: "demo",
        run: demo::run,
    },
    Step {
        name: "conformance",
        run: || conformance::run(&[]),
    },
];

pub(crate) fn run(skip_tests: bool) -> Result<(), TaskError> {
    let mut times: Vec<(&str, Duration)> = Vec::new();
    for step in STEPS.iter().filter(|step| !(skip_tests && step.name == TESTS)) {
        println!("\n== {} ==", step.name);
        let begun = Instant::now();
        let done = (step.run)();
        times.push((step.name, begun.elapsed()));
        if let Err(error) = done {
            summary(&times);
            return Err(format!("{}: {error}", step.name).into());
        }
    }
    summary(&times);
    println!("Everything passed.");
    Ok(())
}

fn summary(times: &[(&str, Duration)]) {
    println!();
    for (name, time) in times {
        println!("{:>6} s  {name}", time.as_secs());
    }
}

fn clippy() -> Result<(), TaskError> {
    succeed(cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "--deny",
        "warnings",
    ]))
}

fn docs() -> Result<(), TaskError> {
    let mut command = cargo();
    command.env("RUSTDOCFLAGS", "--deny warnings");
    succeed(command.args(["doc", "--workspace", "--all-features", "--no-deps"]))
}

fn deny() -> Result<(), TaskError> {
    if !exists("cargo-deny", "--version") {
        succeed(cargo().args(["install", "cargo-deny", "--locked"]))?;
    }
    succeed(cargo().args(["deny", "--all-features", "check", "licenses", "bans", "sources"]))
}
