//! Which letters does text consist of? Several processes count into one array that all of them see.
//!
//! `cargo run --release --example shared_histogram -- [PATHS]`
//!
//! Nothing is collected in the end: the counts are in shared memory, and so is the number of the file that is next. Python's
//! twin: `RawArray("Q", 26)`, where `letters[i] += n` of two processes loses counts; or `Array` and its lock.

use std::{
    env,
    error::Error,
    ffi::OsString,
    fs, iter,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use multiprocess as mp;
use serde::{Deserialize, Serialize};
use walkdir::{DirEntry, WalkDir};

#[derive(Clone, Serialize, Deserialize)]
struct Histogram {
    next_file: mp::RawValue<AtomicU64>,
    letters: mp::RawArray<AtomicU64>,
    /// The longest line and its file: two numbers that change together, under a lock.
    longest: mp::Value<[u64; 2]>,
}

impl Histogram {
    fn new() -> mp::Result<Self> {
        Ok(Self { next_file: mp::RawValue::new(0)?, letters: mp::RawArray::new(26)?, longest: mp::Value::new([0; 2])? })
    }

    fn result(&self) -> ([u64; 26], [u64; 2]) {
        (std::array::from_fn(|letter| self.letters[letter].load(Relaxed)), self.longest.get())
    }
}

/// Counts one file after the other until there is none that nobody has taken. Returns how many were taken here.
#[mp::process_target]
fn count(files: Vec<OsString>, all: Histogram) -> mp::Result<u64> {
    let mut taken = 0;
    let tickets = iter::repeat_with(|| all.next_file.fetch_add(1, Relaxed) as usize);
    for (number, file) in tickets.map_while(|number| Some((number as u64, files.get(number)?))) {
        let text = fs::read_to_string(file).unwrap_or_default(); // no text, no letters
        // Counted here first: processors that add to the same number again and again hold each other up.
        let mut letters = [0; 26];
        let found = text.bytes().map(|byte| byte.to_ascii_lowercase()).filter(u8::is_ascii_lowercase);
        found.for_each(|letter| letters[usize::from(letter - b'a')] += 1);
        all.letters.iter().zip(letters).for_each(|(sum, here)| _ = sum.fetch_add(here, Relaxed));
        let length = text.lines().map(str::len).max().unwrap_or(0) as u64;
        all.longest.with(|longest| *longest = [length, number].max(*longest))?;
        taken += 1;
    }
    Ok(taken)
}

fn main() -> Result<(), Box<dyn Error>> {
    let given: Vec<_> = env::args_os().skip(1).collect();
    let paths = if given.is_empty() { vec![".".into()] } else { given };
    let wanted = |e: &DirEntry| e.depth() == 0 || !matches!(e.file_name().to_str(), Some("target" | ".git"));
    let entries = paths.iter().flat_map(|path| WalkDir::new(path).into_iter().filter_entry(wanted)).flatten();
    let files = entries.filter(|entry| entry.file_type().is_file()).map(|entry| entry.into_path().into_os_string());
    let files: Vec<_> = files.collect();

    let shared = Histogram::new()?;
    let start = |_| mp::spawn(count, (files.clone(), shared.clone()));
    let counters = (0..mp::cpu_count().max(2)).map(start).collect::<mp::Result<Vec<_>>>()?;
    for counter in &counters {
        println!("{} took {} files", counter.name(), counter.join()??);
    }
    let (letters, [length, number]) = shared.result();
    let most = *letters.iter().max().unwrap_or(&0);
    for (letter, times) in ('a'..='z').zip(letters).filter(|(_, times)| *times > 0) {
        println!("{letter} {times:>9} {}", "#".repeat((times * 60 / most) as usize));
    }
    let file = files.get(number as usize).ok_or("there are no files")?;
    println!("{} letters; the longest line, of {length} bytes, is in {}", letters.iter().sum::<u64>(), file.display());

    let alone = Histogram::new()?;
    count(files, alone.clone())?; // a target is still a function
    if alone.result() == shared.result() {
        Ok(())
    } else {
        Err("counted in one process, the letters are others".into())
    }
}
