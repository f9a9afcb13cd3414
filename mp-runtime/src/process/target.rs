//! What can run in a child: a target is a type that knows its arguments, its result and its place in the source.

use std::process::ExitCode;

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    codec::{Decoder, Message},
    error::Result,
    process::{
        outcome::Ran,
        perform::{self, Build, Perform, StateTarget, WorkerTarget},
        preload::{self, Load, PreloadTarget},
    },
};

/// A function that can run in a child process: what `#[process_target]` makes of it.
///
/// The attribute turns `fn square(x: u64) -> u64` into a unit struct `square` that implements this
/// trait and dereferences to the function, so that `square(3)` still calls it. It is not meant to be
/// implemented by hand.
///
/// # Examples
///
/// ```
/// use multiprocess::{self as mp, Target};
///
/// #[mp::process_target]
/// fn square(x: u64) -> u64 {
///     x * x
/// }
///
/// assert_eq!(square(3), 9);
/// assert!(square.id().name().ends_with("square"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot run in a child process",
    label = "not a process target",
    note = "annotate the function with `#[process_target]`; a closure cannot cross a process boundary",
    note = "one that takes a worker's state `&mut S`, or makes one (`worker_state`), runs in a `Pool` only, one that is `preload` before others"
)]
pub trait Target: Copy + Send + Sync + 'static {
    /// The arguments, as a tuple.
    type Args: Arguments;
    /// What the child sends back.
    type Output: Output;
    /// The target's name and place.
    const ID: TargetId;

    /// Calls the function here.
    ///
    /// # Errors
    ///
    /// The exit code, where the function returned an `ExitCode` other than success.
    fn call(args: Self::Args) -> std::result::Result<Self::Output, ExitCode>;

    /// The target's name and place.
    fn id(self) -> TargetId {
        Self::ID
    }
}

/// A struct whose fields are the arguments: Python's keyword arguments and `Process` subclasses.
///
/// `#[process_target]` on `impl Job for Render { fn run(self) -> Image { … } }`, or on the inherent
/// `impl Render { fn run(self) -> Image { … } }`, registers it; [`Process::job`](crate::Process::job) starts it.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Power {
///     base: u64,
///     exponent: u32,
/// }
///
/// #[mp::process_target]
/// impl mp::Job for Power {
///     fn run(self) -> u64 {
///         self.base.pow(self.exponent)
///     }
/// }
///
/// # fn main() -> mp::Result<()> {
/// let child = mp::Process::job(Power { base: 2, exponent: 10 }).start()?;
/// assert_eq!(child.join()?, 1024);
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a job",
    label = "not a job",
    note = "annotate `impl Job for {Self} {{ fn run(self) -> … }}` with `#[process_target]`"
)]
pub trait Job: Sized {
    /// What the child sends back; the attribute writes it.
    type Output;

    /// Does the work, in the child.
    fn run(self) -> Self::Output;
}

/// The target that runs a [`Job`]; the attribute implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a job",
    label = "not a job",
    note = "annotate `impl Job for {Self} {{ fn run(self) {{ … }} }}` with `#[process_target]`"
)]
pub trait JobTarget: Job {
    /// Runs `Self` as its only argument.
    type Target: Target<Args = (Self,)>;
    /// The target as a value.
    const TARGET: Self::Target;
}

/// What a target takes: a tuple of up to 16 owned values that serde can write and read.
///
/// It has methods where one would expect `Serialize` and `DeserializeOwned` as supertraits, and so has
/// [`Output`]: of a type that is neither, the compiler would report all three, here it reports the one.
pub trait Arguments: Sized {
    #[doc(hidden)]
    fn value(&self) -> &impl Serialize;
    #[doc(hidden)]
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self>;
}

macro_rules! arguments {
    ($($argument:ident)*) => {
        impl<$($argument: Argument),*> Arguments for ($($argument,)*) {
            #[inline]
            fn value(&self) -> &impl Serialize {
                self
            }

            #[inline]
            fn decode(decoder: &mut Decoder<'_>) -> Result<Self> {
                decoder.take()
            }
        }
    };
}

