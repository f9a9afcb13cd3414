//! `put.rs`, `get.rs` and `bell.rs`: an attempt, how it is told, and how the hammer is raised.

use super::{
    waiting::{Mutant, Queue, Step},
    world::{At, GETS, Goal, Hammer, LEFT, PUTS, Raise, State, Why},
};

impl Queue {
    /// `try_put`, `try_get`, with the lock.
    pub(super) fn attempt(&self, at: At, process: usize, then: &mut State) -> Step {
        let side = self.side(process);
        let step = match at {
            At::Look(why) => {
                let own = then.places[side];
                then.loaded[process] = own;
                let knows = |seen: u8| match side {
                    PUTS => self.is_there(PUTS, own, seen),
                    _ => self.is_there(GETS, seen, own),
                };
                if !knows(then.seen[side]) {
                    then.seen[side] = then.places[1 - side];
                }
                match knows(then.seen[side]) {
                    true if side == PUTS => (At::Write(why), "looks, and there is room"),
                    true if self.rings(side) => (At::Hammer(why), "looks, and there is an item"),
                    true => (At::Commit(why), "looks, and there is an item"),
                    false => (At::Unlock(why, false), "looks in vain"),
                }
            }
            At::Write(why) => {
                then.items[usize::from(then.loaded[process])] = process as u8 * 8 + then.calls[process];
                (At::Hammer(why), "writes the item")
            }
            At::Hammer(why) => {
                let tells = then.hammers[side] != Hammer::Fallen;
                let early = self.mutant == Mutant::AsksEarly;
                then.pending[process] = !tells && !early && self.mutant != Mutant::NoPending;
                let at = match tells {
                    true if self.mutant == Mutant::TellsLate => At::Commit(why),
                    true if self.says_moving => At::Move(why),
                    true => At::Tell(why),
                    false if early => At::Ask(why),
                    false => At::Commit(why),
                };
                (at, "looks whether to tell")
            }
            At::Move(why) => {
                then.hammers[side] = Hammer::Moving;
                (At::Tell(why), "is about to tell")
            }
            At::Tell(why) => {
                then.tokens[side] = true;
                (At::Fall(why), "tells")
            }
            At::Fall(why) => {
                then.hammers[side] = Hammer::Fallen;
                let asks = matches!(self.mutant, Mutant::TellsLate | Mutant::AsksEarly);
                then.pending[process] = self.mutant != Mutant::NoPending;
                (if asks { At::Ask(why) } else { At::Commit(why) }, "has told")
            }
            At::Commit(why) => {
                then.places[side] = then.loaded[process] + 1;
                if side == GETS {
                    then.hands[process] = then.loaded[process] + 1;
                }
                let at = match self.mutant {
                    _ if !self.rings(side) => At::Unlock(why, true),
                    Mutant::AsksEarly => At::Unlock(why, true),
                    Mutant::TellsLate if then.hammers[side] != Hammer::Fallen => At::Tell(why),
                    _ => At::Ask(why),
                };
                (at, "commits")
            }
            At::Unlock(why, done) => {
                then.locks[side].release();
                if done && side == PUTS {
                    then.calls[process] += 1;
                } else if done && let Some(number) = then.hands[process].checked_sub(1) {
                    then.got[usize::from(number)] += 1;
                    then.hands[process] = 0;
                }
                let minds = self.watchers > 0 && side == GETS && self.mutant != Mutant::NoMind;
                let at = if minds { At::Mind(why, done) } else { self.after(why, done, process, then) };
                (at, "unlocks")
            }
            _ => return None,
        };
        Some(step)
    }

    /// `Bell::wake`, in `ring`.
    pub(super) fn wake(&self, at: At, process: usize, then: &mut State) -> Step {
        let side = self.side(process);
        let early = self.mutant == Mutant::AsksEarly;
        let next = |why| if early { At::Commit(why) } else { At::Unlock(why, true) };
        let step = match at {
            At::Ask(why) if then.awake[side] => {
                then.pending[process] = false;
                (next(why), "finds that nobody sleeps")
            }
            At::Ask(why) => (At::SayAwake(why), "finds that somebody may sleep"),
            At::SayAwake(why) => {
                then.awake[side] = true;
                (At::Wake(why), "says that he is awake")
            }
            At::Wake(why) => {
                then.sleepers[side].wake(1);
                then.pending[process] = false;
                (next(why), "wakes one")
            }
            _ => return None,
        };
        Some(step)
    }

