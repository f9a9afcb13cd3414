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

fn main() {
    assert_eq!(square(3, vec![1]), 10);
    assert_eq!(mp::Job::run(Work), Some(1));
    assert_eq!(hidden(3), 0);
    let _ = mp::Process::new(square, (3, vec![]));
}
