//! Texts that people and clients choose, checked once where they come in.

use std::fmt;

use uuid::Uuid;

/// The most characters a name or other one-line text may have, as on ZenML's wire.
pub const MAX_NAME_CHARS: usize = 255;
/// The most bytes a longer text such as a description may have.
pub const MAX_TEXT_BYTES: usize = 16 * 1024;

/// A name of a user, service account or API key.
///
/// 1 to 255 characters, no control characters, no blanks at either end, and not of the form of a UUID: many
/// endpoints take a name or an id, and a name that looks like somebody else's id would be a trap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// Why a text can't be a [`Name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error("a name needs at least one character")]
    Empty,
    /// More than [`MAX_NAME_CHARS`] characters.
    #[error("a name has at most {MAX_NAME_CHARS} characters")]
    TooLong,
    /// A line break, a NUL or the like.
    #[error("a name has no control characters")]
    ControlCharacter,
    /// Blanks at the beginning or at the end.
    #[error("a name neither begins nor ends with a blank")]
    OuterBlank,
    /// It could be mistaken for an id.
    #[error("a name must not have the form of a UUID")]
    LooksLikeId,
}

impl Name {
    /// Checks a text and makes it a name.
    ///
    /// # Errors
    /// [`NameError`] says which rule the text breaks.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.chars().count() > MAX_NAME_CHARS {
            return Err(NameError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(NameError::ControlCharacter);
        }
        if text.trim() != text {
            return Err(NameError::OuterBlank);
        }
        if Uuid::try_parse(&text).is_ok() {
            return Err(NameError::LooksLikeId);
        }
        Ok(Self(text))
    }

    /// A name that a store kept, and that was checked when it came in.
    #[must_use]
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// A free text such as a description: up to [`MAX_TEXT_BYTES`] bytes, line breaks and tabs welcome, other control
/// characters not (terminals would obey them).
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(String);

/// Why a text can't be a [`Text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// More than [`MAX_TEXT_BYTES`] bytes.
    #[error("a text has at most {MAX_TEXT_BYTES} bytes")]
    TooLong,
    /// A control character other than a line break or a tab.
    #[error("a text has no control characters other than line breaks and tabs")]
    ControlCharacter,
}

impl Text {
    /// Checks a text.
    ///
    /// # Errors
    /// [`TextError`] says which rule the text breaks.
    pub fn new(text: impl Into<String>) -> Result<Self, TextError> {
        let text = text.into();
        if text.len() > MAX_TEXT_BYTES {
            return Err(TextError::TooLong);
        }
        if text
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
        {
            return Err(TextError::ControlCharacter);
        }
        Ok(Self(text))
    }

    /// A text that a store kept, and that was checked when it came in.
    #[must_use]
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// Makes a text of whatever came, leaving out what a text may not have: for what clients say of themselves.
    #[must_use]
    pub fn from_untrusted(text: &str, max_chars: usize) -> Self {
        Self(
            text.chars()
                .filter(|c| !c.is_control())
                .take(max_chars)
                .collect::<String>()
                .trim()
                .to_owned(),
        )
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert!(Name::new("ci").is_ok());
        assert!(Name::new("Ünïcode 🚀").is_ok());
        assert!(Name::new("ü".repeat(255)).is_ok());
        assert_eq!(Name::new(""), Err(NameError::Empty));
        assert_eq!(Name::new("x".repeat(256)), Err(NameError::TooLong));
        assert_eq!(Name::new("a\nb"), Err(NameError::ControlCharacter));
        assert_eq!(Name::new(" ci"), Err(NameError::OuterBlank));
        assert_eq!(
            Name::new("8e7f2a67-e953-4ef7-b395-39f4924716b7"),
            Err(NameError::LooksLikeId)
        );
        assert_eq!(
            Name::new("8e7f2a67e9534ef7b39539f4924716b7"),
            Err(NameError::LooksLikeId)
        );
    }

    #[test]
    fn texts_are_checked() {
        assert!(Text::new("two\nlines 🚀").is_ok());
        assert_eq!(Text::new("\u{1b}[31mred"), Err(TextError::ControlCharacter));
        assert_eq!(Text::new("x".repeat(MAX_TEXT_BYTES + 1)), Err(TextError::TooLong));
    }

    #[test]
    fn untrusted_text_is_cleaned() {
        assert_eq!(
            Text::from_untrusted("lap\u{1b}[31mtop\r\n", 255).as_str(),
            "lap[31mtop"
        );
        assert_eq!(Text::from_untrusted("laptop", 3).as_str(), "lap");
    }
}
