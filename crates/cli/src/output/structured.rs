//! JSON and YAML for programs.

use serde::Serialize;
use zenml_auth_api::PageResponse;
use zenml_auth_model::text::escaped_json;

use super::{Cell, Record};
use crate::yaml::{self, Mapping, Node};

/// Where a page stands in a listing.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Pagination {
    index: u64,
    max_size: u64,
    total_pages: u64,
    total: u64,
}

impl Pagination {
    /// Of a page.
    pub(crate) const fn of<T>(page: &PageResponse<T>) -> Self {
        Self {
            index: page.index,
            max_size: page.max_size,
            total_pages: page.total_pages,
            total: page.total,
        }
    }
}

/// A page, as the Python client shows it.
#[derive(Serialize)]
struct List<'a> {
    items: &'a [Record],
    pagination: Pagination,
}

pub(super) fn json_list(items: &[Record], pagination: Pagination) -> String {
    json(&List { items, pagination })
}

pub(super) fn json_records(items: &[Record]) -> String {
    json(&items)
}

pub(super) fn json_one(record: &Record) -> String {
    json(record)
}

pub(super) fn json_line(record: &Record) -> String {
    escaped_json(&serde_json::to_string(record).unwrap_or_default())
}

pub(super) fn yaml_list(items: &[Record], pagination: Pagination) -> String {
    let mut page = Mapping::new();
    for (name, number) in [
        ("index", pagination.index),
        ("max_size", pagination.max_size),
        ("total_pages", pagination.total_pages),
        ("total", pagination.total),
    ] {
        page.insert(name, Node::number(number));
    }
    let mut list = Mapping::new();
    list.insert("items", sequence(items));
    list.insert("pagination", page);
    yaml::write(&list)
}

pub(super) fn yaml_records(items: &[Record]) -> String {
    items
        .iter()
        .map(|item| {
            let lines = yaml_one(item);
            let mut lines = lines.lines();
            let first = lines.next().unwrap_or("{}");
            let rest = lines.map(|line| format!("  {line}\n")).collect::<String>();
            format!("- {first}\n{rest}")
        })
        .collect()
}

pub(super) fn yaml_one(record: &Record) -> String {
    yaml::write(&mapping(record))
}

fn sequence(items: &[Record]) -> Node {
    Node::sequence(items.iter().map(|item| mapping(item).into()))
}

fn mapping(record: &Record) -> Mapping {
    let mut mapping = Mapping::new();
    for (column, cell) in record.iter() {
        mapping.insert(
            column,
            match cell {
                Cell::Nothing => Node::null(),
                Cell::Bool(value) => Node::bool(*value),
                Cell::Number(number) => Node::number(*number),
                Cell::Text(_) | Cell::Time(_) => Node::text(cell.for_programs()),
                Cell::List(items) => sequence(items),
            },
        );
    }
    mapping
}

fn json(value: &impl Serialize) -> String {
    // Maps with texts for keys can always be written.
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    escaped_json(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_json_and_harmless() {
        let text = json_one(&Record::new().with("hostname", "a\u{1b}\u{9b}b\u{202e}\"\n"));
        assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{text:?}");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["hostname"], "a\u{1b}\u{9b}b\u{202e}\"\n");
    }

    #[test]
    fn yaml_is_harmless_too() {
        let text = yaml_one(&Record::new().with("hostname", "a\u{1b}\u{9b}b"));
        assert!(!text.contains(['\u{1b}', '\u{9b}']), "{text:?}");
    }
}
