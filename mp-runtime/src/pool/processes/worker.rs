//! The worker's side: a target with a loop in it.

use std::{
    any::Any,
    io::{self, Write},
    mem,
    os::fd::OwnedFd,
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    sync::atomic::{Ordering::SeqCst, fence},
    thread,
    time::Duration,
};

use super::{
    answers::Answers,
    bell::Bell,
    entry::{self, Found, Head, IN_A_MESSAGE, Kind, MOST, NAMED, TAGGED, TIMED, TO_DIE, TO_WAIT, TRACED},
    mailbox::{LENGTH, Mailbox, Number, Position, State, WANTED},
    setup::{Setup, kind},
    tags,
    trace::Span,
};
use crate::{
    codec::{Decoder, Encoder, HEADER, Message, lengths},
    error::{Error, Panic, Result},
    fault,
    ipc::{Incoming, try_recv},
    process::{
        Can, Entry, Performed, Target, TargetId, exit_code, panic_hook,
        registry::{self, Identity},
    },
    shm::words::Words,
    sys::{clock_gettime, futex, signal, socket::Wait},
};

/// The target that is a worker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Serve;

impl Target for Serve {
    type Args = (Setup,);
    type Output = ();
    const ID: TargetId = TargetId::new("multiprocess::pool::worker", true, file!(), line!(), column!());

    fn call((setup,): (Setup,)) -> std::result::Result<(), ExitCode> {
        match Worker::new(setup).and_then(Worker::run) {
            Ok(()) => Ok(()),
            Err(error) => {
                eprintln!("process '{}': {error}", crate::current_process().name());
                Err(ExitCode::FAILURE)
            }
        }
    }
}

inventory::submit! { Entry::new::<Serve>() }

pub(super) struct Worker {
    pub(super) mailbox: Mailbox,
    bell: Bell,
    socket: OwnedFd,
    pub(super) initializer: Option<Identity>,
    pub(super) builder: Option<Identity>,
    pub(super) exit: Option<Identity>,
    pub(super) state: Box<dyn Any>,
    /// Targets by the number that the parent gave them; what is not known yet is [refused](unknown).
    targets: Vec<Result<Can>>,
    /// Their names, if it is to say what it begins.
    pub(super) names: Vec<String>,
    /// Where tasks go on behind the run.
    cursor: Position,
    generation: u16,
    run: Run,
    /// The arguments of the run's tasks.
    arguments: Message,
    /// For results, one after the other.
    encoder: Encoder,
    answers: Answers,
    /// Since when it has been busy.
    begun: u64,
    /// How many messages have come with tasks.
    messages: u64,
}

/// Tasks that came in one entry.
#[derive(Debug)]
struct Run {
    entry: Option<Found>,
    /// The number of the first one.
    first: Number,
    /// Its bytes have been read: when the first was begun, as nobody else writes there from then on.
    is_loaded: bool,
    /// Where the arguments of the next one are in there.
    at: usize,
}

impl Worker {
    fn new(setup: Setup) -> Result<Self> {
        // Ctrl-C goes to the parent, who ends its workers; and what a task starts ends with the worker's group.
        signal::ignore_interrupt().map_err(|error| Error::os("ignore SIGINT", error))?;
        nix::unistd::setpgid(nix::unistd::Pid::from_raw(0), nix::unistd::Pid::from_raw(0)).ok();
        let words = Words::received(setup.mailbox.into_inner(), LENGTH);
        Ok(Self {
            mailbox: Mailbox(words.map_err(|error| Error::os("map a worker's shared memory", error))?),
            bell: Bell::received(setup.bell.into_inner(), setup.event.into_inner())?,
            socket: setup.socket.into_inner(),
            initializer: setup.initializer,
            builder: setup.state,
            exit: setup.exit,
            state: Box::new(()),
            targets: Vec::new(),
            names: Vec::new(),
            cursor: Position::default(),
            generation: 0,
            run: Run { entry: None, first: Number::default(), is_loaded: false, at: 0 },
            arguments: Message::plain(kind::ARGUMENTS, Vec::new()),
            encoder: Encoder::default(),
            answers: Answers::default(),
            begun: 0,
            messages: 0,
        })
    }

