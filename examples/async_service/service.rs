//! From requests to tasks, and from what becomes of these to responses.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use mp::{TaskError, TrySubmitError};
use multiprocess as mp;
use tokio::net::TcpListener;

use super::work::{crash, endless, tile};

/// A request may take a worker so long.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);
/// More requests than these are turned away.
pub(crate) const PENDING: usize = 64;

type Answer = Response<Full<Bytes>>;

/// Serves until `end` is ready, and then what has begun.
pub(crate) async fn serve(listener: TcpListener, pool: Arc<mp::Pool>, end: impl Future) {
    let connections = GracefulShutdown::new();
    let mut end = std::pin::pin!(end);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // Of one connection, or for want of descriptors, of which some may be free later.
                Err(error) => {
                    eprintln!("accept: {error}");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                }
            },
            _ = &mut end => break,
        };
        let pool = Arc::clone(&pool);
        let service = service_fn(move |request| {
            let pool = Arc::clone(&pool);
            async move { Ok::<_, Infallible>(answer(&pool, &request).await) }
        });
        let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
        // Whoever hangs up is no error of ours.
        tokio::spawn(connections.watch(connection));
    }
    connections.shutdown().await;
}

async fn answer(pool: &mp::Pool, request: &Request<Incoming>) -> Answer {
    let tasks = pool.with(mp::TaskOptions::new().timeout(TIMEOUT));
    let path: Vec<_> = request.uri().path().split('/').skip(1).collect();
    match *path {
        ["tile", z, x, y] => match (z.parse(), x.parse(), y.strip_suffix(".png").unwrap_or(y).parse()) {
            (Ok(z), Ok(x), Ok(y)) => match outcome(tasks.try_submit(tile, (z, x, y))).await {
                Ok(Ok(png)) => response(StatusCode::OK, "image/png", png),
                Ok(Err(why)) => text(StatusCode::NOT_FOUND, why),
                Err(answer) => answer,
            },
            _ => text(StatusCode::BAD_REQUEST, "a tile has three numbers"),
        },
        ["crash"] => done(outcome(tasks.try_submit(crash, ())).await),
        ["endless"] => done(outcome(tasks.try_submit(endless, ())).await),
        ["stats"] => text(StatusCode::OK, format!("{}\n", pool.stats())),
        _ => text(StatusCode::NOT_FOUND, "there are /tile/Z/X/Y.png, /crash, /endless and /stats"),
    }
}

/// What becomes of a task that may have been submitted: its value, or what to answer instead.
async fn outcome<T: Unpin, A>(submitted: Result<mp::Task<T>, TrySubmitError<A>>) -> Result<T, Answer>
where
    mp::Task<T>: Future<Output = Result<T, TaskError>>,
{
    match submitted {
        Ok(task) => Wanted(task).await.map_err(|error| match error {
            TaskError::TimedOut(..) => text(StatusCode::GATEWAY_TIMEOUT, error),
            error => text(StatusCode::INTERNAL_SERVER_ERROR, error),
        }),
        Err(TrySubmitError::Full(_)) => Err(text(StatusCode::SERVICE_UNAVAILABLE, "there are too many requests")),
        Err(error) => Err(text(StatusCode::INTERNAL_SERVER_ERROR, error)),
    }
}

fn done(outcome: Result<(), Answer>) -> Answer {
    outcome.map_or_else(|answer| answer, |()| text(StatusCode::OK, "done"))
}

/// A task that nobody wants any more when this is dropped: hyper does so when the client hangs up. A dropped [`mp::Task`] would go on.
struct Wanted<T>(mp::Task<T>);

impl<T> Future for Wanted<T>
where
    mp::Task<T>: Future<Output = Result<T, TaskError>>,
{
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl<T> Drop for Wanted<T> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

fn text(status: StatusCode, text: impl ToString) -> Answer {
    response(status, "text/plain; charset=utf-8", text.to_string())
}

fn response(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
