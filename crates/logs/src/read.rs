//! Finds lines again: of some sources, within a time, filtered, in order of time, a page at a call.

use std::io;
use std::path::PathBuf;

use aipress_api::LogLine;
use aipress_api::LogSource;
use aipress_api::Severity;
use uuid::Uuid;

use crate::files;
use crate::id::LineId;
use crate::stream::Stream;

/// Bytes that one call reads at most: then it gives what it has, and the caller goes on.
const MAX_SCAN: u64 = 32 * 1024 * 1024;
/// What stands before the severity of a line; nothing before it holds text of a tenant.
const SEVERITY: &[u8] = b"\"severity\":\"";

/// In which order lines come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The newest first.
    #[default]
    NewestFirst,
    /// The oldest first.
    OldestFirst,
}

/// Which lines are wanted.
#[derive(Debug, Clone, Default)]
pub struct LogQuery {
    /// Of these sources; of all when empty.
    pub sources: Vec<LogSource>,
    /// Not before, in microseconds since 1970.
    pub since: Option<u64>,
    /// Before, in microseconds since 1970.
    pub until: Option<u64>,
    /// As bad as this, or worse.
    pub severity: Option<Severity>,
    /// With this text in one of their texts.
    pub contains: Option<String>,
    /// The order.
    pub order: Order,
    /// Only what comes behind this line in that order.
    pub after: Option<LineId>,
    /// Lines at most.
    pub limit: usize,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Read {
    /// The lines.
    pub lines: Vec<LogLine>,
    /// The last line that was looked at, whether it was wanted or not: go on behind it.
    pub last: Option<LineId>,
    /// Whether there may be more.
    pub is_more: bool,
}

/// Reads logs. Blocks; call it beside the async threads.
#[derive(Debug, Clone)]
pub struct LogReader {
    root: PathBuf,
}

impl LogReader {
    /// Reads below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Lines of `tenant`. One that has no log has no lines.
    ///
    /// # Errors
    /// When a file can't be read.
    pub fn read(&self, tenant: Uuid, query: &LogQuery) -> io::Result<Read> {
        let mut streams = self.streams(tenant, query)?;
        let mut read = Read::default();
        loop {
            let mut next: Option<(LineId, usize)> = None;
            for (index, (stream, range)) in streams.iter_mut().enumerate() {
                while let Some(id) = stream.peek(*range)? {
                    if query.after.is_some_and(|after| !is_behind(query.order, id, after)) {
                        stream.take();
                        continue;
                    }
                    if next.is_none_or(|(best, _)| is_behind(query.order, best, id)) {
                        next = Some((id, index));
                    }
                    break;
                }
            }
            let Some((id, index)) = next else { return Ok(read) };
            let scanned: u64 = streams.iter().map(|(stream, _)| stream.scanned).sum();
            if read.lines.len() >= query.limit || (scanned > MAX_SCAN && read.last.is_some()) {
                read.is_more = true;
                return Ok(read);
            }
            if let Some((_, bytes)) = streams[index].0.take() {
                read.lines.extend(wanted(&bytes, query));
            }
            read.last = Some(id);
        }
    }

    fn streams(&self, tenant: Uuid, query: &LogQuery) -> io::Result<Vec<(Stream, (u64, u64))>> {
        let Some(folder) = files::open_tenant(&self.root, tenant)? else { return Ok(Vec::new()) };
        let (mut since, mut until) = (query.since.unwrap_or(0), query.until.unwrap_or(u64::MAX));
        match (query.order, query.after) {
            (Order::OldestFirst, Some(after)) => since = since.max(after.micros),
            (Order::NewestFirst, Some(after)) => until = until.min(after.micros.saturating_add(1)),
            (_, None) => {}
        }
        let mut streams = Vec::new();
        for source in LogSource::ALL {
            if !query.sources.is_empty() && !query.sources.contains(&source) {
                continue;
            }
            if let Some(dir) = files::open_source(&folder, source)? {
                streams.push(Stream::open(dir, query.order, since, until)?);
            }
        }
        Ok(streams)
    }
}

/// Whether `id` comes behind `other`.
fn is_behind(order: Order, id: LineId, other: LineId) -> bool {
    match order {
        Order::NewestFirst => id < other,
        Order::OldestFirst => id > other,
    }
}

/// The line, if it is one that is wanted.
fn wanted(bytes: &[u8], query: &LogQuery) -> Option<LogLine> {
    if let Some(least) = query.severity {
        let at = bytes.windows(SEVERITY.len()).position(|part| part == SEVERITY)?;
        let word = bytes[at + SEVERITY.len()..].split(|byte| *byte == b'"').next()?;
        let severity: Severity = std::str::from_utf8(word).ok()?.parse().ok()?;
        if severity < least {
            return None;
        }
    }
    let line: LogLine = serde_json::from_slice(bytes).ok()?;
    match &query.contains {
        Some(text) if !contains(&line, text) => None,
        _ => Some(line),
    }
}

/// Whether a text that a person sees of the line has `text` in it.
fn contains(line: &LogLine, text: &str) -> bool {
    let optional = |field: &Option<String>| field.as_ref().is_some_and(|it| it.contains(text));
    line.message.contains(text)
        || optional(&line.request_id)
        || optional(&line.file)
        || line.request.as_ref().is_some_and(|request| {
            request.path.contains(text)
                || request.host.contains(text)
                || request.client.contains(text)
                || optional(&request.user_agent)
                || optional(&request.referer)
        })
}
