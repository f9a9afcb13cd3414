//! A job: a struct whose named fields are the arguments, for functions that take more than two or three.
//!
//! `cargo run --example job_struct`
//!
//! Python's twin: `Process(target=render, kwargs={"width": 60, …})`, or a subclass of `Process` with a `run` method.

use std::{error::Error, f64::consts::TAU};

use multiprocess as mp;
use serde::{Deserialize, Serialize};

/// A curve to be drawn.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Render {
    width: usize,
    height: usize,
    periods: f64,
    pen: char,
}

/// What comes back.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Image {
    lines: Vec<String>,
}

impl Default for Render {
    fn default() -> Self {
        Self { width: 64, height: 9, periods: 1.0, pen: '*' }
    }
}

#[mp::process_target]
impl mp::Job for Render {
    fn run(self) -> Image {
        let rows = 0..self.height;
        Image { lines: rows.map(|row| (0..self.width).map(|column| self.cell(row, column)).collect()).collect() }
    }
}

impl Render {
    /// Other methods stand in an `impl` of their own.
    fn cell(&self, row: usize, column: usize) -> char {
        let angle = TAU * self.periods * column as f64 / self.width as f64;
        let curve = (0.5 - 0.5 * angle.sin()) * (self.height.saturating_sub(1)) as f64;
        if curve.round() as usize == row { self.pen } else { ' ' }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let slow = Render::default();
    let fast = Render { periods: 3.0, pen: '#', ..Render::default() };

    let children =
        [mp::Process::job(slow.clone()).name("slow wave").start()?, mp::Process::job(fast).name("fast wave").start()?];
    for child in &children {
        println!("{} (pid {})", child.name(), child.pid());
        println!("{}", child.join()?.lines.join("\n"));
    }

    let here = mp::Process::job(slow).run()?; // the same description, in this process
    assert_eq!(here, children[0].join()?); // a result may be asked for again
    Ok(())
}
