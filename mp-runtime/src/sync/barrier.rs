//! A place where processes wait for each other.

use std::{
    cell::Cell,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc,
        atomic::{
            AtomicU32,
            Ordering::{Acquire, Release, SeqCst},
        },
    },
    time::Duration,
};

use super::{
    death::{self, Look},
    handle,
};
use crate::{
    error::{
        BrokenBarrier::{self, Aborted, ActionPanicked, Failed, OthersTimedOut, PartyDied, Reset, TimedOut},
        Error, Result,
    },
    shm::{arena::Shared, layouts::BarrierPart},
    sys::{futex, poll::Deadline, robust_mutex::Locked},
};

/// A place where so many processes or threads wait until all have come: Python's `Barrier`.
///
/// Clones, and what arrives where it is sent, are the same barrier. When the last one comes all go on, and the barrier is as new. It breaks,
/// for all who wait and all who come, when the time of one who waits runs out, when it is [aborted](Self::abort), when an action panics,
/// and **when a process is killed while it waits**: the others learn of that within about a tenth of a second, and are
/// never let through with one who is dead. A process that dies before it comes is not known to be missing; that is what timeouts are for.
/// [`reset`](Self::reset) makes a broken one as new.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn party(all_here: mp::Barrier) -> bool {
///     all_here.wait().is_ok_and(|index| index < 3)
/// }
///
/// # fn main() -> mp::Result<()> {
/// let all_here = mp::Barrier::new(3)?;
/// let children = [mp::spawn(party, (all_here.clone(),))?, mp::spawn(party, (all_here.clone(),))?];
/// all_here.wait()?;
/// for child in children {
///     assert!(child.join()?);
/// }
/// # Ok(())
/// # }
/// ```
pub struct Barrier {
    shared: Arc<Shared<BarrierPart>>,
}

handle!(Barrier, BarrierPart);

/// The parties come.
const FILLING: u32 = 0;
/// All have come, and one runs the action.
const ACTING: u32 = 1;
const BROKEN: u32 = 2;

impl Barrier {
    /// A new barrier for so many parties.
    ///
    /// # Errors
    ///
    /// No parties at all; others as [`Lock::new`](crate::Lock::new).
    pub fn new(parties: u32) -> Result<Self> {
        Self::make(parties, 0)
    }

