//! A target is a value: copied, kept in a struct, shown, taken by a generic function.

use multiprocess as mp;

#[mp::process_target]
fn square(x: u64) -> u64 {
    x * x
}

struct Keeper<T: mp::Target> {
    target: T,
}

fn start<T: mp::Target<Args = (u64,)>>(target: T) {
    let _ = mp::Process::new(target, (3,));
    let _ = mp::Process::new(target, (4,));
}

fn main() {
    let keeper = Keeper { target: square };
    start(keeper.target);
    start(square);
    assert_eq!(format!("{:?}", keeper.target), "square");
    let squares: Vec<u64> = (0..3).map(|x| square(x)).collect();
    assert_eq!(squares, [0, 1, 4]);
    let squares: Vec<u64> = (0..3).map(*square).collect();
    assert_eq!(squares, [0, 1, 4]);
    std::thread::spawn(move || square(3)).join().unwrap();
}
