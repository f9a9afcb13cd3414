//! What workers have answered is brought to whoever wants it.

use std::{
    sync::{
        Arc,
        atomic::{Ordering::SeqCst, fence},
    },
    time::{Duration, Instant},
};

use super::{
    core::{Core, Pending, Targets, Worker},
    entry::Kind,
    inbox::Answer,
    stats::{LongTask, Longest},
    trace::{Span, Trace},
};
use crate::{
    codec::{Decoder, HEADER, Message, lengths},
    error::{Error, FactsOfTask, Panic, TaskError, TaskFacts},
    ipc::{Incoming, try_recv},
    pool::{
        Work,
        order::{Order, Settlement},
    },
};

/// What is to be tried again, and when.
type Later = Vec<(Instant, Pending)>;

/// Where it goes what is found among results.
pub(super) struct Finds<'a> {
    pub(super) targets: &'a mut Targets,
    pub(super) later: &'a mut Later,
    pub(super) longest: &'a mut Longest,
}

impl Core {
    /// Takes all results that are there.
    pub(super) fn collect(&mut self) {
        let now = Instant::now();
        let mut finds = Finds { targets: &mut self.targets, later: &mut self.later, longest: &mut self.longest };
        let trace = self.config.trace.as_ref();
        for worker in self.slots.iter_mut().filter_map(|slot| slot.worker_mut()) {
            worker.collect(now, &mut finds, trace);
        }
        if !self.no_room.is_empty() && !self.is_full() {
            self.no_room.drain(..).for_each(|thread| thread.unpark());
        }
    }

    /// Whether a worker has answered as much as it was to tell of.
    pub(super) fn is_due(&self) -> bool {
        // Either the worker sees what is wanted, or its result is seen here.
        fence(SeqCst);
        self.workers().any(|worker| worker.desk.is_due())
    }
}

impl Worker {
    /// Takes its results.
    pub(super) fn collect(&mut self, now: Instant, finds: &mut Finds<'_>, trace: Option<&Trace>) {
        if self.desk.ignores_answers() {
            return;
        }
        let next = self.desk.mailbox.state().next;
        if self.desk.has_news() {
            self.take_news(now, finds, trace);
        }
        if !self.desk.makes_sense(next) && !self.desk.ignores_answers() {
            self.distrust();
        }
    }

    fn take_news(&mut self, now: Instant, finds: &mut Finds<'_>, trace: Option<&Trace>) {
        let first = self.desk.front().map(|piece| (Arc::clone(&piece.order), piece.items.start, piece.number));
        let mut answered = Vec::new();
        loop {
            let answer = self.desk.next_answer();
            if let Some(span) = self.span.take_if(|_| answer != Answer::Nothing)
                && let Some(piece) = self.desk.front()
            {
                let index = piece.order.first + u64::from(piece.items.start);
                if let Some(trace) = trace {
                    trace.task(self.process.pid(), piece.order.target.name(), index, span);
                }
                self.note(&Arc::clone(&piece.order), piece.items.start, Duration::from_nanos(span.length()), finds);
            }
            match answer {
                Answer::Nothing => break,
                Answer::Values(count) => self.take_values(count, &mut answered),
                Answer::Other(kind) => {
                    if self.take_one(kind, finds.later, &mut answered).is_none() {
                        self.distrust();
                        break;
                    }
                }
                Answer::Nonsense => {
                    self.distrust();
                    break;
                }
            }
        }
        self.desk.have_read();
        let took = self.desk.busy_since();
        let tasks: u32 = answered.iter().map(|(_, tasks)| tasks).sum();
        if let Some((order, item, number)) = first.filter(|_| tasks > 0) {
            finds.targets.learn(number, took, tasks);
            if tasks == 1 && trace.is_none() {
                self.note(&order, item, took, finds);
            }
            self.busy += took;
            self.done += u64::from(tasks);
            self.desk.mark = now;
        }
        for (order, of_these) in answered {
            order.spend(took / tasks.max(1) * of_these);
            order.close(of_these);
        }
    }

    /// A task took so long.
    fn note(&self, order: &Order, item: u32, time: Duration, finds: &mut Finds<'_>) {
        if finds.longest.takes(time) {
            let (target, index) = (order.target.name().to_owned(), order.first + u64::from(item));
            finds.longest.add(LongTask { target, index, worker: self.name.clone(), time });
        }
    }

    /// It writes nonsense, and so it is not to be believed any more.
    fn distrust(&mut self) {
        self.process.kill().ok();
        self.desk.ignore_answers();
    }

