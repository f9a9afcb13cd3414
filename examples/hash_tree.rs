//! Hashes all files of a directory tree over a pool, with a progress bar, and prints what `sha256sum` would. A file that cannot be read,
//! or that costs a worker its life, is an error of that file alone.
//!
//! ```sh
//! cargo run --release --features progress --example hash_tree -- [--check] [PATHS]
//! ```
//!
//! With `--check` it has `sha256sum` do the same, and compares. Without paths it takes the sources of this project.
//! Python's twin: `tqdm(pool.imap(sha256, paths), total=len(paths))`.

use std::{
    env,
    error::Error,
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read, Write},
    os::unix::ffi::OsStrExt,
    path::Path,
    process::{Command, ExitCode},
};

use multiprocess as mp;
use sha2::{Digest, Sha256};
use walkdir::WalkDir;

const SOURCES: [&str; 6] = ["docs", "examples", "mp-macros/src", "mp-runtime/src", "src", "tests/it"];

/// The other process opens the file: only its name goes there, and 32 bytes come back.
#[mp::process_target]
fn sha256(path: OsString) -> Result<[u8; 32], String> {
    let hash = || {
        let (mut file, mut hasher, mut buffer) = (File::open(&path)?, Sha256::new(), vec![0; 256 << 10]);
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hasher.finalize().into()),
                count => hasher.update(&buffer[..count]),
            }
        }
    };
    hash().map_err(|error: io::Error| error.to_string())
}

/// The regular files at and below these paths, in the order of their names; and what could not be looked at.
fn files(paths: &[OsString]) -> (Vec<OsString>, Vec<walkdir::Error>) {
    let (mut files, mut errors) = (Vec::new(), Vec::new());
    for entry in paths.iter().flat_map(WalkDir::new) {
        match entry {
            Ok(entry) if entry.file_type().is_file() => files.push(entry.into_path().into_os_string()),
            Ok(_) => {}
            Err(error) => errors.push(error),
        }
    }
    files.sort();
    files.dedup();
    (files, errors)
}

/// A line as `sha256sum` writes it: a backslash in front says that there are some in the name.
fn line(hash: [u8; 32], path: &OsStr) -> Vec<u8> {
    let escaped = |byte: &u8| match byte {
        b'\\' => b"\\\\".to_vec(),
        b'\n' => b"\\n".to_vec(),
        b'\r' => b"\\r".to_vec(),
        byte => vec![*byte],
    };
    let name: Vec<u8> = path.as_bytes().iter().flat_map(escaped).collect();
    let mark = if name == path.as_bytes() { "" } else { "\\" };
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    [mark.as_bytes(), hash.as_bytes(), b"  ", &name, b"\n"].concat()
}

/// What `sha256sum` says about the same files; `None` where it is not to be had.
fn reference(files: &[OsString]) -> io::Result<Option<Vec<u8>>> {
    let mut said = Vec::new();
    for files in files.chunks(256) {
        match Command::new("sha256sum").arg("--").args(files).output() {
            Ok(output) => said.extend(output.stdout),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(Some(said))
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let (flags, mut paths): (Vec<_>, Vec<_>) = env::args_os().skip(1).partition(|argument| argument == "--check");
    if paths.is_empty() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        paths = SOURCES.map(|folder| root.join(folder).into_os_string()).to_vec();
    }
    let (files, errors) = files(&paths);
    let mut failures: Vec<_> = errors.iter().map(ToString::to_string).collect();

    let pool = mp::Pool::new()?;
    let mut lines = Vec::new();
    let results = pool.imap(sha256, files.iter().cloned()).progress_bar("hashing");
    for (path, result) in files.iter().zip(results) {
        // The outer error is that of a worker, the inner one that of the file.
        match result.map_err(|error| error.to_string()).flatten() {
            Ok(hash) => lines.extend(line(hash, path)),
            Err(error) => failures.push(format!("{}: {error}", path.display())),
        }
    }
    pool.shutdown(false)?;

    // Behind the bar, or they would get into its line.
    io::stdout().write_all(&lines)?;
    for failure in &failures {
        eprintln!("hash_tree: {failure}");
    }
    if !flags.is_empty() {
        match reference(&files)? {
            Some(said) if said == lines => eprintln!("{} files: the same as sha256sum says", files.len()),
            Some(_) => return Err("sha256sum says something else".into()),
            None => eprintln!("there is no sha256sum to compare with"),
        }
    }
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
