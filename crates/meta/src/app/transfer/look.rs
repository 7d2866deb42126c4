//! The look at an archive, before anything is made of it. It begins with the first piece of the
//! upload and follows what arrives, so that little is left to do when the last piece is there.
//!
//! That it was begun early is only kept in memory: after a restart, or when too many are under way,
//! the whole archive is looked at in the end, with the same result.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::io::BufReader;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use aipress_archive::ArchiveError;
use aipress_archive::Limits;
use aipress_archive::Report;
use aipress_archive::inspect;
use aipress_archive::read::over;
use sha2::Digest;
use sha2::Sha256;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::sync::oneshot;
use uuid::Uuid;

/// Archives that are looked at at once: each takes a thread, and up to a statement of memory. As
/// many again behind uploads, which may be slow: nobody's end waits for them.
const LOOKS: usize = 2;
const EARLY: usize = 2;
/// An upload that pauses for longer gives its early look up: others want it.
const PAUSE: Duration = Duration::from_secs(30);
/// Work on one archive, without what it waits for its upload: 64 GiB in it are 36 MB/s. Whoever makes one
/// that takes longer would keep others from their turns.
const WORK_MAX: Duration = Duration::from_secs(30 * 60);
/// What is read at once, in bytes.
const PIECE: usize = 1 << 20;

/// What a look brought.
#[derive(Debug)]
pub(crate) struct Looked {
    pub(crate) sha256: String,
    pub(crate) document: Option<Vec<u8>>,
    pub(crate) report: Report,
}

type Outcome = Result<Looked, ArchiveError>;

/// How much of an upload is there, for the one who reads behind it.
#[derive(Debug, Default)]
struct Arrived {
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

    fn note(&self, bytes: u64, ended: bool) {
        let mut state = self.lock();
        state.bytes = state.bytes.max(bytes);
        state.ended |= ended;
        self.changed.notify_all();
    }
}

#[derive(Debug)]
struct Early {
    arrived: Arc<Arrived>,
    outcome: oneshot::Receiver<Outcome>,
    thread: std::thread::JoinHandle<()>,
}

impl Early {
    /// A thread of its own: it may wait for long, and no end of the process waits for it.
    fn begin(path: &Path, bytes: u64, turn: OwnedSemaphorePermit) -> io::Result<Self> {
        let arrived = Arc::new(Arrived::default());
        arrived.note(bytes, false);
        let (path, follow) = (path.to_owned(), Arc::clone(&arrived));
        let (sender, outcome) = oneshot::channel();
        let thread =
            std::thread::Builder::new().name("archive-look".to_owned()).spawn(move || {
                let looked = behind(&path, follow);
                drop(turn);
                // Whoever uploads may have given it up.
                let _ = sender.send(looked);
            })?;
        Ok(Self { arrived, outcome, thread })
    }
}

/// The looks of a plane.
#[derive(Debug)]
pub(crate) struct Looks {
    turns: Arc<Semaphore>,
    early_turns: Arc<Semaphore>,
    early: Mutex<HashMap<Uuid, Early>>,
}

