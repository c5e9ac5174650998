//! Showing data: as a table for people, as JSON, YAML, CSV or TSV for programs.

mod cell;
mod delimited;
mod structured;
mod table;

use std::ffi::OsStr;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser};
use clap::{Args, ValueEnum};
use zenml_auth_api::PageResponse;

pub(crate) use cell::{Cell, Record};
use delimited::Values;
pub(crate) use structured::Pagination;

use crate::clock;
use crate::error::{CliError, Exit};
use crate::ui;

/// The forms that data is shown in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people
    Table,
    /// JSON
    Json,
    /// YAML
    Yaml,
    /// Values with commas between them
    Csv,
    /// Values with tabs between them
    Tsv,
}

/// Takes the name of a form; a variable that is set to nothing is as good as none.
#[derive(Debug, Clone, Copy)]
struct FormatParser;

impl TypedValueParser for FormatParser {
    type Value = Format;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Format, clap::Error> {
        if value.is_empty() {
            return Ok(Format::Table);
        }
        EnumValueParser::<Format>::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let values = Format::value_variants()
            .iter()
            .filter_map(ValueEnum::to_possible_value);
        Some(Box::new(values))
    }
}

/// Whether CSV and TSV are written raw. Like colours, it is said once, for all that the program writes.
static RAW: AtomicBool = AtomicBool::new(false);

/// Has the values of CSV and TSV written as they are from now on.
pub(crate) fn write_raw() {
    RAW.store(true, Ordering::Relaxed);
}

fn values() -> Values {
    if RAW.load(Ordering::Relaxed) {
        Values::Raw
    } else {
        Values::Harmless
    }
}

/// How to show something.
#[derive(Debug, Clone, Args)]
pub(crate) struct OutputArgs {
    /// How to show it
    #[arg(
        short,
        long,
        value_parser = FormatParser,
        env = "ZENML_DEFAULT_OUTPUT",
        hide_env = true,
        default_value = "table",
        hide_default_value = true,
        hide_possible_values = true,
        value_name = "table|json|yaml|csv|tsv"
    )]
    pub(crate) output: Format,
}

/// How to show a list.
#[derive(Debug, Clone, Args)]
pub(crate) struct ListOutputArgs {
    /// Which columns to show, with commas between them, or `all`
    #[arg(short, long, value_name = "COLUMNS")]
    pub(crate) columns: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Something that can be shown in a list.
pub(crate) trait Listed {
    /// What several of them are called.
    const PLURAL: &'static str;
    /// The columns that people see unless they ask for others; programs see all.
    const DEFAULT_COLUMNS: &'static [&'static str];
    /// All columns, in the order of [`Self::record`].
    const COLUMNS: &'static [&'static str];

    /// Its values.
    fn record(&self) -> Record;
}

/// Shows a page of things.
pub(crate) fn list<T: Listed>(page: &PageResponse<T>, args: &ListOutputArgs) -> Result<(), CliError> {
    let columns = chosen_columns::<T>(args)?;
    let records: Vec<Record> = page
        .items
        .iter()
        .map(|item| item.record().only(&columns))
        .collect();
    let format = args.output.output;
    if format == Format::Table {
        if records.is_empty() {
            ui::note(&format!("No {} found.", T::PLURAL));
            return Ok(());
        }
        write(&table::rows(&columns, &records, screen()))?;
        if page.total_pages > 1 {
            let more = if page.has_more() {
                format!("; more with --page {}", page.index + 1)
            } else {
                String::new()
            };
            ui::note(&format!(
                "Page {} of {}, {} {} in all{more}.",
                page.index,
                page.total_pages,
                page.total,
                T::PLURAL
            ));
        }
        return Ok(());
    }
    let text = match format {
        Format::Table => table::rows(&columns, &records, screen()),
        Format::Json => structured::json_list(&records, Pagination::of(page)),
        Format::Yaml => structured::yaml_list(&records, Pagination::of(page)),
        Format::Csv => delimited::rows(&columns, &records, ',', values()),
        Format::Tsv => delimited::rows(&columns, &records, '\t', values()),
    };
    write(&text)
}

