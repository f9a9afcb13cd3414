//! Values that a function has made before the process was forked, and what a process was started with instead of being forked.

use std::{
    any::Any,
    sync::{Mutex, PoisonError},
};

use super::{
    registry::{self, Identity},
    target::{Arguments, Can, TargetId},
};
use crate::{
    codec::{Decoder, Message},
    error::{Error, Result},
};

/// A function that makes a value for the processes that are forked after it: what `#[process_target(preload)]` makes of it.
///
/// The value stays in memory, which all of them share as long as they only read it. So it need be nothing that serde can write; but many threads may
/// look at it. It is not meant to be implemented by hand.
///
/// # Examples
///
/// See [`Context::preload`](crate::Context::preload).
#[diagnostic::on_unimplemented(
    message = "`{Self}` makes no value to be preloaded",
    label = "not annotated as one that does",
    note = "annotate the function with `#[process_target(preload)]`"
)]
pub trait PreloadTarget: Copy + Send + Sync + 'static {
    /// The arguments, as a tuple.
    type Args: Arguments;
    /// What [`preloaded`] finds.
    type Value: Send + Sync + 'static;
    /// The target's name and place.
    const ID: TargetId;

    /// Calls the function here.
    ///
    /// # Errors
    ///
    /// The text of the error that the function returned.
    fn load(args: Self::Args) -> std::result::Result<Self::Value, String>;
}

/// A value that is there for good.
pub(crate) type Loaded = &'static (dyn Any + Send + Sync);
/// How one is made.
pub(crate) type Load = fn(&mut Decoder<'_>) -> Result<Loaded>;

/// For a target that makes a `T::Value`.
pub(super) fn load<T: PreloadTarget>(decoder: &mut Decoder<'_>) -> Result<Loaded> {
    let arguments = T::Args::decode(decoder).and_then(|arguments| decoder.finish().map(|()| arguments));
    let arguments = arguments.map_err(|error| error.context("its arguments do not decode"))?;
    match T::load(arguments) {
        Ok(value) => Ok(Box::leak(Box::new(value))),
        Err(text) => Err(Error::refused(text)),
    }
}

static LOADED: Mutex<Vec<Loaded>> = Mutex::new(Vec::new());

/// The value of type `T` that a [preloaded](crate::Context::preload) function of this process's context has made, the last one if
/// several have; `None` if there is none.
///
/// It is the same memory in all processes that were forked by one server, until one writes to it (through a lock or an atomic in it): then that
/// process has a copy of that page.
///
/// # Examples
///
/// See [`Context::preload`](crate::Context::preload).
#[must_use]
pub fn preloaded<T: Send + Sync + 'static>() -> Option<&'static T> {
    let loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    loaded.iter().rev().find_map(|value| value.downcast_ref())
}

/// Such a message, of which there is another for the next process: what is in it stays its sender's.
pub(super) fn kept(mut message: Message) -> Message {
    message.keep();
    message
}

/// Runs the target that a message names, with the arguments in it, and keeps what it makes.
pub(super) fn perform(message: &Message) -> Result<()> {
    let mut decoder = Decoder::new(message);
    let identity: Identity = decoder.take()?;
    let doing = |error: Error| error.context(format!("cannot preload {}", identity.name));
    let entry = registry::find(&identity).map_err(doing)?;
    let Can::Load(load) = entry.can else {
        return Err(doing(Error::refused("it is not annotated with `#[process_target(preload)]`")));
    };
    let value = load(&mut decoder).map_err(doing)?;
    LOADED.lock().unwrap_or_else(PoisonError::into_inner).push(value);
    Ok(())
}
