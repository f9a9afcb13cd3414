//! A chunk of a map, as whoever takes its results sees it.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    vec,
};

use super::order::{Order, Settlement};
use crate::{
    codec::{Decoder, Message, lengths},
    error::{Result, TaskError, TaskFacts},
    process::Output,
};

/// What was ordered together.
///
/// The code of a value's type may panic while it is decoded. That goes through whoever takes the results, and costs this value only: what comes
/// behind it is here, and handed out the next time.
pub(super) struct Chunk<T> {
    pub(super) order: Arc<Order>,
    /// How many have been handed out, or panicked.
    out: u32,
    /// Those that came before their turn; `Some(None)` panicked.
    early: Vec<Option<Option<Result<T, TaskError>>>>,
    /// What has been taken from the order: values, how far they are decoded, and whose they are.
    bytes: Message,
    at: usize,
    list: vec::IntoIter<Settlement>,
    /// The first of the items whose values come next, and how many these are.
    values: (u32, u32),
    /// The item whose value is being decoded: that is its type's own code.
    decoding: Option<u32>,
}

impl<T: Output> Chunk<T> {
    pub(super) fn new(order: Arc<Order>) -> Self {
        let bytes = Message::plain(0, Vec::new());
        Self {
            order,
            out: 0,
            early: Vec::new(),
            bytes,
            at: 0,
            list: Vec::new().into_iter(),
            values: (0, 0),
            decoding: None,
        }
    }

    /// How many have been handed out.
    pub(super) fn out(&self) -> u32 {
        self.out
    }

    /// Whether all have been.
    pub(super) fn is_done(&self) -> bool {
        self.out == self.order.count()
    }

    /// Hands out what was settled since the last time, in order or as it came.
    pub(super) fn receive(&mut self, in_order: bool, each: &mut impl FnMut(Result<T, TaskError>)) {
        self.receive_taken(in_order, each);
        let (bytes, list) = self.order.take();
        if !list.is_empty() {
            std::mem::replace(&mut self.bytes, Message::plain(0, bytes)).recycle();
            (self.at, self.list) = (0, list.into_iter());
            self.receive_taken(in_order, each);
        }
    }

    /// An item whose own code panics has neither value nor error; the panic goes on.
    fn receive_taken(&mut self, in_order: bool, each: &mut impl FnMut(Result<T, TaskError>)) {
        // One for all: for each value it would be a tenth of what that costs.
        let received = catch_unwind(AssertUnwindSafe(|| self.receive_all(in_order, each)));
        if let Err(payload) = received {
            if let Some(item) = self.decoding.take() {
                self.hand_out(in_order, item, None, each);
            }
            resume_unwind(payload);
        }
    }

    fn receive_all(&mut self, in_order: bool, each: &mut impl FnMut(Result<T, TaskError>)) {
        loop {
            while self.values.1 > 0 {
                let item = self.values.0;
                self.values = (item + 1, self.values.1 - 1);
                let rest = self.bytes.bytes().get(self.at..).and_then(lengths::first);
                let (start, end) = rest.unwrap_or_default();
                let part = self.at + start..self.at + end;
                self.at = part.end;
                self.decoding = Some(item);
                let value = decoded(&self.order, item, Decoder::within(&self.bytes, part));
                self.decoding = None;
                self.hand_out(in_order, item, Some(value), each);
            }
            match self.list.next() {
                None => return,
                Some(Settlement::Values { item, count }) => self.values = (item, count),
                Some(Settlement::Message(item, message)) => {
                    self.decoding = Some(item);
                    let value = decoded(&self.order, item, Decoder::new(&message));
                    self.decoding = None;
                    self.hand_out(in_order, item, Some(value), each);
                }
                Some(Settlement::Failed(item, error)) => self.hand_out(in_order, item, Some(Err(*error)), each),
            }
        }
    }

    /// Hands a result out, if it is its turn, and those that have waited for it.
    #[inline]
    fn hand_out(
        &mut self,
        in_order: bool,
        item: u32,
        result: Option<Result<T, TaskError>>,
        each: &mut impl FnMut(Result<T, TaskError>),
    ) {
        if in_order && item != self.out {
            return self.keep(item, result);
        }
        self.out += 1;
        result.into_iter().for_each(&mut *each);
        while let Some(result) = self.early.get_mut(self.out as usize).and_then(Option::take) {
            self.out += 1;
            result.into_iter().for_each(&mut *each);
        }
    }

    #[cold]
    fn keep(&mut self, item: u32, result: Option<Result<T, TaskError>>) {
        if self.early.is_empty() {
            self.early.resize_with(self.order.count() as usize, || None);
        }
        if let Some(place) = self.early.get_mut(item as usize) {
            *place = Some(result);
        }
    }
}

#[inline]
fn decoded<T: Output>(order: &Order, item: u32, mut decoder: Decoder<'_>) -> Result<T, TaskError> {
    match T::decode(&mut decoder).and_then(|value| decoder.finish().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(error) => {
            let facts = TaskFacts::new(order.facts(item, order.attempt(item)));
            Err(TaskError::Undecodable(facts, error.context("it does not decode")))
        }
    }
}

impl<T> fmt::Debug for Chunk<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunk").field("order", &self.order).field("out", &self.out).finish_non_exhaustive()
    }
}
