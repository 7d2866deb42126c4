//! The writing end. Members are pushed in their order: the database, then files by path; the
//! manifest goes first and the checksums last by themselves.

use std::io;
use std::io::Write;

use sha2::Digest;
use sha2::Sha256;
use tar::EntryType;
use tar::Header;

use crate::error::ArchiveError;
use crate::frames::FrameWriter;
use crate::manifest::Manifest;
use crate::member;
use crate::member::Member;
use crate::member::MemberKind;

/// Most members of an archive: the list of their checksums is kept in memory.
pub const MEMBERS_MAX: usize = 2_000_000;

/// Mode bits of files and folders in the archive; nobody's secrets are among them.
const FILE_MODE: u32 = 0o644;
const FOLDER_MODE: u32 = 0o755;
/// A tar header, and what members are filled up to.
const BLOCK: usize = 512;

/// How a member's data fitted the size that was announced for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// As announced.
    Exact,
    /// It had become shorter: filled up with zeros.
    Padded,
    /// It had become longer: the rest was left out.
    Cut,
}

/// A member that is being written.
struct Open {
    path: Vec<u8>,
    size: u64,
    left: u64,
    cut: bool,
    hash: Sha256,
}

/// Writes one archive.
pub struct ArchiveWriter<W> {
    out: FrameWriter<W>,
    open: Option<Open>,
    checksums: Vec<u8>,
    members: usize,
    chunks: u32,
    mtime: u64,
}

