//! Shared memory by name: what it is, who removes it, what its users can do to each other.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::PathBuf,
    sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed},
    thread,
};

use multiprocess as mp;
use nix::libc::{EEXIST, EFBIG, ENOENT, ENOSPC};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::support::{gate, owned, wait_for, watchdog};

/// A name that no other test has.
pub(crate) fn name(of: &str) -> String {
    format!("mp-test-{of}-{}", std::process::id())
}

pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from("/dev/shm").join(name)
}

#[test]
fn it_is_a_file_of_just_that_size_and_mode() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn with_an_odd_umask(name: String) -> mp::Result<(u64, u32, u64)> {
        nix::sys::stat::umask(nix::sys::stat::Mode::S_IRWXU);
        let _memory = mp::SharedMemory::create(&name, 12_345)?;
        let metadata = fs::metadata(path(&name))?;
        Ok((metadata.len(), metadata.mode() & 0o7777, metadata.blocks() * 512))
    }
    let (size, mode, reserved) = mp::spawn(with_an_odd_umask, (name("mode"),))?.join()??;
    assert_eq!((size, mode), (12_345, 0o600));
    assert!(reserved >= size, "no holes");
    Ok(())
}

#[test]
fn errors_are_those_of_python() -> mp::Result<()> {
    let _watchdog = watchdog();
    let name = name("errors");
    assert_eq!(mp::SharedMemory::open(&name).unwrap_err().raw_os_error(), Some(ENOENT));
    let memory = mp::SharedMemory::create(&name, 1)?;
    let error = mp::SharedMemory::create(&name, 1).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(EEXIST));
    assert!(error.to_string().starts_with(&format!("cannot create shared memory '{name}': ")), "{error}");
    for bad in ["", ".", "..", "/x", "a/b", "a\0b", &"x".repeat(256)] {
        assert!(mp::SharedMemory::create(bad, 1).unwrap_err().is_invalid_input(), "{bad:?}");
        assert!(mp::SharedMemory::open(bad).unwrap_err().is_invalid_input(), "{bad:?}");
    }
    assert!(mp::SharedMemory::create("mp-test-never", 0).unwrap_err().is_invalid_input());
    assert!(mp::SharedMemory::new(usize::MAX).unwrap_err().is_invalid_input());
    memory.unlink()?;
    assert_eq!(memory.unlink().unwrap_err().raw_os_error(), Some(ENOENT));
    assert_eq!(format!("{memory:?}"), format!("SharedMemory {{ name: {name:?}, size: 1, is_owner: true }}"));
    Ok(())
}

#[test]
fn more_than_there_is_is_refused_before_any_is_taken() -> mp::Result<()> {
    let _watchdog = watchdog();
    let name = name("full");
    assert_eq!(mp::SharedMemory::create(&name, 1 << 50).unwrap_err().raw_os_error(), Some(ENOSPC));
    assert!(!path(&name).exists());
    Ok(())
}

#[test]
fn a_limit_of_file_sizes_is_an_error_and_no_signal() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn limited(there: mp::SharedMemory, name: String) -> (Option<i32>, Option<i32>, u8) {
        use nix::sys::resource::{Resource, setrlimit};
        setrlimit(Resource::RLIMIT_FSIZE, 4096, 4096).unwrap();
        there.write_at(4095, 1_u8).unwrap();
        (
            mp::SharedMemory::create(&name, 4097).unwrap_err().raw_os_error(),
            there.write_at(4096, 1_u8).unwrap_err().raw_os_error(),
            there.as_atomic::<AtomicU8>().unwrap()[4096].fetch_add(1, Relaxed), // a mapping knows no limit
        )
    }
    let memory = mp::SharedMemory::new(8192)?;
    let copy = mp::SharedMemory::open(memory.name())?;
    assert_eq!(mp::spawn(limited, (copy, name("limit")))?.join()?, (Some(EFBIG), Some(EFBIG), 0));
    Ok(())
}

