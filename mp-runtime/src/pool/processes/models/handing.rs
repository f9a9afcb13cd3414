//! Begin and take back, answer and death: `desk.rs`, `worker.rs`, `collect.rs`, `deaths.rs`. Who sleeps and who wakes is left out: both sides look
//! as often as they like.

use super::desk::{CELLS, Cell, Desk, EACH, Mailbox, Word};
use crate::models::search::{Model, Steps};

/// The most tasks, and workers.
pub(super) const TASKS: usize = 4;
const WORKERS: usize = 2;

/// What is left out, or put in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mutant {
    None,
    /// What is taken back leaves the generation as it was.
    SameGeneration,
    /// `REBASE` is written after `STATE`.
    RebaseLate,
    /// There is one `REBASE`, not two.
    OneRebase,
    /// Both of these.
    OneRebaseLate,
    /// `REBASE` is not written.
    NoRebase,
    /// A worker that does not find its entry does not look at `STATE` again.
    NoSecondLook,
    /// A task is begun without a look at whether `STATE` is as it was.
    BeginsBlindly,
    /// What is taken back is what was not begun when it was first looked.
    OldLook,
    /// The place of an entry is free when what is left of it is taken back.
    FreesBegun,
    /// Who dies is blamed for before what it has answered is taken.
    BlamesFirst,
    /// Nobody is blamed.
    NoBlame,
    /// `RESULTS` is moved before the task is performed.
    AnswersEarly,
}

pub(super) const TAKEN: &str = "a worker performs what was taken back";
pub(super) const OTHER: &str = "a worker performs other bytes than those of its task";
pub(super) const AGAIN: &str = "a task is run again, and nobody has died in it";
pub(super) const TWICE: &str = "a task is settled twice";
pub(super) const DAMAGED: &str = "a worker finds nonsense";
pub(super) const NOBODYS: &str = "a task that was begun is taken from its worker";
pub(super) const BLAME: &str = "a task is blamed that was not running, or one that was is not";

/// One parent, and workers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pool {
    pub(super) workers: usize,
    pub(super) tasks: usize,
    /// The most that a worker has.
    pub(super) depth: u8,
    pub(super) kills: u8,
    pub(super) take_backs: u8,
    /// Whether a task is tried once more whose worker has died.
    pub(super) tries_again: bool,
    pub(super) mutant: Mutant,
}

/// What the parent is about to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Parent {
    #[default]
    Idle,
    /// `Desk::give`: so many tasks in one entry.
    Head(u8),
    Body(u8),
    /// `Desk::publish`
    Look,
    Publish,
    /// `Desk::take_back`
    LookBack,
    Rebase,
    TakeBack,
    /// Mutant: `REBASE` after `STATE`.
    RebaseLate,
}

/// What a worker is about to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum At {
    #[default]
    Look,
    Rest,
    Rebased,
    Find,
    LookAgain,
    Begin,
    Load,
    Perform,
    Answer,
    Dead,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Worker {
    at: At,
    seen: Word,
    generation: u8,
    cursor: u8,
    /// The number of its first task, how many there are, and whether their bytes were read.
    run: (u8, u8, bool),
    bytes: [u8; EACH],
    /// The number of the task that was begun.
    number: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    parent: Parent,
    /// The worker that it is about.
    whose: u8,
    seen: Word,
    /// The begun of the first look of a mutant.
    first_look: u8,
    /// Tasks that no worker has, from one.
    pending: Vec<u8>,
    desks: [Desk; WORKERS],
    mailboxes: [Mailbox; WORKERS],
    workers: [Worker; WORKERS],
    settled: [bool; TASKS],
    ran: [u8; TASKS],
    blamed: [u8; TASKS],
    kills: u8,
    take_backs: u8,
    wrong: Option<&'static str>,
}

impl State {
    fn settle(&mut self, task: u8) {
        let task = usize::from(task - 1);
        if std::mem::replace(&mut self.settled[task], true) {
            self.wrong = Some(TWICE);
        }
    }

