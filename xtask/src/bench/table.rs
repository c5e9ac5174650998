//! What was measured, as a table.

use std::time::Duration;

use super::load::Burst;

/// One burst of load, and what the program under load spent on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    pub(super) burst: Burst,
    /// Of the processors' time, in seconds a request.
    pub(super) cpu: f64,
    /// In MiB, right after the burst.
    pub(super) memory: f64,
}

/// All rounds of one kind of load.
pub(super) struct Row {
    pub(super) name: String,
    /// Beside which row it is seen; the floor is the first one.
    pub(super) beside: usize,
    /// Which part of that row's requests per second it has to reach at least, if that was set.
    pub(super) goal: Option<f64>,
    pub(super) rounds: Vec<Measured>,
}

/// Prints the rows. Every number is the one in the middle of all rounds; ratios are taken within a round, so that what
/// else the machine did at the time weighs on both sides.
pub(super) fn print(rows: &[Row]) {
    println!(
        "\n{:<64} {:>9} {:>7} {:>6} {:>9} {:>9} {:>9} {:>9} {:>8}",
        "", "requests/s", "ratio", "goal", "p50", "p99", "slowest", "CPU", "memory"
    );
    for row in rows {
        let Some(beside) = rows.get(row.beside) else {
            continue;
        };
        let ratios = row.rounds.iter().zip(&beside.rounds);
        let ratio = middle(ratios.map(|(own, other)| own.burst.per_second / other.burst.per_second));
        let ratio = if ratio < 0.01 {
            format!("{ratio:.5}")
        } else {
            format!("{ratio:.2}")
        };
        let goal = row.goal.map_or_else(String::new, |goal| format!("{goal:.2}"));
        let of = |value: fn(&Measured) -> f64| middle(row.rounds.iter().map(value));
        println!(
            "{:<64} {:>9.0} {ratio:>7} {goal:>6} {:>9} {:>9} {:>9} {:>6.1} µs {:>4.0} MiB",
            row.name,
            of(|measured| measured.burst.per_second),
            shown(of(|measured| measured.burst.p50.as_secs_f64())),
            shown(of(|measured| measured.burst.p99.as_secs_f64())),
            shown(of(|measured| measured.burst.slowest.as_secs_f64())),
            of(|measured| measured.cpu * 1e6),
            of(|measured| measured.memory),
        );
    }
}

/// The number in the middle.
fn middle(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

fn shown(seconds: f64) -> String {
    time(Duration::from_secs_f64(seconds.max(0.0)))
}

/// A time, in milliseconds.
pub(super) fn time(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_not_moved_by_one_that_is_off() {
        assert!((middle([3.0, 1.0, 100.0].into_iter()) - 3.0).abs() < f64::EPSILON);
        assert!(middle(std::iter::empty()).is_nan());
    }
}
