//! What a target may return besides a value: an exit code, nothing, or never.

use multiprocess as mp;

use std::process::{self, ExitCode};

use mp::Target;

#[mp::process_target]
fn code(number: u8) -> ExitCode {
    ExitCode::from(number)
}

#[mp::process_target]
fn by_path() -> process::ExitCode {
    process::ExitCode::SUCCESS
}

#[mp::process_target]
fn never(status: i32) -> ! {
    process::exit(status)
}

#[mp::process_target]
fn unit() -> () {}

#[mp::process_target]
fn fallible(ok: bool) -> Result<u64, String> {
    if ok { Ok(1) } else { Err("no".into()) }
}

fn output<T: Target>(_: T) -> &'static str {
    std::any::type_name::<T::Output>()
}

fn call<T: Target>(_: T, args: T::Args) -> Result<T::Output, ExitCode> {
    T::call(args)
}

fn main() {
    assert_eq!(call(code, (0,)), Ok(()));
    assert_eq!(call(code, (3,)), Err(ExitCode::from(3)));
    assert_eq!(call(by_path, ()), Ok(()));
    assert_eq!(call(unit, ()), Ok(()));
    assert_eq!(call(fallible, (true,)), Ok(Ok(1)));
    assert_eq!(code(3), ExitCode::from(3));
    assert!(output(never).ends_with("Never"));
    let leave: fn(i32) -> ! = *never;
    leave(0)
}
