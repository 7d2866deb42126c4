//! Writes checkpoints: those of ends that moved, after a look whether what was signed before still
//! stands. The registry remembers number and hash of the last line, so that it shows when the file's
//! end is cut off.

use std::collections::HashMap;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::ErrorKind;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use aipress_kit::clock::Clock;
use aipress_store::AuditHead;
use aipress_store::Store;
use aipress_store::StoreError;
use serde::Deserialize;
use serde::Serialize;
use tokio::sync::Mutex;

use crate::file;
use crate::file::Checkpoint;
use crate::file::CheckpointHead;
use crate::file::Seen;
use crate::sign::PublicKey;
use crate::sign::SigningKey;

/// Where the registry remembers the last line.
const SETTING: &str = "audit_checkpoint";
/// Ends in one line.
const HEADS_MAX: usize = 1_000;
/// What the first line follows.
const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Why no checkpoint was written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The registry.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file.
    #[error("checkpoints {path}: {source}")]
    File {
        /// Where it is.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
}

/// The last line, as the registry remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Last {
    n: u64,
    sha256: String,
}

impl Default for Last {
    fn default() -> Self {
        Self { n: 0, sha256: NOTHING.to_owned() }
    }
}

/// What is known of the file while meta runs.
#[derive(Debug)]
struct Known {
    last: Last,
    /// The last place of each chain that was signed for.
    signed: HashMap<String, AuditHead>,
}

/// Keeps one file.
#[derive(Debug)]
pub struct Keeper {
    path: PathBuf,
    key: Arc<SigningKey>,
    known: Mutex<Option<Known>>,
}

impl Keeper {
    /// The keeper of the file at `path`.
    pub fn new(path: PathBuf, key: SigningKey) -> Self {
        Self { path, key: Arc::new(key), known: Mutex::new(None) }
    }

    /// What checks its signatures.
    pub fn public(&self) -> PublicKey {
        self.key.public()
    }

    fn failed(&self, source: io::Error) -> CheckpointError {
        CheckpointError::File { path: self.path.clone(), source }
    }

    /// Looks through the file, and whether it is all that the registry knows of.
    ///
    /// # Errors
    /// When file or registry can't be read; what is wrong with the file is in the answer.
    pub async fn look(&self, store: &Store) -> Result<Seen, CheckpointError> {
        // Before the file: what is written meanwhile is then in the file, if anywhere.
        let last = last(store).await?;
        let (path, key, ask) = (self.path.clone(), self.public(), last.n);
        let read = tokio::task::spawn_blocking(move || file::read(&path, &key, ask)).await;
        let mut seen = match read.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(seen) => seen,
            Err(error) if error.kind() == ErrorKind::NotFound => Seen::default(),
            Err(error) => return Err(self.failed(error)),
        };
        if seen.count > 0 && seen.first > 1 {
            let fault =
                format!("begins with checkpoint {}: those before are not there", seen.first);
            seen.faults.push(fault);
        }
        if last.n > seen.last {
            let fault = format!("ends at {} of {} checkpoints", seen.last, last.n);
            seen.faults.push(fault);
        } else if last.n > 0 && seen.asked.as_deref().is_some_and(|asked| asked != last.sha256) {
            seen.faults.push(format!("has another checkpoint {} than was written", last.n));
        }
        Ok(seen)
    }

    /// Signs for the ends that moved since the last time. How many.
    ///
    /// # Errors
    /// When file or registry can't be written: the next time tries again.
    pub async fn write(&self, store: &Store, clock: &Clock) -> Result<u64, CheckpointError> {
        let mut known = self.known.lock().await;
        // Taken out: whatever is in the file after an error is read again.
        let mut state = match known.take() {
            Some(state) => state,
            None => self.known(store).await?,
        };
        let mut moved = Vec::new();
        for head in store.audit_heads().await? {
            match state.signed.get(&head.chain) {
                Some(signed) if *signed == head => {}
                // Never signed twice for one place: what was signed first stays the truth.
                Some(signed) if !stands(store, signed).await? => {
                    tracing::error!(
                        chain = head.chain,
                        seq = signed.seq,
                        "audit rows that a checkpoint was signed for are gone or rewritten: see \
                         `aipress audit verify`"
                    );
                }
                _ => moved.push(head),
            }
        }
        let count = moved.len() as u64;
        for heads in moved.chunks(HEADS_MAX) {
            self.append(store, clock, &mut state, heads).await?;
            state.signed.extend(heads.iter().map(|head| (head.chain.clone(), head.clone())));
        }
        *known = Some(state);
        Ok(count)
    }

    async fn known(&self, store: &Store) -> Result<Known, CheckpointError> {
        let seen = self.look(store).await?;
        let kept = last(store).await?;
        let last = match kept.n > seen.last {
            true => kept,
            false if seen.count == 0 => Last::default(),
            false => Last { n: seen.last, sha256: seen.sha256 },
        };
        let signed = seen.anchors.into_iter().map(|head| (head.chain.clone(), head)).collect();
        let (path, whole) = (self.path.clone(), seen.whole_bytes);
        let cut = tokio::task::spawn_blocking(move || cut_half_line(&path, whole)).await;
        cut.unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(|source| self.failed(source))?;
        Ok(Known { last, signed })
    }

    async fn append(
        &self,
        store: &Store,
        clock: &Clock,
        known: &mut Known,
        heads: &[AuditHead],
    ) -> Result<(), CheckpointError> {
        let checkpoint = Checkpoint {
            v: 1,
            n: known.last.n + 1,
            at: clock.now(),
            previous: known.last.sha256.clone(),
            key: self.public().hex(),
            heads: heads.iter().map(wire).collect(),
        };
        let line = file::line(&checkpoint, |text| self.key.sign(text))
            .map_err(|source| self.failed(source))?;
        let last = Last { n: checkpoint.n, sha256: file::line_sha256(line.as_bytes()) };
        let path = self.path.clone();
        let done = tokio::task::spawn_blocking(move || put(&path, line + "\n")).await;
        done.unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(|source| self.failed(source))?;
        known.last = last.clone();
        // After the file: one that is killed in between has a line more than the registry knows of,
        // which is no fault.
        let value = serde_json::to_value(&last).map_err(|error| StoreError::Other(error.into()))?;
        let mut txn = store.begin().await?;
        txn.setting_put(SETTING, &value, checkpoint.at).await?;
        Ok(txn.commit().await?)
    }
}

async fn last(store: &Store) -> Result<Last, StoreError> {
    let kept = store.setting_fetch(SETTING).await?;
    Ok(kept.and_then(|kept| serde_json::from_value(kept).ok()).unwrap_or_default())
}

/// Whether the row is still the one that was signed for.
async fn stands(store: &Store, signed: &AuditHead) -> Result<bool, StoreError> {
    Ok(store.audit_link(&signed.chain, signed.seq).await? == Some(signed.link))
}

fn wire(head: &AuditHead) -> CheckpointHead {
    CheckpointHead { chain: head.chain.clone(), seq: head.seq, link: hex::encode(head.link) }
}

/// Removes a line that a death or a full disk cut short: nobody was told of it.
fn cut_half_line(path: &Path, whole_bytes: u64) -> io::Result<()> {
    match OpenOptions::new().write(true).open(path) {
        Ok(file) if file.metadata()?.len() > whole_bytes => file.set_len(whole_bytes),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Appends durably.
fn put(path: &Path, line: String) -> io::Result<()> {
    let is_new = !path.exists();
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(line.as_bytes())?;
    file.sync_all()?;
    match path.parent().filter(|_| is_new) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
