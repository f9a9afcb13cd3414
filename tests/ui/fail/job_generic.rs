use multiprocess as mp;

struct Render<T>(T);

#[mp::process_target]
impl<T> mp::Job for Render<T> {
    fn run(self) -> T {
        self.0
    }
}

fn main() {}
