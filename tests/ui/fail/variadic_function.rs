use multiprocess as mp;

unsafe extern "C" {
    #[mp::process_target]
    fn printf(format: usize, ...) -> i32;
}

fn main() {}