    /// The same; [`wait`](Self::wait) waits so long at most. Python's `timeout=`.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_timeout(parties: u32, timeout: Duration) -> Result<Self> {
        Self::make(parties, u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX).max(1))
    }

    fn make(parties: u32, timeout: u64) -> Result<Self> {
        if parties == 0 {
            return Err(Error::invalid("a barrier has one party at least"));
        }
        let shared: Shared<BarrierPart> = Shared::new(0)?;
        shared.parties.store(parties, Release);
        shared.timeout.store(timeout, Release);
        Ok(Self::from_shared(Arc::new(shared)))
    }

    /// Blocks until all parties have come. Returns which one this was: each gets another number below [`parties`](Self::parties), in
    /// the order in which they came.
    ///
    /// # Errors
    ///
    /// The barrier is broken, or breaks.
    pub fn wait(&self) -> Result<u32, BrokenBarrier> {
        self.wait_by(self.own_deadline(), || ())
    }

    /// The same, but not longer than `timeout`, whatever the barrier's own is. If the time runs out the barrier breaks for all.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<u32, BrokenBarrier> {
        self.wait_by(Deadline::after(timeout), || ())
    }

    /// The same as [`wait`](Self::wait), but the last one to come calls `action` before any of them goes on. Python's `action=`, which here is a
    /// closure of each party's own.
    ///
    /// # Panics
    ///
    /// If `action` does; the barrier is then broken.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use multiprocess as mp;
    ///
    /// # fn main() -> mp::Result<()> {
    /// let alone = mp::Barrier::new(1)?;
    /// let mut rounds = 0;
    /// alone.wait_with(|| rounds += 1)?;
    /// assert_eq!(rounds, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait_with(&self, action: impl FnOnce()) -> Result<u32, BrokenBarrier> {
        self.wait_by(self.own_deadline(), action)
    }

    /// Breaks it: all who wait get an error, and so does everyone who comes, until it is [reset](Self::reset).
    pub fn abort(&self) {
        if let Ok(hold) = self.hold() {
            hold.end(BROKEN, Some(Aborted));
        }
    }

    /// Makes it as new. Who waits gets an error.
    pub fn reset(&self) {
        if let Ok(hold) = self.hold() {
            hold.end(FILLING, Some(Reset));
        }
    }

    /// Whether it is broken.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.shared.state.load(Acquire) == BROKEN
    }

    /// How many have to come.
    #[must_use]
    pub fn parties(&self) -> u32 {
        self.shared.parties.load(Acquire)
    }

    /// How many wait now. Python's `n_waiting`.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.shared.waiting.load(Acquire)
    }

    fn own_deadline(&self) -> Deadline {
        match self.shared.timeout.load(Acquire) {
            0 => Deadline::NEVER,
            timeout => Deadline::after(Duration::from_nanos(timeout)),
        }
    }

    /// Locks what is known of it. Who died in there broke it.
    fn hold(&self) -> Result<Hold<'_>, BrokenBarrier> {
        match self.shared.mutex.lock_within_the_library(Deadline::NEVER) {
            Ok(Locked::Yes) => Ok(Hold { part: &self.shared, ended: Cell::new(false) }),
            Ok(Locked::OwnerDied) => {
                let hold = Hold { part: &self.shared, ended: Cell::new(false) };
                hold.end(BROKEN, Some(PartyDied));
                self.shared.mutex.mark_consistent();
                Ok(hold)
            }
            _ => Err(Failed),
        }
    }

    fn wait_by(&self, deadline: Deadline, action: impl FnOnce()) -> Result<u32, BrokenBarrier> {
        let (part, stake) = (&*self.shared, self.shared.block().stake());
        let mut hold = self.hold()?;
        // Those before are still about to go on.
        while part.state.load(Acquire) == ACTING {
            let seen = part.generation.load(SeqCst);
            drop(hold);
            self.sleep(seen, deadline)?;
            hold = self.hold()?;
        }
        if part.state.load(Acquire) == BROKEN {
            return Err(BrokenBarrier::of(part.outcome.load(Acquire)));
        }
        let (generation, index) = (part.generation.load(SeqCst), part.waiting.load(Acquire));
        let _stake = Stake::leave(stake, generation);
        part.waiting.store(index + 1, Release);
        let passed = if index + 1 < part.parties.load(Acquire) {
            drop(hold);
            self.sleep(generation, deadline)
        } else {
            self.open(hold, generation, action)
        };
        passed.map(|()| index)
    }

    /// All have come, and this one last.
    fn open(&self, hold: Hold<'_>, generation: u32, action: impl FnOnce()) -> Result<(), BrokenBarrier> {
        if self.has_dead()? {
            hold.end(BROKEN, Some(PartyDied));
            return Err(PartyDied);
        }
        self.shared.state.store(ACTING, Release);
        drop(hold);
        let done = catch_unwind(AssertUnwindSafe(action));
        let hold = self.hold()?;
        // Unless it was broken meanwhile.
        if self.shared.generation.load(SeqCst) == generation {
            match &done {
                Ok(()) => hold.end(FILLING, None),
                Err(_) => hold.end(BROKEN, Some(ActionPanicked)),
            }
        }
        drop(hold);
        done.unwrap_or_else(|panic| resume_unwind(panic));
        self.outcome(generation)
    }

    /// Sleeps until that generation has ended, and returns how.
    fn sleep(&self, generation: u32, deadline: Deadline) -> Result<(), BrokenBarrier> {
        let part = &self.shared;
        while part.generation.load(SeqCst) == generation {
            let late = deadline.is_over();
            if !late && death::sleep(&part.generation, generation, deadline) != Look::Now {
                continue;
            }
            // Looks with the lock held: a death is found only once, and the last one to come must not be let
            // through between its being found and what follows from it.
            let hold = self.hold()?;
            if part.generation.load(SeqCst) != generation {
                continue;
            }
            if late {
                hold.end(BROKEN, Some(OthersTimedOut));
                return Err(TimedOut);
            }
            if self.has_dead()? {
                hold.end(BROKEN, Some(PartyDied));
                return Err(PartyDied);
            }
        }
        self.outcome(generation)
    }

    /// Whether somebody died who waited in this generation. The caller has the lock.
    fn has_dead(&self) -> Result<bool, BrokenBarrier> {
        let (mut found, generation) = (false, self.shared.generation.load(SeqCst));
        let looked = self.shared.block().stakes_of_the_dead(|_, stake| {
            found |= stake.swap(0, SeqCst) >> Stake::BITS == generation & Stake::COUNT;
        });
        looked.map(|()| found).map_err(|_| Failed)
    }

    fn outcome(&self, generation: u32) -> Result<(), BrokenBarrier> {
        let part = &self.shared;
        let mut passed = part.passed.load(Acquire) >> (generation % 64) & 1 == 1;
        // Who was stopped for so many generations finds the bit of another one.
        if part.generation.load(SeqCst).wrapping_sub(generation) > 64 {
            let broken = part.broken.load(Acquire);
            passed = broken == 0 || broken.wrapping_sub(1).wrapping_sub(generation).cast_signed() < 0;
        }
        if passed {
            return Ok(());
        }
        Err(BrokenBarrier::of(part.outcome.load(Acquire)))
    }

    fn from_shared(shared: Arc<Shared<BarrierPart>>) -> Self {
        Self { shared }
    }

    fn received(shared: Arc<Shared<BarrierPart>>) -> Result<Self> {
        Ok(Self::from_shared(shared))
    }
}

