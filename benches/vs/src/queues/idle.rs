//! What it costs to wait: the processor's time that a process uses for two seconds in `get`.

use std::{thread, time::Duration};

use multiprocess as mp;
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeVal,
};

use crate::{
    Failure,
    locks::{Done, bare::Futex, said},
    report::{Measure, Report, Target},
    rounds::median,
};

const ROUNDS: usize = 3;
const IDLE: Duration = Duration::from_secs(2);
/// For what children do before they wait.
const START: Duration = Duration::from_millis(50);
/// What they may use: 50 millionths of one core.
const ALLOWED: Duration = Duration::from_millis(1);

pub(super) fn compare(report: &mut Report) -> Result<(), Failure> {
    let (mut futexes, mut whole, mut split) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let futex = Futex::new()?;
        let queue = mp::Queue::unbounded()?;
        let (sender, receiver) = mp::Queue::unbounded()?.split();
        let of_futex = mp::spawn(wait_for_futex, (futex.clone(),))?;
        let of_whole = mp::spawn(wait_in_get, (queue.clone(),))?;
        let of_split = mp::spawn(wait_for_sender, (receiver,))?;
        // All at once: none of them is to use anything.
        thread::sleep(START + IDLE);
        futex.signal();
        queue.put(&1)?;
        sender.put(&1)?;
        futexes.push(of_futex.join()??);
        whole.push(of_whole.join()??);
        split.push(of_split.join()??);
    }
    let [futex, whole, split] = [futexes, whole, split].map(|mut times| median(&mut times));
    report.section("processor's time of 2 s in get", ROUNDS, Measure::MicrosEach(1), ("bare", futex));
    report.line("limit: bare futex", futex);
    report.line("multiprocess, Queue", whole);
    report.line("multiprocess, QueueReceiver", split);
    report.verdict(Target::AtMost(1.00), "of 1 ms of a processor, for 2 s in get", whole.max(split), ALLOWED);
    Ok(())
}

#[mp::process_target]
fn wait_for_futex(futex: Futex) -> Result<Duration, String> {
    used_for(|| {
        futex.wait();
        Ok(())
    })
}

#[mp::process_target]
fn wait_in_get(queue: mp::Queue<u64>) -> Result<Duration, String> {
    used_for(|| queue.get().map(drop).map_err(said))
}

#[mp::process_target]
fn wait_for_sender(receiver: mp::QueueReceiver<u64>) -> Result<Duration, String> {
    used_for(|| receiver.get().map(drop).map_err(said))
}

fn used_for(wait: impl FnOnce() -> Done) -> Result<Duration, String> {
    let before = used()?;
    wait()?;
    Ok(used()?.saturating_sub(before))
}

/// By this process, in it and in the kernel.
fn used() -> Result<Duration, String> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).map_err(said)?;
    Ok(duration(usage.user_time()) + duration(usage.system_time()))
}

fn duration(time: TimeVal) -> Duration {
    Duration::new(time.tv_sec().unsigned_abs(), 1000 * time.tv_usec() as u32)
}
