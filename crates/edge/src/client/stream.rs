//! A visitor's byte stream: gives back what the preface took, notices who takes nothing, and
//! closes so that the last answer arrives.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use bytes::Buf;
use bytes::BytesMut;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::time::Instant;
use tokio::time::Sleep;

use super::visitor::Visitor;

/// How long, after the last answer, what a visitor is still sending is read and thrown away.
/// Closing a socket with unread bytes resets it, and takes the answer with it.
const LINGER: Duration = Duration::from_secs(2);

/// The stream.
pub(crate) struct VisitorStream<S> {
    inner: S,
    first: BytesMut,
    visitor: Arc<Visitor>,
    stall: Duration,
    /// Runs while the visitor takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    is_stalled: bool,
    lingering: Option<Pin<Box<Sleep>>>,
}

impl<S> VisitorStream<S> {
    pub(crate) fn new(inner: S, first: BytesMut, visitor: Arc<Visitor>, stall: Duration) -> Self {
        Self { inner, first, visitor, stall, stalled: None, is_stalled: false, lingering: None }
    }

    /// Watches over what a write came to.
    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.is_stalled = false;
            return written;
        }
        let deadline = Instant::now() + self.stall;
        let timer =
            self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if !self.is_stalled {
            self.is_stalled = true;
            timer.as_mut().reset(deadline);
        }
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for VisitorStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.first.has_remaining() {
            let length = this.first.remaining().min(buf.remaining());
            buf.put_slice(&this.first.split_to(length));
            if this.first.is_empty() {
                this.first = BytesMut::new();
            }
            this.visitor.read_some();
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            this.visitor.read_some();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for VisitorStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.lingering.is_none() {
            ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
            if !this.visitor.is_lingering() {
                return Poll::Ready(Ok(()));
            }
        }
        let timer = this.lingering.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
        let mut scratch = [0; 8_192];
        loop {
            if timer.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut buf = ReadBuf::new(&mut scratch);
            // An error means that there is nothing left to wait for.
            let is_open = ready!(Pin::new(&mut this.inner).poll_read(cx, &mut buf)).is_ok();
            if !is_open || buf.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
