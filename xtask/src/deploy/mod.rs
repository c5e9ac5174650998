//! `cargo xtask deploy`: the files for hosting are what systemd, Docker and Kubernetes can read, and what the texts about them
//! say.

mod checks;
mod files;
mod units;
mod yaml;

use files::Files;

use crate::TaskError;

pub(crate) fn run() -> Result<(), TaskError> {
    let files = Files::read()?;
    let mut problems = checks::problems(&files);
    problems.extend(units::problems()?);
    if !problems.is_empty() {
        return Err(problems.join("\n").into());
    }
    println!("the files in deploy hold {} promises", checks::CHECKS.len());
    Ok(())
}