    /// What follows an attempt and what belongs to it.
    fn after(&self, why: Why, done: bool, process: usize, then: &mut State) -> At {
        match (why, done) {
            (Why::First | Why::Look, true) => At::Begin,
            (Why::First | Why::Look, false) if self.mutant == Mutant::NoTurn => At::SayAsleep,
            (Why::First | Why::Look, false) => At::Turn,
            (Why::InTurn | Why::Last, true) => At::GiveTurn(false),
            (Why::InTurn, false) => At::Over(Why::InTurn),
            (Why::Last, false) => At::GiveTurn(true),
            (Why::Watch | Why::WatchLast, true) => At::Poll,
            (Why::Watch, false) => At::Over(Why::Watch),
            (Why::WatchLast, false) => {
                self.be_over(process, then);
                At::Close
            }
        }
    }

    /// It is told that the queue is over.
    pub(super) fn be_over(&self, process: usize, then: &mut State) {
        if self.side(process) == GETS && self.is_there_now(then, GETS) {
            then.wrong = Some(LEFT);
        }
    }

    pub(super) fn mind(&self, at: At, process: usize, then: &mut State) -> Step {
        let side = self.side(process);
        let step = match at {
            At::Mind(why, done) if then.watched => (At::MindPut(why, done), "finds that somebody watches"),
            At::Mind(why, done) => (self.after(why, done, process, then), "finds that nobody watches"),
            At::MindPut(why, done) => {
                then.loaded[process] = then.places[PUTS];
                (At::MindGot(why, done), "looks how many were put")
            }
            At::MindGot(why, done) if self.is_there(side, then.loaded[process], then.places[GETS]) => {
                (self.after(why, done, process, then), "finds that there is more")
            }
            At::MindGot(why, done) => (At::MindHammer(why, done), "finds that there is nothing"),
            At::MindHammer(why, done) if then.hammers[1 - side] == Hammer::Raised => {
                (self.after(why, done, process, then), "finds the hammer raised")
            }
            At::MindHammer(why, done) => {
                (At::Lock(Goal::Other(Raise::Mind(why, done))), "finds that the descriptor tells of nothing")
            }
            _ => return None,
        };
        Some(step)
    }

    /// `raise`, and what comes before and after.
    pub(super) fn raise(&self, at: At, process: usize, then: &mut State) -> Step {
        let other = 1 - self.side(process);
        let step = match at {
            At::LookOther(raise) => {
                let blind = match raise {
                    Raise::Sleep => self.mutant == Mutant::Blind,
                    _ => self.mutant == Mutant::BlindMind,
                };
                let drains = self.mutant == Mutant::DrainsFirst;
                match self.is_there_now(then, 1 - other) && !blind {
                    true if raise == Raise::Sleep => (At::UnlockOther(Raise::Again), "finds it there"),
                    true => (At::UnlockOther(raise), "finds it there"),
                    false if drains => (At::Drain(raise), "finds nothing"),
                    false if self.says_moving => (At::MoveOther(raise), "finds nothing"),
                    false => (At::Raise(raise), "finds nothing"),
                }
            }
            At::MoveOther(raise) => {
                then.hammers[other] = Hammer::Moving;
                (At::Drain(raise), "is about to raise the hammer")
            }
            At::Raise(raise) => {
                then.hammers[other] = Hammer::Raised;
                let ends = self.mutant == Mutant::DrainsFirst || self.says_moving;
                (if ends { At::UnlockOther(raise) } else { At::Drain(raise) }, "raises the hammer")
            }
            At::Drain(raise) => {
                then.tokens[other] = false;
                let begins = self.mutant == Mutant::DrainsFirst || self.says_moving;
                (if begins { At::Raise(raise) } else { At::UnlockOther(raise) }, "takes the tokens away")
            }
            At::UnlockOther(raise) => {
                if self.mutant != Mutant::Unlocked {
                    then.locks[other].release();
                }
                let at = match raise {
                    Raise::Again => At::SayAsleep,
                    Raise::Sleep | Raise::Watch => At::Poll,
                    Raise::Mind(why, done) => self.after(why, done, process, then),
                };
                (at, "unlocks the other side")
            }
            _ => return None,
        };
        Some(step)
    }
}
