use multiprocess as mp;

#[mp::process_target]
async fn fetch(page: u64) -> u64 {
    page
}

fn main() {}
