//! The revocation epoch as a state machine: small enough that a checker can go through everything that can happen.
//!
//! One step here is one moment of the program at which somebody else could notice a difference: an answer of the
//! database, a change of something that is locked, one read of an atomic number. Between them, anything may happen.
//!
//! | here | in the program |
//! |---|---|
//! | [`Writing`] | `Store::commit`: of a database that others commit to, too, and of one with one owner (`EpochLog::revoke`) |
//! | [`World::revoked_since`] | `Store::revoked_since`, `EpochLog::since` |
//! | [`At::Arrived`], [`At::Comparing`] | `Identities::catch_up` |
//! | [`At::Asking`], [`At::Waiting`], [`Lead::Begin`], [`Lead::End`] | `Shared::read`, `Leader` |
//! | [`Lead::ReadEpoch`], [`Lead::ReadRevoked`] | `Identities::read_epoch` |
//! | [`Lead::Advance`], [`Lead::Advancing`] | `Snapshot::advance` |
//! | [`At::Looking`], [`At::ReadingEpoch`], [`At::LoadingRow`] | `Current::find` |
//! | [`At::Keeping`] | `Snapshot::keep` |
//!
//! A row may be given back after it was revoked, which is a commit of the same kind. Left out is what can't let anybody
//! in: reads that fail, rows that make room for others, rows that are new. Left out, too, is a database that comes back from a backup: here, an epoch never goes back.

use stateright::{Model, Property};

/// The rows that let somebody in. Each can be revoked, and given back after that.
pub(crate) const ROWS: usize = 2;

/// `Epoch::UNKNOWN`
const UNKNOWN: u8 = 0;
/// `Epoch::FIRST`
const FIRST: u8 = 1;

/// What is checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Epochs {
    pub(crate) store: StoreKind,
    /// How many processes serve.
    pub(crate) replicas: usize,
    /// How many requests come to each, at any time, each for any of the rows that are asked for.
    pub(crate) requests: usize,
    /// How many rows there are to ask for, and to revoke.
    pub(crate) rows: usize,
    /// How often each changes: with the first it is revoked, with the second it is given back.
    pub(crate) changes: usize,
    /// How many changes are remembered; `REMEMBERED`.
    pub(crate) remembered: usize,
    /// Whether those who sent a request may go away before it is answered.
    pub(crate) impatient: bool,
    /// What is done wrong, if anything.
    pub(crate) mistake: Option<Mistake>,
}

/// Where the epoch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreKind {
    /// In the database, moved on by the transaction that revokes.
    Shared,
    /// In the memory of the one process that commits, moved on after the commit.
    Owned,
}

/// Ways to get it wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// The latest epoch that was read will do, though the request came later.
    OldReadWillDo,
    /// Who asks while a read is under way shares that read.
    ReadUnderWayWillDo,
    /// A row is kept with an epoch that was read after it.
    EpochReadAfterRow,
    /// A row is kept though the epoch has moved on since it was read.
    KeptAnyhow,
    /// The snapshot moves on before it forgets. Only those are authenticated by it who look at the epoch of the snapshot without
    /// waiting for a read, as where the epoch is in memory.
    MovedOnBeforeForgetting,
    /// The epoch moves on after the revocation was acknowledged.
    AcknowledgedBeforeMovingOn,
    /// The epoch moves on before the revocation is committed.
    MovedOnBeforeCommit,
    /// What is given back does not move the epoch on.
    GivenBackInSilence,
}

/// What a commit that revokes or gives back does, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writing {
    /// The row changes, for everybody who reads it from now on.
    Commit,
    /// The epoch moves on.
    MoveOn,
    /// Both in one transaction.
    CommitAndMoveOn,
    /// The one who revoked is told that it is done.
    Acknowledge,
}

