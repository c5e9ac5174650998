//! Spans of time, as they are typed: `90s`, `10m`, `2h`, or a number of minutes.

use std::time::Duration;

/// Reads a span.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.char_indices().next_back() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3_600),
        _ => (text, 60),
    };
    let seconds = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit));
    match seconds {
        Some(seconds @ 1..) => Ok(Duration::from_secs(seconds)),
        Some(0) => Err("it has to be longer than nothing".to_owned()),
        None => Err("write it like 90s, 10m or 2h".to_owned()),
    }
}

/// Reads a number of minutes, as ZenML's own command line takes it.
pub(crate) fn minutes(text: &str) -> Result<u32, String> {
    text.parse()
        .map_err(|_| "write a whole number of minutes, such as 60".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_whole() {
        assert_eq!(minutes("60"), Ok(60));
        for text in ["", "2h", "-1", "1.5", "4294967296"] {
            assert!(
                minutes(text).is_err_and(|error| error.contains("such as 60")),
                "{text}"
            );
        }
    }

    #[test]
    fn spans_are_read() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("2h", 7_200), ("5", 300)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "s",
            "0",
            "0s",
            "-1m",
            "1d",
            "1.5h",
            "18446744073709551615h",
            "é",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
