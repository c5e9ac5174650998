//! How many connections there is room for.

/// The most, as each takes some memory, too. What is idle is closed after seconds, so that many more clients can come.
const MOST: u64 = 10_000;
/// The fewest, where there is hardly any room.
const FEWEST: u64 = 16;
/// Files for other things: the database's own, a lock, a socket for operators, the standard streams, what the system
/// needs to look up names.
const OTHERS: u64 = 64;
/// The files that a connection to an embedded database holds: the database, its log and its index.
const PER_DATABASE_CONNECTION: u64 = 3;

/// How many connections can be served at the same time, beside so many to the database. Each takes a file handle, and
/// the database must never be without: so this raises the process's own limit as far as it needs and may, and leaves
/// some for others.
#[must_use]
pub fn room(database_connections: u32) -> usize {
    let others = OTHERS + PER_DATABASE_CONNECTION * (u64::from(database_connections) + 1);
    let files = open_files(MOST + others);
    let room = of_files(files, others);
    if room < MOST {
        tracing::warn!(
            room,
            files,
            "the limit on open files leaves room for few connections"
        );
    }
    usize::try_from(room).unwrap_or(usize::MAX)
}

/// What is left of the files.
fn of_files(files: u64, others: u64) -> u64 {
    files.saturating_sub(others).clamp(FEWEST, MOST)
}

/// How many files may be open, after asking for so many.
#[cfg(unix)]
fn open_files(wanted: u64) -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let Some(current) = limit.current else {
        return u64::MAX;
    };
    let possible = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    if current >= possible {
        return current;
    }
    let raised = Rlimit {
        current: Some(possible),
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => possible,
        Err(error) => {
            tracing::debug!(%error, "can't raise the limit on open files");
            current
        }
    }
}

/// Handles are limited by memory alone here.
#[cfg(not(unix))]
const fn open_files(_wanted: u64) -> u64 {
    u64::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_always_has_files() {
        assert_eq!(of_files(1_024, 100), 924);
        assert_eq!(of_files(1_000_000, 100), MOST);
        assert_eq!(of_files(90, 100), FEWEST);
    }
}