    /// Settles the next tasks with the values in the inbox, but for the count.
    fn take_values(&mut self, mut count: u32, answered: &mut Vec<(Arc<Order>, u32)>) {
        let inbox = self.desk.take_inbox();
        let mut at = 0;
        while count > 0
            && let Some(piece) = self.desk.front()
        {
            let (order, first) = (Arc::clone(&piece.order), piece.items.start);
            let these = count.min(piece.items.len() as u32);
            let rest = inbox.get(at..).unwrap_or_default();
            let end = if these == count { Some(rest.len()) } else { lengths::skip(rest, these as usize) };
            let bytes = end.and_then(|end| rest.get(..end)).unwrap_or_default();
            at += bytes.len();
            if order.is_cancelled() {
                let cancelled = |item| Settlement::Failed(item, Box::new(order.cancelled(item)));
                let list: Vec<_> = (first..first + these).map(cancelled).collect();
                order.settled().list.extend(list);
            } else {
                order.settled().values(first, these, bytes);
            }
            answered.push((order, these));
            self.desk.answer(these);
            count -= these;
        }
        self.desk.keep_inbox(inbox);
    }

    /// Takes a result that is no plain value. `None`: it makes no sense.
    fn take_one(&mut self, kind: Kind, later: &mut Later, answered: &mut Vec<(Arc<Order>, u32)>) -> Option<()> {
        let inbox = self.desk.take_inbox();
        let text = || String::from_utf8_lossy(&inbox).into_owned();
        match kind {
            Kind::Ready => {
                self.ready = Some(Instant::now());
                return Some(());
            }
            Kind::Unready => {
                self.unready = Some(text());
                return Some(());
            }
            Kind::Span => {
                self.span = Some(Span::of(&inbox)?);
                return Some(());
            }
            _ => {}
        }
        if matches!(kind, Kind::Values) {
            return None;
        }
        let (order, item) = self.desk.front().map(|piece| (Arc::clone(&piece.order), piece.items.start))?;
        // From here on the item is to be settled by this.
        self.desk.answer(1);
        let attempt = order.attempt(item);
        let facts = FactsOfTask { worker: Some((self.name.clone(), self.process.pid())), ..order.facts(item, attempt) };
        let settled = match kind {
            Kind::Message => match try_recv(&self.desk.socket) {
                Ok(Incoming::Message(message)) => Ok(Settlement::Message(item, Box::new(message))),
                Ok(_) => {
                    self.distrust();
                    let error = Error::protocol("the worker has announced a message that did not come");
                    Err(TaskError::Undecodable(TaskFacts::new(facts), error))
                }
                Err(error) => Err(TaskError::Undecodable(TaskFacts::new(facts), error)),
            },
            Kind::Panicked => {
                let message = Message::plain(0, [&[0; HEADER], inbox.as_slice()].concat());
                match Decoder::new(&message).take::<Panic>() {
                    Ok(panic) => Err(TaskError::Panicked(TaskFacts::new(facts), Box::new(panic))),
                    Err(error) => Err(TaskError::Undecodable(TaskFacts::new(facts), error)),
                }
            }
            Kind::Exit => {
                let code = inbox.as_slice().try_into().ok().map(i32::from_le_bytes);
                Err(TaskError::Exited(TaskFacts::new(FactsOfTask { code, ..facts })))
            }
            Kind::Refused => Err(TaskError::Refused(TaskFacts::new(facts), Error::refused(text()))),
            Kind::Unencodable | Kind::Values | Kind::Ready | Kind::Unready | Kind::Span => {
                Err(TaskError::Undecodable(TaskFacts::new(facts), Error::refused(text())))
            }
        };
        match settled {
            Ok(_) if order.is_cancelled() => {
                let cancelled = order.cancelled(item);
                order.settled().list.push(Settlement::Failed(item, Box::new(cancelled)));
            }
            Ok(settlement) => order.settled().list.push(settlement),
            Err(error) => {
                if let Some(again) = failed(&order, item, error, Some(self.id)) {
                    later.push(again);
                    return Some(());
                }
            }
        }
        answered.push((order, 1));
        Some(())
    }
}

/// An attempt ended in an error: the item is settled with it, but for the count; or is to be tried again.
pub(super) fn failed(
    order: &Arc<Order>,
    item: u32,
    error: TaskError,
    worker: Option<u64>,
) -> Option<(Instant, Pending)> {
    match order.failed(item, error) {
        Ok(pause) => {
            let work = Work { order: Arc::clone(order), items: item..item + 1 };
            let due = Instant::now().checked_add(pause).unwrap_or_else(|| Instant::now() + Duration::from_secs(86_400));
            Some((due, Pending { work, avoid: worker }))
        }
        Err(error) => {
            let error = if order.is_cancelled() { order.cancelled(item) } else { error };
            order.settled().list.push(Settlement::Failed(item, Box::new(error)));
            None
        }
    }
}
