//! Attributes of the user go where they work.

#![deny(warnings)]

use multiprocess as mp;

/// With docs.
#[doc(alias = "pow2")]
#[must_use]
#[mp::process_target]
#[inline(never)]
#[track_caller]
#[cold]
#[allow(non_snake_case, unused_mut)]
pub fn Square(mut x: u64) -> u64 {
    #![allow(unused_variables)]
    let unused = 1;
    x * x
}

#[mp::process_target]
#[expect(unused_variables)]
fn expected(#[allow(unused)] a: u8, b: u8) {}

struct Model(u64);

/// Makes the state.
#[must_use]
#[mp::process_target(worker_state)]
#[inline(never)]
#[cfg(all())]
#[allow(non_snake_case)]
#[track_caller]
fn Open(#[allow(unused)] path: String) -> Model {
    #![allow(unused_variables)]
    let unused = 1;
    Model(path.len() as u64)
}

/// Uses it.
#[must_use]
#[mp::process_target]
#[cold]
#[cfg(all())]
#[expect(unused_variables)]
fn look(#[allow(unused_mut)] mut model: &mut Model, unused: u8) -> u64 {
    model.0
}

fn main() {
    assert_eq!(look(&mut Open("path".into()), 1), 4);
    assert_eq!(Square(3), 9);
    expected(1, 2);
}
