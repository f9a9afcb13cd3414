use multiprocess as mp;

#[mp::process_target]
fn square(x: u64) -> u64 {
    x * x
}

fn main() -> mp::Result<()> {
    let squared: String = mp::Process::new(square, (3,)).start()?.join()?;
    drop(squared);
    Ok(())
}
