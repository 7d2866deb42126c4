//! The files of a foreign site, in a folder or in a zip: listed first, then read one by one as
//! streams. No link is followed, nothing is unpacked to disk, no name leads out.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use flate2::read::DeflateDecoder;
use rawzip::CompressionMethod;
use rawzip::FileReader;
use rawzip::RECOMMENDED_BUFFER_SIZE;
use rawzip::ZipArchive;
use rawzip::ZipArchiveEntryWayfinder;
use rawzip::ZipFileHeaderRecord;
use rawzip::time::ZipDateTimeKind;
use time::Date;
use time::Month;
use time::Time;

/// Deepest nesting that is followed.
const DEPTH_MAX: usize = 150;
/// Most entries of a zip, and most bytes of its files: as of an archive.
const ENTRIES_MAX: usize = 2_000_000;
const BYTES_MAX: u64 = 256 * 1024 * 1024 * 1024;
/// A zip whose files have so many times its size is no site; below [`RATIO_FROM`] nothing is looked
/// at.
const RATIO_MAX: u64 = 100;
const RATIO_FROM: u64 = 100 * 1024 * 1024;
/// Largest file that is read as text, in bytes.
const TEXT_MAX: u64 = 1024 * 1024;
/// `S_IFMT`, and the kinds that are taken (`inode(7)`); 0 is an archiver that knows no kinds.
const KIND_MASK: u32 = 0o170_000;
const KIND_FILE: u32 = 0o100_000;
const KIND_FOLDER: u32 = 0o040_000;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File(u64),
    Folder,
    /// Neither: a link, a device.
    Odd,
}

/// Something in the tree.
pub(super) struct Entry {
    /// Its path below the tree's root.
    pub(super) path: Vec<u8>,
    pub(super) kind: Kind,
    /// When it was changed, in seconds since 1970 UTC.
    pub(super) mtime: u64,
    packed: Option<Packed>,
}

/// Where a file of a zip lies.
struct Packed {
    at: ZipArchiveEntryWayfinder,
    deflated: bool,
}

/// The files.
pub(super) enum Tree {
    Folder(PathBuf),
    Zip(ZipArchive<FileReader>, PathBuf),
}

impl Tree {
    /// A folder, or a zip.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let context = || format!("--files {}", path.display());
        if fs::metadata(path).with_context(context)?.is_dir() {
            return Ok(Self::Folder(path.to_owned()));
        }
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let zip = ZipArchive::from_file(File::open(path).with_context(context)?, &mut buffer)
            .map_err(|error| {
                anyhow::anyhow!("{}: neither a folder nor a zip: {error}", context())
            })?;
        Ok(Self::Zip(zip, path.to_owned()))
    }

    /// Everything below, by path.
    pub(super) fn entries(&self) -> Result<Vec<Entry>> {
        let mut found = Vec::new();
        match self {
            Self::Folder(root) => walk(root, Vec::new(), 0, &mut found)?,
            Self::Zip(zip, path) => {
                let packed = fs::metadata(path)?.len();
                list(zip, packed, &mut found)
                    .with_context(|| format!("--files {}", path.display()))?;
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        if let Some(pair) = found.windows(2).find(|pair| {
            matches!(pair, [a, b] if a.path == b.path && (a.kind, b.kind) != (Kind::Folder, Kind::Folder))
        }) {
            let twice = pair.first().map(|entry| String::from_utf8_lossy(&entry.path).into_owned());
            bail!("`{}` is there twice", twice.unwrap_or_default());
        }
        found.dedup_by(|a, b| a.path == b.path);
        Ok(found)
    }

    /// Gives a file's data to `take`, piece by piece.
    pub(super) fn read(
        &self,
        entry: &Entry,
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        match (self, &entry.packed) {
            (Self::Folder(root), _) => {
                let path = root.join(Path::new(std::ffi::OsStr::from_bytes(&entry.path)));
                let context = || path.display().to_string();
                pour(File::open(&path).with_context(context)?, take).with_context(context)
            }
            (Self::Zip(zip, _), Some(packed)) => {
                let found = zip.get_entry(packed.at)?;
                let raw = found.reader();
                let context = || String::from_utf8_lossy(&entry.path).into_owned();
                // Size and checksum are compared at the end.
                if packed.deflated {
                    pour(found.verifying_reader(DeflateDecoder::new(raw)), take)
                } else {
                    pour(found.verifying_reader(raw), take)
                }
                .with_context(context)
            }
            (Self::Zip(..), None) => Ok(()),
        }
    }

    /// A file in the folder around a folder, as text, likewise; a zip has none around it.
    pub(super) fn text_above(&self, name: &str) -> Option<String> {
        let Self::Folder(root) = self else { return None };
        let path = root.canonicalize().ok()?.parent()?.join(name);
        let mut text = Vec::new();
        File::open(path).ok()?.take(TEXT_MAX).read_to_end(&mut text).ok()?;
        Some(String::from_utf8_lossy(&text).into_owned())
    }

    /// A file as text, when it is there; at most its first MiB.
    pub(super) fn text(&self, entries: &[Entry], path: &[u8]) -> Option<String> {
        let entry = entries.iter().find(|entry| entry.path == path)?;
        let Kind::File(_) = entry.kind else { return None };
        let mut text = Vec::new();
        let most = usize::try_from(TEXT_MAX).unwrap_or(usize::MAX);
        let whole = self.read(entry, &mut |data| {
            text.extend_from_slice(data);
            if text.len() > most { bail!("enough") } else { Ok(()) }
        });
        if whole.is_err() && text.len() <= most {
            return None;
        }
        text.truncate(most);
        Some(String::from_utf8_lossy(&text).into_owned())
    }
}

/// Reads all of it.
fn pour(mut from: impl Read, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut piece = vec![0; 256 * 1024];
    loop {
        let count = from.read(&mut piece)?;
        if count == 0 {
            return Ok(());
        }
        take(piece.get(..count).unwrap_or_default())?;
    }
}

fn walk(dir: &Path, below: Vec<u8>, depth: usize, found: &mut Vec<Entry>) -> Result<()> {
    if depth > DEPTH_MAX {
        bail!("{}: folders nested deeper than {DEPTH_MAX}", dir.display());
    }
    let context = || dir.display().to_string();
    let names: Vec<_> = fs::read_dir(dir)
        .with_context(context)?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<io::Result<_>>()
        .with_context(context)?;
    for name in names {
        let at = dir.join(&name);
        let stat = fs::symlink_metadata(&at).with_context(|| at.display().to_string())?;
        let mut path = below.clone();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name.as_bytes());
        let mtime = u64::try_from(std::os::unix::fs::MetadataExt::mtime(&stat)).unwrap_or(0);
        let kind = if stat.is_dir() {
            Kind::Folder
        } else if stat.is_file() {
            Kind::File(stat.len())
        } else {
            Kind::Odd
        };
        found.push(Entry { path: path.clone(), kind, mtime, packed: None });
        if kind == Kind::Folder {
            walk(&at, path, depth + 1, found)?;
        }
    }
    Ok(())
}

