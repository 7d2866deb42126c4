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
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use aipress_archive::ArchiveError;
use aipress_archive::Limits;
use aipress_archive::Report;
use aipress_archive::follow::Arrived;
use aipress_archive::follow::Follower;
use aipress_archive::follow::Hashing;
use aipress_archive::follow::Timed;
use aipress_archive::inspect;
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
    look(BufReader::with_capacity(PIECE, Follower::new(file, PAUSE, arrived)))
}

fn look(input: impl Read) -> Outcome {
    look_within(input, WORK_MAX)
}

fn look_within(input: impl Read, work_max: Duration) -> Outcome {
    let mut input = Hashing::new(Timed::new(input, work_max));
    let (_, document, report) = inspect::archive(&mut input, &Limits::default())?;
    io::copy(&mut input, &mut io::sink())?;
    Ok(Looked { sha256: input.sha256(), document, report })
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
