//! A link as a picture, for the telephone.

use anstyle::{Ansi256Color, Color, Style};
use qrcode::{EcLevel, QrCode};

/// Black on white, or white on black for what is drawn, whatever the terminal's own colours are. The first sixteen
/// colours are whatever people like; these two are fixed.
const INK: Style = Style::new()
    .fg_color(Some(Color::Ansi256(Ansi256Color(231))))
    .bg_color(Some(Color::Ansi256(Ansi256Color(16))));

/// The link as a QR code of half-block characters, dark on light with a margin; `None` when it is too long for one.
pub(crate) fn picture(link: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(link, EcLevel::L).ok()?;
    let width = isize::try_from(code.width()).ok()?;
    let colors = code.to_colors();
    let is_dark = |x: isize, y: isize| {
        let inside = (0..width).contains(&x) && (0..width).contains(&y);
        let index = usize::try_from(y * width + x).ok();
        inside
            && index
                .and_then(|index| colors.get(index))
                .is_some_and(|color| *color == qrcode::Color::Dark)
    };
    let mut picture = String::new();
    let mut y = -2;
    while y < width + 2 {
        picture.push_str(&INK.render().to_string());
        for x in -2..width + 2 {
            // Light is drawn: without colours, most terminals are dark.
            picture.push(match (is_dark(x, y), is_dark(x, y + 1)) {
                (false, false) => '█',
                (false, true) => '▀',
                (true, false) => '▄',
                (true, true) => ' ',
            });
        }
        picture.push_str(&format!("{INK:#}\n"));
        y += 2;
    }
    Some(picture)
}

/// How many columns a picture takes.
pub(crate) fn width(picture: &str) -> usize {
    let first = picture.lines().next().unwrap_or_default();
    anstream::adapter::strip_str(first).to_string().chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_becomes_a_square() {
        let picture = picture("http://127.0.0.1:8237/devices/verify?user_code=WDJB-MJHT").unwrap();
        let plain = anstream::adapter::strip_str(&picture).to_string();
        let lines: Vec<_> = plain.lines().collect();
        assert_eq!(width(&picture), lines[0].chars().count());
        let widths: Vec<_> = lines.iter().map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{widths:?}");
        assert!(
            widths[0].abs_diff(lines.len() * 2) <= 1,
            "{} wide, {} high",
            widths[0],
            lines.len()
        );
        assert!(lines[0].chars().all(|c| c == '█'), "there is a margin");
    }

    #[test]
    fn what_is_too_long_is_no_picture() {
        assert_eq!(picture(&"x".repeat(5000)), None);
    }
}
