//! Targets that make the state of a worker.

use multiprocess as mp;

use std::{error::Error, io};

use mp::__private::StateTarget;

/// Not what serde could write.
struct Model {
    weights: Box<dyn Fn(f64) -> f64>,
}

#[mp::process_target(worker_state)]
fn open(path: String, scale: f64) -> Model {
    let scale = scale * path.len() as f64;
    Model { weights: Box::new(move |x| x * scale) }
}

#[mp::process_target(worker_state)]
fn fallible(ok: bool) -> Result<Model, String> {
    if ok { Ok(open("ab".into(), 1.0)) } else { Err("no model".into()) }
}

#[mp::process_target(worker_state, name = "of an io::Result")]
fn by_alias() -> io::Result<Model> {
    Err(io::Error::other("no file"))
}

#[mp::process_target(worker_state,)]
fn by_path(ok: bool) -> std::result::Result<Vec<&'static str>, Box<dyn Error>> {
    if ok { Ok(vec!["word"]) } else { Err("no words".into()) }
}

#[mp::process_target(worker_state)]
fn of_static_error() -> Result<fn() -> u8, &'static str> {
    Err("no function")
}

#[mp::process_target(worker_state)]
fn maybe() -> Option<Model> {
    None
}

/// As a worker calls it.
fn build<T: StateTarget>(_: T, args: T::Args) -> Result<T::State, String> {
    T::build(args)
}

fn main() {
    assert_eq!((open("abc".into(), 2.0).weights)(1.0), 6.0);
    let model: Model = build(open, ("abc".into(), 2.0)).unwrap();
    assert_eq!((model.weights)(1.0), 6.0);

    let model: Model = build(fallible, (true,)).unwrap();
    assert_eq!((model.weights)(1.0), 2.0);
    assert_eq!(build(fallible, (false,)).err().unwrap(), "no model");
    assert!(fallible(false).is_err());

    assert_eq!(build(by_alias, ()).err().unwrap(), "no file");
    assert_eq!(build(by_path, (true,)).unwrap(), ["word"]);
    assert_eq!(build(by_path, (false,)).unwrap_err(), "no words");
    assert_eq!(build(of_static_error, ()).unwrap_err(), "no function");
    let none: Option<Model> = build(maybe, ()).unwrap();
    assert!(none.is_none());

    assert_eq!(format!("{open:?}"), "open");
    let plain: fn(String, f64) -> Model = *open;
    let _ = plain(String::new(), 0.0);
}
