//! `cargo xtask generate`: the files that are generated from the code.

use std::fs;
use std::process::Command;

use crate::TaskError;
use crate::run::{build_programs, output, root};

struct Generated {
    path: &'static str,
    make: fn() -> Result<String, TaskError>,
}

const FILES: &[Generated] = &[Generated {
    path: "docs/openapi.json",
    make: openapi,
}];

pub(crate) fn run(check: bool) -> Result<(), TaskError> {
    let mut outdated = Vec::new();
    for file in FILES {
        let text = (file.make)()?;
        let path = root().join(file.path);
        if fs::read_to_string(&path).ok().as_deref() == Some(text.as_str()) {
            println!("{} is up to date", file.path);
        } else if check {
            outdated.push(file.path);
        } else {
            fs::write(&path, text)?;
            println!("wrote {}", file.path);
        }
    }
    if outdated.is_empty() {
        Ok(())
    } else {
        Err(format!("out of date: {}; run `cargo xtask generate`", outdated.join(", ")).into())
    }
}

fn openapi() -> Result<String, TaskError> {
    output(Command::new(build_programs()?.join("zenml-auth-server")).arg("openapi"))
}
