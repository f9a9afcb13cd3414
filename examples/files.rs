//! Open files and sockets go to children, and come back from them.
//!
//! `cargo run --example files`
//!
//! A descriptor in an `mp::Handle` arrives as one of the child's own, for the same open file: offset, locks and peer
//! are shared. Python's twin: sockets as `args`, and for files `multiprocessing.reduction.DupFd`.

use std::{
    error::Error,
    fs::{self, File},
    io::{BufRead, BufReader, Read, Seek, SeekFrom, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
};

use mp::Handle;
use multiprocess as mp;

/// Reads on from where the parent stopped. (An `io::Error` cannot cross to another process, its text can.)
#[mp::process_target]
fn read_on(mut file: Handle<File>) -> Result<String, String> {
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(|error| error.to_string())?;
    Ok(text)
}

/// Answers one line from whoever is at the other end.
#[mp::process_target]
fn serve(peer: Handle<TcpStream>) -> Result<(), String> {
    let mut line = String::new();
    BufReader::new(&*peer).read_line(&mut line).map_err(|error| error.to_string())?;
    writeln!(&*peer, "{}, says {}", line.trim().to_uppercase(), mp::current_process().name())
        .map_err(|error| error.to_string())
}

/// Opens a file and hands it back, open.
#[mp::process_target]
fn create(path: PathBuf) -> Result<Handle<File>, String> {
    let file = File::options().read(true).write(true).create_new(true).open(path);
    file.map(Handle::new).map_err(|error| error.to_string())
}

fn main() -> Result<(), Box<dyn Error>> {
    // A file that a child has opened is ours as if we had.
    let path = std::env::temp_dir().join(format!("multiprocess-files-{}", std::process::id()));
    let mut file = mp::spawn(create, (path.clone(),))?.join()??.into_inner();
    fs::remove_file(&path)?; // it goes on without a name
    file.write_all(b"first line\nsecond line\nthird line\n")?;

    // The offset belongs to the open file, not to a process: here it is behind the first line.
    file.seek(SeekFrom::Start(11))?;
    let rest = mp::spawn(read_on, (file.try_clone()?.into(),))?.join()??;
    println!("the child read {rest:?}, and the parent's offset is now {}", file.stream_position()?);

    // The parent accepts, a child answers.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    client.write_all(b"hello over tcp\n")?;
    let (accepted, _) = listener.accept()?;
    let server = mp::Process::new(serve, (accepted.into(),)).name("server").start()?;
    let mut answer = String::new();
    client.read_to_string(&mut answer)?; // until the last copy of the other end is closed: the child's
    server.join()??;
    println!("the child answered {answer:?}");
    Ok(())
}