    fn run(mut self) -> Result<()> {
        fault::point_named("worker-start");
        match catch_unwind(AssertUnwindSafe(|| self.make_ready())) {
            Ok(Ok(())) => self.write(Kind::Ready, &[]),
            Ok(Err(error)) => return self.unready(&error.to_string()),
            Err(payload) => {
                let panic = panic_hook::take(payload.as_ref());
                mem::forget(payload);
                return self.unready(&format!("it panicked at {panic}"));
            }
        }
        self.serve()?;
        self.say_goodbye()
    }

    /// Takes tasks until there will be no more.
    fn serve(&mut self) -> Result<()> {
        let mut state = self.mailbox.state();
        loop {
            if state.tail == state.next {
                self.rest(state);
                if state.is_last {
                    return Ok(());
                }
                self.sleep(|mailbox| mailbox.state() == state);
                state = self.mailbox.state();
                continue;
            }
            if !self.is_in_the_run(state) && !self.find(state) {
                // It may have been taken back, and written over.
                let now = self.mailbox.state();
                if now == state {
                    return Err(damaged());
                }
                state = now;
                continue;
            }
            if self.begun == 0 {
                self.begun = clock_gettime::monotonic();
                self.mailbox.begun().store(self.begun, SeqCst);
            }
            // From here on the task is this worker's.
            let begun = State { next: state.next.plus(1), ..state };
            match self.mailbox.change(state, begun) {
                Ok(()) => {}
                Err(now) => {
                    state = now;
                    continue;
                }
            }
            fault::point_named("task-begun");
            // That was a barrier: either the parent sees the result of the task before, or its wish is seen here.
            self.tell(state.next, false);
            state = begun;
            self.perform()?;
            fault::point_named("task-answered");
        }
    }

    /// Whether the next task is one of those that came with the last one.
    #[inline]
    fn is_in_the_run(&self, state: State) -> bool {
        let Run { entry, first, .. } = &self.run;
        state.generation == self.generation && entry.is_some_and(|entry| state.next.since(*first) < entry.head.tasks)
    }

    /// Finds the entry that begins with the next task. Returns whether it is there.
    fn find(&mut self, state: State) -> bool {
        if state.generation != self.generation {
            let Some(at) = self.mailbox.rebased(state.generation) else { return false };
            (self.cursor, self.generation) = (at, state.generation);
        }
        match entry::look(self.mailbox.task_ring(), self.cursor) {
            Some(found) if found.head.tasks > 0 => {
                self.run = Run { entry: Some(found), first: state.next, is_loaded: false, at: 0 };
                true
            }
            _ => false,
        }
    }

    /// There is nothing to do: says so.
    pub(super) fn rest(&mut self, state: State) {
        if self.begun != 0 {
            let busy = clock_gettime::monotonic().saturating_sub(self.begun);
            self.mailbox.busy().fetch_add(busy, SeqCst);
            self.mailbox.begun().store(0, SeqCst);
            self.begun = 0;
        }
        // Either the parent sees the last result, or its wish is seen here.
        fence(SeqCst);
        self.tell(state.next, true);
    }

    /// Wakes the parent, if it wants to be woken for what is there now: all tasks before `answered` are.
    #[inline]
    fn tell(&self, answered: Number, is_all: bool) {
        let want = self.mailbox.want().load(SeqCst);
        if want & WANTED != 0
            && (is_all || answered.has_reached(Number::of(want)))
            && self.mailbox.want().swap(0, SeqCst) & WANTED != 0
        {
            self.bell.ring();
        }
    }

    /// Sleeps while that is so.
    fn sleep(&self, still: impl Fn(&Mailbox) -> bool) {
        let Some(asleep) = self.mailbox.asleep() else { return };
        asleep.store(1, SeqCst);
        if still(&self.mailbox) {
            futex::wait(asleep, 1, None);
        }
        asleep.store(0, SeqCst);
    }

