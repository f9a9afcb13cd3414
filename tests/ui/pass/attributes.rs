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

fn main() {
    assert_eq!(Square(3), 9);
    expected(1, 2);
}