/// Everything there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    /// Which rows are revoked, as the database tells from now on.
    pub(crate) revoked: [bool; ROWS],
    /// The epoch, wherever it is.
    pub(crate) epoch: u8,
    /// What was revoked at which epoch, the latest ones.
    pub(crate) log: Vec<(u8, usize)>,
    /// How far the changes of each row are, in steps.
    pub(crate) written: [usize; ROWS],
    /// In no order: one is as good as another.
    pub(crate) replicas: Vec<Replica>,
}

/// A process that serves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Replica {
    /// `Snapshot::epoch`
    pub(crate) epoch: u8,
    /// The rows in memory: what was revoked of them when they were read.
    pub(crate) kept: [Option<bool>; ROWS],
    /// Whether somebody holds `Snapshot::gate` alone.
    pub(crate) gate_closed: bool,
    /// `State::begun`, `State::last` and `State::led`
    pub(crate) begun: u8,
    pub(crate) ended: u8,
    pub(crate) led: bool,
    /// In no order: one is as good as another.
    pub(crate) requests: Vec<Request>,
}

/// A request that needs one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Request {
    /// It may come at any time.
    NotYet,
    /// It is being answered.
    Here {
        row: usize,
        /// How many changes of its row were acknowledged when it came.
        known: usize,
        at: At,
    },
    /// It was answered.
    Answered {
        row: usize,
        known: usize,
        let_in: bool,
        from_memory: bool,
        /// Whether that was the case at no time between the last change before it came and the answer.
        wrong: bool,
    },
    /// Its sender did not wait.
    Gone,
}

/// What a request does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum At {
    Arrived,
    /// It has read the epoch that its own process keeps, and compares it with that of the snapshot.
    Comparing {
        own: u8,
    },
    Asking,
    /// For the read of this number, or a later one.
    Waiting {
        needed: u8,
    },
    /// It reads for all that wait.
    Leading(Lead),
    Looking,
    ReadingEpoch,
    LoadingRow {
        read_at: u8,
    },
    Keeping {
        read_at: u8,
        revoked: bool,
    },
    /// Only where the mistake is made.
    ReadingEpochLate {
        revoked: bool,
    },
}

/// What the one that reads does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Lead {
    Begin,
    ReadEpoch {
        known: u8,
    },
    ReadRevoked {
        known: u8,
    },
    Advance(Revocations),
    /// In the middle of it, with the gate closed.
    Advancing(Revocations),
    End,
}

/// `Revocations`
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Revocations {
    epoch: u8,
    /// Which rows; all of them when it is too long ago to tell.
    rows: [bool; ROWS],
}

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The next step of the changes of a row.
    Write { row: usize },
    /// A request for a row arrives.
    Arrive {
        replica: usize,
        request: usize,
        row: usize,
    },
    /// The next step of a request.
    Proceed { replica: usize, request: usize },
    /// The sender of a request goes away, where the program waits for something and so may be told.
    GoAway { replica: usize, request: usize },
}

