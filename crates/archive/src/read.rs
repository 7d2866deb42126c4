//! The reading end: one pass over an archive that nobody is trusted to have made well.

use std::cell::Cell;
use std::collections::HashMap;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::rc::Rc;

use sha2::Digest;
use sha2::Sha256;

use crate::error::ArchiveError;
use crate::error::OverLimit;
use crate::manifest::FORMAT_VERSION;
use crate::manifest::Manifest;
use crate::member::Member;
use crate::member::MemberKind;
use crate::member::Shown;
use crate::names::Names;
use crate::write::MEMBERS_MAX;
use crate::write::checksum_name;

/// Largest `aip.json` or `document.yaml`, in bytes.
const TEXT_MAX: u64 = 1024 * 1024;
/// Largest window of a zstd frame, as a power of two: what `zstd -d` takes by itself (128 MiB).
const WINDOW_LOG_MAX: u32 = 27;
/// Longest line of the list of checksums: a hash, and a path of which each byte is escaped.
const LINE_MAX: u64 = 8 * 1024;
/// A piece of a member that nobody wants to see.
const PIECE: usize = 64 * 1024;

/// How much an archive may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of all members together, unpacked.
    pub bytes_max: u64,
    /// Most unpacked bytes for each packed one, over all that was read so far.
    pub ratio_max: u64,
    /// Unpacked bytes from which that is looked at.
    pub ratio_from: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes_max: 256 * 1024 * 1024 * 1024,
            // SQL and texts shrink to a twentieth, repetitive logs to a fiftieth. What shrinks more
            // over the whole of a site was made to: without this, 10 MB are 256 GiB of work.
            ratio_max: 200,
            // A small site may have one odd file.
            ratio_from: 1024 * 1024 * 1024,
        }
    }
}

/// How a visit goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// To the next member.
    On,
    /// No further; the rest of the archive is not looked at.
    Stop,
}

/// Who looks at the members.
pub trait Visitor {
    /// The manifest, first of all.
    ///
    /// # Errors
    /// Ends the reading.
    fn manifest(&mut self, manifest: &Manifest) -> Result<(), ArchiveError>;

    /// A member with its data, which need not be read.
    ///
    /// # Errors
    /// Ends the reading.
    fn member(&mut self, member: &Member, data: &mut dyn Read) -> Result<Flow, ArchiveError>;
}

/// Whether the checksums are compared, which takes reading all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// All of it is read and compared.
    Whole,
    /// It was compared before; members are taken as they are.
    Trusted,
}

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Members.
    pub members: u64,
    /// Their bytes, unpacked.
    pub bytes: u64,
}

/// Reads an archive to its end, or until the visitor wants no more.
///
/// # Errors
/// `Damaged` when a member is not as it must be or its checksum differs, `Incomplete` without the
/// list of checksums, `TooNew`, `TooLarge`, `Io` from the stream, and the visitor's own.
pub fn read(
    input: impl Read,
    limits: &Limits,
    check: Check,
    visitor: &mut dyn Visitor,
) -> Result<Summary, ArchiveError> {
    let packed = Rc::new(Cell::new(0));
    let input = Packed { inner: input, read: Rc::clone(&packed) };
    let mut plain = zstd::stream::read::Decoder::new(BufReader::with_capacity(PIECE, input))
        .map_err(ArchiveError::Io)?;
    plain.window_log_max(WINDOW_LOG_MAX)?;
    let mut archive = tar::Archive::new(Plain { inner: plain, limits: *limits, packed, bytes: 0 });
    let mut pass = Pass { check, seen: HashMap::new(), summary: Summary::default(), done: false };
    let mut names = Names::default();
    // Raw: what stands before a member would be read whole otherwise, however long it is.
    for entry in archive.entries().map_err(damage)?.raw(true) {
        let mut entry = entry.map_err(damage)?;
        if names.take(&mut entry)? {
            continue;
        }
        let member = names.member(&entry)?;
        if pass.take(&member, &mut entry, visitor)? == Flow::Stop {
            return Ok(pass.summary);
        }
    }
    if !pass.done || names.is_pending() {
        return Err(ArchiveError::Incomplete);
    }
    if check == Check::Whole {
        // The frame's own end, and nothing behind it but the zeros that end a tar.
        let mut rest = archive.into_inner();
        let mut piece = [0; PIECE];
        loop {
            let count = rest.read(&mut piece).map_err(damage)?;
            if count == 0 {
                break;
            }
            if piece.iter().take(count).any(|byte| *byte != 0) {
                return Err(ArchiveError::Damaged("there is something after its end".to_owned()));
            }
        }
    }
    Ok(pass.summary)
}

/// An error below tar: of the stream, or of what was in it.
pub(crate) fn damage(error: io::Error) -> ArchiveError {
    let error = match ArchiveError::from(error) {
        ArchiveError::Io(error) => error,
        other => return other,
    };
    match error.kind() {
        io::ErrorKind::UnexpectedEof => ArchiveError::Incomplete,
        io::ErrorKind::Other | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            ArchiveError::Damaged(format!(
                "this is no archive of a site, or it is damaged: {error}"
            ))
        }
        _ => ArchiveError::Io(error),
    }
}

/// The packed stream, counted.
struct Packed<R: Read> {
    inner: R,
    read: Rc<Cell<u64>>,
}

impl<R: Read> Read for Packed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.set(self.read.get() + count as u64);
        Ok(count)
    }
}

