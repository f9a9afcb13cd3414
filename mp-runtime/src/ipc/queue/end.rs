//! A side of a queue as a process has it, and how it waits for the other one.

use std::{
    fmt, hint,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU32, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    thread,
    time::Duration,
};

use super::{bell::Bell, core::Core, hold, stop::Stop};
use crate::{
    error::{Error, Result},
    shm::layouts::QueueSide,
    sys::{
        atomic, clock_gettime,
        poll::{self, Deadline},
        robust_mutex::{Held, Locked, RobustMutex},
        sched_getaffinity,
        socket::seqpacket_pair,
    },
};

/// How often to look again before sleeping: about as long as another process needs to be woken.
const SPINS: u32 = 200;
/// How long to sleep where the other side's death is not seen. Not less than a tick of the kernel: timers below that cost more than all the
/// rest of a wait (measured: 1.6 µs of 5.4 for an item there and one back).
const SHORT: Duration = Duration::from_millis(10);
/// So many waits ago it may have been asked on how many processors this process may run.
const SEEN_FOR: u32 = 64;
/// How often to look for what nobody tells of: that others have fewer descriptors on their way, or that one who stands in front was
/// stopped.
const LOOK: Duration = Duration::from_millis(100);
const LOOK_SOON: Duration = Duration::from_millis(2);

/// Which side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ipc) enum Kind {
    Puts,
    Gets,
}

/// What an attempt came to.
#[derive(Debug)]
pub(in crate::ipc) enum Attempt<R> {
    Done(R),
    /// There is nothing to get, or no room.
    NotYet,
    /// Something else is missing of which nobody tells when it is there.
    Scarce,
}

/// One side: clones of a handle share it, and it is closed with the last of them in this process.
pub(in crate::ipc) struct End {
    /// Closed before the core learns of it: fields are dropped in order.
    fds: Fds,
    /// When it was last asked whether the other side is there.
    asked: AtomicU64,
    /// How many sides had been closed then.
    left: AtomicU32,
    /// The last change woke somebody of the other side, so that it need not be asked.
    was_met: AtomicBool,
    /// How often this side has waited.
    waits: AtomicU32,
    /// Whether this process may run on one processor only.
    is_alone: AtomicBool,
    place: Leaving,
}

/// Which side it is, of which queue.
struct Leaving {
    kind: Kind,
    core: Arc<Core>,
}

/// `control` is one end of a pair whose other one the other side has: closed everywhere, it tells of the end; and tokens come here that
/// tell of changes. `lane` is where descriptors go, or come from.
#[derive(Debug)]
pub(super) struct Fds {
    pub(super) control: OwnedFd,
    pub(super) lane: OwnedFd,
}

/// Both ends of a new queue.
pub(super) fn pair(core: &Arc<Core>) -> Result<(End, End)> {
    let new = || seqpacket_pair().map_err(|error| Error::os("make the sockets of a queue", error));
    let ((puts, gets), (from, to)) = (new()?, new()?);
    let end = |kind, control, lane| End::new(kind, Arc::clone(core), Fds { control, lane });
    let (puts, gets) = (end(Kind::Puts, puts, from), end(Kind::Gets, gets, to));
    // There is room, and nothing else yet.
    core.get_bell().tell(gets.control())?;
    core.put_bell().raise(gets.control())?;
    Ok((puts, gets))
}

impl End {
    pub(super) fn new(kind: Kind, core: Arc<Core>, fds: Fds) -> Self {
        Self {
            fds,
            asked: AtomicU64::new(0),
            left: AtomicU32::new(0),
            was_met: AtomicBool::new(false),
            waits: AtomicU32::new(0),
            is_alone: AtomicBool::new(false),
            place: Leaving { kind, core },
        }
    }