impl Epochs {
    fn writing(&self) -> &'static [Writing] {
        use Writing::{Acknowledge, Commit, CommitAndMoveOn, MoveOn};
        match (self.mistake, self.store) {
            (Some(Mistake::AcknowledgedBeforeMovingOn), _) => &[Commit, Acknowledge, MoveOn],
            (Some(Mistake::MovedOnBeforeCommit), _) => &[MoveOn, Commit, Acknowledge],
            (_, StoreKind::Shared) => &[CommitAndMoveOn, Acknowledge],
            (_, StoreKind::Owned) => &[Commit, MoveOn, Acknowledge],
        }
    }

    /// How many changes of a row were acknowledged.
    fn acknowledged(&self, world: &World, row: usize) -> usize {
        let steps = self.writing().iter().cycle().take(world.written[row]);
        steps.filter(|step| **step == Writing::Acknowledge).count()
    }

    /// How many changes of a row have begun.
    fn begun(&self, world: &World, row: usize) -> usize {
        world.written[row].div_ceil(self.writing().len())
    }

    fn write(&self, world: &mut World, row: usize) -> Option<()> {
        let written = world.written[row];
        let change = written / self.writing().len();
        if change >= self.changes {
            return None;
        }
        let step = self.writing()[written % self.writing().len()];
        world.written[row] += 1;
        if matches!(step, Writing::Commit | Writing::CommitAndMoveOn) {
            world.revoked[row] = is_revoked_after(change + 1);
        }
        let in_silence = self.mistake == Some(Mistake::GivenBackInSilence) && !is_revoked_after(change + 1);
        if matches!(step, Writing::MoveOn | Writing::CommitAndMoveOn) && !in_silence {
            world.epoch += 1;
            world.log.push((world.epoch, row));
            if world.log.len() > self.remembered {
                world.log.remove(0);
            }
        }
        Some(())
    }

    /// The next step of a request, or nothing while it has to wait.
    fn proceed(&self, world: &mut World, replica: usize, request: usize) -> Option<()> {
        let Request::Here { row, known, at } = world.replicas[replica].requests[request] else {
            return None;
        };
        let wrong = |mistake| self.mistake == Some(mistake);
        let next = match at {
            At::Arrived if self.store == StoreKind::Owned => At::Comparing { own: world.epoch },
            At::Arrived => At::Asking,
            At::Comparing { own } if own <= world.replicas[replica].epoch => At::Looking,
            At::Comparing { .. } => At::Asking,
            At::Asking => {
                let here = &world.replicas[replica];
                At::Waiting {
                    needed: match self.mistake {
                        Some(Mistake::OldReadWillDo) => here.ended.max(1),
                        Some(Mistake::ReadUnderWayWillDo) => here.begun + u8::from(!here.led),
                        _ => here.begun + 1,
                    },
                }
            }
            At::Waiting { needed } => {
                let here = &mut world.replicas[replica];
                if here.ended >= needed {
                    At::Looking
                } else if here.led {
                    return None;
                } else {
                    here.led = true;
                    At::Leading(Lead::Begin)
                }
            }
            At::Leading(lead) => self.lead(world, replica, lead),
            At::Looking => match world.replicas[replica].kept[row] {
                Some(revoked) => return self.answer(world, replica, request, revoked, true),
                // The row and its epoch are read in the wrong order.
                None if wrong(Mistake::EpochReadAfterRow) => At::LoadingRow { read_at: UNKNOWN },
                None => At::ReadingEpoch,
            },
            At::ReadingEpoch => At::LoadingRow {
                read_at: world.replicas[replica].epoch,
            },
            At::LoadingRow { .. } if wrong(Mistake::EpochReadAfterRow) => At::ReadingEpochLate {
                revoked: world.revoked[row],
            },
            At::LoadingRow { read_at } => At::Keeping {
                read_at,
                revoked: world.revoked[row],
            },
            At::ReadingEpochLate { revoked } => At::Keeping {
                read_at: world.replicas[replica].epoch,
                revoked,
            },
            At::Keeping { read_at, revoked } => {
                let here = &mut world.replicas[replica];
                if here.gate_closed {
                    return None;
                }
                if read_at != UNKNOWN && (read_at == here.epoch || wrong(Mistake::KeptAnyhow)) {
                    here.kept[row] = Some(revoked);
                }
                return self.answer(world, replica, request, revoked, false);
            }
        };
        world.replicas[replica].requests[request] = Request::Here { row, known, at: next };
        Some(())
    }

    fn answer(
        &self,
        world: &mut World,
        replica: usize,
        request: usize,
        revoked: bool,
        from_memory: bool,
    ) -> Option<()> {
        let Request::Here { row, known, .. } = world.replicas[replica].requests[request] else {
            return None;
        };
        let mut meanwhile = known..=self.begun(world, row);
        let wrong = !meanwhile.any(|changes| is_revoked_after(changes) == revoked);
        world.replicas[replica].requests[request] = Request::Answered {
            row,
            known,
            let_in: !revoked,
            from_memory,
            wrong,
        };
        Some(())
    }

    fn lead(&self, world: &mut World, replica: usize, lead: Lead) -> At {
        let forgets_first = self.mistake != Some(Mistake::MovedOnBeforeForgetting);
        At::Leading(match lead {
            Lead::Begin => {
                let here = &mut world.replicas[replica];
                here.begun += 1;
                // Read in the same step, as nobody but the one that leads moves the snapshot on.
                Lead::ReadEpoch { known: here.epoch }
            }
            Lead::ReadEpoch { known } if world.epoch != known => Lead::ReadRevoked { known },
            Lead::ReadEpoch { .. } => Lead::End,
            Lead::ReadRevoked { known } => Lead::Advance(world.revoked_since(known)),
            Lead::Advance(revocations) => {
                let here = &mut world.replicas[replica];
                if revocations.epoch == here.epoch {
                    Lead::End
                } else {
                    here.gate_closed = true;
                    here.advance(revocations, forgets_first);
                    Lead::Advancing(revocations)
                }
            }
            Lead::Advancing(revocations) => {
                let here = &mut world.replicas[replica];
                here.advance(revocations, !forgets_first);
                here.gate_closed = false;
                Lead::End
            }
            Lead::End => {
                let here = &mut world.replicas[replica];
                here.ended = here.begun;
                here.led = false;
                return At::Looking;
            }
        })
    }

    /// A program is told that nobody waits any more only where it waits itself. It leads no longer then.
    fn go_away(world: &mut World, replica: usize, request: usize) -> Option<()> {
        let here = &mut world.replicas[replica];
        match here.requests[request] {
            Request::Here {
                at: At::Leading(Lead::Begin | Lead::ReadEpoch { .. } | Lead::ReadRevoked { .. }),
                ..
            } => here.led = false,
            Request::Here {
                at: At::Waiting { .. } | At::LoadingRow { .. },
                ..
            } => {}
            _ => return None,
        }
        here.requests[request] = Request::Gone;
        Some(())
    }
}

