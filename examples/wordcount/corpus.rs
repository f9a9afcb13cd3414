//! Which files to read, and how to share them out.

use std::{error::Error, ffi::OsString, fmt, fs, io, path::PathBuf};

use walkdir::{DirEntry, WalkDir};

/// Where to look when nobody said where.
const PLACES: [&str; 6] =
    [".", "/usr/share/common-licenses", "/usr/share/perl", "/usr/share/info", "/usr/lib/python3", "/usr/share/doc"];
/// How many bytes of it make a few seconds' work. A debug build is slower by far.
const ENOUGH: u64 = if cfg!(debug_assertions) { 20_000_000 } else { 150_000_000 };

/// Files with their sizes, the largest first.
#[derive(Default)]
pub(crate) struct Corpus {
    files: Vec<(OsString, u64)>,
    bytes: u64,
    /// Files and directories that could not be looked at.
    hidden: usize,
}

/// The regular files at and below `paths`.
pub(crate) fn find(paths: &[PathBuf]) -> Result<Corpus, Box<dyn Error>> {
    for path in paths {
        fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let mut corpus = Corpus::default();
    for path in paths {
        corpus.add(path.clone(), u64::MAX);
    }
    if paths.is_empty() {
        let there = PLACES.map(PathBuf::from).into_iter().filter(|place| place.exists());
        there.for_each(|place| corpus.add(place, ENOUGH));
    }
    if corpus.files.is_empty() {
        return Err("there is nothing to count: no files, or only empty ones".into());
    }
    corpus.files.sort_by(|(a, size_a), (b, size_b)| size_b.cmp(size_a).then_with(|| a.cmp(b)));
    Ok(corpus)
}

impl Corpus {
    /// Adds what is below `path`, up to `enough` bytes in all. Symbolic links are not followed: no loops.
    fn add(&mut self, path: PathBuf, enough: u64) {
        let skipped = ["target", ".git"].map(OsString::from);
        let wanted = |entry: &DirEntry| entry.depth() == 0 || !skipped.iter().any(|name| name == entry.file_name());
        for entry in WalkDir::new(path).into_iter().filter_entry(wanted) {
            match entry.and_then(|entry| Ok((entry.metadata()?, entry))) {
                Ok((data, _)) if self.bytes + data.len() > enough => break,
                Ok((data, entry)) if data.is_file() && data.len() > 0 => {
                    self.files.push((entry.into_path().into_os_string(), data.len()));
                    self.bytes += data.len();
                }
                Ok(_) => {}
                Err(_) => self.hidden += 1,
            }
        }
    }

    pub(crate) fn files(&self) -> Vec<OsString> {
        self.files.iter().map(|(file, _)| file.clone()).collect()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Brings the files into memory. What cannot be read, the count will tell.
    pub(crate) fn read_once(&self) {
        for (path, _) in &self.files {
            fs::File::open(path).and_then(|mut file| io::copy(&mut file, &mut io::sink())).ok();
        }
    }

    /// At most `number` shares of about the same size in bytes: each file goes to the share that has least.
    pub(crate) fn shares(&self, number: usize) -> Vec<Vec<OsString>> {
        let mut shares = vec![(0, Vec::new()); number.min(self.files.len())];
        for (file, size) in &self.files {
            if let Some((bytes, files)) = shares.iter_mut().min_by_key(|(bytes, _)| *bytes) {
                *bytes += size;
                files.push(file.clone());
            }
        }
        shares.into_iter().map(|(_, files)| files).collect()
    }
}

impl fmt::Display for Corpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} MB in {} files", self.bytes as f64 / 1e6, self.files.len())?;
        if self.hidden > 0 { write!(f, ", and {} that could not be looked at", self.hidden) } else { Ok(()) }
    }
}
