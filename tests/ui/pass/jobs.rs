//! Jobs, with the trait and without.

use multiprocess as mp;

use std::process::ExitCode;

use mp::{Job, Target};

mod shapes {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct Circle {
        pub radius: u32,
    }
}

#[mp::process_target]
impl mp::Job for shapes::Circle {
    fn run(self) -> u32 {
        self.radius * 3
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Written;

#[mp::process_target]
impl Job for Written {
    type Output = Vec<u8>;

    fn run(self) -> Self::Output {
        vec![1]
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Inherent(u32);

#[mp::process_target(name = "inherent")]
impl Inherent {
    const STEP: u32 = 1;

    /// Gives itself back.
    pub fn run(mut self: Self) -> Self {
        self.0 += Self::STEP;
        self
    }

    fn helper(&self) -> u32 {
        self.0
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
enum Leave {
    Now,
}

#[mp::process_target]
impl Job for Leave {
    fn run(self) -> ExitCode {
        match self {
            Self::Now => ExitCode::from(7),
        }
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct LeaveInherent;

#[mp::process_target]
impl LeaveInherent {
    fn run(self) -> ExitCode {
        ExitCode::SUCCESS
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Serve;

#[mp::process_target]
impl Job for Serve {
    fn run(self) -> ! {
        std::process::exit(0)
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct ServeInherent;

#[mp::process_target]
impl ServeInherent {
    fn run(self) -> ! {
        loop {
            std::process::exit(0)
        }
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Wrapper<T>(T);

#[mp::process_target]
impl mp::Job for Wrapper<u8> {
    fn run(self) -> u8 {
        self.0
    }
}

#[mp::process_target]
impl mp::Job for Wrapper<Vec<u8>> {
    fn run(self) -> Vec<u8> {
        self.0
    }
}

fn name<J: mp::__private::JobTarget>(_: &J) -> &'static str {
    J::TARGET.id().name()
}

fn main() {
    assert_eq!(shapes::Circle { radius: 2 }.run(), 6);
    assert_eq!(Job::run(Written), [1]);
    assert_eq!(Inherent(1).run().helper(), 2);
    assert_eq!(Job::run(Inherent(1)).helper(), 2);
    assert_eq!(Leave::Now.run(), ExitCode::from(7));

    #[derive(serde::Serialize, serde::Deserialize)]
    struct Local;

    #[mp::process_target]
    impl mp::Job for Local {
        fn run(self) {}
    }

    let _ = mp::Process::job(Local);
    let _ = mp::Process::job(shapes::Circle { radius: 1 });
    let _ = mp::Process::job(LeaveInherent);
    let _ = mp::Process::job(Leave::Now);
    let _ = mp::Process::job(Serve);
    let _ = mp::Process::job(ServeInherent);
    let _ = mp::Process::job(Wrapper(1_u8));
    assert_eq!(name(&Inherent(1)), "inherent");
    assert!(name(&shapes::Circle { radius: 1 }).ends_with("::Circle"));
}
