//! Worker state: each worker opens a model once, and keeps it; the weights are in memory once for all of them.
//!
//! ```sh
//! cargo run --release --example model_state
//! ```

use std::collections::BTreeMap;

use multiprocess as mp;

/// It never leaves its worker, so serde need not know it.
struct Model {
    weights: mp::SharedSlice<f64>,
    answered: BTreeMap<u32, u32>,
}

#[mp::process_target(worker_state)]
fn open_model(weights: mp::SharedSlice<f64>) -> Result<Model, String> {
    println!("{} opens the model", mp::current_process().name());
    if weights.is_empty() {
        return Err("the model has no weights".to_owned()); // `build` returns it
    }
    Ok(Model { weights, answered: BTreeMap::new() })
}

#[mp::process_target]
fn predict(model: &mut Model, class: u32, input: f64) -> f64 {
    *model.answered.entry(class).or_default() += 1;
    model.weights.iter().map(|weight| (weight * input).tanh()).sum()
}

#[mp::process_target]
fn close_model(model: &mut Model) {
    println!("{} has answered {:?}", mp::current_process().name(), model.answered);
}

fn main() -> mp::Result<()> {
    let weights = mp::SharedSlice::from_iter((0..100_000).map(|n| f64::from(n) / 1e6))?;
    let pool = mp::Pool::builder()
        .workers(2)
        .name("model")
        .worker_state(open_model, (weights,))
        .worker_exit(close_model)
        .build()?;
    let inputs = (0..1_000).map(|n| (n % 3, f64::from(n) / 1e3));
    let outputs = pool.starmap(predict, inputs)?;
    assert_eq!(outputs.len(), 1_000);
    println!("the last of {} answers: {:.3}", outputs.len(), outputs[999]);
    pool.shutdown(false)
}
