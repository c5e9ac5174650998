//! From text to values.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use super::{Content, Mapping, Node};

/// How deep values may be nested.
const DEEPEST: usize = 64;
/// How many values there may be. A few aliases of aliases would make more of them than any memory holds.
const MOST: usize = 100_000;

/// Why a text can't be read. Says where, but not what is there, which may be a secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReadError {
    /// It is no YAML.
    #[error("it is not YAML at line {line}, column {column}")]
    NotYaml {
        /// The line, counted from 1.
        line: usize,
        /// The column, counted from 1.
        column: usize,
    },
    /// It is nested too deeply, or has too many values.
    #[error("it is too large")]
    TooLarge,
    /// It is more than one document.
    #[error("it holds several documents")]
    SeveralDocuments,
}

impl From<ScanError> for ReadError {
    fn from(error: ScanError) -> Self {
        Self::NotYaml {
            line: error.marker().line(),
            column: error.marker().col() + 1,
        }
    }
}

/// A list or a mapping of which not all is read yet.
struct Open {
    anchor: usize,
    tag: Option<String>,
    /// Keys and values come in turn.
    children: Vec<Node>,
    is_mapping: bool,
}

/// Reads a document; `None` when there is none.
pub(crate) fn read(text: &str) -> Result<Option<Node>, ReadError> {
    let mut open: Vec<Open> = Vec::new();
    let mut anchors: HashMap<usize, Node> = HashMap::new();
    let mut root = None;
    let mut left = MOST;
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (node, anchor) = match event?.0 {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    return Err(ReadError::SeveralDocuments);
                }
                continue;
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => continue,
            Event::SequenceStart(anchor, tag) => {
                open_one(&mut open, anchor, tag.as_deref(), false)?;
                continue;
            }
            Event::MappingStart(anchor, tag) => {
                open_one(&mut open, anchor, tag.as_deref(), true)?;
                continue;
            }
            Event::Alias(anchor) => {
                // An alias within what it stands for has no end.
                let node = anchors.get(&anchor).cloned().ok_or(ReadError::TooLarge)?;
                if depth(&node) + open.len() > DEEPEST {
                    return Err(ReadError::TooLarge);
                }
                (node, 0)
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let text = text.into_owned();
                let tag = tag.as_deref().map(tag_text);
                let content = Content::Scalar { text, plain };
                (Node { tag, content }, anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(done) = open.pop() else { continue };
                (
                    Node {
                        tag: done.tag,
                        content: if done.is_mapping {
                            Content::Mapping(in_pairs(done.children))
                        } else {
                            Content::Sequence(done.children)
                        },
                    },
                    done.anchor,
                )
            }
        };
        left = left.checked_sub(count(&node)).ok_or(ReadError::TooLarge)?;
        if anchor > 0 {
            anchors.insert(anchor, node.clone());
        }
        match open.last_mut() {
            Some(parent) => parent.children.push(node),
            None => root = Some(node),
        }
    }
    Ok(root)
}

fn open_one(
    open: &mut Vec<Open>,
    anchor: usize,
    tag: Option<&Tag>,
    is_mapping: bool,
) -> Result<(), ReadError> {
    if open.len() >= DEEPEST {
        return Err(ReadError::TooLarge);
    }
    open.push(Open {
        anchor,
        tag: tag.map(tag_text),
        children: Vec::new(),
        is_mapping,
    });
    Ok(())
}

fn in_pairs(children: Vec<Node>) -> Mapping {
    let mut pairs = Vec::with_capacity(children.len() / 2);
    let mut children = children.into_iter();
    while let (Some(key), Some(value)) = (children.next(), children.next()) {
        pairs.push((key, value));
    }
    Mapping(pairs)
}

fn count(node: &Node) -> usize {
    1 + match &node.content {
        Content::Scalar { .. } => 0,
        Content::Sequence(items) => items.iter().map(count).sum(),
        Content::Mapping(mapping) => mapping
            .0
            .iter()
            .map(|(key, value)| count(key) + count(value))
            .sum(),
    }
}

fn depth(node: &Node) -> usize {
    match &node.content {
        Content::Scalar { .. } => 0,
        Content::Sequence(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Content::Mapping(mapping) => {
            let pairs = mapping
                .0
                .iter()
                .flat_map(|(key, value)| [depth(key), depth(value)]);
            1 + pairs.max().unwrap_or_default()
        }
    }
}

/// A tag as it is written.
fn tag_text(tag: &Tag) -> String {
    match tag.handle.as_str() {
        "tag:yaml.org,2002:" => format!("!!{}", tag.suffix),
        "!" => format!("!{}", tag.suffix),
        "" if tag.suffix == "!" => "!".to_owned(),
        handle => format!("!<{handle}{}>", tag.suffix),
    }
}
