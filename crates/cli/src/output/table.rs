//! Tables for people.

use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::Record;

const HEADING: Style = Style::new().bold();
const NOTHING: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const WAITING: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default();

/// What stands between columns.
const GAP: &str = "  ";
/// The narrowest a column is made.
const NARROWEST: usize = 8;

/// One line per record under a line of headings. `width` is the terminal's, if data goes to one: longer texts are cut
/// then, but never ids and names, which people copy.
pub(super) fn rows(columns: &[&'static str], records: &[Record], width: Option<usize>) -> String {
    let headings: Vec<String> = columns
        .iter()
        .map(|column| column.replace('_', " ").to_uppercase())
        .collect();
    let cells: Vec<Vec<String>> = records
        .iter()
        .map(|record| {
            columns
                .iter()
                .map(|column| record.get(column).for_people())
                .collect()
        })
        .collect();
    let mut widths: Vec<usize> = headings.iter().map(|heading| heading.width()).collect();
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    if let Some(width) = width {
        fit(&mut widths, columns, width);
    }

    let mut text = String::new();
    let last = columns.len().saturating_sub(1);
    let mut line = |row: &[String], style: &dyn Fn(usize, &str) -> Style| {
        for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let cell = cut(cell, *width);
            let style = style(index, &cell);
            text.push_str(&format!("{style}{cell}{style:#}"));
            if index < last {
                text.push_str(&" ".repeat(width.saturating_sub(cell.width())));
                text.push_str(GAP);
            }
        }
        text.push('\n');
    };
    line(&headings, &|_, _| HEADING);
    for row in &cells {
        line(row, &|index, cell| {
            style_of(columns.get(index).copied().unwrap_or_default(), cell)
        });
    }
    text
}

/// One line per property, or several for one that holds several things.
pub(super) fn properties(record: &Record) -> String {
    let name = |column: &str| column.replace('_', " ");
    let widest = record
        .iter()
        .map(|(column, _)| name(column).width())
        .max()
        .unwrap_or_default();
    let mut text = String::new();
    for (column, cell) in record.iter() {
        let heading = name(column);
        let padding = " ".repeat(widest.saturating_sub(heading.width()));
        let below = format!("\n{}{GAP}", " ".repeat(widest));
        let cell = cell.for_people().replace('\n', &below);
        let style = style_of(column, &cell);
        text.push_str(&format!(
            "{HEADING}{heading}{HEADING:#}{padding}{GAP}{style}{cell}{style:#}\n"
        ));
    }
    text
}

fn style_of(column: &str, cell: &str) -> Style {
    match (column, cell) {
        (_, "-") => NOTHING,
        ("status", "active" | "verified" | "connected") | ("active", "yes") => GOOD,
        ("status", "pending") => WAITING,
        ("status", "locked" | "expired" | "signed out" | "unreachable") | ("active", "no") => BAD,
        _ => Style::new(),
    }
}

/// Whether people copy what is in the column.
fn is_copied(column: &str) -> bool {
    column == "id" || column == "name" || column.ends_with("_id") || column.ends_with("_name")
}

/// Makes columns narrower, the widest first, until they fit or nothing more can be given.
fn fit(widths: &mut [usize], columns: &[&str], available: usize) {
    let gaps = GAP.len() * columns.len().saturating_sub(1);
    loop {
        let total: usize = widths.iter().sum::<usize>() + gaps;
        if total <= available {
            return;
        }
        let shrinkable = widths
            .iter_mut()
            .zip(columns)
            .filter(|(width, column)| **width > NARROWEST && !is_copied(column));
        match shrinkable.max_by_key(|(width, _)| **width) {
            Some((width, _)) => *width -= 1,
            None => return,
        }
    }
}

/// Cuts a text to a width, with a mark where something was left out.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or_default();
        if used > width {
            break;
        }
        kept.push(c);
    }
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Cell;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn columns_line_up() {
        let record = |name: &str, active: bool| {
            Record::new()
                .with("name", name)
                .with("active", active)
                .with("note", Cell::Nothing)
        };
        let text = rows(
            &["name", "active", "note"],
            &[record("ci", true), record("büro 🚀", false)],
            None,
        );
        assert_eq!(
            plain(&text),
            "NAME     ACTIVE  NOTE\nci       yes     -\nbüro 🚀  no      -\n"
        );
    }

    #[test]
    fn long_texts_are_cut_but_ids_are_not() {
        let id = "4dd61a55-b8c9-4214-b613-292d167af1bc";
        let record = Record::new()
            .with("id", id)
            .with("description", "a rather long description");
        let text = plain(&rows(&["id", "description"], &[record], Some(50)));
        assert!(text.contains(id) && text.contains("a rather lo…"), "{text}");
        assert!(text.lines().all(|line| line.width() <= 50), "{text}");
    }

    #[test]
    fn what_a_server_says_cannot_steer_the_terminal() {
        let record = Record::new().with("hostname", "\u{1b}[2Jlap\ntop\u{202e}");
        assert_eq!(plain(&properties(&record)), "hostname  [2Jlap top\n");
        assert!(!rows(&["hostname"], &[record], None).contains("\u{1b}[2J"));
    }
}
