//! What holds of who sleeps and who wakes, and what does not.

use super::sleeping::{Mutant, Other, Pool};
use crate::models::search::{STUCK, fails, holds, holds_wide};

const RIGHT: Pool = Pool {
    workers: 1,
    calls: [1, 1],
    waits: [true, true],
    gives_up: false,
    many: false,
    depth: 1,
    started: true,
    kills: 0,
    other: Other::Nobody,
    timers: false,
    endless: false,
    mutant: Mutant::None,
};

/// Two submit, the first one waits.
const ONE: Pool = Pool { waits: [true, false], ..RIGHT };
const NONE: Pool = Pool { waits: [false; 2], ..RIGHT };

#[test]
fn who_waits_needs_no_timer() {
    holds("pool, 1 waits, twice", &Pool { calls: [2, 0], ..RIGHT });
    holds("pool, none waits", &NONE);
    holds_wide("pool, 2 wait", &RIGHT);
    holds_wide("pool, 2 wait, 2 ahead", &Pool { depth: 2, ..RIGHT });
    holds_wide("pool, 2 wait, who leave for a moment", &Pool { many: true, ..RIGHT });
    holds_wide("pool, 2 wait, the worker is to be started", &Pool { started: false, ..RIGHT });
    holds_wide("pool, 2 wait, stats", &Pool { other: Other::Stats, ..RIGHT });
    holds_wide("pool, 2 wait, a cancel", &Pool { other: Other::Cancels, ..RIGHT });
    holds_wide("pool, 2 wait, 2 ahead, 1 kill", &Pool { kills: 1, depth: 2, ..RIGHT });
}

/// Each task may take as long as it likes, and nobody else waits for it.
#[test]
fn nobody_waits_for_the_task_of_another() {
    let endless = Pool { endless: true, ..RIGHT };
    holds("pool, endless, none waits", &Pool { endless: true, ..NONE });
    holds_wide("pool, endless, 2 wait", &endless);
    holds_wide("pool, endless, 2 wait, 2 ahead", &Pool { depth: 2, ..endless });
    holds_wide("pool, endless, stats", &Pool { other: Other::Stats, ..endless });
    holds_wide("pool, endless, a cancel", &Pool { other: Other::Cancels, ..endless });
    holds_wide("pool, endless, the worker is to be started", &Pool { started: false, ..endless });
    holds_wide(
        "pool, endless, 1 waits, 2 workers",
        &Pool { workers: 2, timers: true, ..Pool { endless: true, ..ONE } },
    );
}

/// Who has a lease and does not come back is waited for: then the pool's own thread looks.
#[test]
#[cfg_attr(debug_assertions, ignore = "takes long in a debug build")]
fn what_nobody_waits_for_needs_the_end_of_the_lease() {
    fails("pool, 1 waits, the lease has no end", &ONE, STUCK);
    holds_wide("pool, 1 waits", &Pool { timers: true, ..ONE });
    holds_wide("pool, 1 waits, who leave for a moment", &Pool { timers: true, many: true, ..ONE });
    holds_wide("pool, 2 wait and may give up", &Pool { timers: true, gives_up: true, ..RIGHT });
    holds_wide("pool, 1 waits, 2 workers", &Pool { timers: true, workers: 2, ..ONE });
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes long in a debug build")]
fn mutants_are_found() {
    let moment = Pool { many: true, timers: true, ..ONE };
    let endless = Pool { endless: true, ..RIGHT };
    let mutants = [
        (Mutant::DrivesBlindly, RIGHT),
        (Mutant::PollsBlindly, NONE),
        (Mutant::LeavesBlindly, NONE),
        (Mutant::RestsSilently, RIGHT),
        (Mutant::LeavesToTheLease, Pool { gives_up: true, ..moment }),
        (Mutant::ForgetsTheLease, moment),
        (Mutant::LeaseBeforeWaiters, RIGHT),
        (Mutant::DrivesInAnyMode, RIGHT),
        (Mutant::ModeLateLeaving, ONE),
        (Mutant::PollsInAnyMode, moment),
        (Mutant::RungLate, RIGHT),
        (Mutant::SleepsBlindly, RIGHT),
        (Mutant::WakesEarly, RIGHT),
        (Mutant::StartsSilently, Pool { started: false, ..RIGHT }),
        (Mutant::NotTold, Pool { other: Other::Cancels, ..endless }),
        (Mutant::ToldInVain, Pool { other: Other::Cancels, ..RIGHT }),
        (Mutant::GivesUntold, Pool { workers: 2, ..endless }),
        (Mutant::ForgetsLate, NONE),
        (Mutant::TakesOnly, Pool { other: Other::Stats, ..RIGHT }),
    ];
    for (mutant, model) in mutants {
        fails(&format!("pool, {mutant:?}"), &Pool { mutant, ..model }, STUCK);
    }
}

/// Not for this: the pool's own thread would look after it. It saves a way through that.
#[test]
fn nobody_who_waits_need_take_over() {
    holds_wide("pool, nobody takes over", &Pool { mutant: Mutant::NoWaiter, ..RIGHT });
}

/// Whoever rings after the driver has asked how often it was rung keeps it awake, in whatever mode.
#[test]
fn a_driver_may_set_the_mode_late() {
    holds_wide("pool, the mode is set late", &Pool { mutant: Mutant::ModeLate, ..RIGHT });
}
