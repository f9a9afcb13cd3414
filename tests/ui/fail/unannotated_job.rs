use multiprocess as mp;

struct Render;

fn main() {
    mp::Process::job(Render);
}
