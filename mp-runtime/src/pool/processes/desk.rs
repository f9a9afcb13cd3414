//! The parent's side of one worker's rings: what the worker was given, in which order.

use std::{
    collections::VecDeque,
    num::NonZeroUsize,
    ops::Range,
    os::fd::OwnedFd,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::{Duration, Instant},
};

use nix::libc;

use super::{
    entry::{self, FULL, Head, IN_A_MESSAGE, MOST, MOST_TASKS, NAMED, TAGGED, TIMED, TO_DIE, TO_WAIT},
    inbox::Inbox,
    mailbox::{Mailbox, Number, Position, RING, State, WANTED},
    setup::kind,
};
use crate::{
    codec::{Encoder, lengths},
    error::{Error, Result},
    pool::{
        Work,
        options::Fault,
        order::{Arguments, Order},
    },
    sys::{clock_gettime, futex, socket::Wait},
};

/// Tasks with these stand alone in their entry.
const SINGLE: u8 = IN_A_MESSAGE | TO_DIE | TO_WAIT | TAGGED;
/// So many messages of their own wait on a worker's socket at most.
const MESSAGES: u64 = 2;

/// What one worker was given and has not answered.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) mailbox: Mailbox,
    pub(super) socket: OwnedFd,
    /// Where the next entry goes.
    end: Position,
    /// The number of the next task.
    tail: Number,
    /// The number of the oldest task that has not been answered.
    answered: Number,
    /// No more will come.
    is_last: bool,
    /// The numbers of the tasks behind each entry, and where it ends.
    entries: VecDeque<(Number, Position)>,
    /// All before this is free.
    free: Position,
    /// What is not in the ring yet, but will be with the next [`publish`](Self::publish).
    outbox: Outbox,
    pub(super) inbox: Inbox,
    /// Flags of all tasks.
    flags: u8,
    /// It is to tell when so many are answered.
    wanted: u32,
    pieces: VecDeque<Piece>,
    /// The targets that it has answered for, so that it knows them by number.
    knows: Vec<bool>,
    /// How many messages of their own tasks have had, and up to which they were answered.
    messages: (u64, u64),
    /// When it was last seen to have got on, or got something after it had nothing.
    pub(super) mark: Instant,
    /// How long it had been busy by then, in nanoseconds.
    busy: u64,
}

/// Tasks for one entry.
#[derive(Debug, Default)]
struct Outbox {
    bytes: Vec<u8>,
    tasks: u32,
    number: u32,
    flags: u8,
}

/// Consecutive items of one order.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) order: Arc<Order>,
    pub(super) items: Range<u32>,
    pub(super) number: u32,
    message: Option<u64>,
}

/// What nobody answers any more is cancelled.
impl Drop for Piece {
    fn drop(&mut self) {
        drop(Work { order: Arc::clone(&self.order), items: self.items.clone() });
    }
}

impl Desk {
    pub(super) fn new(mailbox: Mailbox, socket: OwnedFd, flags: u8) -> Self {
        let (start, first) = (Position::default(), Number::default());
        Self {
            mailbox,
            socket,
            end: start,
            tail: first,
            answered: first,
            is_last: false,
            entries: VecDeque::new(),
            free: start,
            outbox: Outbox::default(),
            inbox: Inbox::default(),
            flags,
            wanted: 0,
            pieces: VecDeque::new(),
            knows: Vec::new(),
            messages: (0, 0),
            mark: Instant::now(),
            busy: 0,
        }
    }

    /// How many tasks it has.
    #[inline]
    pub(super) fn count(&self) -> usize {
        self.tail.since(self.answered) as usize
    }

    pub(super) fn front(&self) -> Option<&Piece> {
        self.pieces.front()
    }

