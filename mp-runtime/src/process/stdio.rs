//! A child's standard streams.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::{
    error::{Error, Result},
    sys::{clone::Stream, dup2, fcntl::above_stdio},
};

/// What one of a child's standard streams is.
///
/// Anything that turns into an [`OwnedFd`] is one: a file, a socket, the end of a [`std::io::pipe`].
///
/// # Examples
///
/// ```
/// use std::io::Read;
///
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn greet() {
///     println!("hello");
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (mut reader, writer) = std::io::pipe()?;
/// let child = mp::Process::new(greet, ()).stdout(writer).stderr(mp::Stdio::null()).start()?;
/// let mut said = String::new();
/// reader.read_to_string(&mut said)?;
/// child.join()?;
/// assert_eq!(said, "hello\n");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Stdio(Kind);

#[derive(Debug)]
enum Kind {
    Inherit,
    Null,
    Fd(OwnedFd),
}

impl Stdio {
    /// The same as this process's; `/dev/null` where it has closed its own. The default of stdout and stderr.
    #[must_use]
    pub const fn inherit() -> Self {
        Self(Kind::Inherit)
    }

    /// `/dev/null`. The default of stdin.
    #[must_use]
    pub const fn null() -> Self {
        Self(Kind::Null)
    }

    /// The same, with a descriptor that a child can move into place without hitting another.
    pub(super) fn out_of_the_way(self) -> Result<Self> {
        match self.0 {
            Kind::Fd(fd) => {
                let fd = above_stdio(fd).map_err(|error| Error::os("duplicate a standard stream", error))?;
                Ok(Self(Kind::Fd(fd)))
            }
            other => Ok(Self(other)),
        }
    }

    /// What it is now, for the stream of that number; `None`: nothing.
    pub(super) fn open(&self, number: i32) -> Option<BorrowedFd<'_>> {
        match &self.0 {
            Kind::Inherit => dup2::stream(number),
            Kind::Null => None,
            Kind::Fd(fd) => Some(fd.as_fd()),
        }
    }

    pub(super) fn as_stream(&self) -> Stream<'_> {
        match &self.0 {
            Kind::Inherit => Stream::Inherit,
            Kind::Null => Stream::Null,
            Kind::Fd(fd) => Stream::Fd(fd.as_fd()),
        }
    }
}

impl<T: Into<OwnedFd>> From<T> for Stdio {
    fn from(fd: T) -> Self {
        Self(Kind::Fd(fd.into()))
    }
}
