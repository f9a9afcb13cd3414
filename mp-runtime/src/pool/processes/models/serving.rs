//! The worker's side of sleeping and waking: `serve`, `rest`, `tell`, `sleep` of `worker.rs`, and `Bell::ring`.

use super::{
    sleeping::{Mutant, Pool},
    world::{Does, State},
};

impl Pool {
    /// What that worker does next.
    pub(super) fn serve(&self, then: &mut State, index: usize) -> Option<&'static str> {
        let worker = &mut then.workers[index];
        let with = |(next, tail): (u8, u8)| if next == tail { Does::Tell(true) } else { Does::Begin };
        let behind = |is_all: bool| if is_all { Does::SayAsleep } else { Does::Answer };
        let (does, what) = match worker.does {
            Does::Nothing | Does::Asleep => return None,
            Does::Ready => {
                worker.ready = true;
                (Does::Look, "says that it is ready")
            }
            Does::Look => {
                worker.seen = worker.state;
                (with(worker.seen), "looks at STATE")
            }
            Does::Begin if worker.state != worker.seen => {
                worker.seen = worker.state;
                (with(worker.seen), "does not begin: STATE has changed")
            }
            Does::Begin => {
                worker.state.0 += 1;
                worker.seen = worker.state;
                (Does::Tell(false), "begins a task")
            }
            Does::Tell(true) if self.mutant == Mutant::RestsSilently => (Does::SayAsleep, "rests"),
            Does::Tell(is_all) => {
                // It has begun one more by now, or none.
                let answered = if is_all { worker.seen.0 } else { worker.seen.0 - 1 };
                let is_wanted = worker.want.is_some_and(|want| is_all || answered >= want);
                (if is_wanted { Does::Swap(is_all) } else { behind(is_all) }, "looks at WANT")
            }
            Does::Swap(is_all) => {
                let was_wanted = worker.want.take().is_some();
                (if was_wanted { Does::Ring(is_all) } else { behind(is_all) }, "takes WANT away")
            }
            Does::Ring(is_all) => {
                then.rung = true;
                (Does::RingMode(is_all), "rings")
            }
            Does::RingMode(is_all) => (Does::RingEnd(is_all, then.waiting), "looks at the mode"),
            Does::RingEnd(is_all, waiting) => {
                then.ring_end(waiting);
                (behind(is_all), "wakes")
            }
            Does::Answer => {
                worker.results += 1;
                (with(worker.seen), "moves RESULTS")
            }
            Does::SayAsleep => {
                worker.asleep = true;
                (Does::LookAgain, "says that it sleeps")
            }
            Does::LookAgain if worker.state != worker.seen && self.mutant != Mutant::SleepsBlindly => {
                (Does::Rise, "finds something")
            }
            Does::LookAgain => (Does::Sleep, "finds nothing"),
            Does::Sleep if worker.asleep => (Does::Asleep, "falls asleep"),
            Does::Sleep => (Does::Rise, "does not sleep"),
            Does::Rise => {
                worker.asleep = false;
                (Does::Look, "says that it is awake")
            }
        };
        then.workers[index].does = does;
        Some(what)
    }
}
