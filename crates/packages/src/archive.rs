//! One archive: its entries, all checked before any is read, and their contents, with size and
//! checksum verified while they are read.

use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;

use flate2::read::DeflateDecoder;
use rawzip::CompressionMethod;
use rawzip::FileReader;
use rawzip::RECOMMENDED_BUFFER_SIZE;
use rawzip::ZipArchive;
use rawzip::ZipArchiveEntryWayfinder;

use crate::path;
use crate::path::Paths;
use crate::refusal::Refusal;

/// What an archive may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Entries. WordPress's largest plugins have 8,000 files.
    pub entries: u64,
    /// Size of all files once unpacked, in bytes.
    pub unpacked_bytes: u64,
    /// Size of one file once unpacked, in bytes.
    pub file_bytes: u64,
    /// How many times larger than the archive its files may be together. Source code gets to 10,
    /// a bomb to 1,000.
    pub ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 20_000,
            unpacked_bytes: 512 * 1024 * 1024,
            file_bytes: 128 * 1024 * 1024,
            ratio: 100,
        }
    }
}

/// Below this, nothing is a bomb: a small archive of a long row of spaces.
const RATIO_FROM: u64 = 1024 * 1024;
/// What WordPress's installer leaves out, too (`unzip_file()`): macOS's resource forks.
const LEFT_OUT: &str = "__MACOSX";
/// `S_IFMT` and the kinds that are taken (`inode(7)`); 0 is an archiver that knows no kinds.
const KIND_MASK: u32 = 0o170_000;
const KIND_FILE: u32 = 0o100_000;
const KIND_FOLDER: u32 = 0o040_000;
/// Local headers are read into this: name and extra fields, of at most 65,535 bytes each.
const LOCAL_BUFFER: usize = 2 * 65_536;

/// One entry.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its path below the archive's one folder, such as `inc/api.php`; empty for that folder.
    pub path: String,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// Size once unpacked, in bytes.
    pub size: u64,
    deflated: bool,
    at: ZipArchiveEntryWayfinder,
}

/// An archive whose entries were all checked: they lie below one folder, collide with nothing, are
/// plain files and folders, and keep within the limits.
#[derive(Debug)]
pub struct Archive {
    zip: ZipArchive<FileReader>,
    folder: String,
    entries: Vec<Entry>,
}

impl Archive {
    /// Opens an archive and checks its entries. Contents are not read.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn open(file: File, limits: &Limits) -> Result<Self, Refusal> {
        let length = file.metadata()?.len();
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let zip = ZipArchive::from_file(file, &mut buffer)?;
        limit("the number of entries", zip.entries_hint(), limits.entries)?;
        let mut scan = Scan::default();
        let mut local = vec![0; LOCAL_BUFFER];
        let mut entries = zip.entries(&mut buffer);
        let mut count = 0;
        while let Some(record) = entries.next_entry()? {
            count += 1;
            limit("the number of entries", count, limits.entries)?;
            scan.take(&zip, &record, &mut local, limits)?;
        }
        if count != zip.entries_hint() {
            return Err(Refusal::Damaged("it has other entries than it says".to_owned()));
        }
        limit("the size once unpacked, in bytes,", scan.unpacked, limits.unpacked_bytes)?;
        if scan.unpacked > RATIO_FROM {
            let ratio = scan.unpacked / length.max(1);
            limit("the ratio of compression", ratio, limits.ratio)?;
        }
        scan.overlaps()?;
        let Some(folder) = scan.folder else {
            return Err(Refusal::Form(
                "the archive is empty: it must hold one folder with the plugin or theme".to_owned(),
            ));
        };
        Ok(Self { zip, folder, entries: scan.entries })
    }

    /// Name of the one folder that everything is in.
    pub fn folder(&self) -> &str {
        &self.folder
    }

    /// The entries, in the archive's order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Size of all files once unpacked, in bytes.
    pub fn unpacked_bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.size).sum()
    }

    /// Writes the contents of a file to `out`. They end at the size that the entry says.
    ///
    /// # Errors
    /// When contents, size and checksum do not agree, or `out` fails.
    pub fn read(&self, entry: &Entry, out: &mut dyn Write) -> Result<(), Refusal> {
        let found = self.zip.get_entry(entry.at)?;
        let raw = found.reader();
        let copied = if entry.deflated {
            copy(found.verifying_reader(DeflateDecoder::new(raw)), entry.size, out)
        } else {
            copy(found.verifying_reader(raw), entry.size, out)
        };
        match copied {
            Ok(length) if length == entry.size => Ok(()),
            Ok(_) => Err(Refusal::entry(&entry.path, "it has another size than it says")),
            Err(Copy::Read(error)) => {
                Err(Refusal::Damaged(format!("entry `{}`: {error}", entry.path)))
            }
            Err(Copy::Write(error)) => Err(Refusal::Io(error)),
        }
    }

    /// At most the first `limit` bytes of a file.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn head(&self, entry: &Entry, limit: usize) -> Result<Vec<u8>, Refusal> {
        let found = self.zip.get_entry(entry.at)?;
        let raw = found.reader();
        let mut head = Vec::new();
        let limit = limit as u64;
        let read = if entry.deflated {
            DeflateDecoder::new(raw).take(limit).read_to_end(&mut head)
        } else {
            raw.take(limit).read_to_end(&mut head)
        };
        read.map_err(|error| Refusal::Damaged(format!("entry `{}`: {error}", entry.path)))?;
        Ok(head)
    }

    /// Reads every file to its end, so that a damaged one is found before anybody needs it.
    ///
    /// # Errors
    /// See [`Archive::read`].
    pub fn verify(&self) -> Result<(), Refusal> {
        self.entries
            .iter()
            .filter(|entry| !entry.is_dir)
            .try_for_each(|entry| self.read(entry, &mut io::sink()))
    }
}

