use multiprocess as mp;

struct Render {
    width: u32,
}

#[mp::process_target]
impl mp::Job for Render {
    fn run(self) -> u32 {
        self.width
    }
}

fn main() {
    mp::Process::job(Render { width: 3 });
}
