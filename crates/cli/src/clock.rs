//! The machine's own time: the one place where it is taken.

use std::time::{Duration, SystemTime};

use zenml_auth_model::Timestamp;

/// What nobody tells from now.
const SECOND: Duration = Duration::from_secs(1);

/// Now.
#[allow(
    clippy::disallowed_methods,
    reason = "a command line is an edge: this is where its time comes from"
)]
pub(crate) fn now() -> Timestamp {
    let since_1970 = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    Timestamp::UNIX_EPOCH + since_1970
}

/// A moment for people: `2026-12-23 18:51:39 UTC`.
pub(crate) fn shown(moment: Timestamp) -> String {
    let text = moment.to_string();
    let seconds = text.split('.').next().unwrap_or(&text);
    format!("{} UTC", seconds.replace('T', " "))
}

/// How long something takes, for people: in the unit that fits, rounded.
pub(crate) fn shown_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let in_units = |unit: u64, name: &str| {
        let count = (seconds + unit / 2) / unit;
        format!("{count} {name}{}", if count == 1 { "" } else { "s" })
    };
    match seconds {
        0..60 => in_units(1, "second"),
        // Half a minute short of an hour is an hour, not sixty minutes.
        60..3_570 => in_units(60, "minute"),
        3_570..172_800 => in_units(3_600, "hour"),
        _ => in_units(86_400, "day"),
    }
}

/// How long is left, for a display that counts down: `9:05`, `1:09:05`.
pub(crate) fn counted_down(left: Duration) -> String {
    let seconds = left.as_secs();
    match seconds / 3_600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

/// Where a moment lies as seen from another: `in 29 days`, `3 hours ago`.
pub(crate) fn relative(moment: Timestamp, now: Timestamp) -> String {
    if moment.since(now) < SECOND && now.since(moment) < SECOND {
        "just now".to_owned()
    } else if moment >= now {
        format!("in {}", shown_duration(moment.since(now)))
    } else {
        format!("{} ago", shown_duration(now.since(moment)))
    }
}

/// The same where there is little room: `in 29 d`, `3 h ago`.
pub(crate) fn briefly(moment: Timestamp, now: Timestamp) -> String {
    let (span, ahead) = if moment >= now {
        (moment.since(now).as_secs(), true)
    } else {
        (now.since(moment).as_secs(), false)
    };
    let (number, unit) = match span {
        0..60 => (span, "s"),
        60..3_600 => (span / 60, "min"),
        3_600..86_400 => (span / 3_600, "h"),
        _ => (span / 86_400, "d"),
    };
    if ahead {
        format!("in {number} {unit}")
    } else {
        format!("{number} {unit} ago")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_briefly() {
        let now = Timestamp::from_secs(1_800_000_000);
        let after = |seconds| briefly(now + Duration::from_secs(seconds), now);
        let before = |seconds| briefly(now - Duration::from_secs(seconds), now);
        assert_eq!(
            (after(0), before(59)),
            ("in 0 s".to_owned(), "59 s ago".to_owned())
        );
        assert_eq!(
            (after(3_599), before(3_600)),
            ("in 59 min".to_owned(), "1 h ago".to_owned())
        );
        assert_eq!(after(30 * 86_400), "in 30 d");
    }

    #[test]
    fn moments_are_readable() {
        let moment: Timestamp = "2026-12-23T18:51:39.123456".parse().unwrap();
        assert_eq!(shown(moment), "2026-12-23 18:51:39 UTC");
        assert_eq!(relative(moment, moment), "just now");
        assert_eq!(
            relative(moment, moment - Duration::from_secs(29 * 86_400)),
            "in 29 days"
        );
        assert_eq!(
            relative(moment, moment + Duration::from_secs(3_700)),
            "1 hour ago"
        );
        assert_eq!(relative(moment, moment + Duration::from_secs(61)), "1 minute ago");
        assert_eq!(counted_down(Duration::from_secs(545)), "9:05");
        assert_eq!(counted_down(Duration::from_secs(4_145)), "1:09:05");
        assert_eq!(shown_duration(Duration::from_secs(3_599)), "1 hour");
        assert_eq!(shown_duration(Duration::from_secs(30 * 86_400 - 1)), "30 days");
    }

    #[test]
    fn now_is_not_1970() {
        assert!(now() > Timestamp::from_secs(1_700_000_000));
    }
}
