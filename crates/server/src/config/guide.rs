//! What the operators' guide says of the settings, for tests.

const GUIDE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operating.md"));

/// A row of one of the guide's tables of settings. What the table has no column for, or a dash in it, is missing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// The section of the file.
    pub(super) section: &'static str,
    pub(super) key: Option<&'static str>,
    pub(super) flag: Option<&'static str>,
    pub(super) variable: &'static str,
    /// The whole cell, as it is written.
    pub(super) default: Option<&'static str>,
}

/// All of them.
pub(super) fn rows() -> Vec<Row> {
    let mut section = "";
    let mut rows = Vec::new();
    for line in GUIDE.lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            section = heading.trim_matches(['`', '[', ']']);
        }
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let (key, flag, variable, default) = match cells[..] {
            [_, key, flag, variable, default, _, _] => (code(key), flag, variable, Some(default)),
            [_, flag, variable, _, _] => (None, flag, variable, None),
            _ => continue,
        };
        let Some(variable) = code(variable).filter(|name| name.starts_with("ZENML_AUTH_")) else {
            continue;
        };
        rows.push(Row {
            section,
            key,
            flag: code(flag).and_then(|flag| flag.strip_prefix("--")),
            variable: variable.split('=').next().unwrap_or_default(),
            default,
        });
    }
    rows
}

/// What stands in the first backticks of a cell.
fn code(cell: &'static str) -> Option<&'static str> {
    cell.split('`').nth(1)
}
