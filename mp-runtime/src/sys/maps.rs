//! `proc_pid_maps(5)` and `mmap(2)`: what a process that will be copied has in memory, and how to make the copies cheap.
//!
//! A fork copies the page tables of memory that belongs to no file: of a gigabyte, 262,144 entries, which takes milliseconds. Of a file it copies
//! nothing: the pages are found when they are touched. So [`share`] puts large pieces of memory into files without a name, and
//! the files in their place, at the same addresses and private as before: whoever writes to a page gets a copy of it.
//!
//! One thing is not as before: memory that is given back by `madvise(2)` (MADV_DONTNEED) is not zero when it is read again, but what was in the file.
//! So this is done only with what the C library's `malloc` has mapped for a single large block, and knows itself as such: it
//! never gives back a part of that, and whoever has the block (a `Vec`, the table of a map) does not know that it is whole pages. Memory of other
//! allocators, and of runtimes with heaps of their own, which do just that, is left alone.

use std::{
    ffi::c_int,
    fs::{self, File},
    io,
    ops::Range,
    os::{fd::AsRawFd, unix::fs::FileExt},
    ptr,
};

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::{clone3::Forked, getauxval::page_size, getrlimit::check_file_size, task::Alone};

/// Only a block of such a size is worth a file: of less, a fork copies the tables in microseconds.
const WORTH_IT: usize = 1 << 20;
/// So much is copied at once: that much more memory is in use meanwhile.
const PIECE: usize = 16 << 20;
/// The length of the files, of which nearly all is a hole: a block may be made longer in its place (`mremap(2)`), and must not end in nothing.
const ROOM: u64 = 1 << 46;

/// Addresses, of whole pages.
type Area = Range<usize>;

/// Puts large blocks into files, as above. What cannot be is left as it is.
///
/// # Errors
///
/// Memory may be missing in the middle of a block: the process must not go on.
pub(crate) fn share(_alone: &Alone) -> io::Result<()> {
    let (Ok(pages), Ok(smaps)) = (File::open("/proc/self/pagemap"), fs::read_to_string("/proc/self/smaps")) else {
        return Ok(());
    };
    let areas = areas(&smaps);
    // Memory that is mapped for a long text goes with it.
    drop(smaps);
    let blocks: Vec<_> = areas.into_iter().flat_map(blocks).collect();
    if check_file_size(ROOM).is_err() || blocks.len() > mapped_blocks() {
        return Ok(());
    }
    blocks.iter().filter(|block| block.len() >= WORTH_IT).try_for_each(|block| share_block(block, &pages))
}

/// How many blocks the C library has mapped by themselves: none, where the program's allocator is another.
fn mapped_blocks() -> usize {
    // SAFETY: takes nothing; looks at the C library's own records, which it locks.
    let info = unsafe { libc::mallinfo() };
    usize::try_from(info.hblks).unwrap_or(0)
}

/// What belongs to no file, is private, can be read and written, and was given no special treatment.
fn areas(smaps: &str) -> Vec<Area> {
    /// Not to be forked, wiped by a fork, kept out of dumps, locked, watched, growing, a device's, huge, or sealed.
    const SPECIAL: [&str; 13] = ["dc", "wf", "dd", "lo", "um", "uw", "gd", "io", "pf", "mm", "ht", "ss", "sl"];
    let mut areas = Vec::new();
    let mut current = None;
    for line in smaps.lines() {
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("ProtectionKey:") if words.next() != Some("0") => current = None,
            Some("VmFlags:") => {
                let is_plain = words.all(|flag| !SPECIAL.contains(&flag));
                areas.extend(current.take().filter(|_| is_plain));
            }
            Some(first) if !first.ends_with(':') => current = anonymous(first, words),
            _ => {}
        }
    }
    areas
}

/// What the head of an entry says: addresses, rights, offset, device, inode, and a name if it has one.
fn anonymous<'a>(area: &str, mut rest: impl Iterator<Item = &'a str>) -> Option<Area> {
    let area = addresses(area)?;
    let (rights, inode) = (rest.next()?, rest.nth(2)?);
    (rights == "rw-p" && inode == "0" && rest.next().is_none() && area.len() >= WORTH_IT).then_some(area)
}

fn addresses(text: &str) -> Option<Area> {
    let (start, end) = text.split_once('-')?;
    let hexadecimal = |digits| usize::from_str_radix(digits, 16).ok();
    Some(hexadecimal(start)?..hexadecimal(end)?)
}

/// The blocks at the beginning of an area, one behind the other: what is mapped last is mapped below all before it. Each begins with two words: zero, and
/// its length with a mark (IS_MMAPPED) that no other block has.
fn blocks(area: Area) -> Vec<Area> {
    const MARKS: usize = 7;
    const IS_MAPPED: usize = 2;
    let (mut blocks, mut start) = (Vec::new(), area.start);
    while start < area.end {
        // SAFETY: a page that can be read begins there; any bytes are two integers.
        let [before, size] = unsafe { ptr::with_exposed_provenance::<[usize; 2]>(start).read_volatile() };
        let length = size & !MARKS;
        let is_block = before == 0 && size & MARKS == IS_MAPPED && length > 0 && length.is_multiple_of(page_size());
        match start.checked_add(length).filter(|end| is_block && *end <= area.end) {
            Some(end) => blocks.push(start..end),
            None => break,
        }
        start += length;
    }
    blocks
}

