//! A worker that waits for room: `answers.rs` and `wait_for_room` of `worker.rs`, and a driver that wants to be woken for half of what the worker has
//! (`want`, `is_due`, `have_read`). Each result takes one place. The driver's timer is left out: nobody is to need it.

use crate::models::search::{Model, Steps};

/// How many places a ring of results has.
const RING: u8 = 4;

/// What is left out, or put in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mutant {
    None,
    /// The worker sleeps as long as nothing is read from its way to sleep on, not from its look for room on: so it was.
    LooksAnew,
    /// It does not look at `READ` after `ASLEEP`.
    SleepsBlindly,
    /// It does not tell the parent.
    WaitsSilently,
    /// The driver does not look for what there is no room behind: so it was.
    KnowsNoRoom,
    /// Who has read does not wake the worker.
    ReadsSilently,
    /// Who has read wakes the worker before that can be seen.
    WakesEarly,
}

/// One driver, and a worker that has all its tasks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) tasks: u8,
    /// After how many results it is to be told.
    pub(super) half: u8,
    pub(super) mutant: Mutant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Drives {
    Look,
    Collect,
    Read,
    Wake,
    Rung,
    Want,
    LookAgain,
    Wait,
    Asleep,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Works {
    Begin,
    Tell(bool),
    Ring(bool),
    Room,
    Answer,
    Anew,
    Swap,
    RingForRoom,
    SayAsleep,
    LookAgain,
    Sleep,
    Asleep,
    Rise,
    Out,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    drives: Drives,
    works: Works,
    /// What both can see: `STATE`, `RESULTS`, `READ`, `WANT`, `ASLEEP`, the bell.
    next: u8,
    results: u8,
    read: u8,
    want: Option<u8>,
    asleep: bool,
    rung: bool,
    /// How far the driver has taken results, and how far it had the last time.
    taken: (u8, u8),
    wanted: u8,
    /// How far the worker knows that was read.
    known: u8,
}

impl Room {
    fn is_due(&self, state: &State) -> bool {
        let (begun, count) = (state.next - state.taken.0, self.tasks - state.taken.0);
        let unread = state.results - state.taken.0;
        let lacks_room = unread > RING / 2 && self.mutant != Mutant::KnowsNoRoom;
        begun > state.wanted || (begun >= count && unread > 0) || lacks_room
    }

    fn wake(then: &mut State) {
        if std::mem::take(&mut then.asleep) && then.works == Works::Asleep {
            then.works = Works::Rise;
        }
    }

    fn drive(&self, then: &mut State) -> Option<&'static str> {
        let early = self.mutant == Mutant::WakesEarly;
        let (next, what) = match then.drives {
            Drives::Asleep => return None,
            Drives::Look if self.is_due(then) => (Drives::Collect, "finds something"),
            Drives::Look => (Drives::Rung, "finds nothing"),
            Drives::Collect => {
                then.taken = (then.results, then.taken.0);
                (if early { Drives::Wake } else { Drives::Read }, "takes what is there")
            }
            Drives::Read => {
                then.read = then.taken.0;
                (if early { Drives::Rung } else { Drives::Wake }, "moves READ")
            }
            Drives::Wake => {
                if then.taken.0 - then.taken.1 > RING / 4 && self.mutant != Mutant::ReadsSilently {
                    Self::wake(then);
                }
                (if early { Drives::Read } else { Drives::Rung }, "wakes the worker")
            }
            Drives::Rung => {
                then.rung = false;
                (Drives::Want, "asks how often it was rung")
            }
            Drives::Want => {
                let left = self.tasks - then.taken.0;
                then.wanted = if left > self.half { self.half } else { 1 };
                then.want = (left > 0).then_some(then.taken.0 + then.wanted);
                (Drives::LookAgain, "writes WANT")
            }
            Drives::LookAgain if self.is_due(then) => (Drives::Collect, "finds something"),
            Drives::LookAgain => (Drives::Wait, "finds nothing"),
            Drives::Wait if then.rung => (Drives::Look, "does not sleep"),
            Drives::Wait => (Drives::Asleep, "falls asleep"),
        };
        then.drives = next;
        Some(what)
    }

    fn ring(then: &mut State) {
        then.rung = true;
        if then.drives == Drives::Asleep {
            then.drives = Drives::Look;
        }
    }

    fn work(&self, then: &mut State) -> Option<&'static str> {
        let behind = |is_all: bool| if is_all { Works::Out } else { Works::Room };
        let (next, what) = match then.works {
            Works::Asleep | Works::Out => return None,
            Works::Begin if then.next == self.tasks => (Works::Tell(true), "has nothing to do"),
            Works::Begin => {
                then.next += 1;
                (Works::Tell(false), "begins a task")
            }
            Works::Tell(is_all) => {
                // The swap is of the same moment: nobody else takes it away.
                let is_wanted = then.want.is_some_and(|want| is_all || then.next > want);
                then.want.take_if(|_| is_wanted);
                (if is_wanted { Works::Ring(is_all) } else { behind(is_all) }, "looks at WANT")
            }
            Works::Ring(is_all) => {
                Self::ring(then);
                (behind(is_all), "rings")
            }
            Works::Room if then.results - then.known < RING => (Works::Answer, "has room"),
            Works::Room => {
                then.known = then.read;
                let lacks = then.results - then.known >= RING;
                let waits = if self.mutant == Mutant::LooksAnew { Works::Anew } else { Works::Swap };
                (if lacks { waits } else { Works::Answer }, "looks at READ")
            }
            Works::Answer => {
                then.results += 1;
                (Works::Begin, "moves RESULTS")
            }
            Works::Anew => {
                then.known = then.read;
                (Works::Swap, "looks at READ anew")
            }
            Works::Swap if self.mutant == Mutant::WaitsSilently => (Works::SayAsleep, "tells nobody"),
            Works::Swap => {
                let was_wanted = then.want.take().is_some();
                (if was_wanted { Works::RingForRoom } else { Works::SayAsleep }, "takes WANT away")
            }
            Works::RingForRoom => {
                Self::ring(then);
                (Works::SayAsleep, "rings")
            }
            Works::SayAsleep => {
                then.asleep = true;
                (Works::LookAgain, "says that it sleeps")
            }
            Works::LookAgain if then.read != then.known && self.mutant != Mutant::SleepsBlindly => {
                (Works::Rise, "finds that something was read")
            }
            Works::LookAgain => (Works::Sleep, "finds that nothing was read"),
            Works::Sleep if then.asleep => (Works::Asleep, "falls asleep"),
            Works::Sleep => (Works::Rise, "does not sleep"),
            Works::Rise => {
                then.asleep = false;
                (Works::Room, "says that it is awake")
            }
        };
        then.works = next;
        Some(what)
    }
}

impl Model for Room {
    type State = State;

    fn start(&self) -> State {
        State {
            drives: Drives::Look,
            works: Works::Begin,
            next: 0,
            results: 0,
            read: 0,
            want: None,
            asleep: false,
            rung: false,
            taken: (0, 0),
            wanted: 0,
            known: 0,
        }
    }

    fn steps(&self, state: &State, steps: &mut Steps<State>) {
        let mut then = state.clone();
        if let Some(what) = self.drive(&mut then) {
            steps.will(0, what, then);
        }
        let mut then = state.clone();
        if let Some(what) = self.work(&mut then) {
            steps.will(1, what, then);
        }
    }

    fn wrong(&self, state: &State) -> Option<&'static str> {
        (state.results - state.read > RING).then_some("a result is written over another")
    }

    fn is_settled(&self, state: &State) -> bool {
        state.taken.0 == self.tasks
    }
}
