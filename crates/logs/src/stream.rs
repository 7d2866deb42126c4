//! The lines of one source, one after the other, from any id on, forwards or backwards: read in
//! blocks, found by halving a segment.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use crate::files;
use crate::id::LineId;
use crate::read::Order;

/// Bytes that are read at once; several times longer than any line.
const BLOCK: u64 = 128 * 1024;
/// What each line begins with.
const HEAD: &[u8] = b"{\"id\":\"";

/// The id of a line, without reading all of it.
pub(crate) fn id_of(line: &[u8]) -> Option<LineId> {
    let rest = line.strip_prefix(HEAD)?;
    let end = rest.iter().take(40).position(|byte| *byte == b'"')?;
    std::str::from_utf8(&rest[..end]).ok()?.parse().ok()
}

/// A line as it stands on disk.
pub(crate) type Found = (LineId, Vec<u8>);

/// The lines of one source.
#[derive(Debug)]
pub(crate) struct Stream {
    dir: OwnedFd,
    order: Order,
    /// Those that are still to be read, the next one last.
    segments: Vec<u64>,
    current: Option<Part>,
    ready: VecDeque<Found>,
    /// Bytes read so far.
    pub(crate) scanned: u64,
}

/// What is left to read of a segment: `from` up to `to`.
#[derive(Debug)]
struct Part {
    file: File,
    from: u64,
    to: u64,
}

impl Stream {
    /// Lines with `since <= micros < until`, in this order.
    pub(crate) fn open(
        dir: OwnedFd,
        order: Order,
        since: u64,
        until: u64,
    ) -> io::Result<(Self, (u64, u64))> {
        let mut segments = files::segments(&dir)?;
        // A segment ends where the next begins.
        let first = segments.partition_point(|start| *start <= since).saturating_sub(1);
        segments.drain(..first);
        segments.retain(|start| *start < until);
        if order == Order::OldestFirst {
            segments.reverse();
        }
        let stream =
            Self { dir, order, segments, current: None, ready: VecDeque::new(), scanned: 0 };
        Ok((stream, (since, until)))
    }

    /// The next line, without taking it.
    pub(crate) fn peek(&mut self, range: (u64, u64)) -> io::Result<Option<LineId>> {
        while self.ready.is_empty() {
            if self.current.is_none() && !self.next_segment(range)? {
                return Ok(None);
            }
            self.read_block(range)?;
        }
        Ok(self.ready.front().map(|(id, _)| *id))
    }

    /// Takes the line that [`Stream::peek`] showed.
    pub(crate) fn take(&mut self) -> Option<Found> {
        self.ready.pop_front()
    }

    /// Opens the next segment; false when there is none.
    fn next_segment(&mut self, (since, until): (u64, u64)) -> io::Result<bool> {
        while let Some(segment) = self.segments.pop() {
            // The oldest may go at any time.
            let Some(file) = files::open_to_read(&self.dir, segment)? else { continue };
            let size = file.metadata()?.len();
            let (mut from, mut to) = (0, size);
            if segment < since {
                from = self.halve(&file, size, since)?.0;
            }
            if self.order == Order::NewestFirst && until != u64::MAX {
                to = self.halve(&file, size, until)?.1;
            }
            self.current = Some(Part { file, from, to });
            return Ok(true);
        }
        Ok(false)
    }

    /// Two offsets at which lines begin, not far from each other: all before the first are older
    /// than `micros`, none from the second on is.
    fn halve(&mut self, file: &File, size: u64, micros: u64) -> io::Result<(u64, u64)> {
        let (mut low, mut high) = (0, size);
        while high - low > BLOCK {
            let middle = low + (high - low) / 2;
            let block = self.block(file, middle, (middle + BLOCK / 2).min(high))?;
            let Some(skipped) = block.iter().position(|byte| *byte == b'\n') else { break };
            let start = middle + skipped as u64 + 1;
            match block[skipped + 1..].split(|byte| *byte == b'\n').find_map(id_of) {
                Some(id) if id.micros < micros => low = start,
                Some(_) if start < high => high = start,
                _ => break,
            }
        }
        Ok((low, high))
    }

    fn block(&mut self, file: &File, from: u64, to: u64) -> io::Result<Vec<u8>> {
        let mut block = vec![0; usize::try_from(to - from).unwrap_or(0)];
        let mut filled = 0;
        while filled < block.len() {
            match file.read_at(&mut block[filled..], from + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        block.truncate(filled);
        self.scanned += filled as u64;
        Ok(block)
    }

    /// Reads some lines of the current segment; those outside of the range are left out.
    fn read_block(&mut self, (since, until): (u64, u64)) -> io::Result<()> {
        let Some(mut part) = self.current.take() else { return Ok(()) };
        if part.from >= part.to {
            return Ok(());
        }
        let mut lines: Vec<Found> = Vec::new();
        let mut collect = |bytes: &[u8]| {
            let found =
                bytes.split(|byte| *byte == b'\n').filter_map(|line| Some((id_of(line)?, line)));
            let wanted = found.filter(|(id, _)| (since..until).contains(&id.micros));
            lines.extend(wanted.map(|(id, line)| (id, line.to_vec())));
        };
        match self.order {
            Order::OldestFirst => {
                let end = (part.from + BLOCK).min(part.to);
                let block = self.block(&part.file, part.from, end)?;
                // What has no end yet is being written.
                let whole = block.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                collect(&block[..whole]);
                part.from = if whole == 0 { part.to } else { part.from + whole as u64 };
            }
            Order::NewestFirst => {
                let start = part.to.saturating_sub(BLOCK).max(part.from);
                let block = self.block(&part.file, start, part.to)?;
                let cut = if start == part.from {
                    0
                } else {
                    block.iter().position(|byte| *byte == b'\n').map_or(block.len(), |at| at + 1)
                };
                collect(&block[cut..]);
                part.to = if cut == block.len() { start } else { start + cut as u64 };
            }
        }
        if self.order == Order::NewestFirst {
            lines.reverse();
        }
        self.ready.extend(lines);
        if part.from < part.to {
            self.current = Some(part);
        }
        Ok(())
    }
}
