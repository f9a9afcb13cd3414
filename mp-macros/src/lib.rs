//! The `#[process_target]` attribute of the `multiprocess` crate; use it through that crate.
//!
//! The way of one item: `item` tells its kind; `target` takes functions, `job` takes `impl` blocks;
//! each checks all, reports all through `report`, and expands only what is sound. What is not is given
//! back as it was, so that the editor keeps working.

mod args;
mod attributes;
mod item;
mod job;
mod names;
mod render;
mod report;
mod returns;
mod signature;
mod target;
mod types;

use proc_macro::TokenStream;

/// Makes a function, or a job's `run`, able to run in a child process.
///
/// # Functions
///
/// The function becomes a value of its own type, which can be started and is still called like a function.
/// Its arguments and its result are owned values that serde can write and read.
///
/// ```
/// use multiprocess as mp;
///
/// /// The number of steps to 1.
/// #[mp::process_target]
/// fn collatz(n: u64) -> u32 {
///     match n {
///         1 => 0,
///         n if n % 2 == 0 => 1 + collatz(n / 2),
///         n => 1 + collatz(3 * n + 1),
///     }
/// }
///
/// # fn main() -> mp::Result<()> {
/// assert_eq!(collatz(27), 111); // here
/// assert_eq!(mp::spawn(collatz, (27,))?.join()?, 111); // in a child
/// let plain: fn(u64) -> u32 = *collatz; // where a plain function is needed
/// # assert_eq!(plain(27), 111);
/// # Ok(())
/// # }
/// ```
///
/// Inside its body the name means the target too, so that a target can start itself. A `let` or an argument
/// cannot have the name of a target in scope, as it cannot have the name of any `static`.
///
/// A function may return `!`, which its parent sees as [`Never`](../multiprocess/enum.Never.html), or an
/// [`ExitCode`](std::process::ExitCode), which becomes the exit code of the child.
///
/// # Jobs
///
/// Where the arguments are many, a struct names them: the attribute on its `run` makes it a job. The
/// associated type `Output` is written by the attribute where the user does not.
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
/// assert_eq!(mp::Process::job(Power { base: 2, exponent: 10 }).start()?.join()?, 1024);
/// # Ok(())
/// # }
/// ```
///
/// `impl Power { fn run(self) -> u64 { … } }`, without the trait, does the same.
///
/// # Worker state
///
/// What takes long to make, a model or a connection, the workers of a pool keep from call to call. A function with
/// the option `worker_state` makes it, once in each worker, and a function whose first argument is `&mut State` is
/// lent it. The state never leaves its worker, so it need be nothing that serde can write.
///
/// ```
/// use multiprocess as mp;
///
/// struct Model {
///     weights: Vec<f64>,
///     predictions: u64,
/// }
///
/// #[mp::process_target(worker_state)]
/// fn open(size: usize) -> Result<Model, String> {
///     if size == 0 {
///         return Err("a model without weights predicts nothing".into());
///     }
///     Ok(Model { weights: vec![0.5; size], predictions: 0 })
/// }
///
/// #[mp::process_target]
/// fn predict(model: &mut Model, x: f64) -> (f64, u64) {
///     model.predictions += 1;
///     (model.weights.iter().map(|weight| weight * x).sum(), model.predictions)
/// }
///
/// # fn main() -> mp::Result<()> {
/// let pool = mp::Pool::builder().workers(1).worker_state(open, (4,)).build()?;
/// assert_eq!(pool.call(predict, (3.0,))?, (6.0, 1));
/// assert_eq!(pool.call(predict, (1.0,))?, (2.0, 2));
///
/// let mut model = open(2).unwrap();
/// assert_eq!(predict(&mut model, 3.0), (3.0, 1)); // here, without a worker
/// # Ok(())
/// # }
/// ```
///
/// Of a function that returns a `Result`, written with this name, the value is the state, and the text of the error
/// says why there is none.
///
/// # Options
///
/// - `name = "…"`: the target's name. Without it, the name is the path of the function, or of the job's
///   type. A name that is written out must be the only one of its kind in the program.
/// - `crate = path`: where the `multiprocess` crate is found, for a crate that re-exports it.
/// - `worker_state`: the function makes the [state](#worker-state) of a pool's workers.
/// - `preload`: the function is run in a fork server, and makes what the processes find that are forked from it; see `Context::preload`.
///
/// ```
/// mod deps {
///     pub use multiprocess as processes;
/// }
///
/// #[deps::processes::process_target(name = "thumbnail", crate = crate::deps::processes)]
/// fn small(width: u32) -> u32 {
///     width / 8
/// }
///
/// # fn main() {
/// use deps::processes::Target;
/// assert_eq!(small.id().name(), "thumbnail");
/// # }
/// ```
///
/// # What is refused
///
/// What cannot cross a process boundary, on the token that says so and with what to write in its place:
/// borrowed arguments but for a worker's state, borrowed results, `self` in a function, generics, `impl Trait`,
/// trait objects, raw and function pointers, `async`, `const`, `unsafe`, `extern`, and more than 16 arguments.
///
/// ```compile_fail
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn shout(text: &str) -> String { // a borrowed argument cannot cross a process boundary; take `String`
///     text.to_uppercase()
/// }
/// ```
#[proc_macro_attribute]
pub fn process_target(args: TokenStream, item: TokenStream) -> TokenStream {
    item::expand(args.into(), item.into()).into()
}
