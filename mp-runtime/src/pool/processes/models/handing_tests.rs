//! What holds of begin and take back, and what does not.

use super::handing::{BLAME, DAMAGED, Mutant, NOBODYS, OTHER, Pool, TAKEN};
use crate::models::search::{fails, holds, holds_wide};

const RIGHT: Pool =
    Pool { workers: 1, tasks: 3, depth: 3, kills: 1, take_backs: 2, tries_again: false, mutant: Mutant::None };

#[test]
fn each_task_is_settled_once() {
    holds("tasks, 3 of 1 worker, 1 kill, 2 taken back", &RIGHT);
    holds_wide("tasks, 3 of 1 worker, no kill, 3 taken back", &Pool { kills: 0, take_backs: 3, ..RIGHT });
    holds_wide("tasks, 2 of 2 workers, 1 kill, 1 taken back", &Pool { workers: 2, tasks: 2, take_backs: 1, ..RIGHT });
    holds_wide("tasks, 3 of 2 workers, 1 kill, 1 taken back", &Pool { workers: 2, take_backs: 1, depth: 2, ..RIGHT });
}

#[test]
fn a_task_is_tried_again() {
    let again = Pool { tries_again: true, kills: 2, take_backs: 1, ..RIGHT };
    holds("tasks, 2 of 1 worker, 2 kills, 1 taken back, tried again", &Pool { tasks: 2, ..again });
    holds_wide("tasks, 3 of 1 worker, 2 kills, 1 taken back, tried again", &again);
}

#[test]
fn mutants_are_found() {
    let alive = Pool { kills: 0, ..RIGHT };
    let mutants = [
        (Mutant::SameGeneration, alive, OTHER),
        (Mutant::NoRebase, alive, DAMAGED),
        (Mutant::OneRebase, alive, DAMAGED),
        (Mutant::NoSecondLook, Pool { take_backs: 3, ..alive }, DAMAGED),
        (Mutant::BeginsBlindly, alive, NOBODYS),
        (Mutant::OldLook, alive, NOBODYS),
        (Mutant::FreesBegun, alive, OTHER),
        (Mutant::BlamesFirst, RIGHT, NOBODYS),
        (Mutant::NoBlame, RIGHT, BLAME),
        (Mutant::AnswersEarly, alive, TAKEN),
    ];
    for (mutant, model, wrong) in mutants {
        fails(&format!("tasks, {mutant:?}"), &Pool { mutant, ..model }, wrong);
    }
}

/// No worker looks at `REBASE` before there is a task again, and by then it is written in either order. If it were written late, one would do.
#[test]
fn rebase_may_be_written_late() {
    holds("tasks, REBASE late", &Pool { mutant: Mutant::RebaseLate, ..RIGHT });
    holds_wide("tasks, one REBASE, late", &Pool { mutant: Mutant::OneRebaseLate, ..RIGHT });
}
