//! Texts that people and clients choose, checked once where they come in.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use unicode_normalization::{UnicodeNormalization as _, is_nfc};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};
use uuid::Uuid;

/// The most characters a name or other one-line text may have, as on ZenML's wire.
pub const MAX_NAME_CHARS: usize = 255;
/// The most bytes a longer text such as a description may have.
pub const MAX_TEXT_BYTES: usize = 16 * 1024;

/// The words by which the audit trail and the documentation name actors without an account. No account gets one of
/// them as its name, so that nobody can pass for the operator or the server.
const RESERVED: [&str; 5] = ["anonymous", "console", "operator", "server", "system"];

/// A text in Unicode's normalization form C (UAX #15), in which two texts that are the same to people are the same
/// characters. Names are kept in this form, and what is compared with a name is brought into it first.
///
/// ```
/// use zenml_auth_model::text::nfc;
///
/// assert_eq!(nfc("re\u{301}ne\u{301}"), "r\u{e9}n\u{e9}");
/// ```
#[must_use]
pub fn nfc(text: &str) -> Cow<'_, str> {
    if is_nfc(text) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.nfc().collect())
    }
}

/// Whether a character is plain: it shows as itself, and does nothing else. Control and format characters (which
/// include those that change the direction of text), private-use and unassigned ones, line and paragraph separators
/// and the characters that show as nothing are not plain.
#[must_use]
pub fn is_plain(c: char) -> bool {
    !matches!(
        c.general_category(),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::PrivateUse
            | GeneralCategory::Surrogate
            | GeneralCategory::Unassigned
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    ) && !is_invisible(c)
}

/// What shows as nothing without being a format character: the rest of Unicode's `Default_Ignorable_Code_Point`
/// (UAX #44), such as variation selectors and fillers, and the Braille pattern without dots.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{34f}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{17b4}'
            | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{ffa0}'
            | '\u{e0100}'..='\u{e01ef}'
    )
}

/// Shows a text in quotes, on one line: quotes, backslashes and every character that is not [plain](is_plain) are
/// escaped. So what is quoted can't pass for what stands around it.
///
/// ```
/// use zenml_auth_model::text::Quoted;
///
/// assert_eq!(Quoted("a \"b\"\n").to_string(), r#""a \"b\"\u{a}""#);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if is_plain(c) => f.write_char(c)?,
                c => write!(f, "{}", c.escape_unicode())?,
            }
        }
        f.write_char('"')
    }
}

/// Whether a character shows nothing and can make the text around it read as something else: those that turn the
/// direction of writing (the embeddings, overrides, isolates and marks of Unicode's UAX #9), that have no width, and that
/// separate lines. The joiners of letters and of emoji stay, as scripts need them.
#[must_use]
pub const fn misleads(c: char) -> bool {
    matches!(
        c,
        '\u{061c}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
    )
}

/// Makes a text from elsewhere safe to show on a terminal, on one line: what could move the cursor, change colours, hide
/// text or turn it around is left out.
#[must_use]
pub fn on_one_line(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => cleaned.push(' '),
            c if c.is_control() || misleads(c) => {}
            c => cleaned.push(c),
        }
    }
    cleaned.trim().to_owned()
}

/// The same for a text of several lines, which keeps its line breaks and tabs.
#[must_use]
pub fn on_several_lines(text: &str) -> String {
    text.chars()
        .filter(|c| matches!(c, '\n' | '\t') || !(c.is_control() || misleads(*c)))
        .collect()
}

/// The same data as this JSON text, with what could steer a terminal written as JSON escapes it (RFC 8259 §7). JSON itself
/// only has to escape the control characters of ASCII, and `DEL` not even then.
#[must_use]
pub fn escaped_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && (c.is_control() || misleads(c)) {
            // All of them are in the first plane, so that one escape is enough.
            text.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            text.push(c);
        }
    }
    text
}

/// A name of a user, service account or API key.
///
/// 1 to 255 characters in normalization form C, all of them [plain](is_plain), without blanks at either end, and not
/// of the form of a UUID: many endpoints take a name or an id, and a name that looks like an id would be a trap.
/// Letters of different scripts that look alike are not told apart.
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
    /// A line break, a character that changes the direction of text, one that shows as nothing, or the like.
    #[error(
        "a name has no control, format, private-use or invisible characters; leave U+{:04X} out",
        *.0 as u32
    )]
    NotPlain(char),
    /// Blanks at the beginning or at the end.
    #[error("a name neither begins nor ends with a blank")]
    OuterBlank,
    /// It could be mistaken for an id.
    #[error("a name must not have the form of a UUID")]
    LooksLikeId,
}

