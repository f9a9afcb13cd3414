//! A segment that is open.

use std::{
    fs::File,
    io,
    os::{
        fd::OwnedFd,
        unix::fs::{FileExt, MetadataExt},
    },
    sync::{
        Once,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    thread,
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    libc,
};

use super::{
    atoms::Atoms,
    create, exit, lock, marker, name,
    unlink::{Identity, Removal, cleanup, find, identity, reclaim, unlink},
};
use crate::{
    error::{Error, Result},
    shm::Atomic,
    sys::{getrlimit::check_file_size, madvise, shm_open},
};

/// How often it is tried to remove a name that another one is removing.
const TRIES: u32 = 100;

/// No process has this id.
const NOBODY: u32 = 0;
const CUT: &str = "another process has cut it";

/// Shared memory by name, and whether it is ours to unlink.
///
/// The content is read and written by `pread(2)` and `pwrite(2)`: who has the segment open may cut it at any time, and that
/// must be an error, where a mapping gives SIGBUS. It costs a system call, and no page fault.
#[derive(Debug)]
pub(crate) struct Segment {
    file: File,
    name: String,
    size: usize,
    identity: Identity,
    /// The id of the process that owns it through this handle; a copy of it made by `fork` without `exec` does not.
    owner: AtomicU32,
    atoms: Atoms,
}

impl Segment {
    /// A new one, owned by this handle, that begins with `content` before anyone can see it. Without a name it gets one
    /// that no other has.
    pub(crate) fn create(name: Option<&str>, size: usize, content: &[u8]) -> Result<Self> {
        match name {
            Some(name) => {
                name::check(name)?;
                let file = create::unnamed(size, content)?;
                create::publish(&file, name).map_err(|error| Error::os("", error))?;
                Self::owned(file, name.to_owned(), size)
            }
            None => Self::create_somewhere(size, content),
        }
    }

    fn create_somewhere(size: usize, content: &[u8]) -> Result<Self> {
        static SWEEP: Once = Once::new();
        // Nobody will ask for a random name again, so the orphans among them are removed here. It is not this caller's fault
        // if that fails.
        SWEEP.call_once(|| drop(cleanup(name::may_be_random)));
        let file = create::unnamed(size, content)?;
        loop {
            let name = name::random()?;
            match shm_open::link(&file, &name) {
                Ok(()) => return Self::owned(file, name, size),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::os("give it a name", error)),
            }
        }
    }

    /// One that is there; not owned.
    pub(crate) fn open(name: &str) -> Result<Self> {
        name::check(name)?;
        let file = shm_open::open(name).map_err(|error| Error::os("", error))?;
        Self::attached(file, name.to_owned())
    }

    /// One whose descriptor came from somewhere; not owned.
    pub(crate) fn from_fd(fd: OwnedFd, name: String) -> Result<Self> {
        name::check(&name)?;
        let flags = fcntl(&fd, FcntlArg::F_GETFL).map_err(|errno| Error::os("look at it", io::Error::from(errno)))?;
        let flags = OFlag::from_bits_truncate(flags);
        if flags & OFlag::O_ACCMODE != OFlag::O_RDWR || flags.intersects(OFlag::O_APPEND | OFlag::O_PATH) {
            return Err(Error::protocol("what came as shared memory is not open for reading and writing"));
        }
        Self::attached(fd.into(), name)
    }

    fn attached(file: File, name: String) -> Result<Self> {
        let metadata = file.metadata().map_err(|error| Error::os("look at it", error))?;
        if !metadata.is_file() {
            return Err(Error::protocol("it is no shared memory: not a regular file"));
        }
        if metadata.size() == 0 {
            let text = "it has no bytes yet: its creator has not come so far, or died";
            return Err(Error::os("look at it", io::Error::new(io::ErrorKind::UnexpectedEof, text)));
        }
        let size = metadata.size() as usize;
        Ok(Self {
            file,
            name,
            size,
            identity: identity(&metadata),
            owner: AtomicU32::new(NOBODY),
            atoms: Atoms::default(),
        })
    }

    fn owned(file: File, name: String, size: usize) -> Result<Self> {
        let metadata = file.metadata().map_err(|error| Error::os("look at it", error))?;
        let segment = Self {
            file,
            name,
            size,
            identity: identity(&metadata),
            owner: AtomicU32::new(NOBODY),
            atoms: Atoms::default(),
        };
        segment.claim();
        Ok(segment)
    }

    /// The name is removed when this handle, which must have the owner's lock, is dropped.
    pub(crate) fn claim(&self) {
        exit::register(self.identity, &self.name);
        self.owner.store(std::process::id(), Relaxed);
    }

    /// Owns a segment that came with its owner's lock.
    pub(crate) fn take_over(self) -> Result<Self> {
        match lock::own(&self.file) {
            Ok(true) => self.claim(),
            Ok(false) => return Err(Error::protocol("what came as owned shared memory has another owner")),
            Err(error) => return Err(Error::os("lock it for its owner", error)),
        }
        Ok(self)
    }

    /// This handle removes nothing any more when it is dropped; the lock stays with its open file description.
    pub(crate) fn lend(&self) {
        self.owner.store(NOBODY, Relaxed);
        exit::forget(self.identity);
    }

    /// Removes an orphan that has this handle's name.
    pub(crate) fn reclaim(name: &str) {
        reclaim(name).ok();
    }

    /// From here on nobody owns it.
    pub(crate) fn persist(&mut self) -> io::Result<()> {
        if self.is_owner() {
            marker::clear(&self.file)?;
            self.lend();
            lock::disown(&self.file)?;
        }
        Ok(())
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn is_owner(&self) -> bool {
        self.owner.load(Relaxed) == std::process::id()
    }

    /// Whether somebody owns it.
    pub(crate) fn has_owner(&self) -> io::Result<bool> {
        Ok(self.is_owner() || lock::is_owned_elsewhere(&self.file)?)
    }

    /// Whether the name leads here.
    pub(crate) fn is_linked(&self) -> io::Result<bool> {
        match find(&self.name) {
            Ok(found) => Ok(found == self.identity),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes the name, whoever owns it; ENOENT if it does not lead here.
    pub(crate) fn unlink(&self) -> io::Result<()> {
        for _ in 0..TRIES {
            // Opened by its name: an open file description that came by a message is not this process's alone, and neither
            // would be the lock.
            let file = shm_open::open(&self.name)?;
            if identity(&file.metadata()?) != self.identity {
                return Err(io::Error::from_raw_os_error(libc::ENOENT));
            }
            match unlink(&file, &self.name)? {
                Removal::Removed => return Ok(()),
                Removal::NotThere | Removal::Kept => return Err(io::Error::from_raw_os_error(libc::ENOENT)),
                Removal::Busy => thread::yield_now(),
            }
        }
        Err(io::Error::from_raw_os_error(libc::EBUSY))
    }

    /// The same file, open once more, for somebody who does not own it.
    pub(crate) fn reopen(&self) -> io::Result<File> {
        shm_open::reopen(&self.file)
    }

    /// Another handle, which does not own it.
    pub(crate) fn attach(&self) -> Result<Self> {
        let file = self.reopen().map_err(|error| Error::os("open it once more", error))?;
        Self::attached(file, self.name.clone())
    }

    /// The descriptor, with the owner's lock if this is the owner.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn read(&self, offset: usize, buffer: &mut [u8]) -> Result<()> {
        self.check(offset, buffer.len())?;
        self.file.read_exact_at(buffer, offset as u64).map_err(|error| self.cut(error))
    }

    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) -> Result<()> {
        let end = self.check(offset, bytes.len())?;
        check_file_size(end as u64)
            .and_then(|()| self.file.write_all_at(bytes, offset as u64))
            .map_err(|error| Error::os(format!("write to shared memory '{}'", self.name), error))
    }

    pub(crate) fn to_vec(&self) -> Result<Vec<u8>> {
        // Too much to ask for is an error, where `vec!` aborts.
        Vec::<u8>::new()
            .try_reserve_exact(self.size)
            .map_err(|error| Error::os(format!("read shared memory '{}'", self.name), io::Error::other(error)))?;
        let mut bytes = vec![0; self.size];
        madvise::huge_pages(&mut bytes);
        self.read(0, &mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn atoms<A: Atomic>(&self) -> io::Result<&[A]> {
        // Beyond the end of the file there is nothing to map.
        if self.file.metadata()?.len() < self.size as u64 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, CUT));
        }
        self.atoms.view(&self.file, self.size)
    }

    fn check(&self, offset: usize, length: usize) -> Result<usize> {
        match offset.checked_add(length) {
            Some(end) if end <= self.size => Ok(end),
            _ => Err(Error::invalid(format!(
                "{length} bytes at {offset} are not inside shared memory '{}' of {} bytes",
                self.name, self.size
            ))),
        }
    }

    fn cut(&self, error: io::Error) -> Error {
        let error = match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), CUT),
            _ => error,
        };
        Error::os(format!("read shared memory '{}'", self.name), error)
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        if self.is_owner() {
            exit::forget(self.identity);
            // If this fails, or another one is at it, it is an orphan.
            unlink(&self.file, &self.name).ok();
            // Closing alone would do it later: a process that this one is just starting has a copy until it has become
            // another program.
            lock::disown(&self.file).ok();
        }
    }
}
