//! Whoever has a window's elements cannot send it away meanwhile.

use multiprocess as mp;

fn main() -> mp::Result<()> {
    let (mut windows, _rejoin) = mp::SharedArray::<u32>::zeroed(8)?.split(2)?;
    let (sender, _receiver) = mp::channel()?;
    let first = windows[0].as_mut_slice();
    sender.send(&windows[0])?;
    first[0] = 1;
    Ok(())
}
