//! The kernel knows the thread that took a lock: only that one can give it back.

use multiprocess as mp;

fn main() {
    let lock = mp::Lock::new().unwrap();
    let guard = lock.lock().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || drop(guard));
    });
}
