//! Targets run one after the other in a process that stays: decode, call, encode, as often as there is something to do.

use std::{any::Any, process::ExitCode};

use super::target::{Arguments, Output, Target, TargetId};
use crate::{
    codec::{Decoder, Encoder},
    error::{Error, Result},
    fault,
};

/// A function that a pool's worker can run: any [`Target`], and those whose first argument is the worker's state.
///
/// `#[process_target] fn predict(model: &mut Model, image: Image) -> Label` implements it for the workers of a pool that were given a
/// `Model` by [`worker_state`](crate::PoolBuilder::worker_state). It is not meant to be implemented by hand.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn double(x: u64) -> u64 {
///     2 * x
/// }
///
/// /// Runs on whatever pool, and on none of the caller's choice.
/// fn doubled<F: mp::WorkerTarget<(), Args = (u64,), Output = u64>>(pool: &mp::Pool, target: F) -> Option<u64> {
///     pool.call(target, (4,)).ok()
/// }
///
/// # fn main() -> mp::Result<()> {
/// let pool = mp::Pool::builder().workers(1).build()?;
/// assert_eq!(doubled(&pool, double), Some(8));
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot run in a worker whose state is `{S}`",
    label = "no process target for such a worker",
    note = "annotate the function with `#[process_target]`; if its first argument is a `&mut State`, the pool must have been built \
            with a `worker_state` that makes this `State`"
)]
pub trait WorkerTarget<S>: Copy + Send + Sync + 'static {
    /// The arguments besides the state, as a tuple.
    type Args: Arguments;
    /// What the worker sends back.
    type Output: Output;
    /// The target's name and place.
    const ID: TargetId;

    /// Calls the function here.
    ///
    /// # Errors
    ///
    /// The exit code, where the function returned an `ExitCode` other than success.
    fn call_with(state: &mut S, args: Self::Args) -> std::result::Result<Self::Output, ExitCode>;
}

#[diagnostic::do_not_recommend]
impl<S, T: Target> WorkerTarget<S> for T {
    type Args = T::Args;
    type Output = T::Output;
    const ID: TargetId = T::ID;

    #[inline]
    fn call_with(_state: &mut S, args: Self::Args) -> std::result::Result<Self::Output, ExitCode> {
        T::call(args)
    }
}

/// A function that makes the state of a pool's worker: what `#[process_target(worker_state)]` makes of it.
///
/// The state stays in the worker, so it need be nothing that serde can write. It is not meant to be implemented by hand.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// struct Counter(u64);
///
/// #[mp::process_target(worker_state)]
/// fn start_at(first: u64) -> Counter {
///     Counter(first)
/// }
///
/// #[mp::process_target]
/// fn next(counter: &mut Counter) -> u64 {
///     counter.0 += 1;
///     counter.0
/// }
///
/// # fn main() -> mp::Result<()> {
/// let pool = mp::Pool::builder().workers(1).worker_state(start_at, (41,)).build()?;
/// assert_eq!(pool.call(next, ())?, 42);
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` makes no state of a worker",
    label = "not annotated as one that does",
    note = "annotate the function with `#[process_target(worker_state)]`"
)]
pub trait StateTarget: Copy + Send + Sync + 'static {
    /// The arguments, as a tuple.
    type Args: Arguments;
    /// What the workers keep.
    type State: 'static;
    /// The target's name and place.
    const ID: TargetId;

    /// Calls the function here.
    ///
    /// # Errors
    ///
    /// The text of the error that the function returned.
    fn build(args: Self::Args) -> std::result::Result<Self::State, String>;
}

/// How a target is run again and again, by one who has decoder and encoder already.
pub(crate) type Perform = fn(&mut dyn Any, &mut Decoder<'_>, &mut Encoder) -> Performed;
/// How a worker's state is made.
pub(crate) type Build = fn(&mut Decoder<'_>) -> Result<Box<dyn Any>>;

/// How it went.
#[derive(Debug)]
pub(crate) enum Performed {
    /// The result is encoded.
    Done,
    /// The function returned an exit code other than success.
    Exit(ExitCode),
    /// The arguments do not decode, or the state is another one.
    Refused(Error),
    /// The result does not encode.
    Unencodable(Error),
}

/// For a target that needs no state.
pub(super) fn plain<T: Target>(_state: &mut dyn Any, decoder: &mut Decoder<'_>, encoder: &mut Encoder) -> Performed {
    perform::<T, ()>(&mut (), decoder, encoder)
}

/// For one that needs a state of that type.
pub(super) fn stateful<T: WorkerTarget<S>, S: 'static>(
    state: &mut dyn Any,
    decoder: &mut Decoder<'_>,
    encoder: &mut Encoder,
) -> Performed {
    match state.downcast_mut::<S>() {
        Some(state) => perform::<T, S>(state, decoder, encoder),
        None => Performed::Refused(Error::refused(format!(
            "target {} needs a worker's state of type `{}`, which this worker does not have",
            T::ID.name(),
            std::any::type_name::<S>()
        ))),
    }
}

#[inline]
fn perform<T: WorkerTarget<S>, S>(state: &mut S, decoder: &mut Decoder<'_>, encoder: &mut Encoder) -> Performed {
    let arguments = match T::Args::decode(decoder).and_then(|arguments| decoder.finish().map(|()| arguments)) {
        Ok(arguments) => arguments,
        Err(error) => return Performed::Refused(error.context("its arguments do not decode")),
    };
    fault::point_named("task-decoded");
    let output = match T::call_with(state, arguments) {
        Ok(output) => output,
        Err(code) => return Performed::Exit(code),
    };
    fault::point_named("task-returned");
    match encoder.put(output.value()) {
        Ok(()) => Performed::Done,
        Err(error) => Performed::Unencodable(error.context("it does not encode")),
    }
}

/// For one that makes a state.
pub(super) fn build<T: StateTarget>(decoder: &mut Decoder<'_>) -> Result<Box<dyn Any>> {
    let arguments = T::Args::decode(decoder).and_then(|arguments| decoder.finish().map(|()| arguments));
    let arguments = arguments.map_err(|error| error.context("its arguments do not decode"))?;
    match T::build(arguments) {
        Ok(state) => Ok(Box::new(state)),
        Err(text) => Err(Error::refused(text)),
    }
}
