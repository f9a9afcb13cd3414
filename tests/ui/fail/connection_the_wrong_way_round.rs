use multiprocess as mp;

#[mp::process_target]
fn lengths(_texts: mp::Connection<String, usize>) {}

fn main() -> mp::Result<()> {
    let (_ours, theirs) = mp::pipe::<String, usize>()?; // `theirs` sends usize
    mp::spawn(lengths, (theirs,))?;
    Ok(())
}
