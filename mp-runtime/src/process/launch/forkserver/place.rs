//! Where a forked child is: what one that is spawned has by its `exec`, and what differs from its server.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::running::Running;
use crate::{
    codec::{Decoder, Encoded, Encoder, Message},
    error::{Error, Result},
    process::{options::Options, outcome::kind},
    sys::{
        clone3::Forked,
        dup2, environ,
        socket::Wait,
        statx::{self, Directory},
    },
};

/// Which descriptors come along, in this order: standard streams, where the others are /dev/null as the server's are; and the directory, if it is
/// not the server's.
type Present = ([bool; 3], bool);

/// As its parent knows it.
pub(super) struct Place<'a> {
    message: Encoded,
    streams: [Option<BorrowedFd<'a>>; 3],
    directory: Option<OwnedFd>,
}

impl<'a> Place<'a> {
    /// That of a child with these options.
    ///
    /// # Errors
    ///
    /// As those of a spawned child that cannot go there: it is looked at here.
    pub(super) fn of(options: &'a Options, server: &Running) -> Result<Self> {
        let [stdin, stdout, stderr] = &options.streams;
        let streams = [stdin.open(0), stdout.open(1), stderr.open(2)];
        let doing = |error| Error::os("look at the working directory", error);
        let directory = match &options.directory {
            Some(path) => {
                let doing = |error| Error::os(format!("enter the directory {}", path.display()), error);
                Some(statx::directory(path).map_err(doing)?)
            }
            None if Directory::current().map_err(doing)? != server.directory => {
                Some(statx::working_directory().map_err(doing)?)
            }
            None => None,
        };
        let environment = options.environment.unless(server.environment.as_ref())?;
        let mut encoder = Encoder::default();
        let present: Present = (streams.map(|stream| stream.is_some()), directory.is_some());
        encoder.put(&(present, environment.as_ref().map(|block| block.text())))?;
        Ok(Self { message: encoder.finish(kind::PLACE)?, streams, directory })
    }

    pub(super) fn send(&self, control: &OwnedFd) -> Result<()> {
        let directory = self.directory.as_ref().map(AsFd::as_fd);
        let fds: Vec<_> = self.streams.iter().copied().flatten().chain(directory).collect();
        self.message.send_beside(control, &fds, Wait::No).map_err(|error| Error::os("send a message", error))
    }
}

/// Goes there.
pub(super) fn enter(message: &Message, forked: &Forked) -> Result<()> {
    let ((streams, directory), environment): (Present, Option<Vec<u8>>) = Decoder::new(message).take_last()?;
    let mut index = 0;
    let mut next = || {
        let fd = message.take_fd(index);
        index += 1;
        fd
    };
    for (_, number) in streams.iter().zip(0..).filter(|(present, _)| **present) {
        dup2::put_stream(forked, &next()?, number)
            .map_err(|error| Error::os("put the descriptors of the child into place", error))?;
    }
    if directory {
        nix::unistd::fchdir(next()?).map_err(|errno| Error::os("enter the directory", errno))?;
    }
    if let Some(block) = environment {
        environ::replace(forked, block);
    }
    Ok(())
}
