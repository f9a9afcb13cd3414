//! Targets whose first argument is the state of a worker.

use multiprocess as mp;

use std::{fmt::Debug, ops::DerefMut, process::ExitCode};

use mp::__private::WorkerTarget;

/// Not what serde could write.
struct Counter {
    count: u64,
    log: Vec<&'static str>,
    step: Box<dyn Fn(u64) -> u64>,
}

fn counter() -> Counter {
    Counter { count: 0, log: Vec::new(), step: Box::new(|n| n + 1) }
}

#[mp::process_target]
fn add(counter: &mut Counter, n: u64) -> u64 {
    counter.count += n;
    counter.count
}

#[mp::process_target]
fn next(Counter { count, step, .. }: &mut Counter) -> u64 {
    *count = step(*count);
    *count
}

#[mp::process_target]
fn note(counter: &mut Counter, _: String, mut times: u32, (a, _): (u8, u8)) {
    times += u32::from(a);
    counter.log.extend((0..times).map(|_| "noted"));
}

#[mp::process_target]
fn count_down(counter: &mut Counter) -> u64 {
    if counter.count == 0 {
        return 0;
    }
    counter.count -= 1;
    let plain: fn(&mut Counter) -> u64 = *count_down;
    let _ = plain;
    count_down(counter) + 1
}

#[mp::process_target]
fn leave(counter: &mut Counter) -> ExitCode {
    ExitCode::from(counter.count as u8)
}

#[mp::process_target]
fn never(_: &mut Counter, status: i32) -> ! {
    std::process::exit(status)
}

#[mp::process_target]
fn push(list: &mut Vec<Result<String, Box<dyn Debug + Send>>>, text: String) -> usize {
    list.push(Ok(text));
    list.len()
}

#[mp::process_target]
fn any(state: &mut Box<dyn DerefMut<Target = u64>>) -> u64 {
    ***state += 1;
    ***state
}

#[mp::process_target]
fn pair((words, f): &mut (&'static [&'static str], fn(u8) -> u8), n: u8) -> u8 {
    words.len() as u8 + f(n)
}

#[mp::process_target]
#[rustfmt::skip]
fn most(
    sum: &'_ mut u8,
    a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8,
    i: u8, j: u8, k: u8, l: u8, m: u8, n: u8, o: u8, p: u8,
) -> u8 {
    *sum += a + b + c + d + e + f + g + h + i + j + k + l + m + n + o + p;
    *sum
}

#[mp::process_target]
fn stateless(x: u64) -> u64 {
    x * x
}

/// As a worker calls it.
fn call<S, T: WorkerTarget<S>>(_: T, state: &mut S, args: T::Args) -> Result<T::Output, ExitCode> {
    T::call_with(state, args)
}

fn name<S, T: WorkerTarget<S>>(_: T) -> &'static str {
    T::ID.name()
}

fn main() {
    let mut state = counter();
    assert_eq!(add(&mut state, 1), 1);
    assert_eq!(next(&mut state), 2);
    note(&mut state, String::new(), 2, (1, 1));
    assert_eq!(state.log.len(), 3);
    assert_eq!(call(add, &mut state, (5,)), Ok(7));
    assert_eq!(call(next, &mut state, ()), Ok(8));
    assert_eq!(call(note, &mut state, (String::new(), 1, (0, 0))), Ok(()));
    assert_eq!(call(leave, &mut state, ()), Err(ExitCode::from(8)));
    assert_eq!(call(count_down, &mut state, ()), Ok(8));
    assert_eq!(call(leave, &mut state, ()), Ok(()));
    assert_eq!(call(stateless, &mut state, (3,)), Ok(9));
    assert_eq!(push(&mut Vec::new(), "text".into()), 1);
    assert_eq!(call(any, &mut (Box::new(Box::new(1_u64)) as _), ()), Ok(2));
    assert_eq!(call(pair, &mut (&["a"], |n| n + 1), (1,)), Ok(3));
    assert_eq!(most(&mut 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1), 17);
    assert_eq!(format!("{add:?}"), "add");
    assert!(name(add).ends_with("::add"));
    let plain: fn(&mut Counter, u64) -> u64 = *add;
    assert_eq!(plain(&mut state, 2), 2);
    let exit: fn(&mut Counter, i32) -> ! = *never;
    exit(&mut state, 0)
}