    pub(super) fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.pieces.iter()
    }

    /// Gives it the first `most` items, or as many as there is room for. The target has this number here. Returns how many it got.
    /// It sees them with the next [`publish`](Self::publish).
    pub(super) fn give(&mut self, work: &mut Work, most: usize, number: u32) -> Result<usize> {
        let (before, first) = (self.count(), work.items.start);
        let mut message = None;
        let options = work.options();
        let is_timed = options.timeout.is_some();
        let is_single = work.order.is_faulty() || self.flags & SINGLE != 0;
        if !is_single && matches!(work.order.arguments, Arguments::Many(..)) {
            self.put_many(work, most, number, self.flags | if is_timed { TIMED } else { 0 })?;
        } else if !work.is_empty() && most > 0 && !self.is_last {
            match self.put_one(&work.order, work.items.start, number)? {
                Put::Done => work.items.start += 1,
                Put::WithMessage(sequence) => {
                    message = Some(sequence);
                    work.items.start += 1;
                }
                Put::NoRoom => {}
            }
        }
        let given = work.items.start - first;
        if given > 0 {
            if before == 0 {
                self.mark = Instant::now();
            }
            let items = first..work.items.start;
            self.pieces.push_back(Piece { order: Arc::clone(&work.order), items, number, message });
        }
        Ok(given as usize)
    }

    /// The quick way for what is most: small and many.
    fn put_many(&mut self, work: &mut Work, most: usize, number: u32, flags: u8) -> Result<()> {
        let mut left = most;
        while left > 0 && !work.is_empty() && !self.is_last {
            self.begin(&work.order, number, flags)?;
            let room = FULL.saturating_sub(self.outbox.bytes.len()).max(1);
            let tasks = left.min((most_in_an_entry(&work.order) - self.outbox.tasks) as usize);
            let (bytes, count) = work.order.stretch(work.items.clone(), room, tasks);
            if !self.has_room_for(bytes.len()) {
                return Ok(());
            }
            self.outbox.bytes.extend_from_slice(bytes);
            self.add(count);
            work.items.start += count;
            left -= count as usize;
        }
        Ok(())
    }

    fn put_one(&mut self, order: &Arc<Order>, item: u32, number: u32) -> Result<Put> {
        let (options, fault) = (&*order.options, order.fault(item));
        let mut flags = self.flags | if options.timeout.is_some() { TIMED } else { 0 };
        let bytes = order.bytes(item).filter(|bytes| bytes.len() <= MOST);
        let mut before = Encoder::spilling_from(usize::MAX);
        if bytes.is_none() {
            flags |= IN_A_MESSAGE;
            before.put(&(self.messages.0 + 1))?;
        }
        match fault {
            Some(Fault::Kill) => flags |= TO_DIE,
            Some(Fault::Delay(time)) => {
                flags |= TO_WAIT;
                before.put(&u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))?;
            }
            Some(Fault::Undecodable) if bytes.is_none() => {
                return Err(Error::decode("its arguments do not decode, as a test wants it"));
            }
            Some(Fault::Undecodable) | None => {}
        }
        if flags & TAGGED != 0 {
            before.put(&(order.first + u64::from(item)))?;
        }
        self.begin(order, number, flags)?;
        let length = before.length() + bytes.map_or(0, <[u8]>::len) + 8;
        if !self.has_room_for(length) || (bytes.is_none() && !self.send(order)?) {
            return Ok(Put::NoRoom);
        }
        self.outbox.bytes.extend_from_slice(before.body());
        match bytes {
            // One byte too many.
            Some(bytes) if fault == Some(Fault::Undecodable) => {
                lengths::put(&mut self.outbox.bytes, &[bytes, &[0xff]].concat());
            }
            Some(bytes) => lengths::put(&mut self.outbox.bytes, bytes),
            None => {}
        }
        self.add(1);
        Ok(if flags & IN_A_MESSAGE != 0 { Put::WithMessage(self.messages.0) } else { Put::Done })
    }

    /// Sees to it that tasks of this kind can be added.
    fn begin(&mut self, order: &Order, number: u32, flags: u8) -> Result<()> {
        let Outbox { bytes, tasks, number: other, flags: others } = &self.outbox;
        let is_other = *other != number || (others & !NAMED) != flags || (flags & SINGLE) != 0;
        if *tasks > 0 && (is_other || bytes.len() >= FULL || *tasks >= most_in_an_entry(order)) {
            self.flush();
        }
        if self.outbox.tasks > 0 {
            return Ok(());
        }
        self.outbox.bytes.clear();
        (self.outbox.number, self.outbox.flags) = (number, flags);
        if !self.does_know(number) {
            let mut name = Encoder::spilling_from(usize::MAX);
            name.put(order.target.identity())?;
            if name.length() > MOST {
                return Err(Error::invalid("the name of the target is too long"));
            }
            self.outbox.flags |= NAMED;
            self.outbox.bytes.extend_from_slice(name.body());
        }
        Ok(())
    }

    /// Whether so many bytes more fit into the ring.
    fn has_room_for(&self, bytes: usize) -> bool {
        let words = entry::words_for(self.outbox.bytes.len() + bytes);
        // It may have to go round.
        entry::place(self.end, words).plus(words).since(self.free) <= RING
    }

    fn add(&mut self, tasks: u32) {
        self.outbox.tasks += tasks;
        self.tail = self.tail.plus(tasks);
    }

    /// Puts what is in the outbox into the ring.
    fn flush(&mut self) {
        let Outbox { tasks, number, flags, ref bytes } = self.outbox;
        if tasks == 0 {
            return;
        }
        let head = Head::tasks(bytes.len(), number, flags, tasks);
        // There is room: that was asked before anything was put into the outbox.
        self.end = entry::write(self.mailbox.task_ring(), self.end, head, &[], bytes).unwrap_or(self.end);
        self.entries.push_back((self.tail, self.end));
        self.outbox.tasks = 0;
    }

    /// Shows the worker what it was given.
    pub(super) fn publish(&mut self) {
        self.flush();
        let mut state = self.mailbox.state();
        loop {
            let all = State { tail: self.tail, is_last: self.is_last, ..state };
            if all == state {
                return;
            }
            match self.mailbox.change(state, all) {
                Ok(()) => return self.wake(),
                Err(now) => state = now,
            }
        }
    }

    fn does_know(&self, number: u32) -> bool {
        self.knows.get(number as usize).copied().unwrap_or(false)
    }

    /// Sends arguments by themselves. Returns whether there was room.
    fn send(&mut self, order: &Order) -> Result<bool> {
        let (sent, answered) = self.messages;
        if sent - answered >= MESSAGES && self.count() > 0 {
            return Ok(false);
        }
        let message = match &order.arguments {
            Arguments::One(parcel) => parcel.encoded(kind::ARGUMENTS)?,
            Arguments::Many(..) => return Err(Error::encode("many items do not go into one message")),
        };
        match message.send(&self.socket, Wait::No) {
            Ok(()) => {
                self.messages.0 += 1;
                Ok(true)
            }
            Err(error) => match error.raw_os_error() {
                // It is dead, which will be seen soon.
                Some(libc::EPIPE | libc::ECONNRESET) => Ok(false),
                // What was taken back is in the way, and nobody will read it.
                Some(libc::EAGAIN) if self.count() == 0 => {
                    self.finish();
                    Ok(false)
                }
                // There is no room for it, or too many descriptors are on their way.
                Some(libc::EAGAIN | libc::ETOOMANYREFS) if self.count() > 0 => Ok(false),
                _ => Err(Error::os("send the arguments of a task", error)),
            },
        }
    }

    pub(super) fn wake(&self) {
        if let Some(asleep) = self.mailbox.asleep()
            && asleep.swap(0, SeqCst) == 1
        {
            futex::wake(asleep, 1);
        }
    }

    /// It gets no more, and ends when it has done what it has.
    pub(super) fn finish(&mut self) {
        self.is_last = true;
        self.publish();
    }

    pub(super) fn is_finishing(&self) -> bool {
        self.is_last
    }

    /// So many more tasks were answered, which are of the oldest piece. Returns whether it has none left.
    pub(super) fn answer(&mut self, tasks: u32) -> bool {
        self.answered = self.answered.plus(tasks);
        self.forget_answered();
        let Some(piece) = self.pieces.front_mut() else { return true };
        piece.items.start += tasks;
        if !piece.items.is_empty() {
            return false;
        }
        self.drop_front();
        true
    }

    /// What lies before what is not answered is free.
    fn forget_answered(&mut self) {
        while let Some((tail, end)) = self.entries.front()
            && self.answered.has_reached(*tail)
        {
            self.free = *end;
            self.entries.pop_front();
        }
        if self.entries.is_empty() {
            // There may be some behind the last one that were taken back.
            self.free = self.end;
        }
    }

    fn drop_front(&mut self) {
        let Some(piece) = self.pieces.pop_front() else { return };
        let number = piece.number as usize;
        if self.knows.len() <= number {
            self.knows.resize(number + 1, false);
        }
        if let Some(knows) = self.knows.get_mut(number) {
            *knows = true;
        }
        if let Some(message) = piece.message {
            self.messages.1 = message;
        }
    }

    /// Asks to be woken once so many more tasks are answered; or when it has nothing to do.
    pub(super) fn want(&mut self, tasks: u32) {
        self.wanted = tasks;
        self.mailbox.want().store(WANTED | self.answered.plus(tasks).word(), SeqCst);
    }

    /// Whether it has been asked to wake somebody, and has not done so yet.
    pub(super) fn is_wanted(&self) -> bool {
        self.mailbox.want().load(SeqCst) & WANTED != 0
    }

    /// Whether there is as much as was wanted; or all; or as much as there is room for.
    pub(super) fn is_due(&self) -> bool {
        if self.ignores_answers() {
            return false;
        }
        let begun = self.mailbox.state().next.since(self.answered);
        begun > self.wanted || (begun as usize >= self.count() && self.has_news()) || self.may_lack_room()
    }

    /// Whether `STATE` makes sense, behind all results: `next` stood there before they were looked at, and so all before it but one are answered.
    pub(super) fn makes_sense(&self, next: Number) -> bool {
        let running = self.count().min(1) as u32;
        self.answered.plus(running).has_reached(next) && self.mailbox.state().next.has_reached(self.answered)
    }

    /// How many of its tasks it has begun.
    pub(super) fn begun(&self) -> usize {
        (self.mailbox.state().next.since(self.answered) as usize).min(self.count())
    }

    /// Takes back what has not been begun.
    pub(super) fn take_back(&mut self) -> Vec<Work> {
        self.publish();
        let mut state = self.mailbox.state();
        let generation = state.next_generation();
        while state.next != state.tail {
            self.mailbox.rebase(generation, self.end);
            match self.mailbox.change(state, State { tail: state.next, generation, ..state }) {
                Ok(()) => {
                    let begun = state.next.since(self.answered) as usize;
                    return self.cut(begun);
                }
                Err(now) => state = now,
            }
        }
        Vec::new()
    }

    /// All that it had, but the first `begun`; the next task takes the number of the first of these.
    pub(super) fn cut(&mut self, begun: usize) -> Vec<Work> {
        let mut surplus = self.count().saturating_sub(begun);
        self.tail = self.answered.plus(begun as u32);
        while let Some((tail, _)) = self.entries.back_mut()
            && !self.tail.has_reached(*tail)
        {
            *tail = self.tail;
            let before = self.entries.iter().rev().nth(1).map_or(self.answered, |(tail, _)| *tail);
            if !before.has_reached(self.tail) {
                break;
            }
            self.entries.pop_back();
        }
        self.forget_answered();
        let mut back = Vec::new();
        while surplus > 0
            && let Some(mut piece) = self.pieces.pop_back()
        {
            let taken = surplus.min(piece.items.len());
            surplus -= taken;
            let middle = piece.items.end - taken as u32;
            back.push(Work { order: Arc::clone(&piece.order), items: middle..piece.items.end });
            piece.items.end = middle;
            if !piece.items.is_empty() {
                self.pieces.push_back(piece);
            }
        }
        back
    }

    /// How long it has been busy since this was last asked.
    pub(super) fn busy_since(&mut self) -> Duration {
        let since = self.busy_now();
        self.busy += u64::try_from(since.as_nanos()).unwrap_or(0);
        since
    }

    /// How long it has been busy beyond what was asked for.
    pub(super) fn busy_now(&self) -> Duration {
        let begun = self.mailbox.begun().load(SeqCst);
        let now = if begun == 0 { 0 } else { clock_gettime::monotonic().saturating_sub(begun) };
        Duration::from_nanos(self.mailbox.busy().load(SeqCst).saturating_add(now).saturating_sub(self.busy))
    }

    /// How long it has been since it was seen to have got on.
    pub(super) fn silent(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.mark)
    }
}

/// How many tasks may lie together.
fn most_in_an_entry(order: &Order) -> u32 {
    let items = order.options.chunk_size.map_or(MOST_TASKS as usize, NonZeroUsize::get);
    items.min(MOST_TASKS as usize) as u32
}

enum Put {
    Done,
    WithMessage(u64),
    NoRoom,
}
