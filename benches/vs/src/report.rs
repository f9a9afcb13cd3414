//! The table, and which of the targets are reached.

use std::{env, fs, process::Command, time::Duration};

pub(crate) struct Report {
    unit: Duration,
    verdicts: Vec<String>,
}

pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
}

impl Report {
    /// Says first where and of what the numbers are.
    pub(crate) fn new(rounds: usize) -> Self {
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
        println!("numbers  medians of {rounds}");
        Self { unit: Duration::ZERO, verdicts: Vec::new() }
    }

    /// From here on ratios are to `unit`.
    pub(crate) fn section(&mut self, title: &str, unit_name: &str, unit: Duration) {
        println!("\n{title:<52} {:>11} {:>16}", "median", format!("/ {unit_name}"));
        self.unit = unit;
    }

    pub(crate) fn line(&self, name: &str, time: Duration) {
        println!("  {name:<50} {:>8.3} ms {:>16.2}", time.as_secs_f64() * 1e3, ratio(time, self.unit));
    }

    pub(crate) fn note(&self, note: &str) {
        println!("\n{note}");
    }

    pub(crate) fn verdict(&mut self, target: Target, what: &str, time: Duration, other: Duration) {
        let ratio = ratio(time, other);
        let (reached, wanted) = match target {
            Target::AtMost(most) => (ratio <= most, format!("at most {most:.2}")),
            Target::AtLeast(least) => (ratio >= least, format!("at least {least:.2}")),
        };
        let verdict = if reached { "reached" } else { "MISSED" };
        self.verdicts.push(format!("  {verdict:<8} {ratio:>8.2} {what} ({wanted})"));
    }

    pub(crate) fn print_verdicts(&self) {
        println!("\ntargets");
        for verdict in &self.verdicts {
            println!("{verdict}");
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
