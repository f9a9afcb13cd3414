//! The table, and which of the targets are reached.

use std::{env, fs, process::Command, time::Duration};

pub(crate) struct Report {
    measure: Measure,
    unit: Duration,
    verdicts: Vec<String>,
}

/// As what the time of a turn is shown.
#[derive(Clone, Copy)]
pub(crate) enum Measure {
    /// Milliseconds, for all of it.
    Millis,
    /// Nanoseconds, for each of the so many things that are done in it.
    NanosEach(u32),
    /// Microseconds, for each of the so many things that are done in it.
    MicrosEach(u32),
    /// Messages, or whatever it is, in a second: there are so many in it.
    Messages(u32),
    /// Things in a second, of which there are not many: so many are done in it.
    Things(u32),
    /// GiB in a second: it moves so many bytes.
    Bytes(usize),
}

pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
}

impl Report {
    /// Says first where and of what the numbers are.
    pub(crate) fn new() -> Self {
        let linked = if cfg!(target_feature = "crt-static") { "static" } else { "dynamic" };
        println!("machine  {}", machine());
        println!("kernel   {}", read("/proc/sys/kernel/osrelease"));
        println!("rustc    {}", said(Command::new("rustc").arg("--version")));
        println!(
            "commit   {}",
            said(Command::new("git").args([
                "-C",
                env!("CARGO_MANIFEST_DIR"),
                "describe",
                "--always",
                "--dirty",
                "--abbrev=12"
            ]))
        );
        println!("build    {linked}{}", if cfg!(debug_assertions) { ", WITHOUT --release" } else { "" });
        Self { measure: Measure::Millis, unit: Duration::ZERO, verdicts: Vec::new() }
    }

    /// From here on lines are medians of so many rounds, and their ratios are to the unit, which has a name.
    pub(crate) fn section(&mut self, title: &str, rounds: usize, measure: Measure, unit: (&str, Duration)) {
        let (name, unit) = unit;
        println!("\n{title:<52} {:>14} {:>16}", format!("median of {rounds}"), format!("/ {name}"));
        (self.measure, self.unit) = (measure, unit);
    }

    pub(crate) fn line(&self, name: &str, time: Duration) {
        let (number, ratio) = (self.measure.show(time), self.measure.ratio(time, self.unit));
        println!("  {name:<50} {number:>14} {ratio:>16.2}");
    }

    /// For who is not there.
    pub(crate) fn absent(&self, name: &str) {
        println!("  {name:<50} {:>14}", "not installed");
    }

    pub(crate) fn note(&self, note: &str) {
        println!("\n{note}");
    }

    pub(crate) fn verdict(&mut self, target: Target, what: &str, time: Duration, other: Duration) {
        self.verdict_of(target, what, ratio(time, other));
    }

    pub(crate) fn verdict_of(&mut self, target: Target, what: &str, number: f64) {
        let (reached, wanted) = match target {
            Target::AtMost(most) => (number <= most, format!("at most {most:.2}")),
            Target::AtLeast(least) => (number >= least, format!("at least {least:.2}")),
        };
        let verdict = if reached { "reached" } else { "MISSED" };
        self.verdicts.push(format!("  {verdict:<8} {number:>8.2} {what} ({wanted})"));
    }

    pub(crate) fn print_verdicts(&self) {
        println!("\ntargets");
        for verdict in &self.verdicts {
            println!("{verdict}");
        }
    }
}

impl Measure {
    fn show(self, time: Duration) -> String {
        let seconds = time.as_secs_f64();
        match self {
            Self::Millis => format!("{:.3} ms   ", seconds * 1e3),
            Self::NanosEach(count) => format!("{:.1} ns   ", seconds / f64::from(count) * 1e9),
            Self::MicrosEach(count) => format!("{:.3} µs   ", seconds / f64::from(count) * 1e6),
            Self::Messages(count) => format!("{:.0} k/s  ", f64::from(count) / seconds / 1e3),
            Self::Things(count) => format!("{:.0} /s  ", f64::from(count) / seconds),
            Self::Bytes(bytes) => format!("{:.2} GiB/s", bytes as f64 / seconds / f64::from(1 << 30)),
        }
    }

    /// Of the numbers that are shown.
    fn ratio(self, time: Duration, unit: Duration) -> f64 {
        match self {
            Self::Millis | Self::NanosEach(_) | Self::MicrosEach(_) => ratio(time, unit),
            Self::Messages(_) | Self::Things(_) | Self::Bytes(_) => ratio(unit, time),
        }
    }
}

fn ratio(time: Duration, other: Duration) -> f64 {
    time.as_secs_f64() / other.as_secs_f64()
}

fn machine() -> String {
    let text = read("/proc/cpuinfo");
    let processor = text.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{}, {cores} cores, {}", processor.unwrap_or("?").trim(), env::consts::ARCH)
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn said(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&output).trim().to_owned();
    if text.is_empty() { "unknown".to_owned() } else { text }
}
