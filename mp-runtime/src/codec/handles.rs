//! Descriptors inside values.
//!
//! A [`Handle`] serialises as a newtype struct of a name that only our own encoder and decoder know. For just
//! the time of that one call they put out a slot in which the descriptor is handed over; any other
//! serialiser puts out none, and the handle then refuses. Pieces of shared memory go the same way (`carried.rs`).

use std::{
    cell::RefCell,
    fmt, io,
    ops::{Deref, DerefMut},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::carried::Carrier;
use crate::{
    error::{Error, Result},
    shm::arena::Block,
    sys::fcntl,
};

pub(super) const MARK: &str = "$multiprocess::Handle";

thread_local! {
    static SLOT: RefCell<Slot> = const { RefCell::new(Slot::Closed) };
}

pub(super) enum Slot {
    /// No message of ours is being written or read: a handle has nowhere to go.
    Closed,
    /// The encoder waits for a descriptor.
    Wanted,
    /// A descriptor is being handed over.
    Full(OwnedFd),
    /// It could not be had.
    Failed(io::Error),
    /// The encoder waits for a piece of shared memory, or has got it.
    Carrier(Box<Carrier>),
    /// A piece of shared memory is being handed over.
    Block(Block),
}

pub(super) const ENDING: &str = "a handle cannot be sent or received by a thread that is ending";

/// Puts another slot out. `None`: this thread's thread-locals are gone.
pub(super) fn replace(slot: Slot) -> Option<Slot> {
    SLOT.try_with(|place| place.replace(slot)).ok()
}

/// Runs `serialize`, in which a handle must put a copy of its descriptor.
pub(super) fn collect(serialize: impl FnOnce() -> Result<()>) -> Result<OwnedFd> {
    replace(Slot::Wanted).ok_or_else(|| Error::encode(ENDING))?;
    let serialized = serialize();
    match (serialized, replace(Slot::Closed)) {
        (_, Some(Slot::Failed(error))) => Err(Error::os("duplicate a descriptor", error)),
        (Err(error), _) => Err(error),
        (Ok(()), Some(Slot::Full(fd))) => Ok(fd),
        (Ok(()), _) => Err(Error::encode(format!("a struct named {MARK} is not a handle"))),
    }
}

/// Runs `deserialize`, in which a handle takes `fd`; closes it if none does.
pub(super) fn offer<T>(fd: OwnedFd, deserialize: impl FnOnce() -> Result<T>) -> Result<T> {
    replace(Slot::Full(fd)).ok_or_else(|| Error::decode(ENDING))?;
    let deserialized = deserialize();
    drop(replace(Slot::Closed));
    deserialized
}

/// Puts a copy of `fd` into the message that is being written.
pub(crate) fn serialize<S: Serializer>(fd: BorrowedFd<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_newtype_struct(MARK, &Descriptor(fd))
}

struct Descriptor<'a>(BorrowedFd<'a>);

impl Serialize for Descriptor<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(Slot::Wanted) = replace(Slot::Closed) else {
            return Err(ser::Error::custom(
                "a handle travels only in messages of `multiprocess`: its descriptor means nothing anywhere else",
            ));
        };
        match fcntl::duplicate(self.0) {
            Ok(copy) => {
                drop(replace(Slot::Full(copy)));
                serializer.serialize_unit()
            }
            Err(error) => {
                let said = ser::Error::custom(format_args!("a descriptor cannot be duplicated: {error}"));
                drop(replace(Slot::Failed(error)));
                Err(said)
            }
        }
    }
}

/// Takes the next descriptor out of the message that is being read.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OwnedFd, D::Error> {
    struct Visitor;

    impl<'de> de::Visitor<'de> for Visitor {
        type Value = OwnedFd;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a handle in a message of `multiprocess`")
        }

        fn visit_newtype_struct<D: Deserializer<'de>>(self, _deserializer: D) -> Result<OwnedFd, D::Error> {
            match replace(Slot::Closed) {
                Some(Slot::Full(fd)) => Ok(fd),
                _ => Err(de::Error::custom("a handle can only be read from a message of `multiprocess`")),
            }
        }
    }

    deserializer.deserialize_newtype_struct(MARK, Visitor)
}

/// A file, socket, pipe or any other descriptor as an argument, result or part of a message.
///
/// What arrives is a new descriptor for the same open file, close-on-exec, in the receiver: offset,
/// `flock(2)` locks and peer are shared with the sender's, as after `dup(2)`. (Locks by `fcntl(2)` belong to a process, and
/// are lost when it closes any descriptor of the file, such as the copy that is sent.) The sender's own is closed when its
/// `Handle` is dropped. Whether the received descriptor is of the kind that `T` says is not checked:
/// a `TcpStream` made of a file fails in its calls.
///
/// In any other serialiser (JSON, say) a handle is an error: a descriptor means nothing outside a message.
///
/// # Examples
///
/// ```
/// use std::{fs::File, io::Read};
///
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn size(mut file: mp::Handle<File>) -> usize {
///     let mut text = String::new();
///     file.read_to_string(&mut text).unwrap_or(0)
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let file = File::open("Cargo.toml")?;
/// assert!(mp::spawn(size, (mp::Handle::new(file),))?.join()? > 0);
/// # Ok(())
/// # }
/// ```
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Handle<T>(T);

impl<T> Handle<T> {
    /// Wraps anything that is a descriptor: `File`, `OwnedFd`, `TcpStream`, `UnixStream`, `PipeReader`, …
    pub const fn new(inner: T) -> Self {
        Self(inner)
    }

    /// The descriptor's own type again.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T: AsFd> Serialize for Handle<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(self.0.as_fd(), serializer)
    }
}

impl<'de, T: From<OwnedFd>> Deserialize<'de> for Handle<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer).map(|fd| Self(T::from(fd)))
    }
}

impl<T> Deref for Handle<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Handle<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: AsFd> AsFd for Handle<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl<T> From<T> for Handle<T> {
    fn from(inner: T) -> Self {
        Self(inner)
    }
}

impl<T: fmt::Debug> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.0).finish()
    }
}
