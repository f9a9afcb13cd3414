//! A target run here by its name: the far end of an executor.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use super::TargetName;
use crate::{
    codec::{Decoder, Encoder, HEADER, Message},
    error::{Error, FactsOfTask, Panic, Result, TaskError, TaskFacts},
    process::{Can, Performed, exit_code, panic_hook, registry},
};

/// Runs a target of this program, here and now, on encoded arguments: for an [`Executor`](crate::Executor) that has brought both to another process or
/// machine. It waits as long as the function takes.
///
/// What goes there is [`Work::target`](crate::Work::target), [`Work::arguments`](crate::Work::arguments) and, if it likes,
/// [`Work::options`](crate::Work::options); what comes back is for [`Work::settle`](crate::Work::settle). A target goes by its place in the
/// source, or by `name = "…"` where the other side is another build.
///
/// # Errors
///
/// [`Panicked`](TaskError::Panicked): the function panicked; where, is known in a child of this library's only, as elsewhere the panic hook is the
/// program's. [`Exited`](TaskError::Exited): it returned an `ExitCode` other than success. [`Refused`](TaskError::Refused): the target is unknown here, or
/// the arguments do not decode. [`Undecodable`](TaskError::Undecodable): the result does not encode, or holds descriptors. Whatever ends the
/// process ends the caller: who is to survive that runs it in a [`Process`](crate::Process).
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target(name = "halve")]
/// fn halve(x: u64) -> u64 {
///     assert!(x % 2 == 0, "{x} is odd");
///     x / 2
/// }
///
/// /// What another machine is sent: text, bytes. It would be the `main` of a program there.
/// fn answer(target: &str, arguments: &[u8]) -> Result<Vec<u8>, mp::TaskError> {
///     mp::perform(&serde_json::from_str(target).expect("a target's name"), arguments)
/// }
///
/// let target = serde_json::to_string(&mp::TargetName::of(halve)).unwrap();
/// assert_eq!(answer(&target, &[10]).unwrap(), [5]); // small numbers are a byte
/// assert_eq!(answer(&target, &[7]).unwrap_err().panic().unwrap().message(), "7 is odd");
/// ```
pub fn perform(target: &TargetName, arguments: &[u8]) -> Result<Vec<u8>, TaskError> {
    perform_with(target, arguments, &mut ())
}

/// [`perform`] with the state that a worker keeps between tasks.
///
/// # Errors
///
/// As [`perform`]. A target that wants another state is [`Refused`](TaskError::Refused); after a panic the state is as it was then.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn add(sum: &mut u64, x: u64) -> u64 {
///     *sum += x;
///     *sum
/// }
///
/// let mut sum = 40_u64;
/// assert_eq!(mp::perform_with(&mp::TargetName::of_stateful::<u64, _>(add), &[2], &mut sum).unwrap(), [42]);
/// assert!(matches!(mp::perform(&mp::TargetName::of_stateful::<u64, _>(add), &[2]), Err(mp::TaskError::Refused(..))));
/// ```
pub fn perform_with<S: 'static>(target: &TargetName, arguments: &[u8], state: &mut S) -> Result<Vec<u8>, TaskError> {
    let facts = || FactsOfTask { target: target.name().to_owned().into(), attempt: 1, ..FactsOfTask::default() };
    let mut bytes = Vec::with_capacity(HEADER + arguments.len());
    bytes.extend_from_slice(&[0; HEADER]);
    bytes.extend_from_slice(arguments);
    let message = Message::plain(0, bytes);
    let mut encoder = Encoder::spilling_from(usize::MAX);
    run(&find(target), state, &mut Decoder::new(&message), &mut encoder, facts)?;
    if !encoder.is_plain() {
        let why = "the result holds descriptors, which cannot go elsewhere as bytes; return what is behind them";
        return Err(TaskError::Undecodable(TaskFacts::new(facts()), Error::unsupported(why)));
    }
    Ok(encoder.body().to_vec())
}

/// What this program can do with a target.
pub(super) fn find(target: &TargetName) -> Result<Can> {
    registry::find(target.identity()).map(|entry| entry.can)
}

/// Runs a target once. Its result is in the encoder then.
pub(super) fn run(
    found: &Result<Can>,
    state: &mut dyn Any,
    decoder: &mut Decoder<'_>,
    encoder: &mut Encoder,
    facts: impl Fn() -> FactsOfTask,
) -> Result<(), TaskError> {
    let known = || TaskFacts::new(facts());
    let perform = match found {
        Ok(Can::Run { perform, .. } | Can::Perform(perform)) => perform,
        Ok(Can::Build(_)) => {
            let why = "it makes a state, and is no task; give it to `worker_state`";
            return Err(TaskError::Refused(known(), Error::refused(why)));
        }
        Ok(Can::Load(_)) => {
            let why = "it is run before processes are forked, and is no task; give it to `Context::preload`";
            return Err(TaskError::Refused(known(), Error::refused(why)));
        }
        Err(error) => return Err(TaskError::Refused(known(), error.clone())),
    };
    match catch_unwind(AssertUnwindSafe(|| perform(state, decoder, encoder))) {
        Ok(Performed::Done) => Ok(()),
        Ok(Performed::Exit(code)) => {
            let code = Some(exit_code::number(code));
            Err(TaskError::Exited(TaskFacts::new(FactsOfTask { code, ..facts() })))
        }
        Ok(Performed::Refused(error)) => Err(TaskError::Refused(known(), error)),
        Ok(Performed::Unencodable(error)) => Err(TaskError::Undecodable(known(), error)),
        Err(payload) => Err(TaskError::Panicked(known(), Box::new(panic(payload)))),
    }
}

/// What a panic of this thread's was.
pub(super) fn panic(payload: Box<dyn Any + Send>) -> Panic {
    let panic = panic_hook::take(payload.as_ref());
    // Its destructor may panic too.
    mem::forget(payload);
    Panic { thread: panic.thread.or_else(|| thread::current().name().map(str::to_owned)), ..panic }
}