impl<W: Write + Send + 'static> ArchiveWriter<W> {
    /// Begins an archive. `mtime` (seconds since 1970 UTC) stands at what is no file of the site.
    ///
    /// # Errors
    /// `Io` from the stream.
    pub fn new(
        out: W,
        threads: usize,
        manifest: &Manifest,
        mtime: u64,
    ) -> Result<Self, ArchiveError> {
        let out = FrameWriter::new(out, threads)?;
        let mut writer =
            Self { out, open: None, checksums: Vec::new(), members: 0, chunks: 0, mtime };
        let mut text = serde_json::to_vec_pretty(manifest)
            .map_err(|error| ArchiveError::Visitor(error.to_string()))?;
        text.push(b'\n');
        writer.bytes(member::MANIFEST, &text)?;
        Ok(writer)
    }

    /// Adds the tenant's document.
    ///
    /// # Errors
    /// `Io` from the stream.
    pub fn document(&mut self, yaml: &[u8]) -> Result<(), ArchiveError> {
        self.bytes(member::DOCUMENT, yaml)
    }

    /// Adds the next chunk of SQL: whole statements.
    ///
    /// # Errors
    /// `Io` from the stream.
    pub fn database(&mut self, sql: &[u8]) -> Result<(), ArchiveError> {
        let path = format!("{}{:04}.sql", member::DATABASE, self.chunks);
        self.chunks += 1;
        self.bytes(&path, sql)
    }

    /// Adds a folder below `wp-content` (an empty path is that folder itself).
    ///
    /// # Errors
    /// `Damaged` for a path that no archive has, `Io` from the stream.
    pub fn folder(&mut self, below: &[u8], mtime: u64) -> Result<(), ArchiveError> {
        let path = content_path(below);
        Member::new(&path, true, 0, mtime)?;
        self.count()?;
        let mut path = path;
        if path.last() != Some(&b'/') {
            path.push(b'/');
        }
        self.header(&path, EntryType::Directory, FOLDER_MODE, 0, mtime)
    }

    /// Begins a file below `wp-content` that is to have `size` bytes.
    ///
    /// # Errors
    /// `Damaged` for a path that no archive has, `Io` from the stream.
    pub fn file(&mut self, below: &[u8], size: u64, mtime: u64) -> Result<(), ArchiveError> {
        let path = content_path(below);
        let found = Member::new(&path, false, size, mtime)?;
        if found.kind != MemberKind::File {
            return Err(ArchiveError::Damaged("a file needs a name".to_owned()));
        }
        self.begin(path, size, mtime)
    }

    /// Adds data to the file that was begun; what is beyond its size is left out.
    ///
    /// # Errors
    /// `Io` from the stream.
    pub fn data(&mut self, data: &[u8]) -> Result<(), ArchiveError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let take = usize::try_from(open.left).unwrap_or(usize::MAX).min(data.len());
        open.cut |= take < data.len();
        let data = data.get(..take).unwrap_or_default();
        open.hash.update(data);
        open.left -= data.len() as u64;
        self.out.write_all(data)?;
        Ok(())
    }

    /// Ends the file that was begun.
    ///
    /// # Errors
    /// `Io` from the stream.
    pub fn end_file(&mut self) -> Result<Fit, ArchiveError> {
        const ZEROS: [u8; 4096] = [0; 4096];
        let short = self.open.as_ref().is_some_and(|open| open.left > 0);
        while let Some(left) = self.open.as_ref().map(|open| open.left).filter(|left| *left > 0) {
            let piece = usize::try_from(left).unwrap_or(usize::MAX).min(ZEROS.len());
            self.data(ZEROS.get(..piece).unwrap_or_default())?;
        }
        let Some(open) = self.open.take() else { return Ok(Fit::Exact) };
        let over = usize::try_from(open.size % BLOCK as u64).unwrap_or(0);
        if over > 0 {
            self.out.write_all(ZEROS.get(..BLOCK - over).unwrap_or_default())?;
        }
        write_checksum(&mut self.checksums, &open.hash.finalize(), &open.path);
        Ok(match (short, open.cut) {
            (true, _) => Fit::Padded,
            (_, true) => Fit::Cut,
            _ => Fit::Exact,
        })
    }

    /// Writes the checksums and ends the archive; without this it is incomplete.
    ///
    /// # Errors
    /// `Io` from the stream.
    pub fn finish(mut self) -> Result<W, ArchiveError> {
        let list = std::mem::take(&mut self.checksums);
        self.bytes(member::CHECKSUMS, &list)?;
        self.out.write_all(&[0; 2 * BLOCK])?;
        Ok(self.out.finish()?)
    }

    fn bytes(&mut self, path: &str, data: &[u8]) -> Result<(), ArchiveError> {
        self.begin(path.as_bytes().to_vec(), data.len() as u64, self.mtime)?;
        self.data(data)?;
        self.end_file().map(drop)
    }

    fn begin(&mut self, path: Vec<u8>, size: u64, mtime: u64) -> Result<(), ArchiveError> {
        self.count()?;
        self.header(&path, EntryType::Regular, FILE_MODE, size, mtime)?;
        self.open = Some(Open { path, size, left: size, cut: false, hash: Sha256::new() });
        Ok(())
    }

    fn count(&mut self) -> Result<(), ArchiveError> {
        self.members += 1;
        if self.members > MEMBERS_MAX {
            return Err(ArchiveError::TooLarge(format!(
                "the site has more than {MEMBERS_MAX} files and folders"
            )));
        }
        Ok(())
    }

    fn header(
        &mut self,
        path: &[u8],
        kind: EntryType,
        mode: u32,
        size: u64,
        mtime: u64,
    ) -> Result<(), ArchiveError> {
        let mut header = Header::new_gnu();
        if path.len() > header.as_old().name.len() {
            self.long_name(path)?;
        }
        let name = &mut header.as_old_mut().name;
        let kept = path.len().min(name.len());
        if let (Some(name), Some(path)) = (name.get_mut(..kept), path.get(..kept)) {
            name.copy_from_slice(path);
        }
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(size);
        header.set_mtime(mtime);
        header.set_cksum();
        self.out.write_all(header.as_bytes())?;
        Ok(())
    }

    /// A path of more than 100 bytes in a member before its own, as GNU tar does it: any bytes.
    fn long_name(&mut self, path: &[u8]) -> io::Result<()> {
        let mut header = Header::new_gnu();
        let name = b"././@LongLink";
        if let Some(place) = header.as_old_mut().name.get_mut(..name.len()) {
            place.copy_from_slice(name);
        }
        header.set_entry_type(EntryType::GNULongName);
        header.set_mode(FILE_MODE);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(path.len() as u64 + 1);
        header.set_cksum();
        self.out.write_all(header.as_bytes())?;
        self.out.write_all(path)?;
        let filled = BLOCK - path.len() % BLOCK;
        self.out.write_all([0; BLOCK].get(..filled).unwrap_or_default())
    }
}

fn content_path(below: &[u8]) -> Vec<u8> {
    if below.is_empty() {
        return b"wp-content".to_vec();
    }
    [member::CONTENT.as_bytes(), below].concat()
}

/// A line of `sha256sum`, which escapes names with a backslash or line break.
fn write_checksum(list: &mut Vec<u8>, hash: &[u8], path: &[u8]) {
    let (escaped, name) = checksum_name(path);
    if escaped {
        list.push(b'\\');
    }
    list.extend_from_slice(hex::encode(hash).as_bytes());
    list.extend_from_slice(b"  ");
    list.extend_from_slice(&name);
    list.push(b'\n');
}

/// The name of a member in the list of checksums, and whether it is escaped there.
pub(crate) fn checksum_name(path: &[u8]) -> (bool, Vec<u8>) {
    let mut name = Vec::with_capacity(path.len());
    for byte in path {
        match byte {
            b'\\' => name.extend_from_slice(b"\\\\"),
            b'\n' => name.extend_from_slice(b"\\n"),
            b'\r' => name.extend_from_slice(b"\\r"),
            other => name.push(*other),
        }
    }
    (name.len() != path.len(), name)
}
