//! An HTTP service whose work is done by a pool: tasks are awaited like any future, a request that crashes its worker is one answer of 500,
//! and nobody else notices.
//!
//! ```sh
//! cargo run --release --example async_service                         # serves itself some hundred requests, and ends
//! cargo run --release --example async_service -- serve 127.0.0.1:8080 # until Ctrl-C
//! ```
//!
//! | | |
//! |---|---|
//! | `/tile/Z/X/Y.png` | a picture of the Mandelbrot set |
//! | `/crash` | aborts its worker: 500, with the error's text |
//! | `/endless` | is stopped after two seconds: 504 |
//! | `/stats` | what the workers have done |
//! | anything, when too many are waiting | 503, at once |
//!
//! Who hangs up has the task cancelled. Ctrl-C ends it when what has begun is done.
//!
//! Under load, on two processors that others were using too, in one run:
//!
//! ```sh
//! wrk -t1 -c16 -d4s http://127.0.0.1:8080/tile/4/0/0.png                               # 2517 a second
//! while curl -so /dev/null http://127.0.0.1:8080/crash; do sleep 0.05; done & wrk …    # 2606 a second
//! ```
//!
//! In the second one about seven workers died in each second. None of the 10 443 requests for tiles failed.

mod client;
mod service;
mod work;

use std::{env, sync::Arc, time::Instant};

use client::{Client, Result, tiles_and_crashes, too_many};
use multiprocess as mp;
use tokio::{net::TcpListener, signal, sync::oneshot};

fn main() -> Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let pool = mp::Pool::builder().max_pending(service::PENDING, 64 << 20).build()?;
    let pool = Arc::new(pool);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    match &*arguments.iter().map(String::as_str).collect::<Vec<_>>() {
        [] => runtime.block_on(demonstrate(&pool))?,
        ["serve", address] => runtime.block_on(async {
            let listener = TcpListener::bind(address).await?;
            println!("http://{}/tile/0/0/0.png", listener.local_addr()?);
            service::serve(listener, Arc::clone(&pool), signal::ctrl_c()).await;
            Result::Ok(())
        })?,
        _ => return Err("there are no arguments but `serve ADDRESS`".into()),
    }
    println!("{}", pool.stats());
    Ok(pool.shutdown(false)?)
}

/// The service and its clients in one program.
async fn demonstrate(pool: &Arc<mp::Pool>) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (end, ended) = oneshot::channel::<()>();
    let service = tokio::spawn(service::serve(listener, Arc::clone(pool), ended));

    let start = Instant::now();
    let statuses = tiles_and_crashes(address).await?;
    println!("{} requests in {:.2?}; by status: {statuses:?}", statuses.values().sum::<u32>(), start.elapsed());
    assert_eq!(statuses, [(200, 360), (500, 40)].into());

    let mut client = Client::connect(address).await?;
    for path in ["/tile/0/7/7.png", "/endless", "/crash"] {
        let (status, body) = client.get(path).await?;
        println!("{path}: {status}, {}", String::from_utf8_lossy(&body).lines().next().unwrap_or_default());
    }
    too_many(address).await?;
    println!("one was turned away when there were too many; they have hung up");
    let (status, body) = loop {
        // The service hears of that some time later.
        match client.get("/tile/0/0/0.png").await? {
            (503, _) => {}
            answer => break answer,
        }
    };
    println!("/tile/0/0/0.png: {status}, {} bytes", body.len());
    assert_eq!(status, 200);

    drop(client);
    // Whether it still listens or not.
    end.send(()).ok();
    Ok(service.await?)
}
