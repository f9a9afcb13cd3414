//! What an executor is given to do.

use std::{fmt, ops::Range, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    options::TaskOptions,
    order::{Order, Settlement},
};
use crate::{
    codec::{HEADER, Message, Parcel, lengths},
    error::{Error, TaskError, TaskFacts},
    process::{Arguments, TargetId, registry::Identity},
};

/// A larger result is not put to the others of its order.
const LARGE: usize = 1 << 20;

/// A target as it travels: its name, and where it stands in the source.
///
/// A program of the same source knows the target by it. One with `name = "…"` is known by that alone, in whatever build.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target(name = "thumbnail")]
/// fn small(width: u32) -> u32 {
///     width / 8
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let text = serde_json::to_string(&mp::TargetName::of(small))?;
/// let name: mp::TargetName = serde_json::from_str(&text)?;
/// assert_eq!(name.name(), "thumbnail");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TargetName(Identity);

impl TargetName {
    /// Of a target of this program.
    pub fn of<F: crate::Target>(_target: F) -> Self {
        Self::known(F::ID)
    }

    /// Of one that needs a worker's state: `TargetName::of_stateful::<State, _>(target)`.
    pub fn of_stateful<S, F: crate::WorkerTarget<S>>(_target: F) -> Self {
        Self::known(F::ID)
    }

    pub(super) fn known(id: TargetId) -> Self {
        Self(id.into())
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.0
    }
}

/// A target, and arguments for it.
pub(super) fn call_of(id: TargetId, args: &impl Arguments) -> Result<(TargetName, Parcel), Error> {
    let parcel = Parcel::of(args.value()).map_err(|error| error.context(format!("the arguments of {}", id.name())))?;
    Ok((TargetName::known(id), parcel))
}

/// Tasks for an [`Executor`](super::Executor): consecutive items for one target.
///
/// Each is settled with its encoded result or an error. What is dropped before that is settled as
/// [`TaskError::Cancelled`], so that nobody waits for it for ever.
///
/// # Examples
///
/// See [`Executor`](super::Executor).
#[must_use = "what is dropped is cancelled"]
pub struct Work {
    pub(super) order: Arc<Order>,
    pub(super) items: Range<u32>,
}

impl Work {
    pub(super) fn new(order: &Arc<Order>) -> Self {
        Self { order: Arc::clone(order), items: 0..order.count() }
    }

    /// The target.
    #[must_use]
    pub fn target(&self) -> &TargetName {
        &self.order.target
    }

    /// How it is to be run.
    #[must_use]
    pub fn options(&self) -> &TaskOptions {
        &self.order.options
    }

    /// How many items are left.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// How many bytes the arguments of what is left are.
    pub(super) fn bytes(&self) -> usize {
        self.order.length_of(self.items.clone())
    }

    /// Whether all are settled.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Which item of the input the next one is, from 0.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.order.first + u64::from(self.items.start)
    }

    /// Whether nobody wants the results any more.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.order.is_cancelled()
    }

    /// The encoded arguments of the next item.
    ///
    /// # Errors
    ///
    /// They hold descriptors, or handles of what this machine's processes share: they cannot go elsewhere as bytes.
    pub fn arguments(&self) -> Result<&[u8], Error> {
        self.order.bytes(self.items.start).ok_or_else(|| {
            Error::unsupported("the arguments hold descriptors, which only a process of this machine can be given")
        })
    }

    /// Settles the next item: with its encoded result, or an error, which need not know [which item](TaskFacts::index) it is.
    pub fn settle(&mut self, result: Result<Vec<u8>, TaskError>) {
        let index = self.index();
        let Some(item) = self.items.next() else { return };
        match result {
            Ok(bytes) if bytes.len() > LARGE => {
                let bytes = [&[0; HEADER][..], &bytes].concat();
                self.order.settle(Settlement::Message(item, Box::new(Message::plain(0, bytes))));
            }
            Ok(bytes) => {
                let mut measured = Vec::with_capacity(bytes.len() + 5);
                lengths::put(&mut measured, &bytes);
                self.order.settled().values(item, 1, &measured);
                self.order.close(1);
            }
            Err(error) => self.order.settle(Settlement::Failed(item, Box::new(error.of_item(index)))),
        }
    }

    /// What is known of the next item, for an error of the executor's own.
    #[must_use]
    pub fn facts(&self) -> TaskFacts {
        TaskFacts::new(self.order.facts(self.items.start, 1))
    }

    /// The first `items` of it.
    pub fn split_off(&mut self, items: usize) -> Self {
        let count = u32::try_from(items).unwrap_or(u32::MAX).min(self.items.end - self.items.start);
        let middle = self.items.start + count;
        let first = self.items.start..middle;
        self.items.start = middle;
        Self { order: Arc::clone(&self.order), items: first }
    }

    /// Settles all that is left with errors.
    pub(super) fn fail(&mut self, error: impl Fn(u32) -> TaskError) {
        let items = std::mem::take(&mut self.items);
        if items.is_empty() {
            return;
        }
        let count = items.end - items.start;
        let list = items.map(|item| Settlement::Failed(item, Box::new(error(item)))).collect::<Vec<_>>();
        self.order.settled().list.extend(list);
        self.order.close(count);
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if !self.items.is_empty() {
            let order = Arc::clone(&self.order);
            self.fail(|item| order.cancelled(item));
        }
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work")
            .field("target", &self.target().name())
            .field("items", &self.items)
            .finish_non_exhaustive()
    }
}
