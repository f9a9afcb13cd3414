//! An end whose waits are the runtime's.

use std::{
    fmt, io,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use ::tokio::{
    io::{Interest, unix::AsyncFd},
    task,
};

use super::super::end::{End, recv_failed, send_failed};
use crate::{
    codec::{Encoded, Message},
    error::{Error, RecvError, Result, SendError},
    sys::{
        async_fd,
        poll::Deadline,
        socket::{Socket, Wait},
    },
};

pub(super) struct Driven {
    end: End,
    watched: AsyncFd<Arc<Socket>>,
}

impl Driven {
    /// Has the runtime of the calling task watch an end.
    pub(super) fn new(end: End, interest: Interest) -> Result<Self> {
        let doing = |error: io::Error| Error::os("hand a connection to the runtime", error);
        let end = end.unshared().map_err(doing)?;
        let watched = async_fd::watch(end.socket(), interest).map_err(doing)?;
        Ok(Self { end, watched })
    }

    pub(super) fn into_end(self) -> End {
        self.end
    }

    pub(super) async fn recv(&self) -> Result<Message, RecvError> {
        // A stream that is always ready lets others have their turn.
        task::consume_budget().await;
        loop {
            let mut guard = self.watched.readable().await.map_err(recv_failed)?;
            match self.try_recv() {
                Poll::Ready(received) => return received,
                Poll::Pending => guard.clear_ready(),
            }
        }
    }

    /// For one task at a time: only the last one that asked is woken.
    pub(super) fn poll_recv(&self, context: &mut Context<'_>) -> Poll<Result<Message, RecvError>> {
        loop {
            let mut guard = ready!(self.watched.poll_read_ready(context)).map_err(recv_failed)?;
            match self.try_recv() {
                Poll::Ready(received) => return Poll::Ready(received),
                Poll::Pending => guard.clear_ready(),
            }
        }
    }

    fn try_recv(&self) -> Poll<Result<Message, RecvError>> {
        match self.end.recv(Deadline::after(Duration::ZERO)) {
            Err(RecvError::TimedOut) => Poll::Pending,
            received => Poll::Ready(received),
        }
    }

    pub(super) async fn send(&self, mut message: Encoded) -> Result<(), SendError> {
        task::consume_budget().await;
        loop {
            let mut guard = self.watched.writable().await.map_err(send_failed)?;
            if self.attempt(&mut message)? {
                return Ok(());
            }
            guard.clear_ready();
        }
    }

    /// Sends without waiting; returns whether there was room.
    pub(super) fn attempt(&self, message: &mut Encoded) -> Result<bool, SendError> {
        self.end.attempt(message, Wait::No)
    }

    /// For one task at a time: only the last one that asked is woken.
    pub(super) fn poll_send(&self, context: &mut Context<'_>, message: &mut Encoded) -> Poll<Result<(), SendError>> {
        loop {
            let mut guard = ready!(self.watched.poll_write_ready(context)).map_err(send_failed)?;
            if self.attempt(message)? {
                return Poll::Ready(Ok(()));
            }
            guard.clear_ready();
        }
    }
}

impl fmt::Debug for Driven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.end, f)
    }
}
