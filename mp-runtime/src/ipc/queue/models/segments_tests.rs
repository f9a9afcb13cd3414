//! What holds of the segments, and what does not.

use super::{
    memory::{DAMAGED, LOST, TWICE},
    segments::{Mutant, Segments},
};
use crate::models::search::{STUCK, fails, holds, holds_wide};

const TWO: &[&[u8]] = &[&[1], &[1]];
const RIGHT: Segments = Segments { puts: &[&[1, 0]], getters: 1, most: 4, few: 3, kills: 1, mutant: Mutant::None };

/// Two with chains of two, and one who may put all in order.
const LONG: Segments = Segments { puts: &[&[2], &[0], &[2]], getters: 0, most: 5, kills: 2, ..RIGHT };

#[test]
fn no_segment_is_lost_or_used_twice() {
    holds("segments, 1 puts, 1 gets, 2 kills", &Segments { kills: 2, ..RIGHT });
    holds("segments, 2 put, 1 gets, 1 kill", &Segments { puts: TWO, ..RIGHT });
    holds("segments, 1 puts, 2 get, 1 kill", &Segments { getters: 2, ..RIGHT });
    holds("segments, chains of 2, 1 puts, 1 gets, 2 kills", &Segments { puts: &[&[2, 1]], kills: 2, ..RIGHT });
    holds_wide("segments, 2 put, 1 gets, 2 kills", &Segments { puts: TWO, kills: 2, ..RIGHT });
    holds_wide("segments, 2 put, 2 get, 1 kill", &Segments { puts: TWO, getters: 2, ..RIGHT });
    holds_wide(
        "segments, chains of 2, 2 put, 1 gets, 2 kills",
        &Segments { puts: &[&[2], &[1]], most: 5, kills: 2, ..RIGHT },
    );
    holds_wide("segments, chains of 2, 3 put, 2 kills", &LONG);
}

#[test]
fn mutants_are_found() {
    let two = Segments { puts: TWO, ..RIGHT };
    let more = Segments { getters: 2, ..two };
    let long = Segments { puts: &[&[2, 1]], getters: 2, ..RIGHT };
    let few = Segments { puts: &[&[1, 1]], getters: 2, most: 3, ..RIGHT };
    let left = Segments { puts: &[&[0, 0, 1]], getters: 2, ..RIGHT };
    let mutants = [
        (Mutant::OwnsEarly, more, TWICE),
        (Mutant::SweepsOnce, few, STUCK),
        (Mutant::KeepsNotes, LONG, TWICE),
        (Mutant::QueuesLate, more, LOST),
        (Mutant::FreesEarly, left, DAMAGED),
        (Mutant::TakesAllForDead, two, TWICE),
        (Mutant::NoLeak, two, LOST),
        (Mutant::StakesLate, two, LOST),
        (Mutant::DisownsEarly, two, LOST),
        (Mutant::FreesLastFirst, long, TWICE),
        (Mutant::NoSweep, few, STUCK),
    ];
    for (mutant, model, wrong) in mutants {
        if cfg!(debug_assertions) && matches!(mutant, Mutant::KeepsNotes | Mutant::OwnsEarly) {
            // That takes too long.
            continue;
        }
        let trace = fails(&format!("segments, {mutant:?}"), &Segments { mutant, ..model }, wrong);
        if matches!(mutant, Mutant::OwnsEarly | Mutant::SweepsOnce | Mutant::KeepsNotes) {
            println!("{trace:?}");
        }
    }
}