/// Whether a row is revoked after so many changes.
const fn is_revoked_after(changes: usize) -> bool {
    changes % 2 == 1
}

/// An answer, as the properties look at it.
struct Answer {
    row: usize,
    /// How many changes were acknowledged before.
    known: usize,
    let_in: bool,
    from_memory: bool,
    wrong: bool,
}

impl World {
    fn revoked_since(&self, since: u8) -> Revocations {
        let complete =
            since >= self.epoch || self.log.first().is_some_and(|(oldest, _)| *oldest <= since + 1);
        let mut rows = [true; ROWS];
        if complete && since != UNKNOWN {
            rows = [false; ROWS];
            for (_, row) in self.log.iter().filter(|(at, _)| *at > since) {
                rows[*row] = true;
            }
        }
        Revocations {
            epoch: self.epoch,
            rows,
        }
    }

    fn requests(&self) -> impl Iterator<Item = &Request> {
        self.replicas.iter().flat_map(|replica| &replica.requests)
    }

    fn any_answer(&self, is: impl Fn(&Answer) -> bool) -> bool {
        self.requests().any(|request| match *request {
            Request::Answered {
                row,
                known,
                let_in,
                from_memory,
                wrong,
            } => is(&Answer {
                row,
                known,
                let_in,
                from_memory,
                wrong,
            }),
            Request::NotYet | Request::Here { .. } | Request::Gone => false,
        })
    }
}

impl Replica {
    /// One half of `Snapshot::advance`: it forgets what was revoked, or moves on.
    fn advance(&mut self, revocations: Revocations, forgets: bool) {
        if !forgets {
            self.epoch = revocations.epoch;
            return;
        }
        for (kept, revoked) in self.kept.iter_mut().zip(revocations.rows) {
            if revoked {
                *kept = None;
            }
        }
    }
}