    /// Runs the task that was just begun.
    fn perform(&mut self) -> Result<()> {
        let Some(found) = self.run.entry else { return Err(damaged()) };
        let (number, flags) = (found.head.number, found.head.mark);
        let begin = if flags & (TIMED | TRACED) == 0 { 0 } else { clock_gettime::monotonic() };
        if flags & TIMED != 0 {
            self.mailbox.since().store(begin, SeqCst);
        }
        if !self.run.is_loaded {
            self.load(found)?;
        }
        let mut own = None;
        if flags & (IN_A_MESSAGE | TO_DIE | TO_WAIT | TAGGED) != 0 {
            own = self.prepare(number, flags)?;
        }
        let part = if own.is_some() {
            0..0
        } else {
            let (start, end) =
                self.arguments.bytes().get(self.run.at..).and_then(lengths::first).ok_or_else(damaged)?;
            let part = self.run.at + start..self.run.at + end;
            self.run.at = part.end;
            part
        };
        self.encoder.begin_anew(0);
        // What came of it, but for a value: to bring that out of the closure for each task takes as long as the rest of this.
        let mut other = None;
        let caught = match self.targets.get(number as usize) {
            Some(Ok(Can::Run { perform, .. } | Can::Perform(perform))) => {
                let (perform, state, encoder) = (*perform, &mut *self.state, &mut self.encoder);
                let mut decoder = match &own {
                    Some(own) => Decoder::new(own),
                    None => Decoder::within(&self.arguments, part),
                };
                catch_unwind(AssertUnwindSafe(|| match perform(state, &mut decoder, encoder) {
                    Performed::Done => {}
                    performed => other = Some(performed),
                }))
            }
            refused => {
                let error = match refused {
                    Some(Ok(_)) => Error::refused("it makes a state, and is no task"),
                    Some(Err(error)) => error.clone(),
                    None => unknown(),
                };
                other = Some(Performed::Refused(error));
                Ok(())
            }
        };
        if flags & TRACED != 0 {
            let span = Span { begin, end: clock_gettime::monotonic() };
            self.write(Kind::Span, &span.to_bytes());
        }
        self.answer(caught, other)?;
        if flags & TIMED != 0 {
            // Before the next one is begun: it is not to be taken for the time of that.
            self.mailbox.since().store(0, SeqCst);
        }
        Ok(())
    }

    /// Reads the entry that the task which was just begun is in.
    fn load(&mut self, found: Found) -> Result<()> {
        let nothing = Message::plain(kind::ARGUMENTS, Vec::new());
        let mut bytes = mem::replace(&mut self.arguments, nothing).into_buffer();
        bytes.clear();
        bytes.extend_from_slice(&[0; HEADER]);
        found.read(self.mailbox.task_ring(), &mut bytes).ok_or_else(damaged)?;
        self.arguments = Message::plain(kind::ARGUMENTS, bytes);
        self.cursor = found.next;
        (self.run.at, self.run.is_loaded) = (0, true);
        if found.head.mark & NAMED != 0 {
            let mut decoder = Decoder::new(&self.arguments);
            let identity = decoder.take()?;
            self.run.at = decoder.position();
            self.name(found.head, &identity);
        }
        Ok(())
    }

    /// From now on this entry's number is that target's.
    fn name(&mut self, head: Head, identity: &Identity) {
        let index = head.number as usize;
        while self.targets.len() <= index {
            self.targets.push(Err(unknown()));
        }
        if head.mark & TAGGED != 0 {
            self.names.resize(self.targets.len(), String::new());
            if let Some(name) = self.names.get_mut(index) {
                identity.name.as_ref().clone_into(name);
            }
        }
        if let Some(known) = self.targets.get_mut(index).filter(|known| known.is_err()) {
            *known = registry::find(identity).map(|entry| entry.can);
        }
    }

