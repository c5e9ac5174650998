//! What happens to every request while something is out of order, said once a second and not for each of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use zenml_auth_model::Timestamp;

/// How often one kind of outage is logged.
const INTERVAL: Duration = Duration::from_secs(1);

/// Whether a failure is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// It is.
    Write {
        /// How many were not since the last one that was.
        left_out: u64,
    },
    /// It is not: one of its kind was a moment ago.
    LeaveOut,
}

/// When each kind of outage was last logged.
#[derive(Debug)]
pub(crate) struct Outages(Mutex<BTreeMap<&'static str, (Timestamp, u64)>>);

impl Outages {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// Notes a failure, and tells whether to log it.
    pub(crate) fn log(&self, kind: &'static str, now: Timestamp) -> Line {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match kinds.get_mut(kind) {
            Some((last, left_out)) if now < *last + INTERVAL && now >= *last => {
                *left_out += 1;
                Line::LeaveOut
            }
            before => {
                let left_out = before.map_or(0, |(_, left_out)| *left_out);
                kinds.insert(kind, (now, 0));
                Line::Write { left_out }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_logged_once_a_second() {
        let outages = Outages::new();
        let start = Timestamp::from_micros(1_700_000_000_000_000);
        let mut lines = Vec::new();
        for request in 0..2_500_u64 {
            let now = start + Duration::from_millis(request);
            if let Line::Write { left_out } = outages.log("the database is down", now) {
                lines.push((request, left_out));
            }
        }
        assert_eq!(lines, [(0, 0), (1_000, 999), (2_000, 999)]);
        assert_eq!(
            outages.log("the disk is full", start),
            Line::Write { left_out: 0 }
        );
        // A clock that was put back does not silence the log.
        assert!(matches!(
            outages.log("the database is down", start),
            Line::Write { .. }
        ));
    }
}
