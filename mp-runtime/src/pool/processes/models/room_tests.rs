//! What holds of a worker that waits for room, and what does not.

use super::room::{Mutant, Room};
use crate::models::search::{STUCK, fails, holds};

const RIGHT: Room = Room { tasks: 16, half: 8, mutant: Mutant::None };

#[test]
fn nobody_waits_for_room_that_there_is() {
    holds("room, told at the half", &RIGHT);
    holds("room, told of each", &Room { half: 1, ..RIGHT });
    holds("room, told as it is full", &Room { half: 4, ..RIGHT });
}

#[test]
fn mutants_are_found() {
    for mutant in [
        Mutant::LooksAnew,
        Mutant::SleepsBlindly,
        Mutant::WaitsSilently,
        Mutant::KnowsNoRoom,
        Mutant::ReadsSilently,
        Mutant::WakesEarly,
    ] {
        if let Some(trace) = fails(&format!("room, {mutant:?}"), &Room { mutant, ..RIGHT }, STUCK) {
            println!("{trace:?}");
        }
    }
    fails("room, told of each, LooksAnew", &Room { half: 1, mutant: Mutant::LooksAnew, ..RIGHT }, STUCK);
}