/// Shows one thing.
pub(crate) fn one(record: &Record, format: Format) -> Result<(), CliError> {
    write(&one_text(record, format))
}

/// How one thing is shown.
pub(crate) fn one_text(record: &Record, format: Format) -> String {
    let columns: Vec<&'static str> = record.columns();
    let records = std::slice::from_ref(record);
    match format {
        Format::Table => table::properties(record),
        Format::Json => structured::json_one(record),
        Format::Yaml => structured::yaml_one(record),
        Format::Csv => delimited::rows(&columns, records, ',', values()),
        Format::Tsv => delimited::rows(&columns, records, '\t', values()),
    }
}

/// Shows what a thing has become to programs. People were told in words.
pub(crate) fn changed(record: &Record, format: Format) -> Result<(), CliError> {
    match format {
        Format::Table => Ok(()),
        _ => one(record, format),
    }
}

/// Shows several things that are no page of anything.
pub(crate) fn several(columns: &[&'static str], records: &[Record], format: Format) -> Result<(), CliError> {
    let filled = || -> Vec<Record> { records.iter().map(|record| record.only(columns)).collect() };
    write(&match format {
        Format::Table => table::rows(columns, &filled(), screen()),
        Format::Json => structured::json_records(records),
        Format::Yaml => structured::yaml_records(records),
        Format::Csv => delimited::rows(columns, &filled(), ',', values()),
        Format::Tsv => delimited::rows(columns, &filled(), '\t', values()),
    })
}

/// Shows one thing as JSON on one line, for programs that read along.
pub(crate) fn line(record: &Record) -> Result<(), CliError> {
    write(&line_text(record))
}

/// How one thing is shown on one line.
pub(crate) fn line_text(record: &Record) -> String {
    structured::json_line(record)
}

/// Writes a secret that is shown this once to standard output. It is lost when nobody reads it.
pub(crate) fn secret(text: &str) -> Result<(), CliError> {
    ui::data(text).map_err(|error| {
        CliError::new(
            Exit::Failed,
            format!("standard output can't be written to: {error}"),
        )
    })
}

/// Writes to standard output. When its reader has gone (`| head`), there is nothing more to do.
pub(crate) fn write(text: &str) -> Result<(), CliError> {
    match ui::data(text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(CliError::new(
            Exit::Failed,
            format!("the output can't be written: {error}"),
        )),
        _ => Ok(()),
    }
}

/// The terminal that data goes to, if it goes to one.
fn screen() -> Option<table::Screen> {
    ui::width().map(|width| table::Screen {
        width,
        now: clock::now(),
    })
}

fn chosen_columns<T: Listed>(args: &ListOutputArgs) -> Result<Vec<&'static str>, CliError> {
    let Some(asked) = &args.columns else {
        let columns = if args.output.output == Format::Table {
            T::DEFAULT_COLUMNS
        } else {
            T::COLUMNS
        };
        return Ok(columns.to_vec());
    };
    if asked.trim().eq_ignore_ascii_case("all") {
        return Ok(T::COLUMNS.to_vec());
    }
    let refused =
        |what: String| CliError::usage(what).next(format!("Use all, or some of {}.", T::COLUMNS.join(", ")));
    let find = |name: &str| {
        // `--columns` takes what the table shows as a heading, too.
        let wanted = name.trim().to_ascii_lowercase().replace([' ', '-'], "_");
        T::COLUMNS
            .iter()
            .copied()
            .find(|column| *column == wanted)
            .ok_or_else(|| refused(format!("there is no column {:?}", name.trim())))
    };
    let mut chosen = Vec::new();
    for name in asked.split(',').filter(|name| !name.trim().is_empty()) {
        let column = find(name)?;
        if !chosen.contains(&column) {
            chosen.push(column);
        }
    }
    if chosen.is_empty() {
        return Err(refused("--columns names no column".to_owned()));
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests;
