//! One task in ten crashes, as a bad native library would make it; all others are answered, and retries are shown.
//!
//! ```sh
//! cargo run --release --example flaky_native
//! ```

use multiprocess as mp;

/// What a binding to C might do with a bad input.
#[mp::process_target]
fn parse(page: u32) -> usize {
    match page % 30 {
        7 => std::process::abort(),
        17 => std::process::exit(3),
        27 => panic!("page {page} is no page"),
        _ => page as usize * 10,
    }
}

/// Crashes until it has been tried a few times: the count outlives the crash, in shared memory.
#[mp::process_target]
fn parse_in_the_end(page: u32, attempts: mp::Value<u32>) -> mp::Result<u32> {
    if page == 5 && attempts.fetch_add(1)? < 2 {
        std::process::abort();
    }
    Ok(page)
}

fn main() -> mp::Result<()> {
    let pool = mp::Pool::builder().workers(2).env("RUST_BACKTRACE", "0").build()?;
    let (pages, failures) = pool.imap(parse, 0..300).max_failures(usize::MAX)?;
    println!("{} pages parsed, {} crashed; {} workers replaced", pages.len(), failures.len(), pool.restarts());
    for failure in failures.iter().take(3) {
        println!("  {failure}");
    }
    assert_eq!((pages.len(), failures.len()), (270, 30));

    let attempts = mp::Value::new(0_u32)?;
    let patient = pool.with(mp::TaskOptions::new().retries(3));
    let pages = patient.starmap(parse_in_the_end, (0..10).map(|page| (page, attempts.clone())))?;
    println!("with retries: {} of 10 pages, one of them in {} attempts", pages.len(), attempts.get());
    assert!(pages.into_iter().all(|page| page.is_ok()));
    assert_eq!(attempts.get(), 3);
    Ok(())
}
