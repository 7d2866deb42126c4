//! Accepts connections and serves each in a task of its own until it ends, loses patience, or the
//! edge drains.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use aipress_kit::lifecycle::Lifecycle;
use aipress_kit::listen::AcceptFailures;
use aipress_kit::listen::Listener;
use hyper::rt::Executor;
use hyper::server::conn::http1;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

use super::patience::Patience;
use super::preface;
use super::preface::Protocol;
use super::stream::VisitorStream;
use super::visitor::Visitor;
use crate::edge::Edge;
use crate::phases::pipeline;

/// What hyper buffers of a connection at most, each way: a head with some room, or two pages.
const BUFFER: usize = 128 * 1024;
/// HTTP/2 streams of one connection at once.
const STREAMS: u32 = 128;
/// Bytes that a visitor may send ahead on one HTTP/2 stream, and on all of a connection.
const STREAM_WINDOW: u32 = 128 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// How often an HTTP/2 connection is asked whether it still lives, and for how long.
const PING: Duration = Duration::from_secs(20);

/// Accepts until the lifecycle drains. `slots` bounds the connections; more wait in the backlog.
pub(crate) async fn run(edge: Arc<Edge>, listener: Arc<Listener>, slots: Arc<Semaphore>) {
    let drain = edge.lifecycle.drain.clone();
    let mut failures = AcceptFailures::default();
    loop {
        let Ok(permit) = Arc::clone(&slots).acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = drain.cancelled() => return,
            accepted = accept(&edge, &listener, permit) => accepted,
        };
        if let Err(error) = accepted {
            failures.after(&error).await;
        }
    }
}

async fn accept(
    edge: &Arc<Edge>,
    listener: &Listener,
    permit: OwnedSemaphorePermit,
) -> io::Result<()> {
    match listener {
        Listener::Tcp(tcp) => {
            let (stream, address) = tcp.accept().await?;
            // Fails on a connection that is gone already, which serving it will find out.
            let _ = stream.set_nodelay(true);
            start(edge, stream, Some(address), permit);
        }
        Listener::Unix(unix) => {
            let (stream, _) = unix.accept().await?;
            start(edge, stream, None, permit);
        }
    }
    Ok(())
}

fn start<S>(edge: &Arc<Edge>, stream: S, peer: Option<SocketAddr>, permit: OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let edge = Arc::clone(edge);
    let visitor = Arc::new(Visitor::new(peer, &edge.trusted_proxies));
    aipress_kit::tasks::spawn("edge-connection", async move {
        edge.metrics.0.connections.one();
        tokio::select! {
            biased;
            result = serve(&edge, stream, visitor) => {
                if let Err(error) = result {
                    tracing::debug!(%error, "a connection ended early");
                }
            }
            () = edge.lifecycle.cut.cancelled() => {}
        }
        edge.metrics.0.connections.less(1);
        drop(permit);
    });
}

async fn serve<S>(edge: &Arc<Edge>, mut stream: S, visitor: Arc<Visitor>) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let first = tokio::select! {
        first = tokio::time::timeout(edge.timeouts.head, preface::read(&mut stream)) => first,
        // Nothing was asked yet: who comes again meets the next edge.
        () = edge.lifecycle.drain.cancelled() => return Ok(()),
    };
    let Ok(Ok(Some((protocol, first)))) = first else { return Ok(()) };
    let stall = edge.timeouts.write_stall;
    let io = TokioIo::new(VisitorStream::new(stream, first, Arc::clone(&visitor), stall));
    let (shared, seen) = (Arc::clone(edge), Arc::clone(&visitor));
    let service = service_fn(move |request| {
        pipeline::handle(Arc::clone(&shared), Arc::clone(&visitor), request)
    });
    match protocol {
        Protocol::Http1 => {
            let connection = http1(edge).serve_connection(io, service).with_upgrades();
            drive(connection, &edge.lifecycle, patience(edge), &seen).await
        }
        Protocol::Http2 => {
            let connection = http2().serve_connection(io, service);
            drive(connection, &edge.lifecycle, patience(edge), &seen).await
        }
    }
}

fn patience(edge: &Edge) -> Patience {
    Patience::new(edge.timeouts.head, edge.timeouts.keep_alive)
}

fn http1(edge: &Edge) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // Our own patience counts; and what is only somewhat too much gets a page of ours.
    builder
        .header_read_timeout(None)
        .max_headers(edge.limits.header_count * 2)
        .max_buf_size(BUFFER);
    builder
}

fn http2() -> http2::Builder<Streams> {
    let mut builder = http2::Builder::new(Streams);
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(BUFFER)
        .max_header_list_size(64 * 1024);
    builder
}

/// What hyper's two kinds of connections have in common.
trait Graceful: Future<Output = hyper::Result<()>> {
    fn drain(self: Pin<&mut Self>);
}

impl<I, S> Graceful for http1::UpgradeableConnection<I, S>
where
    S: hyper::service::HttpService<hyper::body::Incoming>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    S::ResBody: 'static,
    <S::ResBody as http_body::Body>::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    Self: Future<Output = hyper::Result<()>>,
{
    fn drain(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S> Graceful for http2::Connection<I, S, Streams>
where
    S: hyper::service::HttpService<hyper::body::Incoming>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    S::ResBody: 'static,
    <S::ResBody as http_body::Body>::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    Streams: hyper::rt::bounds::Http2ServerConnExec<S::Future, S::ResBody>,
    Self: Future<Output = hyper::Result<()>>,
{
    fn drain(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Runs a connection to its end.
async fn drive<C: Graceful>(
    connection: C,
    lifecycle: &Lifecycle,
    mut patience: Patience,
    visitor: &Visitor,
) -> hyper::Result<()> {
    let mut connection = pin!(connection);
    // Tokens of its own: what all connections share would be a lock for all at each step.
    let drain = lifecycle.drain.child_token();
    let mut drained = pin!(drain.cancelled());
    let mut is_draining = false;
    let mut look = pin!(tokio::time::sleep(patience.interval()));
    loop {
        tokio::select! {
            biased;
            result = connection.as_mut() => return result,
            () = &mut drained, if !is_draining => {
                is_draining = true;
                connection.as_mut().drain();
            }
            () = &mut look => {
                if patience.is_over(visitor.seen()) {
                    return Ok(());
                }
                look.as_mut().reset(tokio::time::Instant::now() + patience.interval());
            }
        }
    }
}

/// Runs the streams of HTTP/2 connections.
#[derive(Clone, Copy, Debug)]
struct Streams;

impl<F> Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        aipress_kit::tasks::spawn("edge-stream", future);
    }
}
