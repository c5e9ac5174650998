//! YAML, kept as it was written.
//!
//! The Python client reads YAML 1.1, in which `yes`, `1_000`, `12:30:45` and `2026-11-25` are no texts, but `1e3` is one; most other
//! readers go by YAML 1.2, where it is the other way round. So nothing is interpreted that need not be: a value that was written plain is
//! written plain again, and one in quotes in quotes. What is new is put in quotes unless it is a text to all of them.

mod read;
mod write;

pub(crate) use read::read;
pub(crate) use write::write;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// What it was marked as (`!!binary`), if it was.
    tag: Option<String>,
    content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Scalar { text: String, plain: bool },
    Sequence(Vec<Node>),
    Mapping(Mapping),
}

/// Keys and values, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Mapping(Vec<(Node, Node)>);

impl Node {
    /// A text.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        let plain = write::is_text_to_all(&text);
        Self::from(Content::Scalar { text, plain })
    }

    /// Yes or no.
    pub(crate) fn bool(value: bool) -> Self {
        Self::plain(value.to_string())
    }

    /// A whole number.
    pub(crate) fn number(number: impl Into<i128>) -> Self {
        Self::plain(number.into().to_string())
    }

    /// Nothing.
    pub(crate) fn null() -> Self {
        Self::plain("null".to_owned())
    }

    /// Several values.
    pub(crate) fn sequence(items: impl IntoIterator<Item = Self>) -> Self {
        Self::from(Content::Sequence(items.into_iter().collect()))
    }

    fn plain(text: String) -> Self {
        Self::from(Content::Scalar { text, plain: true })
    }

    /// Whether it is nothing, and not a text such as `'null'`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The text, if it is a single value; a number is given as it was written.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    /// Yes or no, as YAML 1.1 has it, unless it is in quotes.
    pub(crate) fn as_bool(&self) -> Option<bool> {
        let Content::Scalar { text, plain: true } = &self.content else {
            return None;
        };
        match text.as_str() {
            "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
            "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
            _ => None,
        }
    }

    /// The mapping, if it is one.
    pub(crate) fn as_mapping(&self) -> Option<&Mapping> {
        match &self.content {
            Content::Mapping(mapping) => Some(mapping),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub(crate) fn as_mapping_mut(&mut self) -> Option<&mut Mapping> {
        match &mut self.content {
            Content::Mapping(mapping) => Some(mapping),
            _ => None,
        }
    }

    /// The mapping itself, if it is one.
    pub(crate) fn into_mapping(self) -> Option<Mapping> {
        match self.content {
            Content::Mapping(mapping) => Some(mapping),
            _ => None,
        }
    }
}

impl From<Content> for Node {
    fn from(content: Content) -> Self {
        Self { tag: None, content }
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<Mapping> for Node {
    fn from(mapping: Mapping) -> Self {
        Self::from(Content::Mapping(mapping))
    }
}

impl Mapping {
    /// Empty.
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// The keys that are texts.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|(key, _)| key.as_text())
    }

    /// The value of a key; of the last one, if several are called so, as Python has it.
    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        let mut found = self.0.iter().rev().filter(|(key, _)| is(key, name));
        found.next().map(|(_, value)| value)
    }

    /// The same, to be changed.
    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Node> {
        let mut found = self.0.iter_mut().rev().filter(|(key, _)| is(key, name));
        found.next().map(|(_, value)| value)
    }

    /// Sets the value of a key, in its place if there is one.
    pub(crate) fn insert(&mut self, name: &str, value: impl Into<Node>) {
        let value = value.into();
        match self.get_mut(name) {
            Some(place) => *place = value,
            None => self.0.push((Node::text(name), value)),
        }
    }

    /// Takes a key away, with its value.
    pub(crate) fn remove(&mut self, name: &str) -> Option<Node> {
        let mut removed = None;
        self.0.retain(|(key, value)| {
            let gone = is(key, name);
            if gone {
                removed = Some(value.clone());
            }
            !gone
        });
        removed
    }

    /// Gives a key another name, in its place.
    pub(crate) fn rename(&mut self, name: &str, other: &str) {
        for (key, _) in self.0.iter_mut().filter(|(key, _)| is(key, name)) {
            *key = Node::text(other);
        }
    }
}

fn is(key: &Node, name: &str) -> bool {
    key.as_text() == Some(name)
}

#[cfg(test)]
mod tests;