/// What a process has in its record of a barrier while threads of it wait: how many in the lower half, and in the upper half the lower
/// half of the last generation in which one of them came. Who dies between the end of a generation and its return breaks none after it.
struct Stake<'a>(&'a AtomicU32);

impl<'a> Stake<'a> {
    const BITS: u32 = 16;
    const COUNT: u32 = (1 << Self::BITS) - 1;

    fn leave(stake: &'a AtomicU32, generation: u32) -> Self {
        let with_one_more = |old: u32| Some(generation << Self::BITS | ((old & Self::COUNT) + 1));
        stake.fetch_update(SeqCst, SeqCst, with_one_more).ok();
        Self(stake)
    }
}

/// Also when an action panics: a stake that stays would be that of a dead party as soon as the process has ended.
impl Drop for Stake<'_> {
    fn drop(&mut self) {
        let with_one_less = |old: u32| Some(if old & Self::COUNT > 1 { old - 1 } else { 0 });
        self.0.fetch_update(SeqCst, SeqCst, with_one_less).ok();
    }
}

/// Holds the lock of what is known of a barrier.
struct Hold<'a> {
    part: &'a BarrierPart,
    /// Whether a generation has ended: its parties are woken when the lock is given back, into which they would only run before.
    ended: Cell<bool>,
}

impl Hold<'_> {
    /// Ends this generation: its parties have passed, or not for that reason.
    fn end(&self, state: u32, broken: Option<BrokenBarrier>) {
        let part = self.part;
        let generation = part.generation.load(SeqCst);
        let bit = 1 << (generation % 64);
        let passed = part.passed.load(Acquire);
        match broken {
            None => part.passed.store(passed | bit, Release),
            Some(reason) => {
                part.passed.store(passed & !bit, Release);
                part.outcome.store(reason.code(), Release);
                part.broken.store(generation.wrapping_add(1), Release);
            }
        }
        part.waiting.store(0, Release);
        part.state.store(state, Release);
        part.generation.store(generation.wrapping_add(1), SeqCst);
        self.ended.set(true);
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.part.mutex.unlock();
        if self.ended.get() {
            futex::wake(&self.part.generation, u32::MAX);
        }
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("parties", &self.parties())
            .field("waiting", &self.waiting())
            .field("broken", &self.is_broken())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn a_timeout_that_nobody_lives_to_see_is_for_ever() -> Result<()> {
        let two = Barrier::with_timeout(2, Duration::MAX)?;
        std::thread::scope(|scope| {
            let other = scope.spawn(|| two.wait());
            assert!(two.wait().is_ok() && other.join().is_ok_and(|passed| passed.is_ok()));
        });
        Ok(())
    }

    #[test]
    fn a_panic_leaves_no_stake() -> Result<()> {
        let alone = Barrier::new(1)?;
        let panics = || alone.wait_with(|| std::panic::panic_any("on purpose"));
        assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
        assert_eq!(alone.shared.block().stake().load(SeqCst), 0);
        assert_eq!(alone.wait(), Err(ActionPanicked));
        alone.reset();
        assert_eq!(alone.wait(), Ok(0));
        assert_eq!(alone.shared.block().stake().load(SeqCst), 0);
        Ok(())
    }
}
