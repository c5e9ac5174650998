//! What a device says of itself, in its user agent: `Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux`.

use std::fmt;

use zenml_auth_model::{DeviceTraits, Text};

/// The longest part that is kept.
const MAX_CHARS: usize = 255;

/// Reads a user agent. What it does not say is missing from the answer, as is the address, which it can't know.
///
/// Python writes `None` for what it doesn't know itself.
#[must_use]
pub fn parse(header: &str) -> DeviceTraits {
    let mut traits = DeviceTraits::default();
    for part in header.split_ascii_whitespace() {
        let Some((name, value)) = part.split_once('/') else {
            continue;
        };
        let slot = match name {
            "Host" => &mut traits.hostname,
            "ZenML" => &mut traits.zenml_version,
            "Python" => &mut traits.python_version,
            "OS" => &mut traits.os,
            _ => continue,
        };
        let text = Text::from_untrusted(value, MAX_CHARS);
        *slot = (!text.is_empty() && text.as_str() != "None").then_some(text);
    }
    traits
}

/// A user agent to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserAgent {
    /// The machine's name.
    pub hostname: String,
    /// The client's version.
    pub version: String,
    /// The operating system, as Python calls it: `Linux`, `Darwin`, `Windows`.
    pub os: String,
}

impl fmt::Display for UserAgent {
    /// In characters that a header may have: a machine's name may hold others, and blanks would end it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |text: &str| {
            let text: String = text
                .chars()
                .map(|c| if c.is_ascii_graphic() { c } else { '-' })
                .collect();
            if text.is_empty() { "None".to_owned() } else { text }
        };
        write!(
            f,
            "Host/{} ZenML/{} OS/{}",
            plain(&self.hostname),
            plain(&self.version),
            plain(&self.os)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &Option<Text>) -> Option<&str> {
        text.as_ref().map(Text::as_str)
    }

    #[test]
    fn as_recorded() {
        let traits = parse("Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux");
        assert_eq!(shown(&traits.hostname), Some("laptop"));
        assert_eq!(shown(&traits.zenml_version), Some("0.98.0"));
        assert_eq!(shown(&traits.python_version), Some("3.11.7"));
        assert_eq!(shown(&traits.os), Some("Linux"));
        assert_eq!(traits.ip_address, None);
    }

    #[test]
    fn others_say_nothing() {
        for header in [
            "",
            "curl/8.5.0",
            "Mozilla/5.0 (X11; Linux x86_64)",
            "Host",
            "Host/ OS/None",
            "/",
            "🚀",
        ] {
            assert_eq!(parse(header), DeviceTraits::default(), "{header}");
        }
    }

    #[test]
    fn what_could_harm_a_terminal_is_left_out() {
        assert_eq!(shown(&parse("Host/\u{1b}[31mred").hostname), Some("[31mred"));
        assert_eq!(
            shown(&parse(&format!("Host/{}", "x".repeat(9999))).hostname).map(str::len),
            Some(255)
        );
    }

    #[test]
    fn what_is_written_is_read_again() {
        let agent = UserAgent {
            hostname: "ann's laptop".to_owned(),
            version: "0.1.0".to_owned(),
            os: "Linux".to_owned(),
        };
        assert_eq!(agent.to_string(), "Host/ann's-laptop ZenML/0.1.0 OS/Linux");
        assert_eq!(shown(&parse(&agent.to_string()).hostname), Some("ann's-laptop"));
        let odd = UserAgent {
            hostname: "büro\r\nX: y".to_owned(),
            version: String::new(),
            os: "OS".to_owned(),
        };
        assert_eq!(odd.to_string(), "Host/b-ro--X:-y ZenML/None OS/OS");
    }
}
