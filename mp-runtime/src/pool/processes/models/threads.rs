//! What threads do without the lock of the core, and who looks after the pool when one leaves: `drive.rs` and `io.rs`.

use super::{
    sleeping::{Mutant, Other, Pool},
    world::{At, Desk, Does, Lease, OTHER, OWN, Slot, State, Then, Worker},
};

impl Pool {
    /// Before the lock is released.
    pub(super) fn leave(&self, then: &mut State) -> At {
        if then.driver.is_some() {
            return At::Out;
        }
        if self.mutant == Mutant::LeavesToTheLease && !then.is_left_alone() {
            return At::Out;
        }
        if self.mutant != Mutant::NoWaiter
            && let Some(waiter) = then.waiters.pop()
        {
            then.threads[usize::from(waiter)].takes_over = true;
            return At::Out;
        }
        if !then.is_left_alone() {
            self.look_when_the_lease_ends(then);
            return At::Out;
        }
        if self.mutant == Mutant::ModeLateLeaving { At::Arm(0, Then::Left) } else { At::Mode(Then::Left) }
    }

    pub(super) fn leave_for_a_moment(&self, then: &mut State) -> At {
        let waited_for = !then.waiters.is_empty() && self.mutant != Mutant::LeaseBeforeWaiters;
        if waited_for || then.is_idle() {
            return self.leave(then);
        }
        then.lease = Lease::Given;
        self.look_when_the_lease_ends(then);
        At::Out
    }

    fn look_when_the_lease_ends(&self, then: &mut State) {
        if !then.looks_again && self.mutant != Mutant::ForgetsTheLease {
            (then.looks_again, then.event) = (true, true);
        }
    }

    /// What follows the release of the lock, for each thread.
    pub(super) fn outside(&self, then: &mut State, thread: usize) -> At {
        match thread {
            OWN => At::Forget,
            OTHER if self.other == Other::Cancels => {
                then.event = true;
                match then.pending.iter().position(|user| *user == 1) {
                    Some(place) => At::Settle(then.pending.remove(place)),
                    None => At::Out,
                }
            }
            OTHER => At::Out,
            // It has been told, or has given something out.
            user if then.threads[user].calls > 0 && !self.waits[user] => At::Submit,
            _ => At::Drive,
        }
    }

    fn take_lock(then: &mut State, thread: usize) -> Option<()> {
        then.lock.is_none().then(|| then.lock = Some(thread as u8))
    }

    fn bury(&self, then: &mut State) {
        for index in 0..self.workers {
            if !then.has_died(index) {
                continue;
            }
            then.collect(index);
            let begun = then.workers[index].state.0 > then.desks[index].answered;
            if begun && !then.desks[index].tasks.is_empty() {
                let user = then.desks[index].tasks.remove(0);
                if self.mutant == Mutant::NotTold {
                    then.threads[usize::from(user)].told = true;
                } else {
                    then.settle(user);
                }
            }
            let rest = std::mem::take(&mut then.desks[index]).tasks;
            then.pending.splice(0..0, rest);
            then.workers[index] = Worker::default();
        }
    }

    /// Without the lock.
    pub(super) fn alone(&self, then: &mut State, thread: usize) -> Option<(At, &'static str)> {
        let own = then.threads[thread];
        let step = match own.at {
            At::Submit if own.calls == 0 => (At::Out, "has no more to do"),
            At::Submit => {
                Self::take_lock(then, thread)?;
                then.threads[thread].calls -= 1;
                then.threads[thread].told = false;
                then.pending.push(thread as u8);
                let behind = if self.many { Then::LeaveForAMoment } else { Then::Leave };
                (self.dispatch(then, behind), "gives out a task")
            }
            At::Drive if own.told || !self.waits[thread] => (At::Submit, "has what it waited for"),
            At::Drive => {
                Self::take_lock(then, thread)?;
                then.lease = Lease::None;
                (At::Top, "wants to drive")
            }
            At::Parked if own.told || own.takes_over => {
                Self::take_lock(then, thread)?;
                if !own.told {
                    then.threads[thread].takes_over = false;
                }
                then.waiters.retain(|waiter| usize::from(*waiter) != thread);
                (At::Top, "waits no more")
            }
            At::Wait if then.rung => (At::Woke, "does not sleep"),
            At::Wait => (At::Asleep, "falls asleep"),
            At::Woke => {
                Self::take_lock(then, thread)?;
                then.threads[thread].sleeps_on = false;
                then.driver = None;
                (At::Top, "sleeps no more")
            }
            At::Forget if self.mutant == Mutant::ForgetsLate => (At::Look, "looks"),
            At::Forget => {
                then.event = false;
                (At::Look, "forgets what it was told")
            }
            At::Look => {
                Self::take_lock(then, thread)?;
                self.bury(then);
                if then.is_left_alone() {
                    (At::Collect(0, Then::Looked(true)), "looks, and it is left alone")
                } else {
                    (self.dispatch(then, Then::Looked(false)), "looks, and it is not left alone")
                }
            }
            At::Poll(_) if then.event || (0..self.workers).any(|index| then.has_died(index)) => {
                (At::Forget, "finds a descriptor ready")
            }
            At::Poll(true) => (At::Forget, "has slept for its time"),
            At::Start(index) => {
                let new = Worker { does: Does::Ready, want: Some(0), ..Worker::default() };
                then.workers[usize::from(index)] = new;
                (At::Started(index), "starts a worker")
            }
            At::Started(index) => {
                Self::take_lock(then, thread)?;
                then.desks[usize::from(index)] = Desk { slot: Slot::Taken, ..Desk::default() };
                then.lock = None;
                let silent = self.mutant == Mutant::StartsSilently;
                (if silent { At::Forget } else { At::Ring }, "shows the worker")
            }
            At::Ring => {
                then.rung = true;
                (At::RingMode, "rings")
            }
            At::RingMode => (At::RingEnd(then.waiting), "looks at the mode"),
            At::RingEnd(waiting) => {
                then.ring_end(waiting);
                (if thread == OWN { At::Forget } else { At::Out }, "wakes")
            }
            At::OtherOne => {
                Self::take_lock(then, thread)?;
                let behind = if self.other == Other::Cancels { Then::Cancel } else { Then::Leave };
                (At::Collect(0, behind), "looks in")
            }
            At::Settle(user) => {
                then.threads[usize::from(user)].told = true;
                (At::SettleTold(user), "says that a task is settled")
            }
            At::SettleTold(user) if then.threads[usize::from(user)].sleeps_on => (At::Ring, "finds that it sleeps"),
            At::SettleTold(_) => (At::Out, "finds that it does not sleep"),
            _ => return None,
        };
        Some(step)
    }
}
