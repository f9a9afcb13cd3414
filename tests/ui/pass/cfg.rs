//! What is configured out is gone as a whole.

use multiprocess as mp;

#[mp::process_target]
#[cfg(any())]
fn absent(_: ThisTypeIsNowhere) {}

#[cfg(any())]
#[mp::process_target]
fn absent(_: ThisTypeIsNowhere) {}

#[cfg_attr(all(), mp::process_target)]
#[cfg(all())]
fn present() {}

#[mp::process_target]
#[cfg(any())]
fn absent(_: &mut ThisTypeIsNowhere) {}

#[mp::process_target(worker_state)]
#[cfg(any())]
fn absent() -> ThisTypeIsNowhere {}

#[cfg_attr(all(), mp::process_target(worker_state))]
#[cfg(all())]
fn made() -> u8 {
    3
}

struct Nothing;

#[mp::process_target]
#[cfg(any())]
impl mp::Job for Nothing {
    fn run(self) -> ThisTypeIsNowhere {}
}

fn main() {
    present();
    let _: fn() -> u8 = *made;
    let _ = mp::Process::new(present, ());
    let _ = Nothing;
}
