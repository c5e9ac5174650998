//! The values of what is shown.

use serde::ser::{Serialize, SerializeMap, Serializer};
use uuid::Uuid;
use zenml_auth_api::WireTime;
use zenml_auth_model::Timestamp;

use crate::clock;
use crate::ui::clean;

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    /// There is none.
    Nothing,
    /// A text, from wherever.
    Text(String),
    /// A moment.
    Time(Timestamp),
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Number(i64),
    /// Several things.
    List(Vec<Record>),
}

impl Cell {
    /// For people.
    pub(crate) fn for_people(&self) -> String {
        match self {
            Self::Nothing => "-".to_owned(),
            Self::Text(text) => {
                let text = clean(text);
                if text.is_empty() { "-".to_owned() } else { text }
            }
            Self::Time(moment) => clock::shown(*moment),
            Self::Bool(true) => "yes".to_owned(),
            Self::Bool(false) => "no".to_owned(),
            Self::Number(number) => number.to_string(),
            Self::List(items) if items.is_empty() => "-".to_owned(),
            Self::List(items) => items
                .iter()
                .map(Record::on_one_line)
                .collect::<Vec<_>>()
                .join("\n"),
        }
    }

    /// For people, where there is little room.
    pub(crate) fn in_few_words(&self, now: Timestamp) -> String {
        match self {
            Self::Time(moment) => clock::briefly(*moment, now),
            other => other.for_people(),
        }
    }

    /// For programs that read text.
    pub(crate) fn for_programs(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Text(text) => text.clone(),
            Self::Time(moment) => format!("{moment}Z"),
            Self::Bool(value) => value.to_string(),
            Self::Number(number) => number.to_string(),
            // Texts and records of them can always be written.
            Self::List(items) => serde_json::to_string(items).unwrap_or_default(),
        }
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => serializer.serialize_none(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => serializer.serialize_i64(*number),
            Self::List(items) => items.serialize(serializer),
            Self::Text(_) | Self::Time(_) => serializer.serialize_str(&self.for_programs()),
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Cell {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Uuid> for Cell {
    fn from(id: Uuid) -> Self {
        Self::Text(id.to_string())
    }
}

impl From<bool> for Cell {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<Vec<Record>> for Cell {
    fn from(items: Vec<Record>) -> Self {
        Self::List(items)
    }
}

impl From<WireTime> for Cell {
    fn from(moment: WireTime) -> Self {
        Self::Time(moment.0)
    }
}

impl From<Timestamp> for Cell {
    fn from(moment: Timestamp) -> Self {
        Self::Time(moment)
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nothing, Into::into)
    }
}

/// The values of one thing, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Record(Vec<(&'static str, Cell)>);

impl Record {
    /// Nothing yet.
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a value.
    pub(crate) fn with(mut self, column: &'static str, value: impl Into<Cell>) -> Self {
        self.0.push((column, value.into()));
        self
    }

    /// The names of its columns.
    pub(crate) fn columns(&self) -> Vec<&'static str> {
        self.0.iter().map(|(column, _)| *column).collect()
    }

    /// Its values for people, those that are there.
    fn on_one_line(&self) -> String {
        let values = self.iter().filter(|(_, cell)| **cell != Cell::Nothing);
        let values: Vec<_> = values.map(|(_, cell)| cell.for_people()).collect();
        values.join("  ")
    }

    /// Its columns and values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &Cell)> {
        self.0.iter().map(|(column, cell)| (*column, cell))
    }

    /// The value in a column.
    pub(crate) fn get(&self, column: &str) -> &Cell {
        self.iter()
            .find(|(name, _)| *name == column)
            .map_or(&Cell::Nothing, |(_, cell)| cell)
    }

    /// The same with some of the columns only, in another order perhaps.
    pub(crate) fn only(&self, columns: &[&'static str]) -> Self {
        Self(
            columns
                .iter()
                .map(|column| (*column, self.get(column).clone()))
                .collect(),
        )
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (column, cell) in &self.0 {
            map.serialize_entry(column, cell)?;
        }
        map.end()
    }
}
