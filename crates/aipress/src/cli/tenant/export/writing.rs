//! The end of a download that writes: in a thread of its own, so that the connection is read
//! meanwhile, and a pipe that nobody empties holds nothing else up.

use std::io;
use std::io::ErrorKind;
use std::io::Write;

use bytes::Bytes;
use crc32fast::Hasher;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use crate::cli::tenant::locked::Sink;
use crate::exit::Failure;

/// Pieces that wait to be written, each what a connection gives at once: some hundred KB at most.
const WAITING: usize = 16;

enum Piece {
    Data(Bytes),
    /// There are no more, and the archive is whole.
    End,
}

/// A destination that is written to.
pub(super) struct Writing {
    pieces: mpsc::Sender<Piece>,
    outcome: oneshot::Receiver<Result<String, Failure>>,
}

impl Writing {
    /// Begins to write to `out`, which is called `name` when it fails.
    pub(super) fn begin<W: Write + Send + 'static>(out: Sink<W>, name: String) -> io::Result<Self> {
        let (pieces, waiting) = mpsc::channel(WAITING);
        let (told, outcome) = oneshot::channel();
        // Not a task of the runtime, whose end would wait for a pipe that nobody empties.
        std::thread::Builder::new().name("export-write".to_owned()).spawn(move || {
            if let Some(result) = write(out, waiting, &name) {
                let _ = told.send(result);
            }
        })?;
        Ok(Self { pieces, outcome })
    }

    /// Hands over the next piece.
    pub(super) async fn give(&mut self, data: Bytes) -> Result<(), Failure> {
        if self.pieces.send(Piece::Data(data)).await.is_ok() {
            return Ok(());
        }
        let failed = (&mut self.outcome).await.ok().and_then(Result::err);
        Err(failed.unwrap_or_else(gone))
    }

    /// Ends what is whole; its CRC-32.
    pub(super) async fn end(self) -> Result<String, Failure> {
        let _ = self.pieces.send(Piece::End).await;
        drop(self.pieces);
        self.outcome.await.unwrap_or_else(|_| Err(gone()))
    }
}

fn gone() -> Failure {
    Failure::Failed(anyhow::anyhow!("the thread that writes the archive ended"))
}

/// Writes and sums up all pieces; `None` when the archive was given up.
fn write<W: Write>(
    mut out: Sink<W>,
    mut pieces: mpsc::Receiver<Piece>,
    name: &str,
) -> Option<Result<String, Failure>> {
    let mut checksum = Hasher::new();
    loop {
        match pieces.blocking_recv()? {
            Piece::Data(data) => {
                if let Err(error) = out.write_all(&data) {
                    return Some(Err(failed(name, &error)));
                }
                checksum.update(&data);
            }
            Piece::End => {
                let ended = out.finish().map(drop);
                return Some(ended.map(|()| format!("{:08x}", checksum.finalize())));
            }
        }
    }
}

fn failed(name: &str, error: &io::Error) -> Failure {
    let what = match error.kind() {
        ErrorKind::BrokenPipe => "its reader ended before the archive did, and has not all of it",
        ErrorKind::StorageFull => "the disk is full: free some space, or write elsewhere",
        _ => return Failure::Failed(anyhow::anyhow!("{name}: {error}")),
    };
    Failure::Failed(anyhow::anyhow!("{name}: {what}"))
}
