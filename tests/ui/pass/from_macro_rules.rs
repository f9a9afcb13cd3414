//! A target, and a job, that a `macro_rules!` writes.

use multiprocess as mp;

macro_rules! target {
    ($(#[$attribute:meta])* $vis:vis $name:ident($($argument:ident: $ty:ty),*) -> $output:ty $body:block) => {
        #[mp::process_target]
        $(#[$attribute])*
        $vis fn $name($($argument: $ty),*) -> $output $body
    };
}

macro_rules! job {
    ($ty:ty, $output:ty, $value:expr) => {
        #[mp::process_target]
        impl mp::Job for $ty {
            fn run(self) -> $output {
                $value
            }
        }
    };
}

macro_rules! hidden {
    () => {
        #[mp::process_target]
        fn hidden(x: u64) -> u64 {
            if x == 0 { 0 } else { hidden(x - 1) }
        }
    };
}

target! {
    /// Squares.
    pub square(x: u64, list: Vec<u8>) -> u64 { x * x + list.len() as u64 }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Work;

job!(Work, Option<u8>, Some(1));
hidden!();

macro_rules! worker {
    ($state:ty, $made:ty, $lent:ty) => {
        #[mp::process_target(worker_state)]
        fn open() -> $made {
            Ok(<$state>::default())
        }

        #[mp::process_target]
        fn add(state: &mut $state, n: u64) -> u64 {
            *state += n;
            *state
        }

        #[mp::process_target]
        fn add_twice(state: $lent, n: u64) -> u64 {
            add(state, n);
            add(state, n)
        }
    };
}

worker!(u64, Result<u64, String>, &mut u64);

fn build<T: mp::__private::StateTarget<Args = ()>>(_: T) -> Result<T::State, String> {
    T::build(())
}

fn main() {
    assert_eq!(square(3, vec![1]), 10);
    assert_eq!(mp::Job::run(Work), Some(1));
    assert_eq!(hidden(3), 0);
    assert_eq!(build(open), Ok(0));
    assert_eq!(add_twice(&mut open().unwrap(), 2), 4);
    let _ = mp::Process::new(square, (3, vec![]));
}
