//! Connections: bounded in number, and in the time that they may take to say what they want.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};

use super::app::Bounds;
use super::listen::Listener;
use crate::metrics::Metrics;

/// Bytes of a request's head at most; hyper wants 8192 at least.
const HEAD: usize = 16 << 10;

/// Headers of a request at most.
const HEADERS: usize = 64;

/// After an error of `accept`, such as too many open files: time for others to close theirs.
const PAUSE: Duration = Duration::from_millis(50);

/// Takes connections until `closing` is true, then lets those that are open finish what they are at, at most for `grace`.
pub async fn serve(
    listener: Listener,
    router: Router,
    bounds: Bounds,
    metrics: Arc<Metrics>,
    mut closing: watch::Receiver<bool>,
    grace: Duration,
) {
    let open = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(bounds.connections));
    loop {
        let closed = async { drop(closing.wait_for(|closing| *closing).await) };
        // A place first: connections that cannot be served wait in the system's queue, which is bounded too.
        let place = tokio::select! {
            () = closed => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let closed = async { drop(closing.wait_for(|closing| *closing).await) };
        let connection = tokio::select! {
            () = closed => break,
            connection = accept(&listener) => connection,
        };
        match connection {
            Ok(stream) => {
                let served = connection_of(stream, router.clone(), bounds);
                let served = open.watch(served);
                let metrics = Arc::clone(&metrics);
                tokio::spawn(async move {
                    metrics.connections.inc();
                    // A connection that breaks concerns nobody but its client.
                    let _ = served.await;
                    metrics.connections.dec();
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(grace, open.shutdown()).await.is_err() {
        tracing::warn!("connections were cut off");
    }
}

/// Either kind of connection.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

async fn accept(listener: &Listener) -> io::Result<Box<dyn Stream>> {
    Ok(match listener {
        Listener::Unix(listener, _) => Box::new(listener.accept().await?.0),
        Listener::Tcp(listener) => {
            let (stream, _) = listener.accept().await?;
            // Answers are small and waited for.
            stream.set_nodelay(true)?;
            Box::new(stream)
        }
    })
}

fn connection_of(
    stream: Box<dyn Stream>,
    router: Router,
    bounds: Bounds,
) -> impl hyper_util::server::graceful::GracefulConnection {
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head_deadline)
        .max_buf_size(HEAD)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
}
