//! What a thread does with the lock of the core: looks, passes, and the sleep behind them, where each access to what is shared with workers is a
//! step.

use super::{
    sleeping::{Mutant, Pool},
    world::{At, Does, Lease, Slot, State, Then, WORKERS, Worker},
};

impl Pool {
    /// The first of these workers that is there.
    fn there(then: &State, from: u8) -> Option<u8> {
        (from..WORKERS as u8).find(|index| then.desks[usize::from(*index)].slot == Slot::Taken)
    }

    pub(super) fn dispatch(&self, then: &mut State, behind: Then) -> At {
        then.give_out(self.depth);
        At::Want(0, behind)
    }

    /// Behind a pass or a look, under the lock.
    fn behind(&self, then: &mut State, thread: usize, behind: Then, is_due: bool) -> At {
        let told = then.threads[thread].told;
        match behind {
            Then::Leave => self.leave(then),
            Then::LeaveForAMoment => self.leave_for_a_moment(then),
            Then::Drive if is_due => At::Collect(0, Then::Passed),
            Then::Passed if told => At::Top,
            Then::Drive | Then::Passed if self.mutant == Mutant::ModeLate => At::Rung,
            Then::Drive | Then::Passed => At::Mode(Then::Drive),
            Then::Sleep if is_due || (told && self.mutant != Mutant::ToldInVain) => {
                then.threads[thread].sleeps_on = false;
                At::Top
            }
            Then::Sleep => {
                if self.mutant == Mutant::ModeLate {
                    then.waiting = true;
                }
                if self.mutant == Mutant::RungLate {
                    then.rung = false;
                }
                then.driver = Some(thread as u8);
                At::Wait
            }
            Then::Left => {
                if self.mutant == Mutant::ModeLateLeaving {
                    then.waiting = false;
                }
                then.event |= is_due;
                At::Out
            }
            Then::Looked(alone) => {
                if let Some(empty) = (0..self.workers).find(|index| then.desks[*index].slot == Slot::Empty) {
                    then.desks[empty].slot = Slot::Starting;
                    return At::Start(empty as u8);
                }
                if alone { At::Arm(0, Then::SleepInPoll) } else { self.poll(then, false) }
            }
            Then::SleepInPoll if is_due => At::Forget,
            Then::SleepInPoll => self.poll(then, true),
            Then::Cancel => self.leave(then),
        }
    }

    fn poll(&self, then: &mut State, alone: bool) -> At {
        if self.mutant == Mutant::ForgetsLate {
            then.event = false;
        }
        then.looks_again = !alone && then.lease != Lease::None && then.driver.is_none();
        At::Poll(then.looks_again)
    }

