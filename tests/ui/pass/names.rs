//! Raw names, and names that generated code might use itself.

use multiprocess as mp;

use mp::Target as _;

#[mp::process_target]
fn r#type(r#struct: u8) -> u8 {
    r#struct
}

#[mp::process_target]
fn internals(args: u8, this: u8, argument: u8, formatter_: u8, code_: u8) -> u8 {
    args + this + argument + formatter_ + code_
}

#[mp::process_target]
fn call(args: u8) -> u8 {
    args
}

#[mp::process_target]
fn clone(from: u8) -> u8 {
    from
}

#[mp::process_target]
fn deref() -> u8 {
    1
}

#[mp::process_target]
fn id() {}

#[mp::process_target]
fn formatter() {}

#[mp::process_target]
fn f() {}

#[mp::process_target]
fn job() {}

#[mp::process_target]
fn code() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Work;

#[mp::process_target]
impl mp::Job for Work {
    fn run(self) -> std::process::ExitCode {
        code()
    }
}

#[mp::process_target]
fn state(this: &mut u8, args: u8) -> u8 {
    *this += args;
    *this
}

#[mp::process_target(worker_state)]
fn error(args: u8) -> Result<u8, String> {
    Err(args.to_string())
}

#[mp::process_target(worker_state)]
fn build(r#fn: u8) -> u8 {
    r#fn
}

#[mp::process_target]
fn patterns((a, b): (u8, u8), [c, _]: [u8; 2], mut d: Vec<u8>, _: u8) -> u8 {
    d.push(a + b + c);
    d[0]
}

fn main() {
    assert_eq!(r#type(1), 1);
    assert!(r#type.id().name().ends_with("::type"));
    assert_eq!(internals(1, 1, 1, 1, 1), 5);
    assert_eq!(call(1) + clone(1) + deref(), 3);
    let _ = call.id();
    id();
    formatter();
    f();
    job();
    assert_eq!(state(&mut build(1), 1), 2);
    assert!(error(1).is_err());
    mp::Job::run(Work);
    assert_eq!(patterns((1, 1), [1, 1], vec![], 1), 3);
    let _ = mp::Process::new(patterns, ((1, 1), [1, 1], vec![], 1));
}
