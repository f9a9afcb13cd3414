//! A message that is one descriptor, next to a bare packet that carries one.

use std::{
    cell::RefCell,
    fs::File,
    io::{IoSlice, IoSliceMut},
    os::fd::{AsRawFd, OwnedFd, RawFd},
};

use multiprocess as mp;
use nix::{
    cmsg_space,
    sys::socket::{
        AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, sendmsg, socketpair,
    },
    unistd::close,
};

use crate::{
    Failure,
    message::Message,
    received, row, sent,
    work::{Peer, Served, Work, serve},
};

/// There is a limit to descriptors on their way, but none to how many go one after another.
const THERE: Work = Work { batches: 1, batch: 10_000 };
const AROUND: Work = Work { batches: 5_000, batch: 1 };

impl Message for mp::Handle<File> {
    fn weight(&self) -> u64 {
        1
    }
}

/// The column of copies shows what a duplicate costs within one process.
pub(crate) fn compare() -> Result<(), Failure> {
    let file = mp::Handle::new(File::open("/dev/null")?);
    let bare_there = Bare::start(THERE.batch)?;
    let bare_around = Bare::start(AROUND.batch)?;
    let (one, other) = mp::pipe()?;
    let ours_there = Peer::new(one, mp::spawn(take, (other, THERE.batch))?);
    let (one, other) = mp::pipe()?;
    let ours_around = Peer::new(one, mp::spawn(send_back, (other,))?);

    let all = u64::from(THERE.batch);
    row(
        "descriptor",
        [THERE, AROUND],
        [
            &mut || THERE.time(0, || file.try_clone().map(drop), || Ok::<_, Failure>(0)),
            &mut || THERE.time(1, || bare_there.send(), || bare_there.answer()),
            &mut || THERE.time(all, || ours_there.send(&file), || ours_there.recv()),
            &mut || AROUND.time(1, || bare_around.send(), || bare_around.answer()),
            &mut || AROUND.time(1, || ours_around.send(&file), || ours_around.recv().map(|back| back.weight())),
        ],
    )?;
    bare_there.end()?;
    bare_around.end()?;
    ours_there.end()?;
    ours_around.end()
}

#[mp::process_target]
fn take(connection: mp::Connection<u64, mp::Handle<File>>, batch: u32) -> Served {
    serve(batch, || received(&connection), |count| sent(&connection, &count))
}

#[mp::process_target]
fn send_back(connection: mp::Connection<mp::Handle<File>, mp::Handle<File>>) -> Served {
    let file = File::open("/dev/null").map_err(|error| error.to_string())?.into();
    serve(1, || received(&connection), |_| sent(&connection, &file))
}

#[mp::process_target]
fn answer_bare(socket: mp::Handle<OwnedFd>, batch: u32) -> Served {
    let bare = Bare::new(socket.into_inner()).map_err(|error| error.to_string())?;
    serve(batch, || bare.receive(), |_| bare.send())
}

struct Bare {
    socket: OwnedFd,
    file: File,
    control: RefCell<Vec<u8>>,
}

impl Bare {
    fn start(batch: u32) -> Result<Peer<Self>, Failure> {
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        let child = mp::spawn(answer_bare, (theirs.into(), batch))?;
        Ok(Peer::new(Self::new(ours)?, child))
    }

    fn new(socket: OwnedFd) -> Result<Self, Failure> {
        let mut control = cmsg_space!(RawFd);
        control.resize(control.capacity(), 0);
        Ok(Self { socket, file: File::open("/dev/null")?, control: control.into() })
    }

    fn send(&self) -> nix::Result<()> {
        let (parts, fds) = ([IoSlice::new(&[1])], [self.file.as_raw_fd()]);
        let rights = [ControlMessage::ScmRights(&fds)];
        sendmsg::<()>(self.socket.as_raw_fd(), &parts, &rights, MsgFlags::MSG_NOSIGNAL, None).map(drop)
    }

    /// How many descriptors came; `None`: the other side has ended.
    fn receive(&self) -> nix::Result<Option<u64>> {
        let (mut byte, mut control) = ([0], self.control.borrow_mut());
        let (mut parts, flags) = ([IoSliceMut::new(&mut byte)], MsgFlags::MSG_CMSG_CLOEXEC);
        let packet = recvmsg::<()>(self.socket.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
        let mut count = 0;
        for part in packet.cmsgs()? {
            if let ControlMessageOwned::ScmRights(fds) = part {
                count += fds.len() as u64;
                fds.into_iter().try_for_each(close)?;
            }
        }
        Ok((packet.bytes > 0).then_some(count))
    }

    fn answer(&self) -> Result<u64, Failure> {
        self.receive()?.ok_or_else(|| "the child has ended".into())
    }
}