    /// With the lock. `Out` is its release.
    pub(super) fn locked(&self, then: &mut State, thread: usize) -> Option<(At, &'static str)> {
        let own = then.threads[thread];
        let step = match own.at {
            At::Top if own.told => (self.leave_for_a_moment(then), "was told, and leaves"),
            At::Top if then.driver.is_some() => {
                then.waiters.push(thread as u8);
                (At::Parked, "waits, as another one drives")
            }
            At::Top => (At::DueNext(0, Then::Drive), "drives"),
            At::Collect(from, behind) => match Self::there(then, from) {
                Some(index) => {
                    then.collect(usize::from(index));
                    (At::Collect(index + 1, behind), "takes the results of one")
                }
                None if behind == Then::Leave && self.mutant == Mutant::TakesOnly => (At::Out, "gives nothing out"),
                None if behind == Then::Cancel => (self.leave(then), "gives nothing out"),
                None => (self.dispatch(then, behind), "gives out"),
            },
            At::Want(from, behind) => match Self::there(then, from) {
                Some(index) => {
                    let (desk, worker) = (&mut then.desks[usize::from(index)], &mut then.workers[usize::from(index)]);
                    let untold = self.mutant == Mutant::GivesUntold;
                    if then.driver.is_some() && !desk.tasks.is_empty() && worker.want.is_none() && !untold {
                        desk.wanted = 1;
                        worker.want = Some(desk.answered + 1);
                    }
                    if self.mutant == Mutant::WakesEarly && worker.state.1 != desk.tail() {
                        self.wake(worker);
                    }
                    (At::Publish(index, behind), "sees what it wants to be told of")
                }
                None => {
                    if behind == Then::Looked(true) && self.mutant != Mutant::PollsInAnyMode {
                        then.waiting = false;
                    }
                    (self.behind(then, thread, behind, false), "has given out all")
                }
            },
            At::Publish(index, behind) => {
                let (desk, worker) = (&then.desks[usize::from(index)], &mut then.workers[usize::from(index)]);
                if worker.state.1 == desk.tail() {
                    (At::Want(index + 1, behind), "has nothing new")
                } else {
                    worker.state.1 = desk.tail();
                    (At::Wake(index, behind), "moves the tail")
                }
            }
            At::Wake(index, behind) => {
                if self.mutant != Mutant::WakesEarly {
                    self.wake(&mut then.workers[usize::from(index)]);
                }
                (At::Want(index + 1, behind), "wakes the worker")
            }
            At::Mode(Then::Left) => {
                then.waiting = false;
                (At::Arm(0, Then::Left), "sets the mode")
            }
            At::Mode(_) => {
                then.waiting |= self.mutant != Mutant::DrivesInAnyMode;
                (At::Rung, "sets the mode")
            }
            At::Rung => {
                then.rung &= self.mutant == Mutant::RungLate;
                then.threads[thread].sleeps_on = self.mutant != Mutant::NotTold;
                (At::Arm(0, Then::Sleep), "asks how often it was rung")
            }
            At::Arm(from, behind) => match Self::there(then, from) {
                Some(index) => {
                    let desk = &mut then.desks[usize::from(index)];
                    if !desk.tasks.is_empty() || !desk.ready {
                        desk.wanted = 1;
                        then.workers[usize::from(index)].want = Some(desk.answered + 1);
                    }
                    (At::Arm(index + 1, behind), "writes WANT")
                }
                None => {
                    let blind = match behind {
                        Then::Sleep => self.mutant == Mutant::DrivesBlindly,
                        Then::Left => self.mutant == Mutant::LeavesBlindly,
                        _ => self.mutant == Mutant::PollsBlindly,
                    };
                    (if blind { At::Due(false, behind) } else { At::DueNext(0, behind) }, "has written all")
                }
            },
            At::DueNext(from, behind) => match Self::there(then, from) {
                Some(index) => {
                    let (desk, worker) = (&then.desks[usize::from(index)], &then.workers[usize::from(index)]);
                    let begun = worker.state.0 - desk.answered;
                    if begun > desk.wanted {
                        (At::Due(true, behind), "finds enough answered")
                    } else if usize::from(begun) >= desk.tasks.len() {
                        (At::DueNews(index, behind), "finds all begun")
                    } else {
                        (At::DueNext(index + 1, behind), "finds too little")
                    }
                }
                None => (At::Due(false, behind), "finds nothing"),
            },
            At::DueNews(index, behind) => {
                let (desk, worker) = (&then.desks[usize::from(index)], &then.workers[usize::from(index)]);
                let news = worker.results != desk.answered || worker.ready != desk.ready;
                (if news { At::Due(true, behind) } else { At::DueNext(index + 1, behind) }, "looks at RESULTS")
            }
            At::Due(is_due, behind) => (self.behind(then, thread, behind, is_due), "has looked at all"),
            _ => return None,
        };
        Some(step)
    }

    fn wake(&self, worker: &mut Worker) {
        if std::mem::take(&mut worker.asleep) && worker.does == Does::Asleep {
            worker.does = Does::Rise;
        }
    }
}
