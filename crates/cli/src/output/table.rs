//! Tables for people.

use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use zenml_auth_model::Timestamp;

use super::{Cell, Record};

const HEADING: Style = Style::new().bold();
const NOTHING: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const WAITING: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default();

/// What stands between columns.
const GAP: &str = "  ";
/// The narrowest a column is made by cutting what is in it.
const NARROWEST: usize = 8;
/// The narrowest a heading is made.
const NARROWEST_HEADING: usize = 5;

/// A terminal that data goes to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Screen {
    /// How wide it is.
    pub(super) width: usize,
    /// The time, by which times are told in few words where there is no room for more.
    pub(super) now: Timestamp,
}

/// One line per record under a line of headings. On a screen, longer texts are cut, but never ids and names, which people
/// copy.
pub(super) fn rows(columns: &[&'static str], records: &[Record], screen: Option<Screen>) -> String {
    let headings: Vec<String> = columns
        .iter()
        .map(|column| column.replace('_', " ").to_uppercase())
        .collect();
    let shown = |show: &dyn Fn(&Cell) -> String| -> Vec<Vec<String>> {
        let row = |record: &Record| columns.iter().map(|column| show(record.get(column))).collect();
        records.iter().map(row).collect()
    };
    let mut cells = shown(&Cell::for_people);
    let mut widths = widths_of(&headings, &cells);
    if let Some(Screen { width, now }) = screen {
        if total(&widths) > width {
            cells = shown(&|cell| cell.in_few_words(now));
            widths = widths_of(&headings, &cells);
        }
        let contents = widths_of(&vec![String::new(); columns.len()], &cells);
        fit(&mut widths, &headings, &contents, columns, width);
    }

    let headings: Vec<Vec<String>> = headings
        .iter()
        .zip(&widths)
        .map(|(heading, width)| in_lines(heading, *width))
        .collect();
    let mut text = String::new();
    let mut line = |row: &[String], style: &dyn Fn(usize, &str) -> Style| {
        let last = row.iter().rposition(|cell| !cell.is_empty()).unwrap_or_default();
        for (index, (cell, width)) in row.iter().zip(&widths).enumerate().take(last + 1) {
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
    for number in 0..headings.iter().map(Vec::len).max().unwrap_or_default() {
        let part = |heading: &Vec<String>| heading.get(number).cloned().unwrap_or_default();
        let parts: Vec<String> = headings.iter().map(part).collect();
        line(&parts, &|_, _| HEADING);
    }
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

fn widths_of(headings: &[String], cells: &[Vec<String>]) -> Vec<usize> {
    let mut widths: Vec<usize> = headings.iter().map(|heading| heading.width()).collect();
    for row in cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    widths
}

/// How wide a line is.
fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1)
}

/// Whether people copy what is in the column.
fn is_copied(column: &str) -> bool {
    column == "id" || column == "name" || column.ends_with("_id") || column.ends_with("_name")
}

/// Makes columns narrower, the widest first, until they fit or nothing more can be given: first those where only the
/// heading takes more lines, then those where it is cut, then those where the content is.
fn fit(widths: &mut [usize], headings: &[String], contents: &[usize], columns: &[&str], available: usize) {
    let by_word: Vec<usize> = headings
        .iter()
        .zip(contents)
        .map(|(heading, content)| heading.split(' ').map(str::width).fold(*content, usize::max))
        .collect();
    shrink(widths, &by_word, available);
    let by_heading: Vec<usize> = contents
        .iter()
        .map(|content| (*content).max(NARROWEST_HEADING))
        .collect();
    shrink(widths, &by_heading, available);
    let by_content: Vec<usize> = widths
        .iter()
        .zip(columns)
        .map(|(width, column)| {
            if is_copied(column) {
                *width
            } else {
                NARROWEST.min(*width)
            }
        })
        .collect();
    shrink(widths, &by_content, available);
}

/// Makes columns narrower, the widest first, but none narrower than the least it may be.
fn shrink(widths: &mut [usize], least: &[usize], available: usize) {
    while total(widths) > available {
        let shrinkable = widths
            .iter_mut()
            .zip(least)
            .filter(|(width, least)| **width > **least);
        match shrinkable.max_by_key(|(width, _)| **width) {
            Some((width, _)) => *width -= 1,
            None => return,
        }
    }
}

/// A heading on as many lines as it takes, broken between words.
fn in_lines(heading: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in heading.split(' ') {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
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

    const fn screen(width: usize) -> Option<Screen> {
        Some(Screen {
            width,
            now: Timestamp::from_secs(1_800_000_000),
        })
    }

    #[test]
    fn times_are_told_in_few_words_before_anything_is_cut() {
        let record = Record::new()
            .with("name", "laptop")
            .with("expires", Timestamp::from_secs(1_800_000_000 + 29 * 86_400));
        let at = |width| {
            plain(&rows(
                &["name", "expires"],
                std::slice::from_ref(&record),
                screen(width),
            ))
        };
        assert_eq!(at(31), "NAME    EXPIRES\nlaptop  2027-02-13 08:00:00 UTC\n");
        assert_eq!(at(30), "NAME    EXPIRES\nlaptop  in 29 d\n");
    }

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
    fn headings_take_more_lines_before_they_are_cut() {
        let record = Record::new()
            .with("name", "ci")
            .with("last_login", Cell::Nothing)
            .with("is_admin", true);
        let at = |width| {
            let columns = ["name", "last_login", "is_admin"];
            plain(&rows(&columns, std::slice::from_ref(&record), screen(width)))
        };
        assert_eq!(at(26), "NAME  LAST LOGIN  IS ADMIN\nci    -           yes\n");
        assert_eq!(
            at(22),
            "NAME  LAST     IS\n      LOGIN    ADMIN\nci    -        yes\n"
        );
    }

    #[test]
    fn long_texts_are_cut_but_ids_are_not() {
        let id = "4dd61a55-b8c9-4214-b613-292d167af1bc";
        let record = Record::new()
            .with("id", id)
            .with("description", "a rather long description");
        let text = plain(&rows(&["id", "description"], &[record], screen(50)));
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
