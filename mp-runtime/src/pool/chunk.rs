//! A chunk of a map, as whoever takes its results sees it.

use std::sync::Arc;

use super::order::{Order, Settlement};
use crate::{
    codec::{Decoder, Message, lengths},
    error::{Result, TaskError, TaskFacts},
    process::Output,
};

/// What was ordered together.
#[derive(Debug)]
pub(super) struct Chunk<T> {
    pub(super) order: Arc<Order>,
    /// How many have been handed out.
    out: u32,
    /// Those that came before their turn.
    early: Vec<Option<Result<T, TaskError>>>,
}

impl<T: Output> Chunk<T> {
    pub(super) fn new(order: Arc<Order>) -> Self {
        Self { order, out: 0, early: Vec::new() }
    }

    /// Whether all has been handed out.
    pub(super) fn is_done(&self) -> bool {
        self.out == self.order.count()
    }

    /// Hands out what was settled since the last time, in order or as it came. Returns how many those were.
    pub(super) fn receive(&mut self, in_order: bool, each: &mut impl FnMut(Result<T, TaskError>)) -> usize {
        let (bytes, list) = self.order.take();
        let before = self.out;
        let bytes = Message::plain(0, bytes);
        let mut at = 0;
        for settlement in list {
            match settlement {
                Settlement::Values { item, count, length } => {
                    let end = at + length as usize;
                    for item in item..item.saturating_add(count) {
                        let part = bytes.bytes().get(at..end).and_then(lengths::first);
                        let (start, length) = part.unwrap_or_default();
                        let result = self.value(item, Decoder::within(&bytes, at + start..at + length));
                        at += length;
                        self.hand_out(in_order, item, result, each);
                    }
                    at = end;
                }
                Settlement::Message(item, message) => {
                    let result = self.value(item, Decoder::new(&message));
                    self.hand_out(in_order, item, result, each);
                }
                Settlement::Failed(item, error) => {
                    self.hand_out(in_order, item, Err(*error), each);
                }
            }
        }
        bytes.recycle();
        (self.out - before) as usize
    }

    /// Hands a result out, if it is its turn, and those that have waited for it.
    #[inline]
    fn hand_out(
        &mut self,
        in_order: bool,
        item: u32,
        result: Result<T, TaskError>,
        each: &mut impl FnMut(Result<T, TaskError>),
    ) {
        if in_order && item != self.out {
            if self.early.is_empty() {
                self.early.resize_with(self.order.count() as usize, || None);
            }
            if let Some(place) = self.early.get_mut(item as usize) {
                *place = Some(result);
            }
            return;
        }
        self.out += 1;
        each(result);
        while let Some(result) = self.early.get_mut(self.out as usize).and_then(Option::take) {
            self.out += 1;
            each(result);
        }
    }

    #[inline]
    fn value(&self, item: u32, mut decoder: Decoder<'_>) -> Result<T, TaskError> {
        match T::decode(&mut decoder).and_then(|value| decoder.finish().map(|()| value)) {
            Ok(value) => Ok(value),
            Err(error) => {
                let facts = TaskFacts::new(self.order.facts(item, self.order.attempt(item)));
                Err(TaskError::Undecodable(facts, error.context("it does not decode")))
            }
        }
    }
}
