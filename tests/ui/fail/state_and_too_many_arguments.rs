use multiprocess as mp;

struct Model(u64);

#[mp::process_target]
fn sum(
    _: &mut Model,
    _: u8, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8,
    _: u8, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8,
) {
}

fn main() {}
