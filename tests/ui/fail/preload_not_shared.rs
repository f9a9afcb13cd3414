use multiprocess as mp;

struct Model(std::rc::Rc<u32>);

#[mp::process_target(preload)]
fn load(number: u32) -> Model {
    Model(std::rc::Rc::new(number))
}

fn main() {}
