//! Whatever the user calls by a name of std, generated code means std.

use ::multiprocess as mp;

#[allow(dead_code, non_camel_case_types, non_upper_case_globals)]
mod shadows {
    pub struct Result;
    pub struct Option;
    pub struct String;
    pub struct Vec;
    pub struct ExitCode;
    pub trait ToString {}
    pub struct Target;
    pub struct Deref;
    pub struct Args;
    pub struct Output;
    pub trait Clone {}
    pub trait Copy {}
    pub trait Debug {}
    pub fn drop() {}
    pub const Ok: u8 = 1;
    pub const Err: u8 = 2;
    pub const Some: u8 = 3;
    pub const None: u8 = 4;
    pub mod std {}
    pub mod core {}
    pub mod inventory {}
    pub mod multiprocess {}
}
#[allow(unused_imports)]
use shadows::*;

#[allow(unused_macros)]
macro_rules! concat { ($($any:tt)*) => { compile_error!("the user's") } }
#[allow(unused_macros)]
macro_rules! line { ($($any:tt)*) => { compile_error!("the user's") } }
#[allow(unused_macros)]
macro_rules! vec { ($($any:tt)*) => { compile_error!("the user's") } }
#[allow(unused_macros)]
macro_rules! file { ($($any:tt)*) => { compile_error!("the user's") } }
#[allow(unused_macros)]
macro_rules! module_path { ($($any:tt)*) => { compile_error!("the user's") } }

#[mp::process_target]
fn square(x: u64, _text: ::std::string::String) -> u64 {
    x * x
}

#[mp::process_target]
fn exit() -> ::std::process::ExitCode {
    ::std::process::ExitCode::FAILURE
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Work;

#[mp::process_target]
impl mp::Job for Work {
    fn run(self) {}
}

struct Counter(u64);

#[mp::process_target]
fn next(counter: &mut Counter) -> u64 {
    counter.0 += 1;
    counter.0
}

#[mp::process_target(worker_state)]
fn start_at(first: u64) -> ::std::result::Result<Counter, ::std::string::String> {
    ::std::result::Result::Ok(Counter(first))
}

#[mp::process_target(worker_state)]
fn shadow() -> Result {
    Result
}

fn main() {
    assert_eq!(next(&mut start_at(3).unwrap()), 4);
    let _: fn() -> Result = *shadow;
    assert_eq!(square(3, ::std::string::String::new()), 9);
    let _ = exit();
    mp::Job::run(Work);
}