#[test]
fn the_owner_removes_the_name_and_nobody_else() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn look(memory: mp::SharedMemory, again: String) -> mp::Result<(bool, bool)> {
        let again = mp::SharedMemory::open(&again)?;
        Ok((memory.is_owner() || again.is_owner(), again.has_owner()?))
    }
    let name = name("owner");
    let memory = mp::SharedMemory::create(&name, 1)?;
    drop(mp::SharedMemory::open(&name)?);
    let copy = mp::SharedMemory::open(&name)?;
    assert_eq!(mp::spawn(look, (copy, name.clone()))?.join()??, (false, true));
    assert!(memory.is_linked()? && path(&name).exists());
    drop(memory);
    assert!(!path(&name).exists());
    Ok(())
}

#[test]
fn a_successor_of_the_same_name_is_left_alone() -> mp::Result<()> {
    let _watchdog = watchdog();
    let name = name("successor");
    let first = mp::SharedMemory::create(&name, 1)?;
    let attached = mp::SharedMemory::open(&name)?;
    attached.unlink()?;
    let second = mp::SharedMemory::create(&name, 2)?;
    assert!(!first.is_linked()? && second.is_linked()?);
    assert_eq!(first.unlink().unwrap_err().raw_os_error(), Some(ENOENT));
    drop(first);
    assert_eq!(attached.unlink().unwrap_err().raw_os_error(), Some(ENOENT));
    assert_eq!(mp::SharedMemory::open(&name)?.size(), 2);
    Ok(())
}

#[test]
fn a_sent_handle_needs_no_name() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn read_later(gate: mp::Handle<std::os::fd::OwnedFd>, memory: mp::SharedMemory) -> mp::Result<Vec<u8>> {
        wait_for(&gate);
        assert!(mp::SharedMemory::open(memory.name()).is_err() && !memory.is_linked()? && !memory.has_owner()?);
        memory.to_vec()
    }
    let (reader, writer) = gate();
    let memory = mp::SharedMemory::new(5)?;
    memory.write(0, b"hello")?;
    let child = mp::spawn(read_later, (reader, memory))?; // it was the owner, and is gone now
    drop(writer);
    assert_eq!(child.join()??, b"hello");

    let memory = mp::SharedMemory::new(1)?;
    assert!(serde_json::to_string(&memory).is_err());
    Ok(())
}

/// Something that says it is shared memory.
struct Claim(Result<(String, mp::Handle<File>), mp::SharedMemory>);

impl Serialize for Claim {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().map_err(|_| serde::ser::Error::custom("no claim"))?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Claim {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        mp::SharedMemory::deserialize(deserializer).map(|memory| Self(Err(memory)))
    }
}

#[test]
fn what_comes_as_shared_memory_must_be_some() -> Result<(), Box<dyn std::error::Error>> {
    let _watchdog = watchdog();
    let (sender, receiver) = mp::channel::<Claim>()?;
    let claim = |name: &str, file: File| -> Result<Result<Claim, mp::RecvError>, mp::SendError> {
        sender.send(&Claim(Ok((name.to_owned(), file.into()))))?;
        Ok(receiver.recv())
    };
    let memory = mp::SharedMemory::new(3)?;
    let open = |options: &mut fs::OpenOptions| options.open(path(memory.name()));
    assert!(claim("x", File::open("/dev/null")?)?.is_err(), "for reading only");
    assert!(claim("x", File::options().read(true).write(true).open("/dev/null")?)?.is_err(), "no file");
    assert!(claim("x", open(File::options().read(true))?)?.is_err(), "for reading only");
    assert!(claim("x", open(File::options().read(true).append(true))?)?.is_err(), "writes at its end");
    assert!(claim("x", tempfile::tempfile()?)?.is_err(), "empty");
    assert!(claim("../x", open(File::options().read(true).write(true))?)?.is_err(), "no name");

    // A name that is another's gives no power over it.
    let other = mp::SharedMemory::new(3)?;
    let Ok(Claim(Err(received))) = claim(other.name(), open(File::options().read(true).write(true))?)? else {
        panic!()
    };
    assert_eq!(received.unlink().unwrap_err().raw_os_error(), Some(ENOENT));
    drop(received);
    assert!(other.is_linked()? && memory.is_linked()?);
    Ok(())
}

