//! `proc_pid_task(5)`: the threads of this process.

use std::{
    fs::{self, File},
    io,
    marker::PhantomData,
    os::unix::fs::MetadataExt,
};

const TASKS: &str = "/proc/self/task";

/// A thread, as the kernel shows it.
#[derive(Debug)]
pub(crate) struct Thread {
    pub(crate) tid: u32,
    pub(crate) name: String,
}

/// The calling thread is the only one of its process, until it starts another: no lock is held, and no memory is changed, but by itself.
#[derive(Debug)]
pub(crate) struct Alone(PhantomData<*const ()>);

/// A look at them that costs next to nothing if all is as it was.
#[derive(Debug)]
pub(crate) struct Tasks {
    directory: File,
    /// How many links the directory has while there is one thread: each thread is one.
    alone: Option<u64>,
}

impl Tasks {
    pub(crate) fn of_this_process() -> io::Result<Self> {
        Ok(Self { directory: File::open(TASKS)?, alone: None })
    }

    /// Whether the calling thread is alone; otherwise who else there is.
    pub(crate) fn alone(&mut self) -> io::Result<Result<Alone, Vec<Thread>>> {
        loop {
            let links = self.directory.metadata()?.nlink();
            if self.alone == Some(links) {
                return Ok(Ok(Alone(PhantomData)));
            }
            let others = others()?;
            if !others.is_empty() {
                return Ok(Err(others));
            }
            // Unless one ended while it was looked.
            if self.directory.metadata()?.nlink() == links {
                self.alone = Some(links);
            }
        }
    }
}

fn others() -> io::Result<Vec<Thread>> {
    // By the numbers of the PID namespace that /proc shows, which need not be this process's.
    let own = fs::read_link("/proc/thread-self")?;
    let mut threads = Vec::new();
    for entry in fs::read_dir(TASKS)? {
        let entry = entry?;
        let Some(tid) = entry.file_name().to_str().and_then(|tid| tid.parse().ok()) else { continue };
        if own.file_name() != Some(&entry.file_name()) {
            // Who is gone by now has no name, and may have begun another.
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            threads.push(Thread { tid, name: name.trim_end().to_owned() });
        }
    }
    Ok(threads)
}
