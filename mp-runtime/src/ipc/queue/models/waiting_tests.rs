//! What holds of the waiting, and what does not.

use super::{
    waiting::{Mutant, Queue},
    world::LEFT,
};
use crate::models::search::{STUCK, fails, holds, holds_wide};

const RIGHT: Queue = Queue {
    puts: &[2],
    getters: 1,
    watchers: 0,
    bound: 0,
    kills: 1,
    short: true,
    at_once: false,
    looks: false,
    ends: true,
    says_moving: false,
    quiet: true,
    mutant: Mutant::None,
};

/// Two put; their handles stay, so that nobody is woken by their end.
const STAYING: Queue = Queue { puts: &[1, 1], ends: false, ..RIGHT };

#[test]
fn nobody_sleeps_while_an_item_is_there() {
    holds("queue, 1 puts, 1 gets, 2 kills", &Queue { kills: 2, ..RIGHT });
    holds_wide("queue, 2 put, 1 gets, 1 kill", &Queue { puts: &[1, 1], ..RIGHT });
    holds_wide("queue, 2 put, 1 gets, 2 kills", &Queue { puts: &[1, 1], kills: 2, ..RIGHT });
    holds_wide("queue, 1 puts, 2 get, looks, 1 kill", &Queue { getters: 2, looks: true, ..RIGHT });
}

#[test]
fn nobody_sleeps_while_there_is_room() {
    holds("queue of 1, 1 puts, 1 gets, 1 kill", &Queue { puts: &[3], bound: 1, ..RIGHT });
    holds_wide("queue of 1, 2 put, 1 gets, 1 kill", &Queue { puts: &[2, 1], bound: 1, ends: false, ..RIGHT });
}

#[test]
fn while_nobody_dies_nobody_needs_the_short_sleep_to_end() {
    let relies = Queue { kills: 0, short: false, ..RIGHT };
    holds("queue, 2 put, 1 gets, no kill, no end of sleep", &Queue { puts: &[1, 1], ..relies });
    holds("queue, 1 puts, 2 get, no kill, no end of sleep", &Queue { getters: 2, ..relies });
    holds_wide(
        "queue of 1, 2 put, 1 gets, no kill, no end of sleep",
        &Queue { puts: &[2, 1], bound: 1, ends: false, ..relies },
    );
}

/// The kernel wakes one who sleeps, but `awake` stays as it is: who has looked and does not sleep yet misses it. It is the end of the short
/// sleep that helps him then. It also helps who misses the wake-up of one that is killed while it gives its handle back.
#[test]
fn after_a_death_the_short_sleep_has_to_end() {
    fails("queue, killed before a waiter sleeps", &Queue { short: false, ..STAYING }, STUCK);
    holds("queue, 2 put, 1 gets, 1 kill, asleep at once", &Queue { short: false, at_once: true, ..STAYING });
    let ends = Queue { short: false, at_once: true, puts: &[1, 1], ..RIGHT };
    fails("queue, killed while it gives its handle back", &ends, STUCK);
}

#[test]
fn a_watcher_learns_of_each_item() {
    let right = Queue { watchers: 1, getters: 0, says_moving: true, ends: false, ..RIGHT };
    holds("queue, 2 put, 1 watches, 1 kill", &Queue { puts: &[1, 1], ..right });
    holds_wide("queue, 1 puts, 2 watch, 1 kill", &Queue { watchers: 2, ..right });
    holds_wide("queue, 1 puts, 1 gets, 1 watches, 1 kill", &Queue { getters: 1, ..right });
    let real = Queue { says_moving: false, quiet: false, ..right };
    holds("queue, 2 put, 1 watches, 1 kill, not quiet", &Queue { puts: &[1, 1], ..real });
    holds_wide("queue, 1 puts, 1 gets, 1 watches, 1 kill, not quiet", &Queue { getters: 1, ..real });
    holds("queue, 2 put, 1 watches, no kill", &Queue { puts: &[1, 1], says_moving: false, kills: 0, ..right });
}

/// As it was: between the token and the hammer one is killed, and the descriptor was ready until the next item, with nothing there.
#[test]
fn a_watcher_is_woken_again_and_again_after_a_death() {
    let real = Queue { watchers: 1, getters: 0, ..STAYING };
    let trace = fails("queue, killed between token and hammer", &real, STUCK);
    println!("{trace:?}");
    let raised = Queue { puts: &[2], watchers: 2, ..real };
    let trace = fails("queue, killed between hammer and token", &raised, STUCK);
    println!("{trace:?}");
}

#[test]
fn mutants_are_found() {
    let quiet = Queue { kills: 0, short: false, ..STAYING };
    let at_once = Queue { short: false, at_once: true, ..STAYING };
    let watched = Queue { watchers: 1, getters: 0, says_moving: true, ..STAYING };
    let mutants = [
        (Mutant::TellsLate, STAYING, STUCK),
        (Mutant::NoPending, at_once, STUCK),
        (Mutant::AsksEarly, quiet, STUCK),
        (Mutant::SaysLate, quiet, STUCK),
        (Mutant::DrainsFirst, Queue { watchers: 2, puts: &[2], ..watched }, STUCK),
        (Mutant::Unlocked, STAYING, STUCK),
        (Mutant::Blind, STAYING, STUCK),
        (Mutant::NoTurn, Queue { puts: &[2], getters: 2, ..at_once }, STUCK),
        (Mutant::NoLast, RIGHT, LEFT),
        (Mutant::NoMind, watched, STUCK),
        (Mutant::BlindMind, watched, STUCK),
    ];
    for (mutant, model, wrong) in mutants {
        fails(&format!("queue, {mutant:?}"), &Queue { mutant, ..model }, wrong);
    }
}
