//! A parent accepts TCP connections, its workers answer: each connection goes to one of them through a channel.
//!
//! `cargo run --example pass_socket`
//!
//! The requests come from `curl`, or from a few lines here where there is none. Python's twin: sockets in a `Queue`,
//! whose sender must live, with a thread that hands the descriptors out, until the last one has arrived.

use std::{
    error::Error,
    io::{self, BufRead, BufReader, ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::Command,
    time::Duration,
};

use mp::{Handle, Receiver, Sender};
use multiprocess as mp;

/// Answers whoever is handed to it, until nobody can be any more. Returns how many came to have an answer.
#[mp::process_target]
fn work(peers: Receiver<Handle<TcpStream>>) -> mp::Result<u32> {
    peers.iter().try_fold(0, |answered, peer| Ok(answered + u32::from(answer(&*peer?).is_ok())))
}

/// HTTP/1.1 as far as `GET` needs it.
fn answer(mut peer: &TcpStream) -> io::Result<()> {
    peer.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut head = BufReader::new(peer.take(8192)).lines();
    let request = head.next().transpose()?.unwrap_or_default();
    while head.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let body = format!("{} answers {request:?}\n", mp::current_process().name());
    write!(peer, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// Asks for six pages, with curl if it is installed.
#[mp::process_target]
fn ask(server: SocketAddr) -> Result<String, String> {
    let pages = || (1..=6).map(|page| get(server, page)).collect::<io::Result<_>>();
    let url = format!("http://{server}/[1-6]");
    match Command::new("curl").args(["-q", "-sSf", "-m10", "--noproxy", "*", "--parallel", &url]).output() {
        Ok(curl) if curl.status.success() => Ok(String::from_utf8_lossy(&curl.stdout).into_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => pages().map_err(|error| error.to_string()),
        other => Err(format!("{other:?}")),
    }
}

fn get(server: SocketAddr, page: u32) -> io::Result<String> {
    let mut stream = TcpStream::connect(server)?;
    write!(stream, "GET /{page} HTTP/1.1\r\nHost: {server}\r\n\r\n")?;
    Ok(io::read_to_string(stream)?.lines().last().unwrap_or_default().to_owned() + "\n")
}

/// Hands over whoever connects, as long as the client runs.
fn serve(listener: &TcpListener, workers: &Sender<Handle<TcpStream>>) -> Result<(), Box<dyn Error>> {
    let client = mp::spawn(ask, (listener.local_addr()?,))?;
    while mp::wait(&[listener, &client], None)?.contains(&0) {
        workers.send(&listener.accept()?.0.into())?; // a worker gets its own, ours is closed
    }
    print!("{}", client.join()??);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (sender, receiver) = mp::channel()?;
    let start = |number| mp::Process::new(work, (receiver.clone(),)).name(format!("worker {number}")).start();
    let workers = (1..=3).map(start).collect::<mp::Result<Vec<_>>>()?;
    drop(receiver);

    serve(&listener, &sender)?;
    workers[0].kill()?; // and joined before more is sent: until it is dead it may still take a peer along
    println!("{:?}: the others go on", workers[0].join());
    serve(&listener, &sender)?;
    drop(sender); // the end of the stream
    for worker in &workers[1..] {
        println!("{} has answered {}", worker.name(), worker.join()??);
    }
    Ok(())
}