    /// What stands before the arguments of some tasks. Returns the message that they came in, if that is one of their own.
    #[cold]
    fn prepare(&mut self, number: u32, flags: u8) -> Result<Option<Message>> {
        let mut decoder = Decoder::resume(&self.arguments, self.run.at);
        let sequence: Option<u64> = if flags & IN_A_MESSAGE != 0 { Some(decoder.take()?) } else { None };
        let pause: Option<u64> = if flags & TO_WAIT != 0 { Some(decoder.take()?) } else { None };
        let index: Option<u64> = if flags & TAGGED != 0 { Some(decoder.take()?) } else { None };
        self.run.at = decoder.position();
        if let Some(index) = index {
            let name = self.names.get(number as usize).map_or("", String::as_str);
            // If it is closed or broken there is nobody to tell.
            io::stderr().write_all(&tags::begin(name, index)).ok();
        }
        if flags & TO_DIE != 0 {
            nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL).ok();
        }
        if let Some(pause) = pause {
            thread::sleep(Duration::from_nanos(pause));
        }
        sequence.map(|sequence| self.message_of(sequence)).transpose()
    }

    /// Writes what a task came to: `None` is a value.
    #[inline]
    fn answer(&mut self, caught: thread::Result<()>, other: Option<Performed>) -> Result<()> {
        if caught.is_ok()
            && other.is_none()
            && let Some(body) = self.encoder.plain_body()
            && body.len() <= MOST
            && self.answers.value(&self.mailbox, body).is_some()
        {
            return Ok(());
        }
        self.answer_otherwise(caught.map(|()| other.unwrap_or(Performed::Done)))
    }

    /// The same for what is no small value, or has no room.
    #[cold]
    fn answer_otherwise(&mut self, performed: thread::Result<Performed>) -> Result<()> {
        match performed {
            Ok(Performed::Done) => self.answer_done(),
            Ok(Performed::Exit(code)) => self.write(Kind::Exit, &exit_code::number(code).to_le_bytes()),
            Ok(Performed::Refused(error)) => self.write(Kind::Refused, cut(&error.to_string())),
            Ok(Performed::Unencodable(error)) => self.write(Kind::Unencodable, cut(&error.to_string())),
            Err(payload) => {
                let panic = panic_hook::take(payload.as_ref());
                // Its destructor may panic too.
                mem::forget(payload);
                let mut encoder = Encoder::spilling_from(usize::MAX);
                encoder.put(&panic)?;
                if encoder.length() > MOST {
                    // A backtrace may be long; the message and the place are not to be lost with it.
                    encoder.begin_anew(0);
                    encoder.put(&Panic { backtrace: None, message: cut_text(&panic.message).to_owned(), ..panic })?;
                }
                self.write(Kind::Panicked, encoder.body());
            }
        }
        Ok(())
    }

    fn answer_done(&mut self) {
        while let Some(body) = self.encoder.plain_body().filter(|body| body.len() <= MOST) {
            if self.answers.value(&self.mailbox, body).is_some() {
                return;
            }
            self.wait_for_room();
        }
        let sent = mem::take(&mut self.encoder).finish(kind::VALUE).and_then(|message| {
            fault::point_named("task-sends");
            message.send(&self.socket, Wait::Yes).map_err(|error| Error::os("send the result", error))
        });
        match sent {
            Ok(()) => self.write(Kind::Message, &[]),
            Err(error) => self.write(Kind::Unencodable, cut(&error.to_string())),
        }
    }

    /// Writes a result that is no value.
    pub(super) fn write(&mut self, kind: Kind, bytes: &[u8]) {
        while self.answers.other(&self.mailbox, kind, bytes).is_none() {
            self.wait_for_room();
        }
    }

    /// Waits until the parent has read something.
    #[cold]
    fn wait_for_room(&self) {
        // However little it wanted to know, it has to read now.
        fence(SeqCst);
        if self.mailbox.want().swap(0, SeqCst) & WANTED != 0 {
            self.bell.ring();
        }
        self.sleep(|mailbox| self.answers.is_unread(mailbox));
    }

    /// The message of that number. Those before it belong to tasks that were taken back.
    fn message_of(&mut self, sequence: u64) -> Result<Message> {
        loop {
            let message = self.message()?;
            self.messages += 1;
            if self.messages == sequence {
                return Ok(message);
            }
        }
    }

    /// The next message on the socket. It was sent before this worker could know of it.
    pub(super) fn message(&self) -> Result<Message> {
        match try_recv(&self.socket)? {
            Incoming::Message(mut message) if message.kind() == kind::ARGUMENTS => {
                // It is sent again if this worker does not survive it.
                message.keep();
                Ok(message)
            }
            _ => Err(damaged()),
        }
    }
}

/// As much of a text as goes into an entry.
pub(super) fn cut(text: &str) -> &[u8] {
    cut_text(text).as_bytes()
}

fn cut_text(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MOST / 2)).unwrap_or(text)
}

fn unknown() -> Error {
    Error::protocol("a target that was not named")
}

fn damaged() -> Error {
    Error::protocol("the memory that is shared with the parent makes no sense")
}
