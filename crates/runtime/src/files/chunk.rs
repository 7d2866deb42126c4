//! Reading a file in bounded pieces without blocking the executor.
//!
//! What is in the page cache is read at once (`RWF_NOWAIT`); only what would wait for the disk goes
//! to a blocking thread. A hop to one costs more than copying 64 KiB.

use std::{
    future::Future,
    io::{self, IoSliceMut},
    os::fd::OwnedFd,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use rustix::io::{Errno, ReadWriteFlags, pread, preadv2};
use tokio::task::{JoinHandle, spawn_blocking};

/// The most that is read at once, in bytes.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// Reads pieces of one file. One at a time: a piece that was asked for is waited for.
#[derive(Debug)]
pub struct ChunkReader {
    file: Arc<OwnedFd>,
    pending: Option<JoinHandle<io::Result<Bytes>>>,
}

impl ChunkReader {
    /// A reader of a regular file.
    pub fn new(file: OwnedFd) -> Self {
        Self { file: Arc::new(file), pending: None }
    }

    /// Another reader of the same file.
    pub(crate) fn again(&self) -> Self {
        Self { file: Arc::clone(&self.file), pending: None }
    }

    /// Up to `want` bytes (at most [`CHUNK_BYTES`]) from `offset`; fewer when the file ends there
    /// or only a part is at hand; none at the end.
    pub fn poll_read_at(
        &mut self,
        cx: &mut Context<'_>,
        offset: u64,
        want: usize,
    ) -> Poll<io::Result<Bytes>> {
        let want = want.min(CHUNK_BYTES);
        if self.pending.is_none() {
            if let Some(bytes) = read_cached(&self.file, offset, want)? {
                return Poll::Ready(Ok(bytes));
            }
            let file = Arc::clone(&self.file);
            self.pending = Some(spawn_blocking(move || read_waiting(&file, offset, want)));
        }
        let Some(pending) = &mut self.pending else { return Poll::Pending };
        let outcome = ready!(Pin::new(pending).poll(cx));
        self.pending = None;
        Poll::Ready(outcome.map_err(io::Error::other).flatten())
    }
}

/// Reads what is in memory; `None` when the disk would have to be waited for.
pub(super) fn read_cached(file: &OwnedFd, offset: u64, want: usize) -> io::Result<Option<Bytes>> {
    let mut buffer = vec![0; want];
    let slices = &mut [IoSliceMut::new(&mut buffer)];
    match preadv2(file, slices, offset, ReadWriteFlags::NOWAIT) {
        Ok(read) => {
            buffer.truncate(read);
            Ok(Some(buffer.into()))
        }
        // Not in the cache; or the file system or kernel does not know the flag.
        Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(None),
        Err(Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Reads, waiting for the disk. For blocking threads.
pub(super) fn read_waiting(file: &OwnedFd, offset: u64, want: usize) -> io::Result<Bytes> {
    let mut buffer = vec![0; want];
    loop {
        match pread(file, &mut buffer[..], offset) {
            Ok(read) => {
                buffer.truncate(read);
                return Ok(buffer.into());
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