impl Name {
    /// Checks a text, brings it into normalization form C and makes it a name.
    ///
    /// # Errors
    /// [`NameError`] says which rule the text breaks.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = match text.into() {
            text if is_nfc(&text) => text,
            text => text.nfc().collect(),
        };
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.chars().count() > MAX_NAME_CHARS {
            return Err(NameError::TooLong);
        }
        if let Some(c) = text.chars().find(|c| !is_plain(*c)) {
            return Err(NameError::NotPlain(c));
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

    /// Whether somebody calls this name by that text, in whatever normalization form they typed it.
    #[must_use]
    pub fn is(&self, typed: &str) -> bool {
        self.0 == typed || self.0 == nfc(typed)
    }

    /// Whether no user and no service account may have this name: it is a word by which the audit trail names an
    /// actor without an account, in whatever case and width.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        let folded: String = self.0.nfkc().flat_map(char::to_lowercase).collect();
        RESERVED.contains(&folded.as_str())
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
                .filter(|c| is_plain(*c))
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_could_steer_a_terminal_is_left_out() {
        assert_eq!(
            on_one_line("plain Ünïcode 👩\u{200d}🔬"),
            "plain Ünïcode 👩\u{200d}🔬"
        );
        let hostile =
            "\u{1b}]0;title\u{7}a\u{9b}31mb\r\nc\u{202e}d\u{0}\u{200b}\u{feff}\u{2028}e\u{2066}f\u{61c}";
        assert_eq!(on_one_line(hostile), "]0;titlea31mb  cdef");
        assert_eq!(on_several_lines(hostile), "]0;titlea31mb\ncdef");
        assert_eq!(on_several_lines("a\tb\n"), "a\tb\n");
    }

    #[test]
    fn escaped_json_is_the_same_json() {
        assert_eq!(
            escaped_json("{\n\"a\": \"x\u{202e}\u{9b}\u{7f}é\"}"),
            "{\n\"a\": \"x\\u202e\\u009b\\u007fé\"}"
        );
    }

    #[test]
    fn names_are_checked() {
        assert!(Name::new("ci").is_ok());
        assert!(Name::new("Ünïcode 🚀").is_ok());
        assert!(Name::new("ü".repeat(255)).is_ok());
        assert_eq!(Name::new(""), Err(NameError::Empty));
        assert_eq!(Name::new("x".repeat(256)), Err(NameError::TooLong));
        assert_eq!(Name::new("a\nb"), Err(NameError::NotPlain('\n')));
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
    fn names_hold_nothing_that_deceives() {
        for (deceiving, kind) in [
            ('\u{1b}', "control"),
            ('\u{9b}', "control"),
            ('\u{200b}', "a space without width"),
            ('\u{200d}', "a joiner"),
            ('\u{200f}', "a mark of direction"),
            ('\u{202e}', "an override of direction"),
            ('\u{2066}', "an isolate"),
            ('\u{feff}', "a byte-order mark"),
            ('\u{ad}', "a soft hyphen"),
            ('\u{e0041}', "a tag"),
            ('\u{e000}', "private use"),
            ('\u{10fffd}', "private use"),
            ('\u{378}', "unassigned"),
            ('\u{2028}', "a line separator"),
            ('\u{fe0f}', "a variation selector"),
            ('\u{3164}', "a filler"),
            ('\u{2800}', "Braille without dots"),
        ] {
            let refused = Name::new(format!("an{deceiving}n"));
            assert_eq!(refused, Err(NameError::NotPlain(deceiving)), "{kind}");
        }
        assert_eq!(
            Name::new("an\u{202e}n").unwrap_err().to_string(),
            "a name has no control, format, private-use or invisible characters; leave U+202E out"
        );
        for blank in [' ', '\u{a0}', '\u{3000}'] {
            assert_eq!(Name::new(format!("{blank}ann")), Err(NameError::OuterBlank));
            assert_eq!(Name::new(format!("ann{blank}")), Err(NameError::OuterBlank));
        }
    }

    #[test]
    fn names_are_composed() {
        let (composed, decomposed) = ("Ren\u{e9}", "Rene\u{301}");
        let name = Name::new(decomposed).unwrap();
        assert_eq!(name.as_str(), composed);
        assert!(name.is(decomposed) && name.is(composed) && !name.is("Rene"));
        // 255 letters, each of which is typed as two characters.
        assert!(Name::new("e\u{301}".repeat(255)).is_ok());
        // What was kept before names were composed is called by what it is.
        assert!(Name::from_stored(decomposed.to_owned()).is(decomposed));
    }

    #[test]
    fn the_words_for_actors_are_reserved() {
        for word in [
            "operator",
            "Operator",
            "SERVER",
            "console",
            "anonymous",
            "System",
            "ｏｐｅｒａｔｏｒ",
        ] {
            assert!(Name::new(word).unwrap().is_reserved(), "{word}");
        }
        for word in ["default", "admin", "root", "operators", "server-1", "ci", "user"] {
            assert!(!Name::new(word).unwrap().is_reserved(), "{word}");
        }
    }

    #[test]
    fn nothing_breaks_out_of_its_quotes() {
        assert_eq!(Quoted("ann").to_string(), r#""ann""#);
        assert_eq!(
            Quoted("ann\" 1  operator\n\u{202e}\\").to_string(),
            r#""ann\" 1  operator\u{a}\u{202e}\\""#
        );
    }

    proptest! {
        /// Whatever is typed: a name that is taken is normal, plain, and the same when it is read again.
        #[test]
        fn a_name_is_normal_and_plain(text in "\\PC{0,40}|.{0,40}") {
            if let Ok(name) = Name::new(text.as_str()) {
                prop_assert!(is_nfc(name.as_str()));
                prop_assert!(name.as_str().chars().all(is_plain));
                prop_assert_eq!(name.as_str().trim(), name.as_str());
                prop_assert!(name.is(&text));
                let decomposed: String = name.as_str().nfd().collect();
                prop_assert_eq!(Name::new(decomposed.as_str()), Ok(name.clone()));
                prop_assert!(name.is(&decomposed));
            }
        }

        /// Whatever is quoted has two quotes that are not escaped, at its ends.
        #[test]
        fn quotes_hold(text in ".{0,40}") {
            let quoted = Quoted(&text).to_string();
            let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap();
            prop_assert!(quoted.chars().all(is_plain));
            let mut escaped = false;
            for c in inner.chars() {
                prop_assert!(c != '"' || escaped, "{}", quoted);
                escaped = c == '\\' && !escaped;
            }
            prop_assert!(!escaped);
        }
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
        assert_eq!(
            Text::from_untrusted("lap\u{202e}pot\u{200b}", 255).as_str(),
            "lappot"
        );
    }
}
