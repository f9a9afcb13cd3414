//! The ways to start a process, by name.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// How a process is started.
///
/// Whichever it is, a child is a process of its own that runs one function: it has none of its parent's memory, locks, threads or descriptors.
/// Its results, its end, its place in the tree and what it can be told are the same.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn square(x: u64) -> u64 {
///     x * x
/// }
///
/// # fn main() -> mp::Result<()> {
/// for method in mp::all_start_methods() {
///     assert_eq!(mp::Process::new(square, (4,)).start_method(*method).start()?.join()?, 16);
/// }
/// assert_eq!("forkserver".parse::<mp::StartMethod>()?, mp::StartMethod::ForkServer);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StartMethod {
    /// The program is executed anew: about a millisecond. The default.
    #[default]
    Spawn,
    /// A process of the program that was executed once, and has one thread, is copied: a fourth of that, whatever the size of this process.
    ///
    /// [What a copy has from it](crate::Context#what-a-copy-has-and-from-whom), and not from whoever starts it: what constructors and
    /// [preloaded](crate::Context::preload) functions have made, its limits, and the addresses of its memory ([the price](crate::Context#security)).
    ForkServer,
}

/// All start methods there are, the default first. Python's `get_all_start_methods()`.
///
/// ```
/// use multiprocess::{StartMethod, all_start_methods};
///
/// assert_eq!(all_start_methods(), [StartMethod::Spawn, StartMethod::ForkServer]);
/// ```
#[must_use]
pub const fn all_start_methods() -> &'static [StartMethod] {
    &[StartMethod::Spawn, StartMethod::ForkServer]
}

impl StartMethod {
    /// Its name, as Python has it: `spawn` or `forkserver`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spawn => "spawn",
            Self::ForkServer => "forkserver",
        }
    }
}

impl fmt::Display for StartMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for StartMethod {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = all_start_methods().iter().find(|method| method.name() == name);
        found.copied().ok_or_else(|| {
            let hint = if name == "fork" { ": a fork of a program with threads is unsound" } else { "" };
            Error::invalid(format!("there is no start method \"{name}\"{hint}; use `spawn` or `forkserver`"))
        })
    }
}
