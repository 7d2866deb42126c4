//! The file of checkpoints: read, and looked through. Needs neither registry nor API, so that a copy
//! of it can be looked at anywhere.

use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::path::Path;

use aipress_store::AuditHead;
use serde::Deserialize;
use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;
use time::OffsetDateTime;

use crate::sign::PublicKey;

/// Longest line: 1,000 ends of chains.
const LINE_MAX: u64 = 512 * 1024;
/// Most faults that are told one by one.
const FAULTS_MAX: usize = 20;
const BEGIN: &str = "{\"checkpoint\":";
const MIDDLE: &str = ",\"signature\":\"";
const END: &str = "\"}";
/// Hex digits of a signature.
const SIGNATURE: usize = 128;

/// The ends of chains at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Version of this form.
    pub v: u32,
    /// Its number, from 1.
    pub n: u64,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// SHA-256 of the line before (without its end), in hex; zeros for the first.
    pub previous: String,
    /// Key that signs, in hex.
    pub key: String,
    /// Ends of chains that moved.
    pub heads: Vec<CheckpointHead>,
}

/// The end of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointHead {
    /// An account's id, or `platform`.
    pub chain: String,
    /// Place of its last row.
    pub seq: u64,
    /// That row's link, in hex.
    pub link: String,
}

/// What a look through the file found.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Checkpoints that are as they were signed.
    pub count: u64,
    /// Number of the first one.
    pub first: u64,
    /// Number of the last one, and when it was made.
    pub last: u64,
    /// See [`Seen::last`].
    pub at: Option<OffsetDateTime>,
    /// SHA-256 of the last line, in hex.
    pub sha256: String,
    /// Every place that was signed for.
    pub anchors: Vec<AuditHead>,
    /// Numbers and hashes of lines that were asked for.
    pub asked: Option<String>,
    /// What is wrong, in words; some twenty of it.
    pub faults: Vec<String>,
    /// Bytes up to the end of the last whole line.
    pub whole_bytes: u64,
}

/// SHA-256 of a line without its end, in hex.
pub(super) fn line_sha256(line: &[u8]) -> String {
    hex::encode(Sha256::digest(line))
}

/// The line of a checkpoint, without its end.
pub(super) fn line(checkpoint: &Checkpoint, sign: impl Fn(&[u8]) -> Vec<u8>) -> io::Result<String> {
    let inner = serde_json::to_string(checkpoint).map_err(io::Error::other)?;
    let signature = hex::encode(sign(inner.as_bytes()));
    Ok(format!("{BEGIN}{inner}{MIDDLE}{signature}{END}"))
}

/// Looks through a file, every line of which must be signed by `key`. The hash of line `ask` is in
/// [`Seen::asked`]. A last line without its end is one that was being written: it does not count.
///
/// # Errors
/// When the file can't be read.
pub fn read(path: &Path, key: &PublicKey, ask: u64) -> io::Result<Seen> {
    let mut file = BufReader::new(File::open(path)?);
    let mut seen = Seen::default();
    let mut buffer = Vec::new();
    let mut number = 0_u64;
    loop {
        buffer.clear();
        let length = file.by_ref().take(LINE_MAX).read_until(b'\n', &mut buffer)?;
        if buffer.pop_if(|byte| *byte == b'\n').is_none() {
            if length as u64 == LINE_MAX {
                tell(&mut seen, number + 1, "is longer than any checkpoint");
            }
            return Ok(seen);
        }
        number += 1;
        match checkpoint(&buffer, key) {
            Ok(found) => take(&mut seen, number, found, &buffer, ask),
            Err(why) => tell(&mut seen, number, why),
        }
        seen.whole_bytes += length as u64;
    }
}

fn tell(seen: &mut Seen, line: u64, what: &str) {
    if seen.faults.len() < FAULTS_MAX {
        seen.faults.push(format!("line {line} {what}"));
    }
}

fn take(seen: &mut Seen, number: u64, found: Checkpoint, line: &[u8], ask: u64) {
    if seen.count == 0 && seen.faults.is_empty() {
        seen.first = found.n;
    } else if found.n != seen.last + 1 || found.previous != seen.sha256 {
        tell(seen, number, "does not follow the line before it: lines are missing or another's");
    }
    seen.count += 1;
    seen.last = found.n;
    seen.at = Some(found.at);
    seen.sha256 = line_sha256(line);
    if found.n == ask {
        seen.asked = Some(seen.sha256.clone());
    }
    for head in found.heads {
        let mut link = [0; 32];
        if hex::decode_to_slice(&head.link, &mut link).is_ok() {
            seen.anchors.push(AuditHead { chain: head.chain, seq: head.seq, link });
        }
    }
}

/// The checkpoint of a line, if this key signed it.
fn checkpoint(line: &[u8], key: &PublicKey) -> Result<Checkpoint, &'static str> {
    let damaged = "is damaged: it is no checkpoint";
    let text = std::str::from_utf8(line).map_err(|_| damaged)?;
    let rest = text.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END)).ok_or(damaged)?;
    let split = rest.len().checked_sub(SIGNATURE).ok_or(damaged)?;
    let (inner, signature) = rest.split_at_checked(split).ok_or(damaged)?;
    let inner = inner.strip_suffix(MIDDLE).ok_or(damaged)?;
    let signature = hex::decode(signature).map_err(|_| damaged)?;
    if !key.fits(inner.as_bytes(), &signature) {
        let told: Option<Checkpoint> = serde_json::from_str(inner).ok();
        return Err(match told.is_some_and(|told| told.key != key.hex()) {
            true => "is signed by another key",
            false => "was changed: its signature does not fit",
        });
    }
    serde_json::from_str(inner).map_err(|_| damaged)
}
