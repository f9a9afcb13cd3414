//! Walks a directory tree with several processes that take directories out of one queue, and put those that they find into it.
//!
//! `cargo run --release --example work_queue -- [--crash] [PATH]`
//!
//! A directory is done when its guard is dropped; all are done when `join` returns. With `--crash` one worker dies with a directory
//! in its hands, which goes to another. Python's twin: a `JoinableQueue`, whose `join()` waits for ever for the dead one's.

use std::{cmp::Reverse, collections::HashMap, env, error::Error, ffi::OsString, fs, process, time::Duration};

use mp::{JoinableQueue, QueueSender};
use multiprocess as mp;
use serde::{Deserialize, Serialize};
use walkdir::{DirEntry, WalkDir};

#[derive(Default, Serialize, Deserialize)]
struct Count {
    files: u64,
    bytes: u64,
    largest: Vec<(u64, OsString)>,
}

impl Count {
    fn add(&mut self, other: Self) {
        (self.files, self.bytes) = (self.files + other.files, self.bytes + other.bytes);
        self.largest.extend(other.largest);
        self.largest.sort_unstable_by_key(|(bytes, _)| Reverse(*bytes));
        self.largest.truncate(5);
    }
}

fn is_wanted(entry: &DirEntry) -> bool {
    entry.depth() == 0 || !matches!(entry.file_name().to_str(), Some("target" | ".git"))
}

/// The files in a directory, to any depth or to just one, and the directories right below it. What cannot be read is not there.
fn look_into(directory: &OsString, depth: usize) -> (Count, Vec<OsString>) {
    let (mut count, mut below) = (Count::default(), Vec::new());
    for entry in WalkDir::new(directory).max_depth(depth).into_iter().filter_entry(is_wanted).flatten() {
        if entry.file_type().is_file() {
            let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
            count.add(Count { files: 1, bytes, largest: vec![(bytes, entry.into_path().into())] });
        } else if entry.file_type().is_dir() && entry.depth() == 1 {
            below.push(entry.into_path().into());
        }
    }
    (count, below)
}

/// Who dies in here has not done the directory: another does it, so what it sent may come twice.
#[mp::process_target]
fn crawl(todo: JoinableQueue<OsString>, counts: QueueSender<(OsString, Count)>, crash: bool) -> mp::Result<usize> {
    let mut done = 0;
    for directory in &todo {
        let directory = directory?;
        let (count, below) = look_into(&directory, 1);
        todo.put_many(&below)?; // before this one is done: `join` never sees an empty queue too early
        counts.put(&(directory.clone(), count))?;
        if crash {
            process::abort();
        }
        done += 1;
    } // done here, when the guard is dropped
    Ok(done)
}

fn main() -> Result<(), Box<dyn Error>> {
    let (options, paths): (Vec<_>, Vec<_>) = env::args_os().skip(1).partition(|argument| argument == "--crash");
    let root = paths.into_iter().next().unwrap_or(".".into());
    fs::read_dir(&root).map_err(|error| format!("{}: {error}", root.display()))?;
    let (todo, (to, counts)) = (JoinableQueue::unbounded()?, mp::Queue::unbounded()?.split());
    todo.put(&root)?;
    let start = |number| mp::spawn(crawl, (todo.clone(), to.clone(), number == 0 && !options.is_empty()));
    let workers = (0..mp::cpu_count().max(3)).map(start).collect::<mp::Result<Vec<_>>>()?;
    drop(to); // the counts end with the last worker

    while !todo.join_timeout(Duration::from_secs(1))? {
        workers.iter().find(|worker| worker.is_alive()).ok_or("nobody is left to do the rest")?;
    }
    todo.shutdown()?; // the end of the workers' loops
    let mut by_directory = HashMap::new(); // one count for each, however often it came
    counts.iter().try_for_each(|count| count.map(|(directory, count)| _ = by_directory.insert(directory, count)))?;
    workers.iter().for_each(|worker| println!("{} did so many directories: {:?}", worker.name(), worker.join()));

    let (mut all, directories) = (Count::default(), by_directory.len());
    by_directory.into_values().for_each(|count| all.add(count));
    all.largest.iter().for_each(|(bytes, path)| println!("{bytes:>12}  {}", path.display()));
    println!("{} bytes in {} files in {directories} directories", all.bytes, all.files);
    let (alone, _) = look_into(&root, usize::MAX);
    if (alone.files, alone.bytes) == (all.files, all.bytes) { Ok(()) } else { Err("one process finds others".into()) }
}
