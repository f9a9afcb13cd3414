//! Feature `progress`: a bar on the terminal that says how far a map has got.
//!
//! All that draws does so under one lock, as does the thread that passes on what workers say: so the bars are out of the way while that is
//! written. What cannot be written to standard error, nobody can be told: as everywhere else, it is left out.

use std::{
    io::{StderrLock, Write as _, stderr},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::{Executor, Imap, Progress};
use crate::process::WorkerTarget;

const KNOWN: &str = "{prefix} {wide_bar} {pos}/{len} {rate}/s, {eta} left{msg}";
const UNKNOWN: &str = "{prefix} {spinner} {pos} {rate}/s, {elapsed}{msg}";

/// `None`: there is no bar on the terminal.
static SCREEN: Mutex<Option<Screen>> = Mutex::new(None);
/// Whether there is one: to be asked by those who must not wait for the terminal.
static IS_SHOWN: AtomicBool = AtomicBool::new(false);

struct Screen {
    multi: MultiProgress,
    bars: Vec<ProgressBar>,
}

/// Standard error comes first, as whoever waits for the screen may have it already.
fn screen() -> (StderrLock<'static>, MutexGuard<'static, Option<Screen>>) {
    let stderr = stderr().lock();
    (stderr, SCREEN.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Whether there is a bar on the terminal.
pub(super) fn is_shown() -> bool {
    IS_SHOWN.load(Ordering::Relaxed)
}

/// Writes to standard error: above the bars, if there are any.
pub(super) fn write_above(said: &[u8]) {
    let (mut stderr, screen) = screen();
    if let Some(screen) = &*screen {
        screen.multi.clear().ok();
    }
    stderr.write_all(said).ok();
    if let Some(screen) = &*screen {
        // Else a bar would stand behind it, and wipe it away.
        if !said.ends_with(b"\n") {
            stderr.write_all(b"\n").ok();
        }
        // This draws all of them.
        screen.bars.iter().take(1).for_each(ProgressBar::force_draw);
    }
}

/// A bar on the terminal.
struct Bar {
    bar: ProgressBar,
    label: String,
    since: Instant,
    last: Progress,
    is_open: bool,
}

impl Bar {
    fn open(label: String, now: Progress) -> Self {
        let (_stderr, mut screen) = screen();
        IS_SHOWN.store(true, Ordering::Relaxed);
        let screen = screen.get_or_insert_with(|| Screen { multi: MultiProgress::new(), bars: Vec::new() });
        let bar = ProgressBar::with_draw_target(now.total, ProgressDrawTarget::hidden());
        let bar = screen.multi.add(bar.with_style(style(now.total)).with_prefix(label.clone()));
        bar.force_draw();
        screen.bars.push(bar.clone());
        Self { bar, label, since: Instant::now(), last: now, is_open: true }
    }

    fn tell(&mut self, now: Progress) {
        if !self.is_open {
            return;
        }
        let before = std::mem::replace(&mut self.last, now);
        let screen = screen();
        if before.total != now.total {
            self.bar.set_style(style(now.total));
            now.total.into_iter().for_each(|total| self.bar.set_length(total));
        }
        if before.failed != now.failed {
            self.bar.set_message(format!(", {} failed", now.failed));
        }
        self.bar.set_position(now.settled);
        drop(screen);
        if now.total == Some(now.settled) {
            self.close();
        }
    }

    /// Leaves a line in the place of the bar that says how it ended.
    fn close(&mut self) {
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        let Progress { settled, failed, total, .. } = self.last;
        let of = total.map_or_else(String::new, |total| format!(" of {total}"));
        let failures = if failed == 0 { String::new() } else { format!(", {failed} failed") };
        let line = format!("{} {settled}{of} in {:.1?}{failures}", self.label, self.since.elapsed());
        let (_stderr, mut all) = screen();
        let Some(screen) = &mut *all else { return };
        screen.multi.println(line).ok();
        self.bar.finish_and_clear();
        screen.multi.remove(&self.bar);
        screen.bars.retain(|bar| !bar.is_finished());
        if screen.bars.is_empty() {
            *all = None;
            IS_SHOWN.store(false, Ordering::Relaxed);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.close();
    }
}

fn style(total: Option<u64>) -> ProgressStyle {
    let template = if total.is_some() { KNOWN } else { UNKNOWN };
    let rate = |state: &ProgressState, line: &mut dyn std::fmt::Write| {
        let rate = state.per_sec();
        // Writing to a string cannot fail.
        write!(line, "{rate:.*}", usize::from(rate < 10.0)).ok();
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).with_key("rate", rate)
}

impl<'e, E, F, I> Imap<'e, E, F, I>
where
    E: Executor + ?Sized,
    F: WorkerTarget<E::State>,
    I: Iterator<Item = F::Args>,
{
    /// Shows a bar on standard error that says how far this has got: how many items are settled and how many of them failed, how many there are
    /// in a second, and how long the rest will take. Feature `progress`.
    ///
    /// Where the input does not know how many there are, the bar has no end, and says for how long it has gone on. It is drawn when
    /// something has come, at most twenty times a second; when all has, or this is dropped (but not by a panic), a line that stays takes its place. Where standard error
    /// is no terminal, nothing is written.
    ///
    /// What workers write to their standard error is written above the bar, line by line. What they and this program write to the terminal otherwise
    /// may get into the bar's line. Several bars at a time stand below each other.
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
    /// let squares = pool.imap(square, 0..10_000).progress_bar("squares").after_all()?;
    /// assert_eq!(squares.len(), 10_000);
    /// # Ok(())
    /// # }
    /// ```
    pub fn progress_bar(self, label: impl Into<String>) -> Self {
        if ProgressDrawTarget::stderr().is_hidden() {
            return self;
        }
        let mut bar = Bar::open(label.into(), self.progress());
        self.on_progress(move |progress| bar.tell(*progress))
    }
}
