//! YAML as values to look at. Every scalar is a text.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser};
use serde_json::{Map, Value};

use crate::TaskError;

/// A list or a mapping of which not all is read yet.
struct Open {
    anchor: usize,
    is_mapping: bool,
    /// Keys and values come in turn.
    children: Vec<Value>,
}

impl Open {
    fn close(self) -> Value {
        if !self.is_mapping {
            return Value::Array(self.children);
        }
        let mut fields = Map::new();
        let mut children = self.children.into_iter();
        while let (Some(name), Some(value)) = (children.next(), children.next()) {
            fields.insert(name.as_str().unwrap_or_default().to_owned(), value);
        }
        Value::Object(fields)
    }
}

/// The documents of a text, with what aliases stand for in their place.
pub(super) fn documents(text: &str) -> Result<Vec<Value>, TaskError> {
    let mut open: Vec<Open> = Vec::new();
    let mut anchors: HashMap<usize, Value> = HashMap::new();
    let mut documents = Vec::new();
    for event in Parser::new_from_str(text) {
        let (value, anchor) = match event?.0 {
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                // Which of the two is told by its end.
                open.push(Open {
                    anchor,
                    is_mapping: false,
                    children: Vec::new(),
                });
                continue;
            }
            end @ (Event::SequenceEnd | Event::MappingEnd) => {
                let Some(mut done) = open.pop() else { continue };
                done.is_mapping = matches!(end, Event::MappingEnd);
                let anchor = done.anchor;
                (done.close(), anchor)
            }
            Event::Scalar(text, _, anchor, _) => (Value::String(text.into_owned()), anchor),
            Event::Alias(anchor) => {
                let value = anchors.get(&anchor).cloned();
                (value.ok_or("an alias of nothing")?, 0)
            }
            _ => continue,
        };
        if anchor > 0 {
            anchors.insert(anchor, value.clone());
        }
        match open.last_mut() {
            Some(parent) => parent.children.push(value),
            None => documents.push(value),
        }
    }
    Ok(documents)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_read_with_their_aliases() {
        let text = "a: &x {b: [1, 'two']}\nc: *x\n---\nd: |\n  e\n";
        assert_eq!(
            documents(text).unwrap(),
            [
                json!({"a": {"b": ["1", "two"]}, "c": {"b": ["1", "two"]}}),
                json!({"d": "e\n"})
            ]
        );
        for broken in ["a: [", "a: b: c", "a: *x"] {
            assert!(documents(broken).is_err(), "{broken}");
        }
    }
}
