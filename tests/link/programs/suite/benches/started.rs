use multiprocess as mp;

#[mp::process_target]
fn answer() -> u32 {
    42
}

fn main() -> mp::Result<()> {
    println!("bench: {} {}", mp::spawn(answer, ())?.join()?, mp::spawn(suite::letters, ("ab".to_owned(),))?.join()?);
    Ok(())
}
