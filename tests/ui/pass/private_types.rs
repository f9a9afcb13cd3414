//! A private function has private types.

use multiprocess as mp;

#[derive(serde::Serialize, serde::Deserialize)]
struct Private(u8);

#[mp::process_target]
fn work(private: Private) -> Private {
    private
}

struct State(u8);

#[mp::process_target(worker_state)]
fn open() -> State {
    State(1)
}

#[mp::process_target]
fn look(state: &mut State) -> Private {
    Private(state.0)
}

pub mod inner {
    use multiprocess as mp;

    #[derive(serde::Serialize, serde::Deserialize)]
    pub(crate) struct CrateWide(pub u8);

    #[derive(serde::Serialize, serde::Deserialize)]
    struct Hidden;

    #[mp::process_target]
    pub(crate) fn work(value: CrateWide) -> CrateWide {
        value
    }

    #[mp::process_target]
    impl mp::Job for Hidden {
        fn run(self) -> CrateWide {
            CrateWide(1)
        }
    }

    pub(crate) fn run() {
        let _ = mp::Process::job(Hidden);
    }
}

fn main() {
    assert_eq!(look(&mut open()).0, 1);
    assert_eq!(work(Private(1)).0, 1);
    assert_eq!(inner::work(inner::CrateWide(1)).0, 1);
    inner::run();
}