arguments!();
arguments!(A);
arguments!(A B);
arguments!(A B C);
arguments!(A B C D);
arguments!(A B C D E);
arguments!(A B C D E F);
arguments!(A B C D E F G);
arguments!(A B C D E F G H);
arguments!(A B C D E F G H I);
arguments!(A B C D E F G H I J);
arguments!(A B C D E F G H I J K);
arguments!(A B C D E F G H I J K L);
arguments!(A B C D E F G H I J K L M);
arguments!(A B C D E F G H I J K L M N);
arguments!(A B C D E F G H I J K L M N O);
arguments!(A B C D E F G H I J K L M N O P);

/// One argument of a target.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a process target",
    label = "cannot be sent to a child process",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it; a file or socket goes into `multiprocess::Handle`"
)]
pub trait Argument: Serialize + DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Argument for T {}

/// What a target returns.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the result of a process target",
    label = "cannot be sent back from a child process",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it; a file or socket goes into `multiprocess::Handle`; \
            of an error type that is not yours, such as `std::io::Error`, return the text: `Result<T, String>`"
)]
pub trait Output: Sized + 'static {
    #[doc(hidden)]
    fn value(&self) -> &impl Serialize;
    #[doc(hidden)]
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + 'static> Output for T {
    #[inline]
    fn value(&self) -> &impl Serialize {
        self
    }

    #[inline]
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self> {
        decoder.take()
    }
}

/// The result of a function that never returns: `fn serve() -> !`.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn leave() -> ! {
///     std::process::exit(7)
/// }
///
/// # fn main() -> mp::Result<()> {
/// let error = mp::spawn(leave, ())?.join().unwrap_err();
/// assert_eq!(error.ended().code(), Some(7));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub enum Never {}

/// A target's name and its place in the source: together they tell any two targets of a program apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TargetId {
    name: &'static str,
    file: &'static str,
    line: u32,
    column: u32,
    explicit: bool,
}

impl TargetId {
    /// A name that was written out with `name = "…"` must be unique in the program.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(name: &'static str, explicit: bool, file: &'static str, line: u32, column: u32) -> Self {
        Self { name, file, line, column, explicit }
    }

    /// `module::path::function`, or what `name = "…"` says.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// File, line and column of the attribute.
    #[must_use]
    pub const fn location(&self) -> (&'static str, u32, u32) {
        (self.file, self.line, self.column)
    }

    pub(crate) const fn is_explicit(&self) -> bool {
        self.explicit
    }
}

/// One row of the table that the linker fills: how a child finds and runs a target it only knows by name.
#[doc(hidden)]
#[derive(Debug)]
pub struct Entry {
    pub(crate) id: TargetId,
    pub(crate) can: Can,
}

/// What can be done with a target.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Can {
    /// It needs nothing but its arguments.
    Run { run: fn(Message, usize) -> Ran, perform: Perform },
    /// It needs the state of a worker.
    Perform(Perform),
    /// It makes the state of a worker.
    Build(Build),
    /// It makes what processes find that are forked after it.
    Load(Load),
}

impl Entry {
    /// The row of a target.
    #[must_use]
    pub const fn new<T: Target>() -> Self {
        Self { id: T::ID, can: Can::Run { run: super::outcome::run::<T>, perform: perform::plain::<T> } }
    }

    /// The row of a target that needs a state.
    #[must_use]
    pub const fn stateful<T: WorkerTarget<S>, S: 'static>() -> Self {
        Self { id: T::ID, can: Can::Perform(perform::stateful::<T, S>) }
    }

    /// The row of a target that makes a state.
    #[must_use]
    pub const fn state<T: StateTarget>() -> Self {
        Self { id: T::ID, can: Can::Build(perform::build::<T>) }
    }

    /// The row of a target that is run before processes are forked.
    #[must_use]
    pub const fn preload<T: PreloadTarget>() -> Self {
        Self { id: T::ID, can: Can::Load(preload::load::<T>) }
    }
}

inventory::collect!(Entry);