    pub(in crate::ipc) fn control(&self) -> BorrowedFd<'_> {
        self.fds.control.as_fd()
    }

    pub(super) fn lane(&self) -> BorrowedFd<'_> {
        self.fds.lane.as_fd()
    }

    #[inline]
    pub(super) fn core(&self) -> &Core {
        &self.place.core
    }

    /// The side whose changes this one waits for.
    fn other(&self) -> &QueueSide {
        match self.place.kind {
            Kind::Puts => &self.core().part().gets,
            Kind::Gets => &self.core().part().puts,
        }
    }

    /// By which this side learns of the other one's changes.
    fn bell(&self) -> Bell<'_> {
        match self.place.kind {
            Kind::Puts => self.core().get_bell(),
            Kind::Gets => self.core().put_bell(),
        }
    }

    fn turn(&self) -> &RobustMutex {
        match self.place.kind {
            Kind::Puts => &self.core().part().put_turn.mutex,
            Kind::Gets => &self.core().part().get_turn.mutex,
        }
    }

    /// Whether what this side waits for is there, as far as the places tell.
    #[inline]
    pub(super) fn is_there(&self) -> bool {
        match self.place.kind {
            Kind::Puts => self.core().has_room(),
            Kind::Gets => !self.core().is_empty() || self.core().has_returned(),
        }
    }

    /// Whether there is nobody on the other side any more, or nobody may put.
    pub(in crate::ipc) fn is_over(&self) -> Result<bool> {
        if self.place.kind == Kind::Gets && self.core().is_out() {
            return Ok(false);
        }
        Ok(self.core().is_shut() || poll::is_hung_up(self.control()).map_err(wait_failed)?)
    }

    /// Whether nobody may put, and nothing that was taken out can come back.
    fn is_shut(&self) -> bool {
        self.core().is_shut() && !(self.place.kind == Kind::Gets && self.core().is_out())
    }

    /// The same as [`is_over`](Self::is_over), but asked of the kernel only if some time has passed since: some milliseconds at most.
    #[inline]
    pub(in crate::ipc) fn is_found_over(&self) -> Result<bool> {
        let leavings = self.core().part().leavings.load(SeqCst);
        // Ticks are millions apart.
        if self.was_met.load(Relaxed) {
            self.was_met.store(false, Relaxed);
            if self.left.load(Relaxed) == leavings {
                return Ok(false);
            }
        }
        self.left.store(leavings, Relaxed);
        let now = clock_gettime::coarse().wrapping_add(leavings.into());
        if self.asked.load(Relaxed) == now {
            return Ok(false);
        }
        let is_over = self.is_over()?;
        if !is_over {
            self.asked.store(now, Relaxed);
        }
        Ok(is_over)
    }

    /// Tries until it is done, the deadline comes, or the other side is gone.
    pub(super) fn wait<R>(
        &self,
        deadline: Deadline,
        mut attempt: impl FnMut() -> Result<Attempt<R>, Stop>,
    ) -> Result<Waited<R>, Stop> {
        loop {
            if self.is_surely_in_vain() {
                if deadline.is_over() {
                    return self.last(attempt);
                }
            } else {
                match attempt()? {
                    Attempt::Done(done) => return Ok(Waited::Done(done)),
                    _ if deadline.is_over() => return self.last(attempt),
                    Attempt::NotYet => {}
                    Attempt::Scarce => break,
                }
            }
            if !self.spin() {
                break;
            }
        }
        // One waits, the others for its turn: should it be killed, the kernel wakes the next. Should it be stopped, the others look for
        // themselves now and then.
        let mut patience = Deadline::NOW;
        let turn = loop {
            match lock_turn(self.turn(), patience)? {
                Some(turn) => break turn,
                None if patience.is_now() => {}
                None if let Attempt::Done(done) = attempt()? => return Ok(Waited::Done(done)),
                None if deadline.is_over() => return self.last(attempt),
                None => {}
            }
            patience = deadline.at_most(LOOK);
        };
        loop {
            self.bell().sleep(deadline.rest_at_most(SHORT), || self.is_there() || self.is_shut());
            match attempt()? {
                Attempt::Done(done) => return Ok(Waited::Done(done)),
                _ if deadline.is_over() || self.is_over()? => return self.last(attempt),
                Attempt::NotYet => self.sleep_long(deadline)?,
                Attempt::Scarce => break,
            }
        }
        // Others may wait for what is told of: they get the turn.
        drop(turn);
        self.wait_while_scarce(deadline, attempt)
    }

    /// Something is missing of which nobody tells when it is there: looks now and then.
    #[cold]
    fn wait_while_scarce<R>(
        &self,
        deadline: Deadline,
        mut attempt: impl FnMut() -> Result<Attempt<R>, Stop>,
    ) -> Result<Waited<R>, Stop> {
        loop {
            match attempt()? {
                Attempt::Done(done) => return Ok(Waited::Done(done)),
                _ if deadline.is_over() || self.is_over()? => return self.last(attempt),
                _ => thread::sleep(deadline.rest_at_most(LOOK_SOON)),
            }
        }
    }

    /// Whether an attempt need not be made to know what it comes to.
    #[inline]
    fn is_surely_in_vain(&self) -> bool {
        self.place.kind == Kind::Gets && self.core().seems_empty() && !self.core().has_returned()
    }

    /// Something came to the other side that is no put: an item that somebody had taken.
    pub(super) fn tell(&self) -> Result<()> {
        let bell = self.core().put_bell();
        {
            let _puts = self.core().lock(&self.core().part().puts)?;
            bell.tell(self.control())?;
        }
        bell.wake();
        Ok(())
    }

    /// Tells those who wait if nothing will come any more.
    pub(super) fn tell_if_over(&self) -> Result<(), Stop> {
        if self.core().is_shut() && !self.core().is_out() { Ok(self.tell()?) } else { Ok(()) }
    }

    /// Sleeps until the other side tells on the descriptor, or is gone.
    fn sleep_long(&self, deadline: Deadline) -> Result<()> {
        if self.settle()? {
            return Ok(());
        }
        let most = if self.core().is_joinable() { deadline.at_most(hold::LOOK) } else { deadline };
        poll::readable(self.control(), most).map_err(wait_failed)?;
        self.core().take_from_the_dead()
    }

    /// What has come before the other side was gone is still there; so is what came back.
    fn last<R>(&self, mut attempt: impl FnMut() -> Result<Attempt<R>, Stop>) -> Result<Waited<R>, Stop> {
        let is_over = self.is_over()?;
        self.mind_watchers()?;
        if self.place.kind == Kind::Gets {
            self.core().take_from_the_dead()?;
            if (is_over || self.is_there())
                && let Attempt::Done(done) = attempt()?
            {
                return Ok(Waited::Done(done));
            }
        }
        Ok(if is_over { Waited::Over } else { Waited::TimedOut })
    }

    /// The other side may be at it just now, on another processor. Returns whether it was.
    fn spin(&self) -> bool {
        self.may_be_elsewhere()
            && (0..SPINS).any(|_| {
                hint::spin_loop();
                self.is_there()
            })
    }

    /// Whether this thread could run on another processor than the other side, as far as was known some waits ago.
    fn may_be_elsewhere(&self) -> bool {
        // Threads may count as one.
        let waits = self.waits.load(Relaxed);
        self.waits.store(waits.wrapping_add(1), Relaxed);
        if waits.is_multiple_of(SEEN_FOR) {
            self.is_alone.store(sched_getaffinity::is_one(), Relaxed);
        }
        !self.is_alone.load(Relaxed)
    }

    /// Somebody of the other side was asleep, and is woken: there is one.
    #[inline]
    pub(super) fn meet(&self) {
        self.was_met.store(true, Relaxed);
    }

    /// From here on the descriptor is ready whenever there is something for this side, or nobody on the other. For those who wait in
    /// their own way.
    pub(super) fn watch(&self) -> BorrowedFd<'_> {
        if self.watched().swap(1, SeqCst) == 0 {
            // What fails here fails in the next call, too, and that one can say so.
            self.settle().ok();
        }
        self.control()
    }

    /// Whether somebody watches the descriptors of this side.
    fn watched(&self) -> &atomic::AtomicU32 {
        match self.place.kind {
            Kind::Puts => &self.core().part().is_room_watched,
            Kind::Gets => &self.core().part().are_items_watched,
        }
    }

    /// If somebody watches the descriptor, and it tells of what is not there any more: puts that right. Without any lock.
    #[inline]
    pub(super) fn mind_watchers(&self) -> Result<()> {
        if self.watched().load(SeqCst) != 0 && !self.is_there() && self.bell().has_told() {
            self.settle()?;
        }
        Ok(())
    }

    /// Returns whether what this side waits for is there; it was told on the descriptor then. If not, it will be told.
    pub(in crate::ipc) fn settle(&self) -> Result<bool> {
        let _other = self.core().lock(self.other())?;
        if self.is_there() || self.is_shut() {
            return Ok(true);
        }
        self.bell().raise(self.control())?;
        Ok(false)
    }
}

/// How a wait ended.
#[derive(Debug)]
pub(super) enum Waited<R> {
    Done(R),
    TimedOut,
    /// The other side is gone, or nobody may put.
    Over,
}

fn wait_failed(error: std::io::Error) -> Error {
    Error::os("wait for a queue", error)
}

/// The others learn that this may have been the last one.
impl Drop for Leaving {
    fn drop(&mut self) {
        self.core.part().leavings.fetch_add(1, SeqCst);
        let bell = match self.kind {
            Kind::Puts => self.core.put_bell(),
            Kind::Gets => self.core.get_bell(),
        };
        bell.wake();
    }
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fd {}", self.control().as_raw_fd())
    }
}

fn lock_turn(turn: &RobustMutex, deadline: Deadline) -> Result<Option<Held<'_>>> {
    match turn.lock_within_the_library(deadline).map_err(|error| Error::os("wait for a queue", error))? {
        Locked::Yes => Ok(Some(Held(turn))),
        Locked::OwnerDied => {
            turn.mark_consistent();
            Ok(Some(Held(turn)))
        }
        Locked::TimedOut => Ok(None),
        other => Err(Error::protocol(format!("a queue cannot be waited for: {other:?}"))),
    }
}
