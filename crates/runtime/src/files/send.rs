//! A file as the answer to a GET or HEAD: headers, conditions, ranges, and its bytes.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
    io,
    ops::Range,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
    task::{Context, Poll, ready},
    time::SystemTime,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header};
use tokio::task::spawn_blocking;

use super::{
    chunk::{CHUNK_BYTES, ChunkReader, read_cached, read_waiting},
    conditional::{Condition, Validators},
    mime::{content_encoding, media_type},
    open::{OpenError, OpenedFile, Owner, Wait, open_beneath},
    range::{Ranges, ranges},
};
use crate::body::Body;

/// How long browsers keep a file: 7 days (`facts.md`, L4).
const CACHE_WEEK: &str = "public, max-age=604800";

/// How long browsers keep a file whose address carries its version, as WordPress's scripts and
/// styles do: a year, without asking (`facts.md`, L3).
const CACHE_YEAR: &str = "public, max-age=31536000, immutable";

/// The bytes of one or more parts of a file, with what stands between them.
#[derive(Debug)]
pub struct FileBody {
    reader: ChunkReader,
    segments: VecDeque<Segment>,
    left: u64,
}

#[derive(Debug)]
enum Segment {
    Bytes(Bytes),
    File(Range<u64>),
}

/// Opens a file beneath a root: on this thread when the kernel has all of the way in its caches,
/// else on a blocking one.
pub async fn open(root: &Path, file: &[u8], owner: Owner) -> Result<OpenedFile, OpenError> {
    match open_beneath(root, file, owner, Wait::Cached) {
        Err(OpenError::WouldBlock) => {}
        decided => return decided,
    }
    let (root, file): (PathBuf, Vec<u8>) = (root.to_owned(), file.to_owned());
    let opening = spawn_blocking(move || open_beneath(&root, &file, owner, Wait::Disk));
    opening.await.map_err(|error| OpenError::Io(io::Error::other(error)))?
}

