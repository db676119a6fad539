//! Connections: bounded in number, and in the time that they may take to say what they want.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutWriter;

use super::app::Bounds;
use super::listen::{Listener, Socket};
use super::tls::Tls;
use crate::metrics::Metrics;

/// Bytes of a request's head at most; hyper wants 8192 at least.
const HEAD: usize = 16 << 10;

/// Headers of a request at most.
const HEADERS: usize = 64;

/// After an error of `accept`, such as too many open files: time for others to close theirs.
const PAUSE: Duration = Duration::from_millis(50);

/// Takes connections until `closing` is true, then lets those that are open finish what they are at, at most for `grace`. Nothing
/// of them is left when this returns.
pub async fn serve(
    listener: Listener,
    router: Router,
    bounds: Bounds,
    metrics: Arc<Metrics>,
    mut closing: watch::Receiver<bool>,
    grace: Duration,
) {
    let open = GracefulShutdown::new();
    let mut connections = JoinSet::new();
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
            Ok(connection) => {
                let (router, metrics) = (router.clone(), Arc::clone(&metrics));
                let (watcher, mut closing) = (open.watcher(), closing.clone());
                // Those that have ended are forgotten.
                while connections.try_join_next().is_some() {}
                let counted = Counted::new(Arc::clone(&metrics));
                connections.spawn(async move {
                    let closed = async { drop(closing.wait_for(|closing| *closing).await) };
                    let stream = tokio::select! {
                        biased;
                        stream = connection.ready(bounds) => stream,
                        () = closed => Err(io::ErrorKind::Interrupted.into()),
                    };
                    match stream {
                        // A connection that breaks concerns nobody but its client.
                        Ok(stream) => {
                            let _ = watcher.watch(connection_of(stream, router, bounds)).await;
                        }
                        Err(error) => {
                            metrics.refused("tls");
                            tracing::debug!(%error, "no TLS came about");
                        }
                    }
                    drop((counted, place));
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
    // A client that does not read would keep its connection, and with it the daemon, for ever.
    connections.shutdown().await;
}

/// A connection that is counted as long as it is there.
struct Counted(Arc<Metrics>);

impl Counted {
    fn new(metrics: Arc<Metrics>) -> Self {
        metrics.connections.inc();
        Self(metrics)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}

/// Either kind of connection.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection that was taken.
enum Connection {
    Open(Box<dyn Stream>),
    /// Hands are still to be shaken, which takes as long as the client likes.
    Closed(TcpStream, Tls),
}

impl Connection {
    async fn ready(self, bounds: Bounds) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Open(stream) => Ok(stream),
            Self::Closed(stream, tls) => {
                Ok(Box::new(tls.accept(stream, bounds.head_deadline).await?))
            }
        }
    }
}

async fn accept(listener: &Listener) -> io::Result<Connection> {
    match &listener.socket {
        Socket::Unix(socket) => Ok(Connection::Open(Box::new(socket.accept().await?.0))),
        Socket::Tcp(socket) => {
            let (stream, _) = socket.accept().await?;
            // Answers are small and waited for.
            stream.set_nodelay(true)?;
            Ok(match &listener.tls {
                Some(tls) => Connection::Closed(stream, tls.clone()),
                None => Connection::Open(Box::new(stream)),
            })
        }
    }
}

fn connection_of(
    stream: Box<dyn Stream>,
    router: Router,
    bounds: Bounds,
) -> impl hyper_util::server::graceful::GracefulConnection {
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(bounds.head_deadline));
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head_deadline)
        .max_buf_size(HEAD)
        .max_headers(HEADERS)
        .serve_connection(
            TokioIo::new(Box::pin(stream)),
            TowerToHyperService::new(router),
        )
}