fn list(zip: &ZipArchive<FileReader>, packed: u64, found: &mut Vec<Entry>) -> Result<()> {
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let mut records = zip.entries(&mut buffer);
    let mut bytes = 0_u64;
    while let Some(record) = records.next_entry()? {
        if found.len() >= ENTRIES_MAX {
            bail!("it has more than {ENTRIES_MAX} entries");
        }
        let Some(entry) = entry(&record)? else { continue };
        if let Kind::File(size) = entry.kind {
            bytes = bytes.saturating_add(size);
        }
        found.push(entry);
    }
    if bytes > BYTES_MAX || (bytes > RATIO_FROM && bytes / packed.max(1) > RATIO_MAX) {
        bail!(
            "it unpacks to {bytes} bytes, {} times its size: unpack it yourself, and give the folder",
            bytes / packed.max(1)
        );
    }
    Ok(())
}

/// One entry of a zip; `None` for what macOS puts beside files.
fn entry(record: &ZipFileHeaderRecord<'_>) -> Result<Option<Entry>> {
    let name = record.file_path();
    let raw = name.as_bytes();
    let path = raw.strip_suffix(b"/").unwrap_or(raw);
    let path = path.strip_prefix(b"./").unwrap_or(path);
    let shown = || String::from_utf8_lossy(raw).into_owned();
    let odd = |part: &[u8]| matches!(part, b"" | b"." | b"..");
    if path.split(|byte| *byte == b'/').any(odd) || path.iter().any(|byte| b"\0\\".contains(byte)) {
        bail!("its entry `{}` has a path that leads elsewhere: nothing of it is taken", shown());
    }
    if path.split(|byte| *byte == b'/').count() > DEPTH_MAX {
        bail!("its entry `{}` is nested deeper than {DEPTH_MAX}", shown());
    }
    if path.starts_with(b"__MACOSX") {
        return Ok(None);
    }
    if record.flags().is_encrypted() {
        bail!("its entry `{}` is encrypted: unpack it yourself, and give the folder", shown());
    }
    let method = record.compression_method();
    if method != CompressionMethod::STORE && method != CompressionMethod::DEFLATE {
        bail!(
            "its entry `{}` is compressed by another method than deflate: unpack it yourself, and \
             give the folder",
            shown()
        );
    }
    let kind = match (record.external_attributes() >> 16) & KIND_MASK {
        0 | KIND_FOLDER if record.is_dir() => Kind::Folder,
        0 | KIND_FILE if !record.is_dir() => Kind::File(record.uncompressed_size_hint()),
        _ => Kind::Odd,
    };
    let deflated = method == CompressionMethod::DEFLATE;
    let packed = Some(Packed { at: record.wayfinder(), deflated });
    let mtime = changed_at(&record.last_modified());
    Ok(Some(Entry { path: path.to_vec(), kind, mtime, packed }))
}

/// Seconds since 1970 UTC. Archives of MS-DOS's kind tell the packer's local time and not where he
/// was: it is taken for UTC, which keeps the order of files. 0 for what is no time.
fn changed_at(told: &ZipDateTimeKind) -> u64 {
    let seconds = match told {
        ZipDateTimeKind::Utc(at) => Some(at.to_unix()),
        ZipDateTimeKind::Local(at) => Month::try_from(at.month()).ok().and_then(|month| {
            let date = Date::from_calendar_date(i32::from(at.year()), month, at.day()).ok()?;
            let time = Time::from_hms(at.hour(), at.minute(), at.second()).ok()?;
            Some(date.with_time(time).assume_utc().unix_timestamp())
        }),
    };
    seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0)
}
