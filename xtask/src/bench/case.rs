//! What is measured: programs under kinds of load, which take turns.

use super::load::{Ask, Load, Target};
use super::many::Many;
use super::program::Program;
use super::servers::Floor;
use super::table::{Measured, Row};
use super::{IN_USE, Options};
use crate::TaskError;

/// One program under one kind of load.
pub(super) struct Case<'a> {
    pub(super) name: String,
    /// Beside which of the cases it is seen.
    pub(super) beside: usize,
    pub(super) goal: Option<f64>,
    pub(super) program: &'a Program,
    pub(super) target: Target,
}

/// Each beside the same kind of load before, from the `first` case on.
pub(super) fn beside<'a>(
    first: usize,
    cases: impl IntoIterator<Item = Case<'a>>,
) -> impl Iterator<Item = Case<'a>> {
    cases.into_iter().enumerate().map(move |(index, case)| Case {
        beside: first + index,
        ..case
    })
}

pub(super) fn floor_case(floor: &Floor) -> Case<'_> {
    Case {
        name: "floor".to_owned(),
        beside: 0,
        goal: None,
        program: &floor.program,
        target: floor.target.clone(),
    }
}

/// Lets the programs take turns.
pub(super) fn rounds(options: &Options, load: &Load, cases: &[Case<'_>]) -> Result<Vec<Row>, TaskError> {
    let mut rows: Vec<Row> = cases
        .iter()
        .map(|case| Row {
            name: case.name.clone(),
            beside: case.beside,
            goal: case.goal,
            rounds: Vec::new(),
        })
        .collect();
    // What comes again and again is in memory by then.
    for case in cases {
        if let Ask::Many(Many { first: IN_USE, .. }) = case.target.ask {
            one_round(load, case, options.seconds)?;
        }
    }
    for round in 1..=options.rounds {
        println!("Round {round} of {} …", options.rounds);
        for (case, row) in cases.iter().zip(&mut rows) {
            row.rounds.push(one_round(load, case, options.seconds)?);
        }
    }
    Ok(rows)
}

fn one_round(load: &Load, case: &Case<'_>, seconds: u32) -> Result<Measured, TaskError> {
    case.program.empty_log()?;
    let before = case.program.cpu()?;
    let burst = load.burst(&case.target, seconds)?;
    Ok(Measured {
        burst,
        cpu: (case.program.cpu()? - before) / burst.requests,
        memory: case.program.memory()?,
    })
}