/// The unpacked stream, bounded.
struct Plain<R: Read> {
    inner: R,
    limits: Limits,
    packed: Rc<Cell<u64>>,
    bytes: u64,
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.bytes += count as u64;
        let Limits { bytes_max, ratio_max, ratio_from } = self.limits;
        if self.bytes > bytes_max {
            return Err(over(format!(
                "the archive unpacks to more than {bytes_max} bytes, the most that is taken"
            )));
        }
        if self.bytes > ratio_from && self.bytes / ratio_max > self.packed.get() {
            return Err(over(format!(
                "the archive unpacks to more than {ratio_max} times its size: no site does; if \
                 yours has large files of zeros, leave them out"
            )));
        }
        Ok(count)
    }
}

/// What a stream fails with when a limit is met, so that it is told as that.
pub fn over(why: String) -> io::Error {
    io::Error::other(OverLimit(why))
}

struct Pass {
    check: Check,
    /// By a hash of the name: 2,000,000 names of 3,800 bytes would be 8 GB.
    seen: HashMap<[u8; 16], [u8; 32]>,
    summary: Summary,
    done: bool,
}

impl Pass {
    fn take(
        &mut self,
        member: &Member,
        entry: &mut dyn Read,
        visitor: &mut dyn Visitor,
    ) -> Result<Flow, ArchiveError> {
        if self.done {
            return Err(ArchiveError::Damaged("a member stands after the checksums".to_owned()));
        }
        let first = self.summary.members == 0;
        if first != (member.kind == MemberKind::Manifest) {
            return Err(ArchiveError::Damaged(
                "this is no archive of a site: it does not begin with aip.json".to_owned(),
            ));
        }
        self.summary.members += 1;
        self.summary.bytes += member.size;
        if self.summary.members > MEMBERS_MAX as u64 {
            return Err(ArchiveError::TooLarge(format!("it has more than {MEMBERS_MAX} members")));
        }
        let mut data =
            Hashing { inner: entry, hash: Sha256::new(), on: self.check == Check::Whole };
        match member.kind {
            MemberKind::Manifest => visitor.manifest(&manifest(&mut data, member.size)?)?,
            MemberKind::Checksums => {
                self.compare(&mut data)?;
                self.done = true;
                return Ok(Flow::On);
            }
            MemberKind::Folder => return visitor.member(member, &mut io::empty()),
            _ => {
                if member.kind == MemberKind::Document && member.size > TEXT_MAX {
                    return Err(ArchiveError::TooLarge("document.yaml is too large".to_owned()));
                }
                if visitor.member(member, &mut data)? == Flow::Stop {
                    return Ok(Flow::Stop);
                }
            }
        }
        if self.check == Check::Whole {
            io::copy(&mut data, &mut io::sink()).map_err(damage)?;
            let name = checksum_name(&member.path).1;
            if self.seen.insert(short(&name), data.hash.finalize().into()).is_some() {
                let path = Shown(&member.path);
                return Err(ArchiveError::Damaged(format!("member `{path}` is there twice")));
            }
        }
        Ok(Flow::On)
    }

    /// Each member has its line, each line its member.
    fn compare(&mut self, data: &mut dyn Read) -> Result<(), ArchiveError> {
        if self.check == Check::Trusted {
            return Ok(());
        }
        let wrong = |what: &str| Err(ArchiveError::Damaged(format!("checksums.sha256: {what}")));
        let mut list = BufReader::with_capacity(PIECE, data);
        let mut line = Vec::new();
        loop {
            line.clear();
            (&mut list).take(LINE_MAX).read_until(b'\n', &mut line).map_err(damage)?;
            if line.is_empty() {
                break;
            }
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            if line.is_empty() {
                continue;
            }
            let line = line.strip_prefix(b"\\").unwrap_or(line);
            let mut told = [0; 32];
            let (Some((sum, name)), true) =
                (line.split_at_checked(64), line.get(64..66) == Some(b"  "))
            else {
                return wrong("a line is not as sha256sum writes it");
            };
            if hex::decode_to_slice(sum, &mut told).is_err() {
                return wrong("a line is not as sha256sum writes it");
            }
            let name = name.get(2..).unwrap_or_default();
            match self.seen.remove(&short(name)) {
                None => return wrong(&format!("`{}` is missing", Shown(name))),
                Some(found) if found != told => {
                    return wrong(&format!("`{}` is damaged", Shown(name)));
                }
                Some(_) => {}
            }
        }
        match self.seen.len() {
            0 => Ok(()),
            count => wrong(&format!("{count} members are not listed")),
        }
    }
}

/// A name's place among those that were seen.
fn short(name: &[u8]) -> [u8; 16] {
    let mut key = [0; 16];
    let hash: [u8; 32] = Sha256::digest(name).into();
    key.copy_from_slice(hash.split_at(16).0);
    key
}

fn manifest(data: &mut dyn Read, size: u64) -> Result<Manifest, ArchiveError> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Version {
        format_version: u32,
    }
    if size > TEXT_MAX {
        return Err(ArchiveError::Damaged("aip.json is too large".to_owned()));
    }
    let mut text = Vec::new();
    data.read_to_end(&mut text).map_err(damage)?;
    let not_understood =
        |error: serde_json::Error| ArchiveError::Damaged(format!("aip.json: {error}"));
    let version: Version = serde_json::from_slice(&text).map_err(not_understood)?;
    if version.format_version != FORMAT_VERSION {
        return Err(ArchiveError::TooNew(version.format_version));
    }
    serde_json::from_slice(&text).map_err(not_understood)
}

/// Hashes what is read through it.
struct Hashing<R> {
    inner: R,
    hash: Sha256,
    on: bool,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if self.on {
            self.hash.update(buffer.get(..count).unwrap_or_default());
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