impl Looks {
    pub(crate) fn new() -> Self {
        let turns = |count| Arc::new(Semaphore::new(count));
        Self { turns: turns(LOOKS), early_turns: turns(EARLY), early: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Early>> {
        self.early.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many bytes of an upload are there. The first ones begin the look, when there is a turn.
    pub(crate) fn note(&self, id: Uuid, path: &Path, from: u64, bytes: u64) {
        let mut early = self.lock();
        // One that is over before the upload met something wrong, or a pause.
        early.retain(|_, look| !look.thread.is_finished());
        if let Some(look) = early.get(&id) {
            look.arrived.note(bytes, false);
        } else if from == 0
            && bytes > 0
            && let Ok(turn) = Arc::clone(&self.early_turns).try_acquire_owned()
            && let Ok(look) = Early::begin(path, bytes, turn)
        {
            early.insert(id, look);
        }
    }

    /// The upload is given up.
    pub(crate) fn forget(&self, id: Uuid) {
        if let Some(look) = self.lock().remove(&id) {
            look.arrived.note(0, true);
        }
    }

    /// What there is in the archive of so many bytes: the end of the early look, or a whole one.
    pub(crate) async fn finish(&self, id: Uuid, path: PathBuf, bytes: u64) -> Outcome {
        let early = self.lock().remove(&id);
        if let Some(early) = early {
            early.arrived.note(bytes, true);
            match early.outcome.await {
                // It waited in vain, or read what was not there yet: looked at as a whole.
                Ok(Err(ArchiveError::Io(error))) => {
                    tracing::debug!(import = %id, %error, "an early look is done again");
                }
                Ok(outcome) => return outcome,
                Err(error) => tracing::warn!(import = %id, %error, "an early look broke"),
            }
        }
        let stopped = |_| io::Error::other("shutting down");
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(stopped)?;
        let whole = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            look(BufReader::with_capacity(PIECE, File::open(path)?))
        });
        whole.await.map_err(io::Error::other)?
    }
}

/// Looks at an upload while it arrives.
fn behind(path: &Path, arrived: Arc<Arrived>) -> Outcome {
    let file = File::open(path)?;
    look(BufReader::with_capacity(PIECE, Follower { file, at: 0, arrived }))
}

fn look(input: impl Read) -> Outcome {
    look_within(input, WORK_MAX)
}

fn look_within(input: impl Read, work_max: Duration) -> Outcome {
    let timed = Timed { inner: input, since: Instant::now(), worked: Duration::ZERO, work_max };
    let mut input = Hashing { inner: timed, hash: Sha256::new() };
    let (_, document, report) = inspect::archive(&mut input, &Limits::default())?;
    io::copy(&mut input, &mut io::sink())?;
    Ok(Looked { sha256: hex::encode(input.hash.finalize()), document, report })
}

/// A file that grows, read up to where it is, and to its end once that is known.
struct Follower {
    file: File,
    at: u64,
    arrived: Arc<Arrived>,
}

impl Read for Follower {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.arrived.lock();
        while state.bytes <= self.at && !state.ended {
            let waited = self.arrived.changed.wait_timeout(state, PAUSE);
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
struct Timed<R> {
    inner: R,
    since: Instant,
    worked: Duration,
    work_max: Duration,
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

struct Hashing<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::tests::transfers::archive;

    /// Uploads in pieces of `piece` bytes, and looks.
    async fn looked(bytes: &[u8], piece: usize) -> Outcome {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.aip");
        let (looks, id) = (Looks::new(), Uuid::new_v4());
        let mut file = File::create(&path).unwrap();
        let mut at = 0;
        for piece in bytes.chunks(piece) {
            file.write_all(piece).unwrap();
            let from = at;
            at += piece.len() as u64;
            looks.note(id, &path, from, at);
            tokio::task::yield_now().await;
        }
        looks.finish(id, path, at).await
    }

    #[tokio::test]
    async fn a_look_behind_the_upload_is_the_look_at_the_whole() {
        let archive = archive();
        let whole = look(archive.as_slice()).unwrap();
        for piece in [1, 7, 100, archive.len()] {
            let behind = looked(&archive, piece).await.unwrap();
            assert_eq!(behind.sha256, whole.sha256, "{piece}");
            assert_eq!(behind.report, whole.report, "{piece}");
            assert_eq!(behind.document, whole.document, "{piece}");
        }
    }

    #[tokio::test]
    async fn what_is_wrong_with_an_upload_is_told_as_of_the_whole() {
        let archive = archive();
        let cut = looked(archive.get(..archive.len() / 2).unwrap(), 50).await;
        assert!(matches!(cut, Err(ArchiveError::Incomplete)), "{:?}", cut.err());
        let other = looked(b"no archive at all", 5).await;
        assert!(matches!(other, Err(ArchiveError::Damaged(_))), "{:?}", other.err());
        assert!(looked(b"", 1).await.is_err());
    }

    #[test]
    fn a_look_that_takes_too_long_is_given_up() {
        let error = look_within(archive().as_slice(), Duration::ZERO).unwrap_err();
        assert!(matches!(error, ArchiveError::TooLarge(_)), "not done again: {error:?}");
        assert!(error.to_string().contains("minutes of work"), "{error}");
    }

    #[tokio::test]
    async fn without_a_turn_it_is_looked_at_in_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.aip");
        let archive = archive();
        std::fs::write(&path, &archive).unwrap();
        let looks = Looks::new();
        for _ in 0..EARLY {
            looks.note(Uuid::new_v4(), &path, 0, 1);
        }
        let id = Uuid::new_v4();
        looks.note(id, &path, 0, archive.len() as u64);
        assert!(!looks.lock().contains_key(&id));
        let given_up: Vec<Uuid> = looks.lock().keys().copied().collect();
        given_up.into_iter().for_each(|id| looks.forget(id));
        assert!(looks.finish(id, path, archive.len() as u64).await.is_ok());
    }
}
