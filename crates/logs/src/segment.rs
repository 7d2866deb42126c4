//! The end of one source's log, to which lines are appended: the newest segment, and what makes room
//! for the next. Who appends has the source for himself (`flock(2)` on its folder) and first looks at
//! what another process wrote meanwhile.

use std::fs::File;
use std::io;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use uuid::Uuid;

use crate::files;
use crate::limits::LogLimits;
use crate::line::NewLine;
use crate::queue::Key;
use crate::stream::id_of;

/// Bytes that are written at once.
const BLOCK: usize = 256 * 1024;
/// Bytes of a segment's end in which its last line is looked for; longer than any line.
const TAIL: u64 = 32 * 1024;

/// Where lines of one tenant and source go.
#[derive(Debug)]
pub(crate) struct Tail {
    tenant: Uuid,
    dir: OwnedFd,
    segment: Option<Segment>,
    /// The last id that was given.
    last: u64,
    max_bytes: u64,
    segment_bytes: u64,
    segment_micros: u64,
}

#[derive(Debug)]
struct Segment {
    first: u64,
    file: File,
    size: u64,
}

impl Tail {
    /// `None` when the tenant has no folder.
    pub(crate) fn open(root: &Path, key: Key, limits: &LogLimits) -> io::Result<Option<Self>> {
        let (tenant, source) = key;
        let Some(folder) = files::open_tenant(root, tenant)? else { return Ok(None) };
        let dir = files::make_source(&folder, source)?;
        Ok(Some(Self {
            tenant,
            segment: None,
            last: 0,
            max_bytes: limits.disk_bytes(source),
            segment_bytes: limits.segment_of(source),
            segment_micros: u64::try_from(limits.segment_age.as_micros()).unwrap_or(u64::MAX),
            dir,
        }))
    }

    /// Goes on where the last writer ended, be it this one, another process or one that was killed.
    fn catch_up(&mut self) -> io::Result<()> {
        let Some(newest) = files::segments(&self.dir)?.last().copied() else {
            self.segment = None;
            return Ok(());
        };
        let size = files::look(&self.dir, newest)?.map(|(size, _)| size);
        let known = self.segment.as_ref().map(|segment| (segment.first, segment.size));
        if known.is_some() && known == size.map(|size| (newest, size)) {
            return Ok(());
        }
        match self.go_on(newest) {
            // Root's, of before segments were given to the folder's owner: the next one is ours.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                (self.segment, self.last) = (None, self.last.max(newest));
                Ok(())
            }
            done => done,
        }
    }

    /// Opens the newest segment; half a line that a killed writer left is cut off.
    fn go_on(&mut self, newest: u64) -> io::Result<()> {
        let file = files::open_to_append(&self.dir, newest)?;
        let mut size = file.metadata()?.len();
        let from = size.saturating_sub(TAIL);
        let mut end = vec![0; usize::try_from(size - from).unwrap_or(0)];
        file.read_exact_at(&mut end, from)?;
        let whole = end.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if whole < end.len() {
            size = from + whole as u64;
            file.set_len(size)?;
        }
        let last = end[..whole].split(|byte| *byte == b'\n').rev().find_map(id_of);
        self.last = self.last.max(last.map_or(newest, |id| id.micros));
        self.segment = Some(Segment { first: newest, file, size });
        Ok(())
    }

    /// Appends lines, each with when it was taken. Says how many could not be written, those that a
    /// line said to be missing among them.
    pub(crate) fn append(
        &mut self,
        lines: impl IntoIterator<Item = (u64, NewLine)>,
        region: &str,
    ) -> Result<(), (u64, io::Error)> {
        let begun = files::lock(&self.dir).and_then(|()| self.catch_up());
        let done = match begun {
            Ok(()) => self.append_alone(lines, region),
            Err(error) => Err((lines.into_iter().map(|(_, line)| stands_for(&line)).sum(), error)),
        };
        files::unlock(&self.dir);
        done
    }

    fn append_alone(
        &mut self,
        lines: impl IntoIterator<Item = (u64, NewLine)>,
        region: &str,
    ) -> Result<(), (u64, io::Error)> {
        let mut block = Vec::with_capacity(BLOCK.min(16 * 1024));
        let (mut first, mut count) = (0, 0);
        let mut failed: Option<(u64, io::Error)> = None;
        for (taken, line) in lines {
            let micros = taken.max(self.last + 1);
            self.last = micros;
            if count == 0 {
                first = micros;
            }
            count += stands_for(&line);
            line.encode(&mut block, micros, self.tenant, region);
            if block.len() >= BLOCK {
                let written = self.write(&block, first);
                note(&mut failed, count, written);
                block.clear();
                count = 0;
            }
        }
        if count > 0 {
            let written = self.write(&block, first);
            note(&mut failed, count, written);
        }
        failed.map_or(Ok(()), Err)
    }

    fn write(&mut self, block: &[u8], first: u64) -> io::Result<()> {
        let is_full = |segment: &Segment| {
            segment.size + block.len() as u64 > self.segment_bytes
                || first.saturating_sub(segment.first) > self.segment_micros
        };
        if self.segment.as_ref().is_none_or(is_full) {
            self.segment = None;
            self.make_room()?;
            let file = files::open_to_append(&self.dir, first)?;
            self.segment = Some(Segment { first, file, size: 0 });
        }
        let Some(segment) = &mut self.segment else { return Ok(()) };
        match segment.file.write_all(block) {
            Ok(()) => {
                segment.size += block.len() as u64;
                Ok(())
            }
            Err(error) => {
                // A full disk takes the beginning of a block: what is not whole goes again.
                let _ = segment.file.set_len(segment.size);
                Err(error)
            }
        }
    }

    /// Removes the oldest segments until another one fits.
    fn make_room(&self) -> io::Result<()> {
        let mut sizes = Vec::new();
        for segment in files::segments(&self.dir)? {
            sizes.extend(files::look(&self.dir, segment)?.map(|(size, _)| (segment, size)));
        }
        let mut total: u64 = sizes.iter().map(|(_, size)| size).sum();
        for (segment, size) in sizes {
            if total + self.segment_bytes <= self.max_bytes {
                break;
            }
            files::remove(&self.dir, segment)?;
            total -= size;
        }
        Ok(())
    }
}

/// One, or as many as it says to be missing.
fn stands_for(line: &NewLine) -> u64 {
    line.dropped.unwrap_or(1)
}

fn note(failed: &mut Option<(u64, io::Error)>, count: u64, written: io::Result<()>) {
    if let Err(error) = written {
        let before = failed.take().map_or(0, |(before, _)| before);
        *failed = Some((before + count, error));
    }
}
