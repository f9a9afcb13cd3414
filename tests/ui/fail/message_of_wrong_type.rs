use multiprocess as mp;

fn main() -> mp::Result<()> {
    let (sender, receiver) = mp::channel::<u32>()?;
    sender.send(&"text")?;
    let text: String = receiver.recv()?;
    Ok(())
}