    fn collect(&mut self, whose: usize) {
        while self.desks[whose].read != self.mailboxes[whose].results {
            self.desks[whose].read += 1;
            match self.desks[whose].answer() {
                Some(task) => self.settle(task),
                None => self.wrong = Some(NOBODYS),
            }
        }
    }

    /// What was taken back comes before all others.
    fn push_front(&mut self, back: Vec<u8>) {
        self.pending.splice(0..0, back);
    }
}

impl Pool {
    fn blame(&self, then: &mut State, whose: usize) {
        let begun = then.mailboxes[whose].state.next - then.desks[whose].answered;
        if begun == 0 {
            return;
        }
        let Some(task) = then.desks[whose].answer() else { return };
        let runs = matches!(then.workers[whose].number, number if number + 1 == then.mailboxes[whose].state.next);
        let of = usize::from(task - 1);
        then.blamed[of] += 1;
        if !runs {
            then.wrong = Some(BLAME);
        }
        if self.tries_again && then.blamed[of] == 1 {
            then.pending.push(task);
        } else {
            then.settle(task);
        }
    }

    /// `Core::bury_one`, and another one comes.
    fn bury(&self, then: &mut State, whose: usize) {
        let before: u8 = then.blamed.iter().sum();
        let mailbox = &then.mailboxes[whose];
        let runs = mailbox.state.next != mailbox.results;
        if self.mutant == Mutant::BlamesFirst {
            self.blame(then, whose);
            then.collect(whose);
        } else {
            then.collect(whose);
            if self.mutant != Mutant::NoBlame {
                self.blame(then, whose);
            }
        }
        if then.blamed.iter().sum::<u8>() - before != u8::from(runs) {
            then.wrong = then.wrong.or(Some(BLAME));
        }
        let back = then.desks[whose].cut(0, false);
        then.push_front(back);
        then.desks[whose] = Desk::default();
        then.mailboxes[whose] = Mailbox::default();
        then.workers[whose] = Worker::default();
    }

    fn idle(&self, state: &State, steps: &mut Steps<State>) {
        for whose in 0..self.workers {
            let desk = &state.desks[whose];
            let with = |parent| State { parent, whose: whose as u8, ..state.clone() };
            let room = self.depth.saturating_sub(desk.count()).min(state.pending.len() as u8).min(EACH as u8);
            for count in 1..=if desk.has_room() { room } else { 0 } {
                let mut then = with(Parent::Head(count));
                then.desks[whose].tasks.extend(then.pending.drain(..usize::from(count)));
                steps.will(0, if count == 1 { "gives one" } else { "gives two" }, then);
            }
            if state.take_backs > 0 && desk.count() > 0 {
                let mut then = with(Parent::LookBack);
                then.take_backs -= 1;
                steps.may(0, "wants to take back", then);
            }
            if state.mailboxes[whose].results != desk.read {
                let mut then = state.clone();
                then.collect(whose);
                steps.will(0, "takes what is answered", then);
            }
            if state.workers[whose].at == At::Dead {
                let mut then = state.clone();
                self.bury(&mut then, whose);
                steps.will(0, "buries one", then);
            }
        }
    }

    fn rebase_of(&self, generation: u8) -> usize {
        match self.mutant {
            Mutant::OneRebase | Mutant::OneRebaseLate => 0,
            _ => usize::from(generation % 2),
        }
    }

    fn is_late(&self) -> bool {
        matches!(self.mutant, Mutant::RebaseLate | Mutant::OneRebaseLate)
    }

    fn rebase(&self, then: &mut State) {
        let whose = usize::from(then.whose);
        let generation = then.seen.generation + u8::from(self.mutant != Mutant::SameGeneration);
        if self.mutant != Mutant::NoRebase {
            then.mailboxes[whose].rebase[self.rebase_of(generation)] = (generation, then.desks[whose].end);
        }
    }

