//! What the workers do.

use multiprocess as mp;

/// Pixels along each side of a tile.
const SIZE: u32 = 128;
const LIMIT: u32 = 250;

/// A tile of the Mandelbrot set as a PNG: at zoom `z` there are 2ᶻ by 2ᶻ of them.
#[mp::process_target]
pub(crate) fn tile(z: u32, x: u32, y: u32) -> Result<Vec<u8>, String> {
    let side = 3.0 / f64::from(1_u32.checked_shl(z).filter(|count| x.max(y) < *count).ok_or("there is no such tile")?);
    let point = |number: u32, pixel: u32| side * (f64::from(number) + f64::from(pixel) / f64::from(SIZE));
    let pixels = (0..SIZE).flat_map(|row| (0..SIZE).map(move |column| (row, column)));
    let grey: Vec<u8> = pixels.map(|(row, column)| shade(point(x, column) - 2.25, point(y, row) - 1.5)).collect();
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, SIZE, SIZE);
    encoder.set_color(png::ColorType::Grayscale);
    let written = encoder.write_header().and_then(|mut image| image.write_image_data(&grey));
    written.map(|()| file).map_err(|error| error.to_string())
}

fn shade(c_re: f64, c_im: f64) -> u8 {
    let (mut re, mut im) = (0.0, 0.0);
    for step in 0..LIMIT {
        if re * re + im * im > 4.0 {
            return 255 - (step * 8).min(255) as u8;
        }
        (re, im) = (re * re - im * im + c_re, 2.0 * re * im + c_im);
    }
    0
}

/// What a native library does with the wrong picture.
#[mp::process_target]
pub(crate) fn crash() {
    std::process::abort();
}

/// What it does with another one.
#[mp::process_target]
pub(crate) fn endless() {
    loop {
        std::thread::park();
    }
}
