//! Draws the Mandelbrot set: each child computes a band of rows, the parent writes them into one PNG.
//!
//! `cargo run --release --example mandelbrot -- [FILE.png]`
//!
//! A `Vec<u8>` goes from process to process as one block, so that pictures are not slowed down by their way home.
//! Python's twin: `Pool().imap(band, range(0, HEIGHT, ROWS))`.

use std::{
    env,
    error::Error,
    fs::File,
    io::{BufWriter, Write},
    path::PathBuf,
    time::Instant,
};

use multiprocess as mp;

const WIDTH: u32 = 1200;
const HEIGHT: u32 = 800;
const LIMIT: u32 = 1000;

/// The pixels, as red, green, blue, of `rows` rows from row `top` on.
#[mp::process_target]
fn band(top: u32, rows: u32) -> Vec<u8> {
    let pixels = (top..top + rows).flat_map(|y| (0..WIDTH).map(move |x| (x, y)));
    pixels.flat_map(|(x, y)| colour(escape(f64::from(x), f64::from(y)))).collect()
}

/// After how many steps the point of this pixel leaves the circle of radius 16, smoothly; `None` if it stays.
fn escape(x: f64, y: f64) -> Option<f64> {
    let scale = 2.4 / f64::from(HEIGHT);
    let (c_re, c_im) = (x * scale - 2.4, y * scale - 1.2);
    let (mut re, mut im) = (0.0, 0.0);
    for step in 0..LIMIT {
        let norm: f64 = re * re + im * im;
        if norm > 256.0 {
            return Some(f64::from(step) - norm.ln().log2());
        }
        (re, im) = (re * re - im * im + c_re, 2.0 * re * im + c_im);
    }
    None
}

fn colour(steps: Option<f64>) -> [u8; 3] {
    let Some(steps) = steps else { return [0; 3] };
    let wave = |phase: f64| (127.5 - 127.5 * (0.5 * steps.max(0.0).sqrt() + phase).cos()) as u8;
    [wave(0.0), wave(0.35), wave(0.9)]
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args_os().nth(1).map_or_else(|| env::temp_dir().join("mandelbrot.png"), PathBuf::from);
    let file = File::create(&path).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    let start = Instant::now();

    // More bands than processors, because some are much more work than others.
    let rows = HEIGHT.div_ceil(8 * u32::try_from(mp::cpu_count())?).max(1);
    let bands = (0..HEIGHT).step_by(rows as usize);
    let children: Vec<_> =
        bands.map(|top| mp::spawn(band, (top, rows.min(HEIGHT - top)))).collect::<mp::Result<_>>()?;

    let mut encoder = png::Encoder::new(BufWriter::new(file), WIDTH, HEIGHT);
    encoder.set_color(png::ColorType::Rgb);
    let mut image = encoder.write_header()?.into_stream_writer()?;
    for child in &children {
        image.write_all(&child.join()?)?; // the band on top comes first, whoever is ready first
    }
    image.finish()?;

    println!("{} processes drew {} in {:.2?}", children.len(), path.display(), start.elapsed());
    Ok(())
}
