use multiprocess as mp;

#[mp::process_target]
mod work {
    pub fn square(x: u64) -> u64 {
        x * x
    }
}

fn main() {}
