//! `cargo xtask generate`: the files that are generated from the code.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::TaskError;
use crate::run::{build_programs, output, root};

struct Generated {
    path: &'static str,
    make: fn() -> Result<String, TaskError>,
}

const FILES: &[Generated] = &[
    Generated {
        path: "docs/openapi.json",
        make: openapi,
    },
    Generated {
        path: "docs/error-codes.md",
        make: error_codes,
    },
    Generated {
        path: "docs/cli.md",
        make: command_line,
    },
];

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

const ERROR_CODES_HEAD: &str = "# Error codes

What our server puts into `code`, beside `detail`, when a request fails; see [Errors](api-rules.md#errors). Programs decide on it, and people
read the message. A code never changes its meaning, and more may be added. Made by `cargo xtask generate`.

| Code | Status | Class | Meaning |
|---|---|---|---|
";

fn error_codes() -> Result<String, TaskError> {
    let description: Value = serde_json::from_str(&openapi()?)?;
    let codes = description.pointer("/components/schemas/ErrorCode/x-codes");
    let codes = codes
        .and_then(Value::as_array)
        .ok_or("the API's description has no codes")?;
    let mut text = ERROR_CODES_HEAD.to_owned();
    for code in codes {
        let of = |name: &str| code.get(name).and_then(Value::as_str).unwrap_or("–");
        let status = code.get("status").map(Value::to_string).unwrap_or_default();
        let (code, class, meaning) = (of("code"), of("class"), of("meaning"));
        text.push_str(&format!("| `{code}` | {status} | {class} | {meaning} |\n"));
    }
    Ok(text)
}

const COMMAND_LINE_HEAD: &str = "# The command line

This is what `zenml --help` says, and the help of each of its commands. Made by `cargo xtask generate`.
";

fn command_line() -> Result<String, TaskError> {
    let zenml = build_programs()?.join("zenml");
    let mut text = COMMAND_LINE_HEAD.to_owned();
    describe(&zenml, &[], &mut text)?;
    Ok(text)
}

/// The help of a command, and of those below it.
fn describe(zenml: &Path, command: &[&str], text: &mut String) -> Result<(), TaskError> {
    let mut help = Command::new(zenml);
    help.args(command)
        .arg("--help")
        .env("COLUMNS", "100")
        .env("NO_COLOR", "1");
    let help = output(&mut help)?;
    // What stands for an argument is needed to get at the commands behind it.
    let name = ["zenml"]
        .iter()
        .chain(command)
        .copied()
        .collect::<Vec<_>>()
        .join(" ");
    let depth = "#".repeat((command.len() + 2).min(4));
    text.push_str(&format!(
        "\n{depth} `{name}`\n\n```text\n{}\n```\n",
        help.trim_end()
    ));
    for below in subcommands(&help) {
        let mut path = command.to_vec();
        if command.last() == Some(&"api-key") {
            path.push("ACCOUNT");
        }
        path.push(below);
        describe(zenml, &path, text)?;
    }
    Ok(())
}

/// The names under `Commands:`.
fn subcommands(help: &str) -> Vec<&str> {
    let after = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    after
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect()
}