#[test]
fn ownership_goes_to_another_process_and_back() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn pass_on(ownership: mp::Ownership) -> mp::Result<mp::Ownership> {
        let memory = ownership.into_memory();
        assert!(memory.is_owner());
        memory.write(0, b"by child")?;
        memory.into_ownership()
    }
    let name = name("ownership");
    let memory = mp::SharedMemory::create(&name, 8)?;
    let memory = mp::spawn(pass_on, (memory.into_ownership()?,))?.join()??.into_memory();
    assert!(memory.is_owner() && memory.has_owner()? && memory.is_linked()?);
    assert_eq!(memory.to_vec()?, b"by child");
    let attached = mp::SharedMemory::open(&name)?;
    drop(memory);
    assert!(!attached.has_owner()? && !path(&name).exists());
    assert!(attached.into_ownership().unwrap_err().is_invalid_input());
    Ok(())
}

#[test]
fn an_ownership_that_nobody_takes_removes_the_name() -> mp::Result<()> {
    let _watchdog = watchdog();
    let name = name("untaken");
    drop(mp::SharedMemory::create(&name, 8)?.into_ownership()?);
    assert!(!path(&name).exists(), "never sent");

    let (sender, receiver) = mp::channel()?;
    let ownership = mp::SharedMemory::create(&name, 8)?.into_ownership()?;
    sender.send(&ownership)?;
    drop(ownership);
    assert!(path(&name).exists(), "under way");
    let taken: mp::Ownership = receiver.recv()?;
    assert!(path(&name).exists());
    drop(taken);
    assert!(!path(&name).exists(), "taken and dropped");

    // In a process of its own: where others are being started at that moment, they have copies of all descriptors.
    #[mp::process_target]
    fn lose(name: String) -> mp::Result<(bool, bool)> {
        let (sender, receiver) = mp::channel::<mp::Ownership>()?;
        let ownership = mp::SharedMemory::create(&name, 8)?.into_ownership()?;
        sender.send(&ownership)?;
        drop((sender, receiver));
        let before = path(&name).exists();
        drop(ownership);
        Ok((before, path(&name).exists()))
    }
    assert_eq!(mp::spawn(lose, (name,))?.join()??, (true, false));
    Ok(())
}

#[test]
fn what_was_sent_is_not_removed_at_the_senders_end() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn send_and_exit(name: String, sender: mp::Sender<mp::Ownership>) {
        let ownership = mp::SharedMemory::create(&name, 8).unwrap().into_ownership().unwrap();
        sender.send(&ownership).unwrap();
        std::mem::forget(ownership);
        std::mem::forget(mp::SharedMemory::create(&(name + "-2"), 8).unwrap().into_ownership().unwrap());
        std::process::exit(0);
    }
    let (sender, receiver) = mp::channel()?;
    let name = name("sent");
    mp::spawn(send_and_exit, (name.clone(), sender))?.join().unwrap_err();
    assert!(path(&name).exists() && !path(&format!("{name}-2")).exists());
    let memory = receiver.recv()?.into_memory();
    assert!(memory.has_owner()?);
    drop(memory);
    assert!(!path(&name).exists());
    Ok(())
}

