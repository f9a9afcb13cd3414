//! A dictionary that takes long to build is there before any child is: children start at once and share its memory.
//! `cargo run --release --example preloaded [WORDS]`
//!
//! In Python: `set_forkserver_preload(["dictionary"])`, a module that builds it when it is imported.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use multiprocess as mp;

struct Dictionary(HashMap<String, u32>);

/// What takes long. It runs once, in the server.
#[mp::process_target(preload)]
fn build(words: u32) -> Dictionary {
    Dictionary((0..words).map(|number| (word(number), number)).collect())
}

fn word(number: u32) -> String {
    format!("word-{:08x}", number.wrapping_mul(2_654_435_761))
}

/// A request: what a crash in it breaks is this process, and no other.
#[mp::process_target]
fn look_up(word: String) -> Option<u32> {
    mp::preloaded::<Dictionary>()?.0.get(&word).copied()
}

/// The same, for who has no server: each child builds its own.
#[mp::process_target]
fn build_and_look_up(words: u32, word: String) -> Option<u32> {
    build(words).0.get(&word).copied()
}

fn main() -> mp::Result<()> {
    let words = std::env::args().nth(1).and_then(|words| words.parse().ok()).unwrap_or(1_000_000);
    let context = mp::Context::forkserver().preload(build, (words,)).warm(2);
    let began = Instant::now();
    context.prepare()?;
    println!("{words} words, built once in {:.0?}", began.elapsed());

    let requests = 200;
    let began = Instant::now();
    for request in 0..requests {
        let number = request * 7919 % words;
        assert_eq!(context.start(look_up, (word(number),))?.join()?, Some(number));
    }
    println!("{requests} requests, a process each: {:.0?} for one", began.elapsed() / requests);

    let began = Instant::now();
    assert_eq!(mp::spawn(build_and_look_up, (words, word(7)))?.join()?, Some(7));
    println!("a process that builds its own: {:.0?}", began.elapsed());

    let pool = context.pool().workers(2).task_timeout(Duration::from_secs(10)).build()?;
    let found = pool.map(look_up, (0..1_000).map(word))?;
    assert!(found.into_iter().eq((0..1_000).map(Some)));
    println!("a pool of two workers finds 1000 more in the same memory");
    Ok(())
}