    fn parent(&self, state: &State, steps: &mut Steps<State>) {
        let mut then = state.clone();
        let whose = usize::from(state.whose);
        let (desk, mailbox) = (&mut then.desks[whose], &mut then.mailboxes[whose]);
        let place = usize::from(desk.end) % CELLS;
        let (next, what) = match state.parent {
            Parent::Idle => return self.idle(state, steps),
            Parent::Head(count) => {
                mailbox.ring[place].head = count;
                (Parent::Body(count), "writes the head of an entry")
            }
            Parent::Body(count) => {
                let mut bytes = [0; EACH];
                let tasks = &desk.tasks[desk.tasks.len() - usize::from(count)..];
                bytes[..tasks.len()].copy_from_slice(tasks);
                mailbox.ring[place] = Cell { head: count, bytes };
                desk.end += 1;
                desk.tail += count;
                desk.entries.push((desk.tail, desk.end));
                (Parent::Look, "writes its bytes")
            }
            Parent::Look => {
                then.seen = mailbox.state;
                (Parent::Publish, "looks at STATE")
            }
            Parent::Publish if state.seen != mailbox.state => {
                then.seen = mailbox.state;
                (Parent::Publish, "does not move the tail: STATE has changed")
            }
            Parent::Publish => {
                mailbox.state.tail = desk.tail;
                (Parent::Idle, "moves the tail")
            }
            Parent::LookBack => {
                then.seen = mailbox.state;
                then.first_look = mailbox.state.next;
                let none = then.seen.next == then.seen.tail;
                let rebase = if self.is_late() { Parent::TakeBack } else { Parent::Rebase };
                (if none { Parent::Idle } else { rebase }, "looks at STATE")
            }
            Parent::Rebase => {
                self.rebase(&mut then);
                (Parent::TakeBack, "writes REBASE")
            }
            Parent::TakeBack if state.seen != mailbox.state => {
                then.seen = mailbox.state;
                let none = then.seen.next == then.seen.tail;
                let rebase = if self.is_late() { Parent::TakeBack } else { Parent::Rebase };
                (if none { Parent::Idle } else { rebase }, "does not take back: STATE has changed")
            }
            Parent::TakeBack => {
                let next = if self.mutant == Mutant::OldLook { state.first_look } else { state.seen.next };
                mailbox.state.tail = state.seen.next;
                mailbox.state.generation += u8::from(self.mutant != Mutant::SameGeneration);
                let begun = next.saturating_sub(desk.answered);
                let back = desk.cut(begun, self.mutant == Mutant::FreesBegun);
                then.push_front(back);
                (if self.is_late() { Parent::RebaseLate } else { Parent::Idle }, "takes back")
            }
            Parent::RebaseLate => {
                self.rebase(&mut then);
                (Parent::Idle, "writes REBASE late")
            }
        };
        then.parent = next;
        if next == Parent::Idle {
            (then.whose, then.seen, then.first_look) = (0, Word::default(), 0);
        }
        steps.will(0, what, then);
    }

    /// What `serve` does with a look at `STATE`.
    fn look(worker: &mut Worker, seen: Word) -> At {
        worker.seen = seen;
        let (first, count, _) = worker.run;
        if seen.next == seen.tail {
            At::Rest
        } else if seen.generation != worker.generation {
            At::Rebased
        } else if count > 0 && seen.next.wrapping_sub(first) < count {
            At::Begin
        } else {
            At::Find
        }
    }

