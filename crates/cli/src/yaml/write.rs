//! From values to text.

use uuid::Uuid;

use super::{Content, Mapping, Node};

/// The longest key that is written before its colon; longer ones come after a question mark.
const LONGEST_KEY: usize = 100;

/// Writes a document.
pub(crate) fn write(root: &Mapping) -> String {
    let mut writer = Writer(String::new());
    if root.0.is_empty() {
        return "{}\n".to_owned();
    }
    writer.mapping(root, 0, false);
    writer.0
}

/// Whether a text is a text to every reader, and the same one, also without quotes. There are more such texts than are found here.
pub(super) fn is_text_to_all(text: &str) -> bool {
    let begins_well = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let harmless = |c: char| c.is_ascii_alphanumeric() || "_-./+:,()@= ".contains(c);
    let is_word = !matches!(
        text.to_ascii_lowercase().as_str(),
        "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
    );
    let stays_whole = !text.contains(": ") && !text.ends_with([':', ' ']);
    (begins_well && text.chars().all(harmless) && is_word && stays_whole) || is_uuid(text)
}

/// A UUID may begin with a digit, but is no number and no date in either version.
fn is_uuid(text: &str) -> bool {
    text.len() == 36 && Uuid::try_parse(text).is_ok()
}

struct Writer(String);

impl Writer {
    fn pad(&mut self, indent: usize) {
        self.0.extend(std::iter::repeat_n(' ', indent));
    }

    /// The lines of a mapping; the first goes on where something stands already, if it is `inline`.
    fn mapping(&mut self, mapping: &Mapping, indent: usize, inline: bool) {
        for (index, (key, value)) in mapping.0.iter().enumerate() {
            if index > 0 || !inline {
                self.pad(indent);
            }
            match &key.content {
                Content::Scalar { text, .. } if text.len() <= LONGEST_KEY => {
                    self.scalar(key);
                    self.0.push(':');
                    self.after_key(value, indent);
                }
                _ => {
                    self.0.push_str("? ");
                    self.item(key, indent + 2);
                    self.pad(indent);
                    self.0.push_str(": ");
                    self.item(value, indent + 2);
                }
            }
        }
    }

    fn sequence(&mut self, items: &[Node], indent: usize, inline: bool) {
        for (index, item) in items.iter().enumerate() {
            if index > 0 || !inline {
                self.pad(indent);
            }
            self.0.push_str("- ");
            self.item(item, indent + 2);
        }
    }

    fn after_key(&mut self, value: &Node, indent: usize) {
        if is_short(value) {
            self.0.push(' ');
            self.short(value);
            return;
        }
        if let Some(tag) = &value.tag {
            self.0.push(' ');
            self.0.push_str(tag);
        }
        self.0.push('\n');
        match &value.content {
            Content::Mapping(mapping) => self.mapping(mapping, indent + 2, false),
            Content::Sequence(items) => self.sequence(items, indent, false),
            Content::Scalar { .. } => {}
        }
    }

    /// What comes after a dash, a question mark or a colon of its own. `indent` is where it stands.
    fn item(&mut self, node: &Node, indent: usize) {
        if is_short(node) {
            self.short(node);
            return;
        }
        let inline = match &node.tag {
            Some(tag) => {
                self.0.push_str(tag);
                self.0.push('\n');
                false
            }
            None => true,
        };
        match &node.content {
            Content::Mapping(mapping) => self.mapping(mapping, indent, inline),
            Content::Sequence(items) => self.sequence(items, indent, inline),
            Content::Scalar { .. } => {}
        }
    }

    fn short(&mut self, node: &Node) {
        self.scalar(node);
        self.0.push('\n');
    }

    /// On one line: a scalar, or a list or a mapping of nothing.
    fn scalar(&mut self, node: &Node) {
        if let Some(tag) = &node.tag {
            self.0.push_str(tag);
            self.0.push(' ');
        }
        match &node.content {
            Content::Mapping(_) => self.0.push_str("{}"),
            Content::Sequence(_) => self.0.push_str("[]"),
            Content::Scalar { text, plain: true } if text.is_empty() => self.0.push_str("null"),
            // One that went over several lines was put together when it was read.
            Content::Scalar { text, plain: true } if !text.contains('\n') => self.0.push_str(text),
            Content::Scalar { text, .. } => self.quoted(text),
        }
    }

    fn quoted(&mut self, text: &str) {
        if text.chars().all(is_printable) {
            self.0.push('\'');
            self.0.push_str(&text.replace('\'', "''"));
            self.0.push('\'');
            return;
        }
        self.0.push('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => self.0.extend(['\\', c]),
                '\n' => self.0.push_str("\\n"),
                '\t' => self.0.push_str("\\t"),
                '\r' => self.0.push_str("\\r"),
                c if is_printable(c) => self.0.push(c),
                c => {
                    let code = u32::from(c);
                    self.0.push_str(&match code {
                        0..=0xff => format!("\\x{code:02x}"),
                        0x100..=0xffff => format!("\\u{code:04x}"),
                        _ => format!("\\U{code:08x}"),
                    });
                }
            }
        }
        self.0.push('"');
    }
}

fn is_short(node: &Node) -> bool {
    match &node.content {
        Content::Scalar { .. } => true,
        Content::Sequence(items) => items.is_empty(),
        Content::Mapping(mapping) => mapping.0.is_empty(),
    }
}

/// What every reader takes as it stands, and no terminal obeys.
fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
        && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
        && !zenml_auth_model::text::misleads(c)
}
