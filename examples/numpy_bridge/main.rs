//! CPython computes on memory that Rust has written, in place: with numpy if it is installed, without if not.
//!
//! `cargo run --example numpy_bridge`
//!
//! Nothing is copied from one to the other: both have the same segment of shared memory, by its name. Python's twin is
//! `standardise.py`, the other half of this very program.

use std::{error::Error, io::ErrorKind, process::Command};

use multiprocess as mp;

const STANDARDISE: &str = include_str!("standardise.py");
/// That Python's way to say that it has no shared memory.
const CANNOT: i32 = 77;

/// Mean and standard deviation.
fn moments(numbers: &[f64]) -> (f64, f64) {
    let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
    let variance = numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / numbers.len() as f64;
    (mean, variance.sqrt())
}

fn main() -> Result<(), Box<dyn Error>> {
    let written: Vec<f64> = (0..100_000).map(|n| 20.0 + f64::from(n % 1000) / 100.0).collect();
    let (mean, deviation) = moments(&written);
    let memory = mp::SharedMemory::new(size_of_val(&written[..]))?; // the name goes when this is dropped
    memory.write(0, &written)?;
    println!("Rust writes {} numbers into {:?}, with mean {mean:.3}", written.len(), memory.name());

    match Command::new("python3").args(["-c", STANDARDISE, memory.name()]).status() {
        Ok(status) if status.success() => {}
        Ok(status) if status.code() == Some(CANNOT) => {
            println!("python3 has no shared memory here: it came with 3.8");
            return Ok(());
        }
        Ok(status) => return Err(format!("python3: {status}").into()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("there is no python3 here");
            return Ok(());
        }
        Err(error) => return Err(format!("python3: {error}").into()),
    }

    let mut read = vec![0.0; written.len()];
    memory.read(0, &mut read)?;
    println!(
        "Rust reads {:.3} where it wrote {}, and mean and deviation {:.3?}",
        read[500],
        written[500],
        moments(&read)
    );
    let is_near = |(old, new): (&f64, &f64)| (new - (old - mean) / deviation).abs() < 1e-9;
    if !written.iter().zip(&read).all(is_near) {
        return Err("Python has computed something else".into());
    }
    if memory.is_linked()? { Ok(()) } else { Err("Python has removed the name".into()) }
}
