//! Upgraded connections (WebSockets): a request that asks for it has a connection of its own, and
//! after a 101 bytes are copied both ways until one end closes or both are silent for too long.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use http::Request;
use http::Response;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::upgrade::OnUpgrade;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::task::JoinHandle;

use super::connect;
use super::connection::ExchangeError;
use super::pool::Upstream;
use super::request_body::RequestBody;

/// How long either end may take from the 101 to speaking the new protocol.
const SWITCH: Duration = Duration::from_secs(10);

/// Why a request that asks for an upgrade got no answer.
#[derive(Debug)]
pub(crate) enum UpgradeError {
    Connect(io::Error),
    Exchange(ExchangeError),
}

/// Sends a request that asks for an upgrade. The answer may be a 101 or any other; its connection
/// runs in the task beside it.
pub(crate) async fn ask(
    upstream: &Upstream,
    request: Request<RequestBody>,
    connect_timeout: Duration,
    head_timeout: Duration,
) -> Result<(Response<Incoming>, JoinHandle<Option<()>>), UpgradeError> {
    let stream = connect::connect(upstream.endpoint(), connect_timeout)
        .await
        .map_err(UpgradeError::Connect)?;
    let (mut sender, driver) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| UpgradeError::Connect(io::Error::other(error)))?;
    let task = aipress_kit::tasks::spawn("edge-upgrade", async move {
        let _ = driver.with_upgrades().await;
    });
    let answer = tokio::time::timeout(head_timeout, sender.send_request(request)).await;
    match answer {
        Ok(Ok(answer)) => Ok((answer, task)),
        Ok(Err(error)) => Err(UpgradeError::Exchange(ExchangeError::Broken(error))),
        Err(_) => {
            task.abort();
            Err(UpgradeError::Exchange(ExchangeError::TimedOut))
        }
    }
}

/// Copies between visitor and gateway once both have switched protocols. Gives the bytes that
/// came from each.
pub(crate) async fn run(visitor: OnUpgrade, gateway: OnUpgrade, idle: Duration) -> (u64, u64) {
    let both = async { tokio::try_join!(visitor, gateway) };
    let Ok(Ok((visitor, gateway))) = tokio::time::timeout(SWITCH, both).await else {
        return (0, 0);
    };
    let (from_visitor, from_gateway) = (Arc::default(), Arc::default());
    let mut visitor = Counted { inner: TokioIo::new(visitor), count: Arc::clone(&from_visitor) };
    let mut gateway = Counted { inner: TokioIo::new(gateway), count: Arc::clone(&from_gateway) };
    let total = || from_visitor.load(Ordering::Relaxed) + from_gateway.load(Ordering::Relaxed);
    let silence = async {
        let mut before = total();
        loop {
            tokio::time::sleep(idle).await;
            let now = total();
            if now == before {
                return;
            }
            before = now;
        }
    };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut visitor, &mut gateway) => {}
        () = silence => {}
    }
    (from_visitor.load(Ordering::Relaxed), from_gateway.load(Ordering::Relaxed))
}

/// Counts what is read.
struct Counted {
    inner: TokioIo<Upgraded>,
    count: Arc<AtomicU64>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.inner).poll_read(cx, buf);
        let read = buf.filled().len() - before;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        result
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
