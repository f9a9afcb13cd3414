//! The program of most tests: `app LOG WHAT [MORE …]` adds a line to LOG, does WHAT, and prints what it saw.

mod constructors;
mod foreign;

use std::{env, error::Error, fs, io::Write, os::unix::ffi::OsStringExt, path::Path, process};

use multiprocess as mp;
// It is in the program, and that is all that the program knows of it.
use toolbox as _;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result {
    let mut given = env::args_os().skip(1);
    let (log, what) = (given.next().ok_or("no LOG")?, given.next().ok_or("no WHAT")?);
    main_has_begun(log.as_ref())?;
    match what.to_str() {
        Some("tour") => tour(),
        Some("start") => start(),
        Some("plugin") => foreign::visit(given.next().ok_or("no PLUGIN")?),
        Some("privileged") => {
            println!("secure {}", foreign::is_secure());
            println!("variable {}", env::var_os("MULTIPROCESS_CHILD").is_some());
            start()
        }
        Some("ordinary-user") => {
            println!("secure {}", foreign::is_secure());
            foreign::become_user(given.next().and_then(|user| user.to_str()?.parse().ok()).ok_or("no USER")?)?;
            start()
        }
        _ => Err("what is WHAT?".into()),
    }
}

/// What the test counts. A `main` in a child is what must not be; it ends here, before it starts another one.
fn main_has_begun(log: &Path) -> Result {
    let mut file = fs::OpenOptions::new().append(true).create(true).open(log)?;
    writeln!(file, "main of {}", process::id())?;
    if fs::read_to_string(log)?.lines().count() > 1 {
        eprintln!("main runs a second time");
        process::exit(99);
    }
    Ok(())
}

#[mp::process_target]
fn triple(x: u64) -> u64 {
    3 * x
}

/// Tries one start, and tells whether there was one.
fn start() -> Result {
    match mp::spawn(triple, (2,)) {
        Ok(child) => match child.join() {
            Ok(value) => println!("value {value}"),
            Err(error) => println!("ended code {:?}: {error}", error.ended().code()),
        },
        Err(error) => println!("unsupported {}: {error}", error.is_unsupported()),
    }
    println!("children {}", foreign::has_children());
    Ok(())
}

fn tour() -> Result {
    println!("own {}", mp::spawn(triple, (2,))?.join()?);
    println!("library {}", catalogue::start("factorial", 5)?);
    println!("nested {}", mp::spawn(nested, (3,))?.join()?.join(" "));
    println!("arguments {:?}", mp::spawn(arguments, ())?.join()? == arguments());
    println!("environment {:?}", mp::spawn(environment, ())?.join()? == environment());
    println!("static {}", mp::spawn(constructors::greeting, ())?.join()?);
    println!("here {}", constructors::seen());
    println!("child {}", mp::spawn(constructors::seen, ())?.join()?);
    panics()?;

    let program = env::current_exe()?;
    fs::remove_file(&program)?;
    println!("deleted {} {}", mp::spawn(triple, (3,))?.join()?, catalogue::start("factorial", 4)?);
    fs::write(&program, "not a program")?;
    println!("replaced {} {}", mp::spawn(triple, (4,))?.join()?, mp::spawn(nested, (2,))?.join()?.join(" "));
    Ok(())
}

/// The names of a chain of processes, and the result of a library's target that the last of them starts.
#[mp::process_target]
fn nested(levels: u32) -> Vec<String> {
    let below = match levels {
        1 => vec![catalogue::start("factorial", 3).unwrap().to_string()],
        _ => mp::spawn(nested, (levels - 1,)).unwrap().join().unwrap(),
    };
    [mp::current_process().depth().to_string()].into_iter().chain(below).collect()
}

#[mp::process_target]
fn arguments() -> Vec<Vec<u8>> {
    env::args_os().map(OsStringExt::into_vec).collect()
}

#[mp::process_target]
fn environment() -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut variables: Vec<_> = env::vars_os().map(|(name, value)| (name.into_vec(), value.into_vec())).collect();
    variables.sort();
    variables
}

const PANIC_LINE: u32 = line!() + 4;

#[mp::process_target]
fn broken(why: String) {
    panic!("broken on purpose: {why}")
}

fn panics() -> Result {
    let error = mp::spawn(broken, ("by a test".to_owned(),))?.join().expect_err("it panics");
    let panic = error.panic().ok_or_else(|| format!("not a panic: {error}"))?;
    let (file, line, _) = panic.location().ok_or("no location")?;
    println!("panic {}: {} {}", panic.message(), file.ends_with("app/src/main.rs"), line == PANIC_LINE);
    println!("ended code {:?} signal {:?}", error.ended().code(), error.ended().signal());
    Ok(())
}
