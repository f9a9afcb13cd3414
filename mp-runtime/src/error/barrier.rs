//! Why a barrier did not let anyone through.

use std::fmt;

/// Why a barrier did not let anyone through. Python's `BrokenBarrierError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BrokenBarrier {
    /// Not all came in the time that this one was ready to wait.
    TimedOut,
    /// The time of another one ran out.
    OthersTimedOut,
    /// Somebody called [`Barrier::abort`](crate::Barrier::abort).
    Aborted,
    /// Somebody called [`Barrier::reset`](crate::Barrier::reset) while this one waited.
    Reset,
    /// A process died while it waited, or while it ran the action.
    PartyDied,
    /// An action panicked.
    ActionPanicked,
    /// The shared memory is damaged, or the system lacks what a lock needs.
    Failed,
}

use BrokenBarrier::{Aborted, ActionPanicked, Failed, OthersTimedOut, PartyDied, Reset, TimedOut};

const REASONS: [BrokenBarrier; 7] = [Failed, OthersTimedOut, Aborted, Reset, PartyDied, ActionPanicked, TimedOut];

impl BrokenBarrier {
    pub(crate) fn code(self) -> u32 {
        REASONS.iter().position(|known| *known == self).map_or(0, |place| place as u32)
    }

    pub(crate) fn of(code: u32) -> Self {
        REASONS.get(code as usize).copied().unwrap_or(Failed)
    }
}

impl fmt::Display for BrokenBarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TimedOut => "not all parties came to the barrier in time",
            OthersTimedOut => "the barrier is broken: another party's time ran out",
            Aborted => "the barrier is broken: it was aborted",
            Reset => "the barrier was reset while this party waited",
            PartyDied => "the barrier is broken: a process died while it waited",
            ActionPanicked => "the barrier is broken: its action panicked",
            Failed => "the barrier's shared memory is damaged, or cannot be locked",
        })
    }
}

impl std::error::Error for BrokenBarrier {}
