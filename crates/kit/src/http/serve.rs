//! Serves an `axum` router on a listener until the lifecycle ends it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::service::Service;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::sync::Semaphore;
use tower::ServiceExt;

use crate::lifecycle::DRAIN;
use crate::lifecycle::Lifecycle;
use crate::listen::AcceptFailures;
use crate::listen::Listener;
use crate::listen::connections_max;

/// How long a client may take to send a request's head (slow-loris).
const HEADER_TIMEOUT: Duration = Duration::from_secs(20);
/// Connections at once; more wait in the backlog.
const MAX_CONNECTIONS: usize = 4_096;

/// Who is at the other end, put into each request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A TCP address.
    Tcp(std::net::SocketAddr),
    /// A process of this machine, by the Unix user of its connect (`SO_PEERCRED`).
    Unix {
        /// Its user id.
        uid: u32,
    },
}

/// Serves `router` on `listener`. Ends when `lifecycle` drains and the requests under way are
/// finished, or cut.
pub async fn serve(listener: Listener, router: Router, lifecycle: Lifecycle) {
    let make = move |peer| {
        let service =
            router.clone().map_request(move |mut request: http::Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(peer);
                request.map(axum::body::Body::new)
            });
        TowerToHyperService::new(service)
    };
    serve_with(listener, make, lifecycle).await;
}

/// The same for any service of hyper's, made for each connection by `make`.
pub async fn serve_with<M, S, B>(listener: Listener, make: M, lifecycle: Lifecycle)
where
    M: Fn(Peer) -> S,
    S: Service<http::Request<hyper::body::Incoming>, Response = http::Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(256);
    let builder = Arc::new(builder);
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(connections_max(MAX_CONNECTIONS)));
    let mut failures = AcceptFailures::default();
    loop {
        let Ok(permit) = Arc::clone(&slots).acquire_owned().await else { break };
        let accepted = tokio::select! {
            () = lifecycle.drain.cancelled() => break,
            accepted = accept(&listener) => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(connection) => connection,
            Err(error) => {
                failures.after(&error).await;
                continue;
            }
        };
        let connection =
            builder.serve_connection_with_upgrades(TokioIo::new(stream), make(peer)).into_owned();
        let watched = graceful.watch(connection);
        let cut = lifecycle.cut.clone();
        crate::tasks::spawn("http-connection", async move {
            tokio::select! {
                result = watched => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "connection ended early");
                    }
                }
                () = cut.cancelled() => {}
            }
            drop(permit);
        });
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = lifecycle.cut.cancelled() => {}
        () = tokio::time::sleep(DRAIN) => {}
    }
}

/// Either kind of stream.
trait Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send {}
impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send> Stream for S {}

async fn accept(listener: &Listener) -> std::io::Result<(Box<dyn Stream>, Peer)> {
    match listener {
        Listener::Tcp(tcp) => {
            let (stream, address) = tcp.accept().await?;
            let _ = stream.set_nodelay(true);
            Ok((Box::new(stream), Peer::Tcp(address)))
        }
        Listener::Unix(unix) => {
            let (stream, _) = unix.accept().await?;
            let uid = stream.peer_cred()?.uid();
            Ok((Box::new(stream), Peer::Unix { uid }))
        }
    }
}

#[cfg(test)]
mod tests;
