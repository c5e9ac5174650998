//! CSV (RFC 4180) and TSV for programs and spreadsheets.

use zenml_auth_model::text::{escaped_json, misleads};

use super::{Cell, Record};

/// Whether values are written as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    /// So that neither a spreadsheet nor a terminal obeys them.
    Harmless,
    /// As they are, for programs.
    Raw,
}

/// A line of column names, then a line per record.
pub(super) fn rows(columns: &[&'static str], records: &[Record], delimiter: char, values: Values) -> String {
    let mut text = String::new();
    let mut line = |values: &mut dyn Iterator<Item = String>| {
        for (index, value) in values.enumerate() {
            if index > 0 {
                text.push(delimiter);
            }
            text.push_str(&quoted(value, delimiter));
        }
        text.push('\n');
    };
    line(&mut columns.iter().map(|column| (*column).to_owned()));
    for record in records {
        line(&mut columns.iter().map(|column| {
            let cell = record.get(column);
            match (cell, values) {
                (Cell::Text(text), Values::Harmless) => harmless(text),
                // JSON, which begins with a bracket and so is no formula.
                (Cell::List(_), Values::Harmless) => escaped_json(&cell.for_programs()),
                _ => cell.for_programs(),
            }
        }));
    }
    text
}

/// A text that a spreadsheet takes for a text: one that begins like a formula gets an apostrophe in front, with which
/// spreadsheets mark texts (OWASP, "CSV Injection"). What could steer a terminal is left out. Only texts come from
/// elsewhere; numbers, which may begin with a minus, are numbers.
fn harmless(text: &str) -> String {
    let text: String = text
        .chars()
        .filter(|c| matches!(c, '\n' | '\r' | '\t') || !(c.is_control() || misleads(*c)))
        .collect();
    // The wide forms are the same to spreadsheets of East Asia.
    let begins_a_formula = |c: char| {
        matches!(
            c,
            '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠'
        )
    };
    if text.starts_with(begins_a_formula) {
        format!("'{text}")
    } else {
        text
    }
}

/// A value, in quotes where it needs them.
fn quoted(value: String, delimiter: char) -> String {
    if value.contains([delimiter, '"', '\n', '\r']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_where_need_be() {
        let record = Record::new()
            .with("a", "x,y")
            .with("b", "say \"hi\"")
            .with("c", "two\nlines")
            .with("d", true);
        assert_eq!(
            rows(
                &["a", "b", "c", "d"],
                std::slice::from_ref(&record),
                ',',
                Values::Harmless
            ),
            "a,b,c,d\n\"x,y\",\"say \"\"hi\"\"\",\"two\nlines\",true\n"
        );
        assert_eq!(
            rows(&["a", "d"], &[record], '\t', Values::Raw),
            "a\td\nx,y\ttrue\n"
        );
    }

    #[test]
    fn no_text_is_a_formula_or_steers_a_terminal() {
        let written = |text: &str, values| {
            let record = Record::new().with("a", text);
            let text = rows(&["a"], &[record], ',', values);
            text.strip_prefix("a\n")
                .unwrap()
                .strip_suffix('\n')
                .unwrap()
                .to_owned()
        };
        for formula in [
            "=HYPERLINK(1)",
            "+1",
            "-1+2",
            "@SUM(A1)",
            "\tx",
            "＝1",
            "＋1",
            "－1",
            "＠x",
            // Nor when what hides it is left out.
            "\u{202e}=1",
            "\u{200b}@x",
            "\u{1b}=1",
        ] {
            let shown = written(formula, Values::Harmless);
            assert!(shown.starts_with('\''), "{formula:?}: {shown:?}");
        }
        assert_eq!(written("\r=1", Values::Harmless), "\"'\r=1\"");
        assert_eq!(written("\n=1", Values::Harmless), "\"'\n=1\"");
        for plain in ["a=b", "2026-11-27", "x\ty", "'quoted'", "é"] {
            assert_eq!(written(plain, Values::Harmless), plain);
        }
        assert_eq!(written("a\u{202e}b\u{9b}c\u{2066}", Values::Harmless), "abc");
        assert_eq!(written("=1", Values::Raw), "=1");
        assert_eq!(written("a\u{202e}b", Values::Raw), "a\u{202e}b");
        let lists = |values| {
            let text = "=1\u{202e}\u{9b}31m\u{7f}";
            let record = Record::new().with("a", vec![Record::new().with("b", text)]);
            rows(&["a"], &[record], '\t', values)
        };
        assert_eq!(
            lists(Values::Harmless),
            "a\n\"[{\"\"b\"\":\"\"=1\\u202e\\u009b31m\\u007f\"\"}]\"\n"
        );
        assert_eq!(
            lists(Values::Raw),
            "a\n\"[{\"\"b\"\":\"\"=1\u{202e}\u{9b}31m\u{7f}\"\"}]\"\n"
        );
        let number = Record::new().with("a", -1_i64);
        assert_eq!(rows(&["a"], &[number], ',', Values::Harmless), "a\n-1\n");
    }
}