enum Copy {
    Read(io::Error),
    Write(io::Error),
}

/// Copies to the end, and not beyond `most` bytes: a file that says less than it holds must not
/// fill a disk.
fn copy(mut from: impl Read, most: u64, out: &mut dyn Write) -> Result<u64, Copy> {
    let mut buffer = vec![0; 64 * 1024];
    let mut copied = 0;
    loop {
        let length = match from.read(&mut buffer) {
            Ok(0) => return Ok(copied),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Copy::Read(error)),
        };
        copied += length as u64;
        if copied > most {
            return Ok(copied);
        }
        out.write_all(&buffer[..length]).map_err(Copy::Write)?;
    }
}

/// What was seen of an archive so far.
#[derive(Default)]
struct Scan {
    folder: Option<String>,
    paths: Paths,
    entries: Vec<Entry>,
    unpacked: u64,
    /// Where contents lie in the archive.
    ranges: Vec<(u64, u64)>,
}

impl Scan {
    fn take(
        &mut self,
        zip: &ZipArchive<FileReader>,
        record: &rawzip::ZipFileHeaderRecord<'_>,
        local: &mut [u8],
        limits: &Limits,
    ) -> Result<(), Refusal> {
        let raw_path = record.file_path();
        let raw = raw_path.as_bytes();
        let path = path::checked(raw)?;
        if path.split('/').next() == Some(LEFT_OUT) {
            return Ok(());
        }
        let is_dir = record.is_dir();
        check_kind(record, raw, is_dir)?;
        let size = record.uncompressed_size_hint();
        if is_dir && size > 0 {
            return Err(Refusal::entry(raw, "a folder with contents"));
        }
        limit("the size of one file, in bytes,", size, limits.file_bytes)?;
        self.unpacked = self.unpacked.saturating_add(size);
        let found = zip.get_entry(record.wayfinder())?;
        // A reader that goes by local headers must see the same file at the same place.
        if found.local_header(local)?.file_path().as_bytes() != raw {
            return Err(Refusal::entry(raw, "it has two names"));
        }
        self.ranges.push(found.compressed_data_range());
        self.paths.add(path, is_dir)?;
        let (folder, rest) = path.split_once('/').unwrap_or((path, ""));
        if rest.is_empty() && !is_dir {
            return Err(Refusal::entry(raw, "it lies beside the one folder that an archive has"));
        }
        match &self.folder {
            Some(known) if known != folder => {
                return Err(Refusal::entry(raw, "an archive has one folder, this is a second"));
            }
            Some(_) => {}
            None => self.folder = Some(folder.to_owned()),
        }
        self.entries.push(Entry {
            path: rest.to_owned(),
            is_dir,
            size,
            deflated: record.compression_method() == CompressionMethod::DEFLATE,
            at: record.wayfinder(),
        });
        Ok(())
    }

    /// Files that share contents are how a small archive becomes a large folder.
    fn overlaps(&mut self) -> Result<(), Refusal> {
        self.ranges.sort_unstable();
        let shared = self.ranges.windows(2).any(|pair| matches!(pair, [a, b] if a.1 > b.0));
        if shared { Err(Refusal::Damaged("files share their contents".to_owned())) } else { Ok(()) }
    }
}

fn check_kind(
    record: &rawzip::ZipFileHeaderRecord<'_>,
    raw: &[u8],
    is_dir: bool,
) -> Result<(), Refusal> {
    if record.flags().is_encrypted() {
        return Err(Refusal::entry(raw, "it is encrypted"));
    }
    // Looked at whatever system the archiver says it ran on: who unpacks may not ask.
    match (record.external_attributes() >> 16) & KIND_MASK {
        0 => {}
        KIND_FILE if !is_dir => {}
        KIND_FOLDER if is_dir => {}
        _ => {
            return Err(Refusal::entry(
                raw,
                "it is a link or a device, not a plain file or folder",
            ));
        }
    }
    match record.compression_method() {
        CompressionMethod::STORE | CompressionMethod::DEFLATE => Ok(()),
        _ => Err(Refusal::entry(raw, "it is compressed by another method than deflate")),
    }
}

fn limit(what: &'static str, found: u64, most: u64) -> Result<(), Refusal> {
    if found > most { Err(Refusal::TooMuch { what, found, most }) } else { Ok(()) }
}