    fn worker(&self, state: &State, whose: usize, steps: &mut Steps<State>) {
        let mut then = state.clone();
        let mailbox = &mut then.mailboxes[whose];
        let worker = &mut then.workers[whose];
        let place = usize::from(worker.cursor) % CELLS;
        let (next, what) = match worker.at {
            At::Dead => return,
            At::Rest if worker.seen == mailbox.state => return,
            At::Look | At::Rest => (Self::look(worker, mailbox.state), "looks at STATE"),
            At::Rebased => {
                let (generation, at) = mailbox.rebase[self.rebase_of(worker.seen.generation)];
                if generation == worker.seen.generation {
                    (worker.generation, worker.cursor) = (generation, at);
                    (At::Find, "goes on where REBASE says")
                } else {
                    (At::LookAgain, "finds another REBASE")
                }
            }
            At::Find if mailbox.ring[place].head == 0 => (At::LookAgain, "finds no entry"),
            At::Find => {
                worker.run = (worker.seen.next, mailbox.ring[place].head, false);
                (At::Begin, "finds an entry")
            }
            At::LookAgain if worker.seen == mailbox.state || self.mutant == Mutant::NoSecondLook => {
                then.wrong = Some(DAMAGED);
                (At::Dead, "finds nonsense")
            }
            At::LookAgain => (Self::look(worker, mailbox.state), "looks at STATE again"),
            At::Begin if worker.seen != mailbox.state && self.mutant != Mutant::BeginsBlindly => {
                (Self::look(worker, mailbox.state), "does not begin: STATE has changed")
            }
            At::Begin => {
                worker.number = worker.seen.next;
                worker.seen.next += 1;
                mailbox.state = worker.seen;
                (if worker.run.2 { At::Perform } else { At::Load }, "begins a task")
            }
            At::Load => {
                worker.bytes = mailbox.ring[place].bytes;
                (worker.cursor, worker.run.2) = (worker.cursor + 1, true);
                (At::Perform, "reads its entry")
            }
            At::Perform => {
                let task = worker.bytes.get(usize::from(worker.number - worker.run.0)).copied().unwrap_or(0);
                let number = worker.number;
                let desk = &then.desks[whose];
                let mine = number.checked_sub(desk.answered).and_then(|at| desk.tasks.get(usize::from(at)));
                match mine {
                    None => then.wrong = Some(TAKEN),
                    Some(mine) if *mine != task => then.wrong = Some(OTHER),
                    Some(_) => {
                        let of = usize::from(task - 1);
                        then.ran[of] += 1;
                        if then.ran[of] > then.blamed[of] + 1 {
                            then.wrong = Some(AGAIN);
                        }
                    }
                }
                (At::Answer, "performs it")
            }
            At::Answer => {
                mailbox.results += 1;
                let seen = worker.seen;
                // It goes on with what it knows of STATE.
                (Self::look(worker, seen), "moves RESULTS")
            }
        };
        // This one moves RESULTS with the begin.
        if self.mutant == Mutant::AnswersEarly {
            if state.workers[whose].at == At::Begin && matches!(next, At::Load | At::Perform) {
                then.mailboxes[whose].results += 1;
            } else if state.workers[whose].at == At::Answer {
                then.mailboxes[whose].results -= 1;
            }
        }
        then.workers[whose].at = next;
        steps.will(whose + 1, what, then);
    }
}

impl Model for Pool {
    type State = State;

    fn start(&self) -> State {
        State {
            parent: Parent::Idle,
            whose: 0,
            seen: Word::default(),
            first_look: 0,
            pending: (1..=self.tasks as u8).collect(),
            desks: Default::default(),
            mailboxes: Default::default(),
            workers: Default::default(),
            settled: [false; TASKS],
            ran: [0; TASKS],
            blamed: [0; TASKS],
            kills: self.kills,
            take_backs: self.take_backs,
            wrong: None,
        }
    }

    fn steps(&self, state: &State, steps: &mut Steps<State>) {
        self.parent(state, steps);
        for whose in 0..self.workers {
            self.worker(state, whose, steps);
            if state.kills > 0 && state.workers[whose].at != At::Dead {
                let mut then = state.clone();
                then.workers[whose].at = At::Dead;
                then.kills -= 1;
                steps.may(whose + 1, "is killed", then);
            }
        }
    }

    fn wrong(&self, state: &State) -> Option<&'static str> {
        let begun = |whose: usize| state.mailboxes[whose].state.next > state.desks[whose].tail;
        state.wrong.or_else(|| (0..self.workers).any(begun).then_some(NOBODYS))
    }

    fn is_settled(&self, state: &State) -> bool {
        state.parent == Parent::Idle && state.settled[..self.tasks].iter().all(|settled| *settled)
    }
}