#[test]
fn a_normal_end_leaves_no_name() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn exit_with(name: String) {
        let memory = mp::SharedMemory::create(&name, 1).unwrap();
        // Neither its destructor runs, nor that of another thread's.
        std::mem::forget(memory);
        let other = name + "-thread";
        let (tell, told) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let _memory = mp::SharedMemory::create(&other, 1).unwrap();
            tell.send(()).unwrap();
            loop {
                thread::park();
            }
        });
        told.recv().unwrap();
        std::process::exit(3);
    }
    let name = name("exit");
    mp::spawn(exit_with, (name.clone(),))?.join().unwrap_err();
    assert!(!path(&name).exists() && !path(&(name + "-thread")).exists());
    Ok(())
}

#[test]
fn a_copy_of_the_owner_made_by_fork_removes_nothing() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn forks(name: String) -> mp::Result<bool> {
        let memory = mp::SharedMemory::create(&name, 1)?;
        #[expect(unsafe_code, reason = "as a C library might do it")]
        // SAFETY: the copy drops a value, which takes a lock that only this thread uses, and exits.
        match unsafe { nix::unistd::fork() }.unwrap() {
            nix::unistd::ForkResult::Child => {
                drop(memory);
                std::process::exit(0)
            }
            nix::unistd::ForkResult::Parent { child } => {
                nix::sys::wait::waitpid(child, None).unwrap();
                Ok(memory.is_linked()? && memory.is_owner())
            }
        }
    }
    assert!(mp::spawn(forks, (name("fork"),))?.join()??);
    Ok(())
}

#[test]
fn who_cuts_the_file_gives_others_an_error() -> mp::Result<()> {
    let _watchdog = watchdog();
    let memory = mp::SharedMemory::new(10_000)?;
    let file = File::options().write(true).open(path(memory.name()))?;
    file.set_len(5_000)?;
    let mut bytes = [0_u8; 10_000];
    assert!(memory.read(0, &mut bytes).unwrap_err().to_string().contains("another process has cut it"));
    assert!(memory.to_vec().is_err() && memory.as_atomic::<AtomicU8>().is_err());
    assert_eq!(memory.read_at::<u8>(4_999)?, 0);
    file.set_len(0)?;
    let error = mp::SharedMemory::open(memory.name()).unwrap_err();
    assert!(error.to_string().contains("has no bytes yet"), "{error}");
    Ok(())
}

#[test]
fn other_kinds_of_files_are_no_shared_memory() -> Result<(), Box<dyn std::error::Error>> {
    let _watchdog = watchdog();
    let name = name("kinds");
    nix::unistd::mkfifo(&path(&name), nix::sys::stat::Mode::S_IRWXU)?;
    assert!(mp::SharedMemory::open(&name).unwrap_err().is_protocol()); // and it did not wait for a writer
    assert_eq!(mp::SharedMemory::create(&name, 1).unwrap_err().raw_os_error(), Some(EEXIST));
    fs::remove_file(path(&name))?;
    std::os::unix::fs::symlink("/dev/zero", path(&name))?;
    assert!(mp::SharedMemory::open(&name).unwrap_err().raw_os_error().is_some());
    assert_eq!(mp::SharedMemory::create(&name, 1).unwrap_err().raw_os_error(), Some(EEXIST));
    fs::remove_file(path(&name))?;
    Ok(())
}

#[test]
fn ranges_are_checked_and_values_need_no_alignment() -> mp::Result<()> {
    let _watchdog = watchdog();
    let memory = mp::SharedMemory::new(16)?;
    memory.write_at(3, u64::MAX - 1)?;
    assert_eq!(memory.read_at::<u64>(3)?, u64::MAX - 1);
    memory.write(0, &[0_u64; 2])?;
    for (offset, length) in [(1, 16), (16, 1), (17, 0), (usize::MAX, 2), (0, 17)] {
        assert!(memory.write(offset, &vec![1_u8; length]).unwrap_err().is_invalid_input());
        assert!(memory.read(offset, &mut vec![1_u8; length]).unwrap_err().is_invalid_input());
    }
    assert_eq!(memory.to_vec()?, [0; 16], "all or nothing");
    memory.write::<u8>(16, &[])?;
    Ok(())
}

