//! CSV (RFC 4180) and TSV for programs and spreadsheets.

use super::Record;

/// A line of column names, then a line per record.
pub(super) fn rows(columns: &[&'static str], records: &[Record], delimiter: char) -> String {
    let mut text = String::new();
    let mut line = |values: &mut dyn Iterator<Item = String>| {
        for (index, value) in values.enumerate() {
            if index > 0 {
                text.push(delimiter);
            }
            text.push_str(&quoted(&value, delimiter));
        }
        text.push('\n');
    };
    line(&mut columns.iter().map(|column| (*column).to_owned()));
    for record in records {
        line(&mut columns.iter().map(|column| record.get(column).for_programs()));
    }
    text
}

/// A value, in quotes where it needs them. Control characters other than line breaks and tabs are left out: no spreadsheet shows
/// them, and a terminal would obey them.
fn quoted(value: &str, delimiter: char) -> String {
    let value: String = value
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'))
        .collect();
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
            rows(&["a", "b", "c", "d"], std::slice::from_ref(&record), ','),
            "a,b,c,d\n\"x,y\",\"say \"\"hi\"\"\",\"two\nlines\",true\n"
        );
        assert_eq!(rows(&["a", "d"], &[record], '\t'), "a\td\nx,y\ttrue\n");
    }
}