fn share_block(block: &Area, pages: &File) -> io::Result<()> {
    let Ok(file) = memfd_create(c"multiprocess-preloaded", MFdFlags::MFD_CLOEXEC).map(File::from) else {
        return Ok(());
    };
    if file.set_len(ROOM).is_err() {
        return Ok(());
    }
    for start in block.clone().step_by(PIECE) {
        let piece = start..block.end.min(start + PIECE);
        let offset = (start - block.start) as u64;
        let Ok(used) = used(&piece, pages) else { return Ok(()) };
        let written = used.iter().try_for_each(|part| {
            // SAFETY: pages that are in use, in memory that can be read, which nobody changes meanwhile (there is no other thread).
            let content =
                unsafe { std::slice::from_raw_parts(ptr::with_exposed_provenance::<u8>(part.start), part.len()) };
            file.write_all_at(content, offset + (part.start - piece.start) as u64)
        });
        if written.is_err() {
            return Ok(());
        }
        replace(&piece, &file, offset)?;
        // Not before: nothing may change between the copy and its taking the place.
        drop(used);
    }
    Ok(())
}

/// The parts of `piece` that have pages. The rest is zero, and is so in a file too.
fn used(piece: &Area, pages: &File) -> io::Result<Vec<Area>> {
    const PRESENT: u64 = 1 << 63;
    const SWAPPED: u64 = 1 << 62;
    let size = page_size();
    let mut entries = vec![0; piece.len() / size * size_of::<u64>()];
    pages.read_exact_at(&mut entries, (piece.start / size * size_of::<u64>()) as u64)?;
    let mut used: Vec<Area> = Vec::new();
    let (entries, _) = entries.as_chunks();
    for (entry, start) in entries.iter().zip(piece.clone().step_by(size)) {
        if u64::from_ne_bytes(*entry) & (PRESENT | SWAPPED) == 0 {
            continue;
        }
        match used.last_mut() {
            Some(last) if last.end == start => last.end += size,
            _ => used.push(start..start + size),
        }
    }
    Ok(used)
}

fn replace(piece: &Area, file: &File, offset: u64) -> io::Result<()> {
    let address = ptr::with_exposed_provenance_mut(piece.start);
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_FIXED);
    // SAFETY: the range is part of one block of the C library's, mapped to be read and written; what is mapped in its place has the same
    // content, so whoever has references into it sees no difference. There is no other thread that could have changed it since it was copied, and
    // this one has only made system calls: none of its blocks is as large as those that are mapped by themselves. After an error nobody goes on.
    let mapped = unsafe { libc::mmap(address, piece.len(), protection, flags, file.as_raw_fd(), offset.cast_signed()) };
    if mapped == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// What a copy of this process will touch, so that it can do so beforehand.
#[derive(Debug, Default)]
pub(crate) struct Working(Vec<(Area, c_int)>);

impl Working {
    /// The program's and its libraries' code, and what is written, as far as this process has used it and that is not much: to touch what is
    /// written is to have a copy of it.
    pub(crate) fn of_this_process() -> io::Result<Self> {
        const LOOKED_AT: usize = 256 << 20;
        const CODE: usize = 4 << 20;
        const WRITTEN: usize = 1 << 20;
        let pages = File::open("/proc/self/pagemap")?;
        let maps = fs::read_to_string("/proc/self/maps")?;
        let mut working = Vec::new();
        for line in maps.lines() {
            let mut words = line.split_ascii_whitespace();
            let Some(area) = words.next().and_then(addresses).filter(|area| area.len() <= LOOKED_AT) else { continue };
            let (how, most) = match words.next() {
                Some("r-xp") => (MADV_POPULATE_READ, CODE),
                Some("rw-p") => (MADV_POPULATE_WRITE, WRITTEN),
                _ => continue,
            };
            let used = used(&area, &pages)?;
            if used.iter().map(Range::len).sum::<usize>() <= most {
                working.extend(used.into_iter().map(|used| (used, how)));
            }
        }
        Ok(Self(working))
    }

    /// Touches all of it. Where the kernel cannot (Linux before 5.14), it is touched when it is needed.
    pub(crate) fn touch(&self, _forked: &Forked) {
        for (area, how) in &self.0 {
            let address = ptr::with_exposed_provenance_mut(area.start);
            // SAFETY: to make pages present changes nothing of what is in them, and what is not mapped is an error.
            let _touched = unsafe { libc::madvise(address, area.len(), *how) };
        }
    }
}

const MADV_POPULATE_READ: c_int = 22;
const MADV_POPULATE_WRITE: c_int = 23;