#[test]
fn atomics_are_the_memory_itself_in_every_width() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn count(memory: mp::SharedMemory) -> mp::Result<()> {
        let counter = &memory.as_atomic::<AtomicU64>()?[1];
        for _ in 0..10_000 {
            counter.fetch_add(1, Relaxed);
        }
        Ok(())
    }
    let memory = mp::SharedMemory::new(23)?;
    let copies: Vec<_> = (0..2).map(|_| mp::SharedMemory::open(memory.name())).collect::<Result<_, _>>()?;
    let children: Vec<_> = copies.into_iter().map(|copy| mp::spawn(count, (copy,))).collect::<Result<_, _>>()?;
    for child in children {
        child.join()??;
    }
    assert_eq!(memory.read_at::<u64>(8)?, 20_000);
    assert_eq!(memory.as_atomic::<AtomicU64>()?.len(), 2);
    assert_eq!(memory.as_atomic::<AtomicU8>()?.len(), 23);
    memory.as_atomic::<AtomicU32>()?[0].store(0x0102_0304, Relaxed);
    let bytes: Vec<_> = memory.as_atomic::<AtomicU8>()?[..4].iter().map(|byte| byte.load(Relaxed)).collect();
    assert_eq!(bytes, 0x0102_0304_u32.to_ne_bytes());
    assert!(std::ptr::eq(memory.as_atomic::<AtomicU8>()?, memory.as_atomic::<AtomicU8>()?));
    Ok(())
}

#[test]
fn a_handle_is_one_descriptor() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn counted() -> mp::Result<(usize, bool)> {
        drop(mp::SharedMemory::new(1)?);
        let before = owned();
        let memory = mp::SharedMemory::new(100)?;
        let other = mp::SharedMemory::open(memory.name())?;
        let (sender, receiver) = mp::channel()?;
        let ends = owned().fds.len() - before.fds.len() - 2;
        sender.send(&memory)?;
        let received: mp::SharedMemory = receiver.recv()?;
        let with_all = owned().fds.len() - before.fds.len() - ends;
        received.as_atomic::<AtomicU8>()?[99].store(1, Relaxed);
        assert_eq!(other.read_at::<u8>(99)?, 1);
        drop((memory, other, received, sender, receiver));
        Ok((with_all, owned() == before))
    }
    assert_eq!(mp::spawn(counted, ())?.join()??, (3, true));
    Ok(())
}

#[test]
fn a_manager_is_the_owner_of_all_it_made() -> mp::Result<()> {
    let _watchdog = watchdog();
    let manager = mp::SharedMemoryManager::new();
    let memories: Vec<_> = (1..=20).map(|size| manager.shared_memory(size)).collect::<Result<_, _>>()?;
    let list = manager.shareable_list([1, 2])?;
    let names: Vec<_> = memories.iter().map(|memory| memory.name().to_owned()).collect();
    assert!(memories.iter().all(|memory| !memory.is_owner()));
    memories[3].unlink()?; // no error of the manager
    drop(memories);
    assert!(names.iter().enumerate().all(|(position, name)| path(name).exists() != (position == 3)));
    manager.shutdown()?;
    assert!(!names.iter().any(|name| path(name).exists()) && !list.shared_memory().is_linked()?);
    assert_eq!(list.get(1)?, mp::ListItem::Int(2));
    Ok(())
}

#[test]
fn any_thread_may_use_a_handle() {
    fn is_for_all_threads<T: Send + Sync + std::panic::UnwindSafe + Unpin>() {}
    is_for_all_threads::<mp::SharedMemory>();
    is_for_all_threads::<mp::ShareableList>();
    is_for_all_threads::<mp::SharedMemoryManager>();
    is_for_all_threads::<mp::Ownership>();
    is_for_all_threads::<mp::ListItem>();
}
