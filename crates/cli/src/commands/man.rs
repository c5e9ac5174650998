//! `zenml man`: manual pages.

use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory as _};

use crate::cli::Cli;
use crate::error::{CliError, Exit};
use crate::output;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Read the page of zenml itself:
    zenml man | man -l -
  Install all pages:
    zenml man --dir ~/.local/share/man/man1")]
pub(crate) struct ManArgs {
    /// Write a page for each command into this folder
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(args: &ManArgs) -> Result<(), CliError> {
    let mut command = Cli::command();
    command.build();
    match &args.dir {
        None => output::write(&page(command, "zenml")?),
        Some(dir) => {
            std::fs::create_dir_all(dir).map_err(|error| failed(dir, &error))?;
            let count = write_all(dir, &command, "zenml")?;
            ui::talk(&format!("Wrote {count} pages to {}.", dir.display()));
            Ok(())
        }
    }
}

/// The page of a command, in roff, given how the command is typed.
fn page(command: Command, typed: &str) -> Result<String, CliError> {
    let more = command
        .get_after_long_help()
        .or(command.get_after_help())
        .map(ToString::to_string);
    let has_subcommands = command.has_subcommands();
    let man = clap_mangen::Man::new(command.bin_name(typed))
        .source(concat!("zenml ", env!("CARGO_PKG_VERSION")))
        .manual("ZenML");
    let mut roff = Vec::new();
    let rendered = man
        .render_title(&mut roff)
        .and_then(|()| man.render_name_section(&mut roff))
        .and_then(|()| man.render_synopsis_section(&mut roff))
        .and_then(|()| man.render_description_section(&mut roff))
        .and_then(|()| man.render_options_section(&mut roff))
        .and_then(|()| match has_subcommands {
            true => man.render_subcommands_section(&mut roff),
            false => Ok(()),
        });
    rendered.map_err(|error| CliError::new(Exit::Failed, error))?;
    // Without a date, what follows would be taken for one.
    let mut page = String::from_utf8_lossy(&roff).replacen(" 1  \"", " 1 \"\" \"", 1);
    page.push_str(&sections(&more.unwrap_or_default()));
    Ok(page)
}

/// What stands below a help text: a line such as `Examples:` begins a section, and lines that begin with blanks stay as they
/// are, as they are there to be typed or to be looked up.
fn sections(text: &str) -> String {
    let mut roff = String::new();
    let mut as_they_are = false;
    for line in text.lines().filter(|line| !line.is_empty()) {
        let indented = line.starts_with(' ');
        if roff.is_empty() && !line.ends_with(':') {
            roff.push_str(".SH NOTES\n");
        }
        if indented != as_they_are {
            roff.push_str(if indented { ".nf\n" } else { ".fi\n" });
            as_they_are = indented;
        }
        match line.strip_suffix(':').filter(|_| !indented) {
            Some(title) => roff.push_str(&format!(".SH {}\n", title.to_uppercase())),
            // Neither a command of roff nor a hyphen that could be taken for one.
            None => roff.push_str(&format!("\\&{}\n", line.replace('\\', "\\e").replace('-', "\\-"))),
        }
    }
    if as_they_are {
        roff.push_str(".fi\n");
    }
    roff
}

/// How a command below one is typed: what the upper one takes comes in between, as in `api-key <ACCOUNT> rotate`.
fn typed_below(typed: &str, command: &Command, below: &Command) -> String {
    let taken = command
        .get_positionals()
        .filter(|argument| argument.is_required_set())
        .map(|argument| {
            let names = argument.get_value_names().unwrap_or_default();
            format!(" <{}>", names.first().map_or("VALUE", |name| name.as_str()))
        });
    format!("{typed}{} {}", taken.collect::<String>(), below.get_name())
}

/// Writes the page of a command and of all below it; tells how many.
fn write_all(dir: &Path, command: &Command, typed: &str) -> Result<usize, CliError> {
    // Built commands have a name such as `zenml-connect`.
    let path = dir.join(format!("{}.1", command.get_display_name().unwrap_or("zenml")));
    std::fs::write(&path, page(command.clone(), typed)?).map_err(|error| failed(&path, &error))?;
    let mut count = 1;
    for below in command
        .get_subcommands()
        .filter(|below| !below.is_hide_set() && below.get_name() != "help")
    {
        count += write_all(dir, below, &typed_below(typed, command, below))?;
    }
    Ok(count)
}

fn failed(path: &Path, error: &std::io::Error) -> CliError {
    CliError::new(
        Exit::Failed,
        format!("{} can't be written: {error}", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page_of(path: &[&str]) -> String {
        let mut command = Cli::command();
        command.build();
        let mut typed = "zenml".to_owned();
        for name in path {
            let below = command.find_subcommand(name).cloned();
            let below = below.unwrap_or_else(|| panic!("no {name}"));
            typed = typed_below(&typed, &command, &below);
            command = below;
        }
        page(command, &typed).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_command_stands_there_as_it_is_typed() {
        let page = page_of(&["service-account", "api-key", "rotate"]);
        assert!(
            page.contains("zenml service\\-account api\\-key <ACCOUNT> rotate"),
            "{page}"
        );
    }

    #[test]
    fn examples_can_be_copied() {
        let page = page_of(&["service-account", "api-key", "rotate"]);
        let (_, examples) = page
            .split_once(".SH EXAMPLES\n.nf\n")
            .unwrap_or_else(|| panic!("{page}"));
        assert!(
            examples.contains("\\-\\-retain 60 \\-\\-output\\-file nightly.key"),
            "{page}"
        );
        assert!(examples.ends_with(".fi\n"), "{page}");
    }
}
