//! Commands in a site's sandbox, really: PHP's command line as the slot's user, confined as
//! php-fpm is (`fpm::confine`), in a PID namespace of its own, with bounded time, memory, files
//! and processes.
//!
//! Invariants: no shell sees an argument; nothing of the shard's environment is inherited; the
//! command is ended with all that it started when its time is over, when nobody listens any more,
//! and when the shard's control plane is killed. Without root, or on a machine without namespaces,
//! the user's own session takes their place: PHP can start no process there either.

mod line;
mod running;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;

use self::running::Running;
use crate::error::DriverError;
use crate::exec::Exec;
use crate::exec::ExecCall;
use crate::exec::ExecChunk;
use crate::exec::ExecExit;
use crate::exec::Sandbox;
use crate::exec::TIME_LIMIT_MAX;
use crate::layout::ShardPaths;
use crate::layout::Slot;
use crate::uids::ShardIds;

/// Commands of one slot at once: a person's, and one of the platform's own beside it.
const SLOT_COMMANDS: usize = 2;
/// Commands of a shard at once; each takes up to [`line::DATA_BYTES`] of memory.
const SHARD_COMMANDS: usize = 8;
/// How long a command waits for its turn before it is refused.
const TURN_WAIT: Duration = Duration::from_secs(5);
/// Most of a piece of output, in bytes.
const PIECE_MAX: usize = 32 * 1024;

/// What is named when a command can't be run.
const WHAT: &str = "run a command of the site";

/// What commands are run with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// PHP's command line program, of the same version as php-fpm.
    pub php: Option<PathBuf>,
    /// What runs inside WordPress, with `agent.php`.
    pub php_dir: PathBuf,
    /// The wp-cli archive, verified; `None` where none is configured.
    pub wp_cli: Option<PathBuf>,
    /// What gives up the calls that no site needs, and becomes PHP; as for php-fpm.
    pub confined_by: Option<PathBuf>,
}

/// The sandbox of a shard's slots on this machine.
#[derive(Debug)]
pub struct LocalExec {
    paths: ShardPaths,
    ids: ShardIds,
    programs: Programs,
    shard: Arc<Semaphore>,
    slots: Mutex<HashMap<Slot, Arc<Semaphore>>>,
}

/// A command's turn: gives its places back when dropped.
#[derive(Debug)]
struct Turn {
    _slot: OwnedSemaphorePermit,
    _shard: OwnedSemaphorePermit,
}

impl LocalExec {
    /// The sandbox of a shard.
    pub fn open(paths: &ShardPaths, ids: ShardIds, programs: Programs) -> Self {
        Self {
            paths: paths.clone(),
            ids,
            programs,
            shard: Arc::new(Semaphore::new(SHARD_COMMANDS)),
            slots: Mutex::default(),
        }
    }

    async fn turn(&self, slot: Slot) -> Result<Turn, DriverError> {
        let own = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(slot).or_insert_with(|| Arc::new(Semaphore::new(SLOT_COMMANDS))))
        };
        let turn = async {
            // The slot's first: a site with many commands keeps no place of the shard's.
            let slot = own.acquire_owned().await;
            (slot, Arc::clone(&self.shard).acquire_owned().await)
        };
        match tokio::time::timeout(TURN_WAIT, turn).await {
            Ok((Ok(slot), Ok(shard))) => Ok(Turn { _slot: slot, _shard: shard }),
            _ => Err(DriverError::busy(
                WHAT,
                format!(
                    "as many commands as may run at once do ({SLOT_COMMANDS} of a site, \
                     {SHARD_COMMANDS} of a shard); try again when one has ended"
                ),
            )),
        }
    }
}

#[async_trait]
impl Exec for LocalExec {
    fn sandbox(&self, slot: Slot) -> Sandbox {
        let is_isolated = self.ids.is_isolated();
        Sandbox {
            user: is_isolated.then(|| self.ids.slot(slot).uid),
            is_namespaced: line::is_namespaced(&self.ids),
            memory_bytes: line::DATA_BYTES,
            file_bytes: line::FILE_BYTES,
            processes: is_isolated.then_some(line::PROCESSES),
        }
    }

    async fn run(
        &self,
        call: ExecCall,
        output: mpsc::Sender<ExecChunk>,
    ) -> Result<ExecExit, DriverError> {
        if call.time_limit > TIME_LIMIT_MAX {
            return Err(DriverError::invalid(WHAT, "its time limit is longer than an hour"));
        }
        let _turn = self.turn(call.slot).await?;
        let line = line::of(&self.paths, &self.ids, &self.programs, &call).await?;
        let mut running = Running::start(line, self.ids.is_isolated()).await?;
        let streams = running.streams().ok_or_else(|| DriverError::failed(WHAT, "no pipes"))?;
        let (mut stdin, stdout, stderr) = streams;
        let input = call.input;
        let write = async move {
            // A command need not read all that there is for it.
            let _ = stdin.write_all(&input).await;
        };
        let work = async {
            let ((), out, err) = tokio::join!(
                write,
                copy(stdout, &output, ExecChunk::Out),
                copy(stderr, &output, ExecChunk::Err)
            );
            if out.and(err).is_err() { None } else { running.exit().await }
        };
        let exit = tokio::select! {
            exit = work => exit,
            () = output.closed() => None,
            () = tokio::time::sleep(call.time_limit) => Some(ExecExit::TimedOut),
        };
        running.end().await?;
        Ok(exit.unwrap_or(ExecExit::Signal(rustix::process::Signal::KILL.as_raw())))
    }
}

/// Nobody listens any more.
struct Closed;

async fn copy(
    mut from: impl AsyncRead + Unpin,
    to: &mpsc::Sender<ExecChunk>,
    as_chunk: fn(Bytes) -> ExecChunk,
) -> Result<(), Closed> {
    let mut piece = vec![0; PIECE_MAX];
    loop {
        match from.read(&mut piece).await {
            // An error of a pipe is its end.
            Ok(0) | Err(_) => return Ok(()),
            Ok(length) => {
                let bytes = Bytes::copy_from_slice(piece.get(..length).unwrap_or_default());
                to.send(as_chunk(bytes)).await.map_err(|_| Closed)?;
            }
        }
    }
}
