//! `sync/semaphore.rs`: permits, what each process has of them (its stake, in its record), and one waiter at a time that has the turn.

use crate::models::{
    kernel::{Life, Lock, MOST, Sleepers, die},
    search::{Model, STUCK, Steps, fails, holds, holds_wide},
};

/// What is left out.
#[derive(Clone, Copy, PartialEq)]
enum Mutant {
    None,
    /// What the dead had begun is undone in the record where it was noted, whosever that is now. (So it was.)
    UndoesBlindly,
    /// What the dead had begun stays as it is.
    NoJournal,
    /// A waiter does not look who has died.
    NeverLooks,
    /// A waiter says that it waits after it has looked for a permit.
    SaysLate,
    /// Who announces a permit changes the count before it asks who waits. (So it was.)
    AsksLate,
    /// There is no turn: all wait at once.
    NoTurn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Call {
    /// Followed by `Back`, which is left out if the time runs out.
    Take,
    Back,
    Give,
}

struct Semaphore {
    permits: u8,
    scripts: &'static [&'static [Call]],
    kills: u8,
    timeouts: bool,
    looks: bool,
    mutant: Mutant,
}

/// What the lock of the numbers is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Why {
    Try,
    TryInTurn,
    FromTheDead,
    Back,
    Give,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum At {
    #[default]
    Between,
    Numbers(Why),
    /// After a death: the journal, the permits, the journal again, the mark.
    Mend(Why),
    MendJournal(Why),
    Mark(Why),
    /// `change`: the journal, the stake, the permits, the journal again.
    Journal(Why),
    Stake(Why),
    Permits(Why),
    JournalEnd(Why),
    GivePermit,
    Ask,
    SayNobodyWaits,
    Announce,
    UnlockToWake(bool),
    Wake,
    /// Gives the numbers back: and then?
    Unlock(Why, bool),
    Turn,
    ReadChanges,
    SayWaits,
    Sleep,
    Asleep,
    UnlockTurn(bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Journal {
    slot: u8,
    stake: u8,
    permits: u8,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct State {
    numbers: Lock,
    turn: Lock,
    permits: u8,
    changes: u8,
    waits: bool,
    journal: Option<Journal>,
    /// The record of each process; of one that was taken back, what another block has in it.
    stakes: [u8; MOST],
    gone: [bool; MOST],
    sleepers: Sleepers,
    kills: u8,
    lives: [Life; MOST],
    at: [At; MOST],
    calls: [u8; MOST],
    seen: [u8; MOST],
    /// Whose stake is being changed.
    slot: [u8; MOST],
    /// Whether somebody's permits were found while looking.
    found: [bool; MOST],
    late: [bool; MOST],
    /// Not in the code: how many permits there are.
    all: u8,
}

/// What another block has in a record that was one of this block.
const FOREIGN: u8 = 7;

impl State {
    /// The first of the dead that has permits.
    fn dead_with_stake(&self) -> Option<usize> {
        (0..MOST).find(|other| self.lives[*other] == Life::Dead && !self.gone[*other] && self.stakes[*other] > 0)
    }

    /// Somebody has the arena's lock, to give back what the dead had.
    fn arena_is_locked(&self) -> bool {
        (0..MOST).any(|process| {
            let changes = matches!(
                self.at[process],
                At::Journal(Why::FromTheDead)
                    | At::Stake(Why::FromTheDead)
                    | At::Permits(Why::FromTheDead)
                    | At::JournalEnd(Why::FromTheDead)
            );
            changes && matches!(self.lives[process], Life::Alive | Life::Killed | Life::Exiting)
        })
    }
}

impl Semaphore {
    fn call(&self, state: &State, process: usize) -> Option<Call> {
        self.scripts[process].get(usize::from(state.calls[process])).copied()
    }

    fn announce(&self) -> At {
        if self.mutant == Mutant::AsksLate { At::Announce } else { At::Ask }
    }

    /// The numbers are locked: what now?
    fn have(why: Why, process: usize, then: &mut State) -> (At, &'static str) {
        then.slot[process] = process as u8;
        match why {
            Why::Try | Why::TryInTurn if then.permits == 0 => (At::Unlock(why, false), "locks, and finds no permit"),
            Why::Try | Why::TryInTurn => (At::Journal(why), "locks, and finds a permit"),
            Why::Back => (At::Journal(why), "locks, to give back"),
            Why::Give => (At::GivePermit, "locks, to give"),
            Why::FromTheDead => match then.dead_with_stake() {
                Some(dead) => {
                    then.slot[process] = dead as u8;
                    (At::Journal(why), "locks, and finds one dead")
                }
                None => (At::Unlock(why, false), "locks, and finds none dead"),
            },
        }
    }

    fn go_on(&self, state: &State, process: usize, steps: &mut Steps<State>) {
        let Some(call) = self.call(state, process) else { return };
        let mut then = state.clone();
        let slot = usize::from(state.slot[process]);
        let (at, what) = match (state.at[process], call) {
            (At::Between, Call::Take) => (At::Numbers(Why::Try), "wants a permit"),
            (At::Between, Call::Back) => (At::Numbers(Why::Back), "wants to give back"),
            (At::Between, Call::Give) => (At::Numbers(Why::Give), "wants to give"),
            (At::Numbers(why), _) => match then.numbers.take(process) {
                None => return,
                Some(true) if self.mutant == Mutant::NoJournal => (At::Mark(why), "locks, and somebody had died"),
                Some(true) => (At::Mend(why), "locks, and somebody had died"),
                Some(false) => Self::have(why, process, &mut then),
            },
            (At::Mend(why), _) => match state.journal {
                None => (At::Mark(why), "finds nothing begun"),
                Some(Journal { slot, stake, permits }) if self.mutant == Mutant::UndoesBlindly => {
                    then.stakes[usize::from(slot)] = stake;
                    then.permits = permits;
                    (At::MendJournal(why), "undoes what was begun")
                }
                Some(Journal { slot, stake, permits }) => {
                    let slot = usize::from(slot);
                    let now = if state.gone[slot] { 0 } else { state.stakes[slot] };
                    then.permits = permits + stake - now;
                    (At::MendJournal(why), "ends what was begun")
                }
            },
            (At::MendJournal(why), _) => {
                then.journal = None;
                (At::Mark(why), "empties the journal")
            }
            (At::Mark(why), _) => {
                then.numbers.mark_consistent();
                Self::have(why, process, &mut then)
            }
            (At::Journal(why), _) => {
                then.journal = Some(Journal { slot: slot as u8, stake: state.stakes[slot], permits: state.permits });
                (At::Stake(why), "writes the journal")
            }
            (At::Stake(why), _) => {
                then.stakes[slot] = match why {
                    Why::Try | Why::TryInTurn => state.stakes[slot] + 1,
                    Why::FromTheDead => 0,
                    _ => state.stakes[slot] - 1,
                };
                (At::Permits(why), "changes the stake")
            }
            (At::Permits(why), _) => {
                let Some(Journal { stake, permits, .. }) = state.journal else { return };
                then.permits = permits + stake - state.stakes[slot];
                (At::JournalEnd(why), "changes the permits")
            }
            (At::JournalEnd(why), _) => {
                then.journal = None;
                let at = match why {
                    Why::FromTheDead => match then.dead_with_stake() {
                        Some(dead) => {
                            then.slot[process] = dead as u8;
                            At::Journal(why)
                        }
                        None => self.announce(),
                    },
                    Why::Back => self.announce(),
                    _ => At::Unlock(why, true),
                };
                (at, "empties the journal")
            }
            (At::GivePermit, _) => {
                then.permits += 1;
                then.all += 1;
                (self.announce(), "adds a permit")
            }
            (At::Ask, _) if self.mutant == Mutant::AsksLate => {
                then.waits = false;
                (At::UnlockToWake(state.waits), "asks who waits")
            }
            (At::Ask, _) => (if state.waits { At::SayNobodyWaits } else { At::UnlockToWake(false) }, "asks who waits"),
            (At::SayNobodyWaits, _) => {
                then.waits = false;
                (At::Announce, "says that nobody waits")
            }
            (At::Announce, _) => {
                then.changes += 1;
                let late = self.mutant == Mutant::AsksLate;
                (if late { At::Ask } else { At::UnlockToWake(true) }, "announces it")
            }
            (At::UnlockToWake(wake), _) => {
                then.numbers.release();
                let after = if call == Call::Take { At::ReadChanges } else { At::Between };
                then.calls[process] += u8::from(call != Call::Take && !wake);
                (if wake { At::Wake } else { after }, "unlocks")
            }
            (At::Wake, _) => {
                then.sleepers.wake(1);
                then.calls[process] += u8::from(call != Call::Take);
                (if call == Call::Take { At::ReadChanges } else { At::Between }, "wakes one")
            }
            (At::Unlock(why, took), _) => {
                then.numbers.release();
                then.calls[process] += u8::from(why == Why::Try && took);
                let at = match (why, took) {
                    (Why::Try, true) => At::Between,
                    (Why::Try, false) if self.mutant == Mutant::NoTurn => At::ReadChanges,
                    (Why::Try, false) => At::Turn,
                    (Why::TryInTurn, true) => At::UnlockTurn(true),
                    (Why::TryInTurn, false) if state.late[process] => At::UnlockTurn(false),
                    (Why::TryInTurn, false) if self.mutant == Mutant::SaysLate => At::SayWaits,
                    (Why::TryInTurn, false) => At::Sleep,
                    _ => At::ReadChanges,
                };
                (at, "unlocks")
            }
            (At::Turn, _) => {
                if self.timeouts {
                    let mut late = state.clone();
                    (late.at[process], late.calls[process]) = (At::Between, state.calls[process] + 2);
                    steps.may(process, "waits no longer for its turn", late);
                }
                if self.looks {
                    let mut meanwhile = state.clone();
                    meanwhile.at[process] = At::Numbers(Why::Try);
                    steps.may(process, "looks for a permit before its turn", meanwhile);
                }
                if then.turn.take(process).is_none() {
                    return;
                }
                (At::Numbers(Why::FromTheDead), "has the turn")
            }
            (At::ReadChanges, _) => {
                then.seen[process] = state.changes;
                let late = self.mutant == Mutant::SaysLate;
                (if late { At::Numbers(Why::TryInTurn) } else { At::SayWaits }, "reads the changes")
            }
            (At::SayWaits, _) => {
                then.waits = true;
                let late = self.mutant == Mutant::SaysLate;
                (if late { At::Sleep } else { At::Numbers(Why::TryInTurn) }, "says that it waits")
            }
            (At::Sleep, _) if self.mutant != Mutant::SaysLate && state.changes != state.seen[process] => {
                (At::ReadChanges, "does not sleep")
            }
            (At::Sleep, _) => {
                then.sleepers.sleep(process);
                (At::Asleep, "falls asleep")
            }
            (At::Asleep, _) if !state.sleepers.has(process) => (At::ReadChanges, "wakes up"),
            (At::Asleep, _) => {
                then.sleepers.leave(process);
                if self.timeouts {
                    let mut late = then.clone();
                    (late.at[process], late.late[process]) = (At::ReadChanges, true);
                    steps.may(process, "waits no longer", late);
                }
                then.at[process] = At::Numbers(Why::FromTheDead);
                if self.looks && self.mutant != Mutant::NeverLooks {
                    steps.will(process, "wakes up to look", then);
                } else if self.mutant != Mutant::NeverLooks {
                    steps.may(process, "wakes up to look", then);
                }
                return;
            }
            (At::UnlockTurn(took), _) => {
                then.turn.release();
                then.late[process] = false;
                then.calls[process] += if took { 1 } else { 2 };
                (At::Between, "gives up its turn")
            }
        };
        then.at[process] = at;
        steps.will(process, what, then);
    }
}

impl Model for Semaphore {
    type State = State;

    fn start(&self) -> State {
        State { kills: self.kills, permits: self.permits, all: self.permits, ..State::default() }
    }

    fn steps(&self, state: &State, steps: &mut Steps<State>) {
        for process in 0..self.scripts.len() {
            let mut then = state.clone();
            let locks = &mut [&mut then.numbers, &mut then.turn];
            if let Some(what) = die(&mut then.lives[process], process, locks, &mut then.sleepers) {
                steps.will(process, what, then);
            } else if state.lives[process] == Life::Alive {
                self.go_on(state, process, steps);
                if state.kills > 0 && self.call(state, process).is_some() {
                    then.lives[process] = Life::Killed;
                    then.kills -= 1;
                    steps.may(process, "is killed", then);
                }
            } else if !state.gone[process] && state.stakes[process] == 0 && !state.arena_is_locked() {
                (then.gone[process], then.stakes[process]) = (true, FOREIGN);
                steps.may(process, "is dead, and its record is given to another block", then);
            }
        }
    }

    fn wrong(&self, state: &State) -> Option<&'static str> {
        if (0..MOST).any(|process| state.gone[process] && state.stakes[process] != FOREIGN) {
            return Some(DAMAGE);
        }
        let stakes: u8 = (0..MOST).filter(|process| !state.gone[*process]).map(|process| state.stakes[process]).sum();
        let quiet = state.numbers.is_free() && !state.numbers.is_orphaned();
        (quiet && state.permits + stakes != state.all).then_some(COUNT)
    }

    /// Whoever lives has done all it wanted, or waits for a permit where there is none.
    fn is_settled(&self, state: &State) -> bool {
        let none = state.permits == 0 && state.dead_with_stake().is_none();
        let waits = |process: usize| state.sleepers.has(process) || state.at[process] == At::Turn;
        (0..self.scripts.len()).all(|process| match state.lives[process] {
            Life::Alive => self.call(state, process).is_none() || none && waits(process),
            life => life == Life::Dead,
        })
    }
}

const COUNT: &str = "there are more or fewer permits than there should be";
const DAMAGE: &str = "another block's record is overwritten";

use Call::{Back, Give, Take};

const RIGHT: Semaphore =
    Semaphore { permits: 1, scripts: &[], kills: 0, timeouts: false, looks: true, mutant: Mutant::None };
const TWO: &[&[Call]] = &[&[Take, Back, Take, Back], &[Take, Back]];
const THREE: &[&[Call]] = &[&[Take, Back], &[Take, Back], &[Take, Back]];
const TWICE: &[&[Call]] = &[&[Give, Give], &[Take], &[Take]];
const BELL: &[&[Call]] = &[&[Give], &[Take], &[Give, Take, Back]];

#[test]
fn permits_come_back_and_are_found() {
    holds(
        "semaphore of 1, 2 processes, 1 kill, timeouts",
        &Semaphore { scripts: TWO, kills: 1, timeouts: true, ..RIGHT },
    );
    holds_wide("semaphore of 1, 3 processes, 1 kill", &Semaphore { scripts: THREE, kills: 1, ..RIGHT });
    holds("semaphore of 0, given, 1 kill", &Semaphore { permits: 0, scripts: BELL, kills: 1, ..RIGHT });
    holds_wide("semaphore of 2, 3 processes, 1 kill", &Semaphore { permits: 2, scripts: THREE, kills: 1, ..RIGHT });
    holds_wide("semaphore of 1, 3 processes, 2 kills", &Semaphore { scripts: THREE, kills: 2, ..RIGHT });
}

#[test]
fn nobody_has_to_look_while_nobody_dies() {
    holds("semaphore of 1, no kills, no looks", &Semaphore { scripts: THREE, looks: false, ..RIGHT });
    holds(
        "semaphore of 0, given twice, no kills, no looks",
        &Semaphore { permits: 0, scripts: TWICE, looks: false, ..RIGHT },
    );
    holds("semaphore of 0, no kills, no looks", &Semaphore { permits: 0, scripts: BELL, looks: false, ..RIGHT });
}

#[test]
fn mutants_are_found() {
    let two = Semaphore { scripts: TWO, kills: 1, ..RIGHT };
    let trace = fails("semaphore, undoes blindly", &Semaphore { mutant: Mutant::UndoesBlindly, ..two }, DAMAGE);
    println!("{trace:?}");
    fails("semaphore, no journal", &Semaphore { mutant: Mutant::NoJournal, ..two }, COUNT);
    fails("semaphore, never looks", &Semaphore { mutant: Mutant::NeverLooks, ..two }, STUCK);
    let three = Semaphore { scripts: THREE, looks: false, ..RIGHT };
    fails("semaphore, says late", &Semaphore { mutant: Mutant::SaysLate, ..three }, STUCK);
    let trace = fails("semaphore, asks late", &Semaphore { mutant: Mutant::AsksLate, ..three }, STUCK);
    println!("{trace:?}");
    let twice = Semaphore { permits: 0, scripts: TWICE, looks: false, ..RIGHT };
    fails("semaphore, no turn", &Semaphore { mutant: Mutant::NoTurn, ..twice }, STUCK);
}
