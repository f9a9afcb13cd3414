//! A pipeline: one process reads text, several count the words in what they get of it, one adds the counts up.
//!
//! `cargo run --release --example pipeline -- [PATHS]`
//!
//! A slow stage holds up those before it, so little is ever on its way. Python's twin: two `Queue(maxsize=…)`, and
//! into each a `None` for every process that takes from it.

use std::{cmp::Reverse, collections::HashMap, env, error::Error, ffi::OsString, fs};

use mp::{Receiver, Sender};
use multiprocess as mp;
use walkdir::{DirEntry, WalkDir};

type Counts = HashMap<String, u64>;

/// The lines of the files at and below `paths`, many at a time: a message for each would cost more than its work.
fn batches(paths: &[OsString]) -> impl Iterator<Item = String> {
    let wanted = |e: &DirEntry| e.depth() == 0 || !matches!(e.file_name().to_str(), Some("target" | ".git"));
    let entries = paths.iter().flat_map(move |path| WalkDir::new(path).into_iter().filter_entry(wanted)).flatten();
    let files = entries.filter(|entry| entry.file_type().is_file());
    files.flat_map(|entry| fs::read_to_string(entry.path())).flat_map(|text| {
        let lines: Vec<_> = text.lines().collect();
        lines.chunks(500).map(|lines| lines.join("\n")).collect::<Vec<_>>()
    })
}

fn tally(lines: &str) -> Counts {
    let words = lines.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    add(Counts::new(), words.map(|word| (word.to_lowercase(), 1)))
}

fn add(mut counts: Counts, more: impl IntoIterator<Item = (String, u64)>) -> Counts {
    more.into_iter().for_each(|(word, times)| *counts.entry(word).or_default() += times);
    counts
}

#[mp::process_target]
fn read(paths: Vec<OsString>, to: Sender<String>) -> mp::Result<()> {
    batches(&paths).try_for_each(|lines| Ok(to.send(&lines)?)) // then `to` is dropped: the end of the stream
}

/// Several processes receive from one end: each batch goes to one that is free. Returns how many came here.
#[mp::process_target]
fn count(from: Receiver<String>, to: Sender<Counts>) -> mp::Result<u64> {
    from.iter().try_fold(0, |batches, lines| {
        to.send(&tally(&lines?))?;
        Ok(batches + 1)
    })
}

#[mp::process_target]
fn sum(from: Receiver<Counts>) -> mp::Result<Counts> {
    from.iter().try_fold(Counts::new(), |all, counts| Ok(add(all, counts?)))
}

fn main() -> Result<(), Box<dyn Error>> {
    let given: Vec<_> = env::args_os().skip(1).collect();
    let paths = if given.is_empty() { vec![".".into()] } else { given };
    paths.iter().try_for_each(|path| fs::metadata(path).map(drop).map_err(|e| format!("{}: {e}", path.display())))?;
    let (lines_to, lines_from) = mp::channel()?;
    let (counts_to, counts_from) = mp::channel()?;
    let reader = mp::spawn(read, (paths.clone(), lines_to))?;
    let counter = |_| mp::spawn(count, (lines_from.clone(), counts_to.clone()));
    let counters = (0..mp::cpu_count().max(2)).map(counter).collect::<mp::Result<Vec<_>>>()?;
    let adder = mp::spawn(sum, (counts_from,))?;
    drop((lines_from, counts_to)); // a stream ends when all its senders are gone: ours, too

    reader.join()??;
    for counter in &counters {
        println!("{} counted {} batches", counter.name(), counter.join()??);
    }
    let counts = adder.join()??;
    let mut top: Vec<_> = counts.iter().map(|(word, times)| (Reverse(times), word)).collect();
    top.sort_unstable();
    top.iter().take(10).for_each(|(Reverse(times), word)| println!("{times:>9}  {word}"));
    println!("{} words, {} different", counts.values().sum::<u64>(), counts.len());
    let alone = batches(&paths).fold(Counts::new(), |all, lines| add(all, tally(&lines)));
    if counts == alone { Ok(()) } else { Err("counted in one process, the words are others".into()) }
}
