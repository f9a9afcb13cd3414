//! What a pool has done so far.

use std::{
    fmt,
    fs::read_to_string,
    time::{Duration, Instant},
};

use super::core::{Core, Slot, Worker};
use crate::sys::sysconf;

/// So many of the longest tasks are kept.
const LONGEST: usize = 5;

/// What a pool has done so far, and what it is at: [`Pool::stats`](crate::Pool::stats). Its [`Display`](fmt::Display) is a table.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn square(x: u64) -> u64 {
///     x * x
/// }
///
/// # fn main() -> mp::Result<()> {
/// let pool = mp::Pool::builder().workers(2).build()?;
/// pool.map(square, 0..1000)?;
/// let stats = pool.stats();
/// assert_eq!(stats.workers.iter().map(|worker| worker.tasks).sum::<u64>(), 1000);
/// println!("{stats}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PoolStats {
    /// One for each worker's place, with what those have done that were there before.
    pub workers: Vec<WorkerStats>,
    /// How many tasks wait in the queue.
    pub pending: usize,
    /// How many tasks the workers have: those that run, and those that they were given ahead.
    pub outstanding: usize,
    /// The longest tasks, the longest first; up to five. Tasks that are short are seen only in passing, unless the pool writes a
    /// [trace](crate::PoolBuilder::trace_to).
    pub longest: Vec<LongTask>,
}

/// What the workers of one place have done.
///
/// # Examples
///
/// See [`PoolStats`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct WorkerStats {
    /// The name of the one that is there; empty if there is none.
    pub name: String,
    /// Its process id.
    pub pid: Option<u32>,
    /// How many tasks have been done.
    pub tasks: u64,
    /// How long tasks have run.
    pub busy: Duration,
    /// How long a worker was there and ready, and had none.
    pub idle: Duration,
    /// How long it was waited for workers to get ready.
    pub waiting: Duration,
    /// How often one has taken the place of another.
    pub restarts: u64,
    /// How much processor time has been used, of the system's, too.
    pub cpu: Duration,
    /// The most memory that was resident at once, in bytes.
    pub peak_memory: u64,
}

/// A task that took long.
///
/// # Examples
///
/// See [`PoolStats`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LongTask {
    /// The name of its target.
    pub target: String,
    /// Which item of its input it was.
    pub index: u64,
    /// The worker that ran it.
    pub worker: String,
    /// How long.
    pub time: Duration,
}

/// The longest so far.
#[derive(Debug, Default)]
pub(super) struct Longest(Vec<LongTask>);

impl Longest {
    /// Whether a task of that length is one of them.
    pub(super) fn takes(&self, time: Duration) -> bool {
        self.0.len() < LONGEST || self.0.last().is_some_and(|last| last.time < time)
    }

    pub(super) fn add(&mut self, task: LongTask) {
        let at = self.0.partition_point(|known| known.time >= task.time);
        self.0.insert(at, task);
        self.0.truncate(LONGEST);
    }
}

impl Core {
    pub(super) fn stats(&self) -> PoolStats {
        let workers = self.slots.iter().zip(&self.past).map(|(slot, past)| {
            let mut stats = past.clone();
            match slot {
                Slot::Taken(worker) => worker.add_to(&mut stats),
                _ => stats.restarts = stats.restarts.saturating_sub(1),
            }
            stats
        });
        PoolStats {
            workers: workers.collect(),
            pending: self.pending_items,
            outstanding: self.outstanding(),
            longest: self.longest.0.clone(),
        }
    }
}

impl Worker {
    /// Adds what this one has done to what those before it have.
    pub(super) fn add_to(&self, stats: &mut WorkerStats) {
        (stats.name, stats.pid) = (self.name.clone(), Some(self.process.pid()));
        stats.tasks += self.done;
        let since = |from: Instant, to: Instant| to.saturating_duration_since(from);
        let now = Instant::now();
        match self.ready {
            Some(ready) => {
                let busy = self.busy + self.desk.busy_now();
                stats.busy += busy;
                stats.waiting += since(self.started, ready);
                stats.idle += since(ready, now).saturating_sub(busy);
            }
            None => stats.waiting += since(self.started, now),
        }
        let (cpu, peak) = match self.process.rusage() {
            Some(usage) => (usage.user_time() + usage.system_time(), usage.max_rss()),
            None => (cpu_of(self.process.pid()), peak_of(self.process.pid())),
        };
        stats.cpu += cpu;
        stats.peak_memory = stats.peak_memory.max(peak);
    }
}

/// `proc_pid_stat(5)`
fn cpu_of(pid: u32) -> Duration {
    let text = read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name before it may hold anything.
    let fields = text.rsplit(") ").next().unwrap_or_default();
    let ticks: u64 = fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_secs(ticks) / sysconf::clock_ticks()
}

/// `proc_pid_status(5)`
fn peak_of(pid: u32) -> u64 {
    let text = read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() * 1024
}

impl fmt::Display for PoolStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.workers.iter().map(|worker| worker.name.len()).max().unwrap_or_default().max(6);
        let (tasks, busy, idle, waiting, cpu) = ("tasks", "busy", "idle", "waiting", "cpu");
        writeln!(
            f,
            "{:width$} {:>8} {tasks:>10} {busy:>10} {idle:>10} {waiting:>10} {cpu:>10} {:>9} {:>8}",
            "worker", "pid", "peak", "restarts"
        )?;
        for worker in &self.workers {
            let WorkerStats { name, tasks, restarts, .. } = worker;
            let pid = worker.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
            let [busy, idle, waiting, cpu] = [worker.busy, worker.idle, worker.waiting, worker.cpu].map(seconds);
            let peak = format!("{:.1} MiB", worker.peak_memory as f64 / f64::from(1 << 20));
            writeln!(
                f,
                "{name:width$} {pid:>8} {tasks:>10} {busy:>10} {idle:>10} {waiting:>10} {cpu:>10} {peak:>9} {restarts:>8}"
            )?;
        }
        write!(f, "{} pending, {} with the workers", self.pending, self.outstanding)?;
        for task in &self.longest {
            write!(f, "\n{:>10}  task {} of {} ({})", seconds(task.time), task.index, task.target, task.worker)?;
        }
        Ok(())
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}
