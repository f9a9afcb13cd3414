use multiprocess as mp;

struct Secret;

fn main() -> mp::Result<()> {
    let (_sender, _receiver) = mp::channel::<Secret>()?;
    Ok(())
}