/// The answer to a request for an opened file. `name` is for its type.
pub async fn respond(
    opened: OpenedFile,
    name: &[u8],
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response<Body>, OpenError> {
    let OpenedFile { file, len, modified, changed } = opened;
    let validators = Validators::of(len, modified, changed, SystemTime::now());
    let mut response = Response::new(Body::empty());
    describe(response.headers_mut(), &validators, uri);
    match validators.evaluate(headers) {
        Condition::Proceed => {}
        Condition::NotModified => {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return Ok(response);
        }
        Condition::Failed => {
            *response.status_mut() = StatusCode::PRECONDITION_FAILED;
            response.headers_mut().insert(header::CACHE_CONTROL, no_store());
            return Ok(response);
        }
    }
    let kind = media_type(name);
    let head = response.headers_mut();
    head.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(encoding) = content_encoding(name) {
        head.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    let is_get = *method == Method::GET;
    let asked = if is_get && validators.range_allowed(headers) {
        ranges(headers, len)
    } else {
        Ranges::Whole
    };
    match asked {
        Ranges::Whole => {
            head.insert(header::CONTENT_LENGTH, HeaderValue::from(len));
            if is_get {
                *response.body_mut() = whole(file, len).await?;
            }
        }
        Ranges::Parts(parts) => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let body = partial(response.headers_mut(), file, &parts, len, kind);
            *response.body_mut() = Body::file(body);
        }
        Ranges::Unsatisfiable => {
            head.remove(header::CONTENT_TYPE);
            head.remove(header::CONTENT_ENCODING);
            head.insert(header::CACHE_CONTROL, no_store());
            head.insert(header::CONTENT_RANGE, value(format!("bytes */{len}")));
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
        }
    }
    Ok(response)
}

fn describe(head: &mut HeaderMap, validators: &Validators, uri: &Uri) {
    let versioned = uri.query().is_some_and(|query| {
        query.split('&').any(|pair| pair.strip_prefix("ver=").is_some_and(|it| !it.is_empty()))
    });
    let cache = if versioned { CACHE_YEAR } else { CACHE_WEEK };
    head.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    head.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    head.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    head.insert(header::ETAG, value(validators.etag.clone()));
    head.insert(header::LAST_MODIFIED, value(httpdate::fmt_http_date(validators.modified)));
}

/// The whole file: a small one in one piece.
async fn whole(file: OwnedFd, len: u64) -> Result<Body, OpenError> {
    if len > CHUNK_BYTES as u64 {
        return Ok(Body::file(FileBody::parts(file, [Segment::File(0..len)])));
    }
    let want = len as usize;
    let bytes = match read_cached(&file, 0, want).map_err(OpenError::Io)? {
        // Fewer may be in the cache than in the file.
        Some(bytes) if bytes.len() == want => bytes,
        _ => {
            let file = Arc::new(file);
            let reading = spawn_blocking(move || read_waiting(&file, 0, want));
            reading.await.map_err(io::Error::other).flatten().map_err(OpenError::Io)?
        }
    };
    if bytes.len() < want {
        return Err(OpenError::Io(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(Body::full(bytes))
}

/// One part as it is, several as `multipart/byteranges` (RFC 9110 section 14.6).
fn partial(
    head: &mut HeaderMap,
    file: OwnedFd,
    parts: &[Range<u64>],
    len: u64,
    kind: &str,
) -> FileBody {
    let content_range = |part: &Range<u64>| format!("bytes {}-{}/{len}", part.start, part.end - 1);
    let body = if let [part] = parts {
        head.insert(header::CONTENT_RANGE, value(content_range(part)));
        FileBody::parts(file, [Segment::File(part.clone())])
    } else {
        // It must not occur in the file, so its author must not know it beforehand.
        let random = RandomState::new();
        let boundary = format!("{:016x}{:016x}", random.hash_one(1), random.hash_one(2));
        let mut segments = Vec::with_capacity(2 * parts.len() + 1);
        for part in parts {
            let range = content_range(part);
            let between = format!(
                "\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: {range}\r\n\r\n"
            );
            segments.push(Segment::Bytes(between.into()));
            segments.push(Segment::File(part.clone()));
        }
        segments.push(Segment::Bytes(format!("\r\n--{boundary}--\r\n").into()));
        let kind = format!("multipart/byteranges; boundary={boundary}");
        head.insert(header::CONTENT_TYPE, value(kind));
        FileBody::parts(file, segments)
    };
    head.insert(header::CONTENT_LENGTH, HeaderValue::from(body.left));
    body
}

impl FileBody {
    fn parts(file: OwnedFd, segments: impl IntoIterator<Item = Segment>) -> Self {
        let segments: VecDeque<Segment> = segments.into_iter().collect();
        let len = |segment: &Segment| match segment {
            Segment::Bytes(bytes) => bytes.len() as u64,
            Segment::File(range) => range.end - range.start,
        };
        let left = segments.iter().map(len).sum();
        Self { reader: ChunkReader::new(file), segments, left }
    }

    /// How many bytes are still to come.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// The next piece; `None` after the last. A file that became shorter meanwhile is an error, so
    /// that the connection breaks and nobody keeps half a file.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        let bytes = match self.segments.front_mut() {
            None => return Poll::Ready(Ok(None)),
            Some(Segment::Bytes(bytes)) => std::mem::take(bytes),
            Some(Segment::File(range)) => {
                let want = (range.end - range.start).min(CHUNK_BYTES as u64) as usize;
                let bytes = ready!(self.reader.poll_read_at(cx, range.start, want))?;
                if bytes.is_empty() {
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
                range.start += bytes.len() as u64;
                bytes
            }
        };
        if self.segments.front().is_some_and(Segment::is_done) {
            self.segments.pop_front();
        }
        self.left -= bytes.len() as u64;
        Poll::Ready(Ok(Some(bytes)))
    }
}

impl Segment {
    fn is_done(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::File(range) => range.is_empty(),
        }
    }
}

fn no_store() -> HeaderValue {
    HeaderValue::from_static("no-store")
}

/// A header's value out of text that we composed of visible ASCII.
fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
