//! Readers for a look at an archive: behind its upload, hashed, within bounded time.

use std::fs::File;
use std::io;
use std::io::Read;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use sha2::Digest;
use sha2::Sha256;

use crate::read::over;

/// How much of an upload is there, for the one who reads behind it.
#[derive(Debug, Default)]
pub struct Arrived {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    bytes: u64,
    /// No more will come.
    ended: bool,
}

impl Arrived {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many bytes are there; whether that is all of them.
    pub fn note(&self, bytes: u64, ended: bool) {
        let mut state = self.lock();
        state.bytes = state.bytes.max(bytes);
        state.ended |= ended;
        self.changed.notify_all();
    }
}

/// A file that grows, read up to where it is, and to its end once that is known.
pub struct Follower {
    file: File,
    at: u64,
    pause: Duration,
    arrived: Arc<Arrived>,
}

impl Follower {
    /// Reads behind an upload that may pause for so long.
    pub fn new(file: File, pause: Duration, arrived: Arc<Arrived>) -> Self {
        Self { file, at: 0, pause, arrived }
    }
}

impl Read for Follower {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.arrived.lock();
        while state.bytes <= self.at && !state.ended {
            let waited = self.arrived.changed.wait_timeout(state, self.pause);
            let (next, pause) = waited.unwrap_or_else(PoisonError::into_inner);
            if pause.timed_out() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the upload pauses"));
            }
            state = next;
        }
        let there = usize::try_from(state.bytes.saturating_sub(self.at)).unwrap_or(usize::MAX);
        drop(state);
        let wanted = there.min(buffer.len());
        let count = self.file.read(buffer.get_mut(..wanted).unwrap_or_default())?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Counts the time between its reads: of each piece, an archive's reader makes 1 GiB at most, or
/// 200 times as much.
pub struct Timed<R> {
    inner: R,
    since: Instant,
    worked: Duration,
    work_max: Duration,
}

impl<R: Read> Timed<R> {
    /// A reader that fails once so much was worked.
    pub fn new(inner: R, work_max: Duration) -> Self {
        Self { inner, since: Instant::now(), worked: Duration::ZERO, work_max }
    }
}

impl<R: Read> Read for Timed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.worked += self.since.elapsed();
        if self.worked > self.work_max {
            return Err(over(format!(
                "the archive could not be looked through in {} minutes of work: leave large files \
                 out, or try again when the platform has less to do",
                self.work_max.as_secs() / 60
            )));
        }
        let count = self.inner.read(buffer);
        self.since = Instant::now();
        count
    }
}

/// Hashes what is read through it.
pub struct Hashing<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Hashing<R> {
    /// Nothing was read yet.
    pub fn new(inner: R) -> Self {
        Self { inner, hash: Sha256::new() }
    }

    /// The SHA-256 of what was read.
    pub fn sha256(self) -> String {
        hex::encode(self.hash.finalize())
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}
