use multiprocess as mp;

#[mp::process_target]
fn add(a: u64, b: u64) -> u64
where
    u64: Copy,
{
    a + b
}

fn main() {}
