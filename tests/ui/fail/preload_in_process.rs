use multiprocess as mp;

#[mp::process_target(preload)]
fn load(number: u32) -> Vec<u32> {
    vec![number]
}

fn main() -> mp::Result<()> {
    mp::spawn(load, (1,))?;
    Ok(())
}
