//! Counting: the target that a child runs, and what it sends back.

use std::{
    cmp::Reverse,
    collections::HashMap,
    ffi::OsString,
    fmt,
    fs::File,
    io::{self, BufRead, BufReader},
};

use multiprocess as mp;
use serde::{Deserialize, Serialize};

/// How often each word stands in some files, and what became of the files.
#[derive(Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counts {
    words: HashMap<String, u64>,
    read: u64,
    binary: u64,
    unreadable: u64,
}

/// Counts the words of some files. (`OsString`s, because serde refuses a `PathBuf` that is not UTF-8.)
#[mp::process_target]
pub(crate) fn count(files: Vec<OsString>) -> Counts {
    let mut counts = Counts::default();
    for file in files {
        match counts.add_file(file) {
            Ok(true) => counts.read += 1,
            Ok(false) => counts.binary += 1,
            Err(_) => counts.unreadable += 1, // vanished, or not ours to read
        }
    }
    counts
}

impl Counts {
    /// Adds a file's words, unless it looks binary. Text that is not UTF-8 counts as far as it goes.
    fn add_file(&mut self, path: OsString) -> io::Result<bool> {
        let mut reader = BufReader::new(File::open(path)?);
        if reader.fill_buf()?.contains(&0) {
            return Ok(false);
        }
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 {
            let text = String::from_utf8_lossy(&line).to_lowercase();
            for word in text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()) {
                match self.words.get_mut(word) {
                    Some(times) => *times += 1,
                    None => _ = self.words.insert(word.to_owned(), 1),
                }
            }
            line.clear();
        }
        Ok(true)
    }

    pub(crate) fn add(&mut self, other: Self) {
        for (word, times) in other.words {
            *self.words.entry(word).or_default() += times;
        }
        self.read += other.read;
        self.binary += other.binary;
        self.unreadable += other.unreadable;
    }

    pub(crate) fn top(&self, number: usize) -> Vec<(&str, u64)> {
        let mut words: Vec<_> = self.words.iter().map(|(word, times)| (word.as_str(), *times)).collect();
        words.sort_unstable_by_key(|&(word, times)| (Reverse(times), word));
        words.truncate(number);
        words
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { words, read, binary, unreadable } = self;
        let (all, different) = (words.values().sum::<u64>(), words.len());
        write!(f, "{all} words, {different} different, in {read} files")?;
        write!(f, " ({binary} binary and {unreadable} unreadable ones left out)")
    }
}
