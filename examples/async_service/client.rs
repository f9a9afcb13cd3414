//! A small client that tries everything that the service may answer.

use std::{collections::BTreeMap, error::Error, net::SocketAddr};

use http_body_util::{BodyExt, Empty};
use hyper::{
    Request,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet};

use super::service::PENDING;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const CLIENTS: u32 = 4;
const REQUESTS: u32 = 100;

pub(crate) struct Client(SendRequest<Empty<Bytes>>);

impl Client {
    pub(crate) async fn connect(to: SocketAddr) -> Result<Self> {
        let (sender, connection) = http1::handshake(TokioIo::new(TcpStream::connect(to).await?)).await?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// The status and the body.
    pub(crate) async fn get(&mut self, path: &str) -> Result<(u16, Bytes)> {
        self.0.ready().await?;
        let request = Request::get(path).header("host", "localhost").body(Empty::new())?;
        let response = self.0.send_request(request).await?;
        Ok((response.status().as_u16(), response.into_body().collect().await?.to_bytes()))
    }
}

/// How many answers of each status some clients get, who ask for tiles; one request in ten costs a worker its life.
pub(crate) async fn tiles_and_crashes(to: SocketAddr) -> Result<BTreeMap<u16, u32>> {
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(async move {
            let (mut connection, mut statuses) = (Client::connect(to).await?, BTreeMap::new());
            for request in 0..REQUESTS {
                let (z, n) = (4, client * REQUESTS + request);
                let crashes = n % 10 == 3;
                let path =
                    if crashes { "/crash".to_owned() } else { format!("/tile/{z}/{}/{}.png", n % 16, n / 16 % 16) };
                let (status, body) = connection.get(&path).await?;
                // Exactly these fail, whoever else has crashed meanwhile.
                let fine = if crashes { status == 500 && !body.is_empty() } else { body.starts_with(b"\x89PNG") };
                if !fine {
                    return Err(format!("{path}: {status} {}", String::from_utf8_lossy(&body)).into());
                }
                *statuses.entry(status).or_insert(0) += 1;
            }
            Result::Ok(statuses)
        });
    }
    let mut all = BTreeMap::new();
    while let Some(statuses) = clients.join_next().await {
        for (status, count) in statuses?? {
            *all.entry(status).or_insert(0) += count;
        }
    }
    Ok(all)
}

/// Asks for more than the service takes, until somebody is turned away; and hangs up, which stops what the others have begun.
pub(crate) async fn too_many(to: SocketAddr) -> Result<()> {
    let mut requests = JoinSet::new();
    for _ in 0..=2 * PENDING {
        requests.spawn(async move { Client::connect(to).await?.get("/endless").await });
    }
    while let Some(answer) = requests.join_next().await {
        if answer??.0 == 503 {
            return Ok(());
        }
    }
    Err("nobody was turned away".into())
}