/// What must never happen.
pub(crate) const NEVER_TOO_LATE: &str = "who came after a revocation was acknowledged is refused";
/// Nor this.
pub(crate) const NEVER_IN_VAIN: &str =
    "who came while it was not revoked, or after it was given back, is authenticated";

impl Model for Epochs {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        let replica = Replica {
            epoch: UNKNOWN,
            kept: [None; ROWS],
            gate_closed: false,
            begun: 0,
            ended: 0,
            led: false,
            requests: vec![Request::NotYet; self.requests],
        };
        vec![World {
            revoked: [false; ROWS],
            epoch: FIRST,
            log: Vec::new(),
            written: [0; ROWS],
            replicas: vec![replica; self.replicas],
        }]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        steps.extend((0..self.rows).map(|row| Step::Write { row }));
        for (replica, here) in world.replicas.iter().enumerate() {
            for (request, state) in here.requests.iter().enumerate() {
                match state {
                    Request::NotYet => {
                        steps.extend((0..self.rows).map(|row| Step::Arrive {
                            replica,
                            request,
                            row,
                        }));
                    }
                    Request::Here { .. } => {
                        steps.push(Step::Proceed { replica, request });
                        steps.extend(self.impatient.then_some(Step::GoAway { replica, request }));
                    }
                    Request::Answered { .. } | Request::Gone => {}
                }
            }
        }
    }

    fn next_state(&self, before: &World, step: Step) -> Option<World> {
        let mut world = before.clone();
        match step {
            Step::Write { row } => self.write(&mut world, row)?,
            Step::Arrive {
                replica,
                request,
                row,
            } => {
                let known = self.acknowledged(&world, row);
                let at = At::Arrived;
                world.replicas[replica].requests[request] = Request::Here { row, known, at };
            }
            Step::Proceed { replica, request } => self.proceed(&mut world, replica, request)?,
            Step::GoAway { replica, request } => Self::go_away(&mut world, replica, request)?,
        }
        for replica in &mut world.replicas {
            replica.requests.sort_unstable();
        }
        world.replicas.sort_unstable();
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(NEVER_TOO_LATE, |_, world: &World| {
                !world.any_answer(|answer| answer.wrong && answer.let_in)
            }),
            // So that refusing everybody is no way to be right.
            Property::always(NEVER_IN_VAIN, |_, world: &World| {
                !world.any_answer(|answer| answer.wrong && !answer.let_in)
            }),
            Property::always(
                "everybody is answered in the end",
                |model: &Self, world: &World| {
                    let answered =
                        |request: &Request| matches!(request, Request::Answered { .. } | Request::Gone);
                    world.requests().all(answered) || !model.next_states(world).is_empty()
                },
            ),
            // So that what has to hold is not true because it never comes to it.
            Property::sometimes("somebody is authenticated from memory", |_, world: &World| {
                world.any_answer(|answer| answer.let_in && answer.from_memory)
            }),
            Property::sometimes(
                "somebody who came late is refused from memory",
                |_, world: &World| {
                    world.any_answer(|answer| answer.known == 1 && !answer.let_in && answer.from_memory)
                },
            ),
            Property::sometimes(
                "somebody is authenticated while the revocation is under way",
                |_, world: &World| {
                    world.any_answer(|answer| answer.let_in && answer.known == 0 && world.revoked[answer.row])
                },
            ),
            Property::sometimes("two share a read", |_, world: &World| {
                world.replicas.iter().any(|replica| {
                    let needed = replica.begun + 1;
                    let waiting = |request: &&Request| {
                        matches!(request, Request::Here { at: At::Waiting { needed: its }, .. } if *its == needed)
                    };
                    replica.led && replica.requests.iter().filter(waiting).count() > 0
                })
            }),
        ]
    }
}
