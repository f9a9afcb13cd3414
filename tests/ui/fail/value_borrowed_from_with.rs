//! What `with` lends is there no longer than the lock is held.

use multiprocess as mp;

fn main() -> mp::Result<()> {
    let array = mp::Array::<u32>::new(8)?;
    let kept = array.with(|slice| slice)?;
    kept[0] = 1;
    Ok(())
}
