//! The header of a record, and streams cut into records (FastCGI 1.0 section 3.3).

use bytes::{BufMut, BytesMut};

/// `FCGI_VERSION_1`.
pub const VERSION: u8 = 1;

/// The length of a record's header in bytes.
pub const HEADER_BYTES: usize = 8;

/// The most content that we put into one record: a multiple of 8, so that it needs no padding.
pub const MAX_CONTENT_BYTES: usize = 65_528;

/// The id of our only request.
pub const REQUEST_ID: u16 = 1;

/// What a record carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum RecordType {
    /// `FCGI_BEGIN_REQUEST`
    BeginRequest = 1,
    /// `FCGI_ABORT_REQUEST`
    AbortRequest = 2,
    /// `FCGI_END_REQUEST`
    EndRequest = 3,
    /// `FCGI_PARAMS`
    Params = 4,
    /// `FCGI_STDIN`
    Stdin = 5,
    /// `FCGI_STDOUT`
    Stdout = 6,
    /// `FCGI_STDERR`
    Stderr = 7,
}

impl RecordType {
    /// The type of a number, if it is one that belongs to a request.
    pub fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::BeginRequest,
            2 => Self::AbortRequest,
            3 => Self::EndRequest,
            4 => Self::Params,
            5 => Self::Stdin,
            6 => Self::Stdout,
            7 => Self::Stderr,
            _ => return None,
        })
    }
}

/// The eight bytes before each record's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The protocol's version; 1.
    pub version: u8,
    /// The number of a [`RecordType`], or of one that we don't know.
    pub kind: u8,
    /// Which request the record belongs to; 0 for the connection itself.
    pub request_id: u16,
    /// Bytes of content.
    pub content_bytes: u16,
    /// Bytes of padding after the content.
    pub padding_bytes: u8,
}

impl Header {
    /// A header of our request.
    pub fn new(kind: RecordType, content_bytes: u16) -> Self {
        let kind = kind as u8;
        Self { version: VERSION, kind, request_id: REQUEST_ID, content_bytes, padding_bytes: 0 }
    }

    /// The header as bytes.
    pub fn encode(self) -> [u8; HEADER_BYTES] {
        let [id_high, id_low] = self.request_id.to_be_bytes();
        let [content_high, content_low] = self.content_bytes.to_be_bytes();
        [self.version, self.kind, id_high, id_low, content_high, content_low, self.padding_bytes, 0]
    }

    /// The header that these bytes are.
    pub fn decode(bytes: [u8; HEADER_BYTES]) -> Self {
        let [version, kind, id_high, id_low, content_high, content_low, padding_bytes, _] = bytes;
        Self {
            version,
            kind,
            request_id: u16::from_be_bytes([id_high, id_low]),
            content_bytes: u16::from_be_bytes([content_high, content_low]),
            padding_bytes,
        }
    }
}

/// Appends `content` as records of a stream. Empty content appends nothing: an empty record would
/// end the stream.
pub fn put_stream(out: &mut BytesMut, kind: RecordType, content: &[u8]) {
    for part in content.chunks(MAX_CONTENT_BYTES) {
        // A chunk is never longer than MAX_CONTENT_BYTES, which fits.
        out.put_slice(&Header::new(kind, part.len() as u16).encode());
        out.put_slice(part);
    }
}

/// Appends the empty record that ends a stream.
pub fn put_stream_end(out: &mut BytesMut, kind: RecordType) {
    out.put_slice(&Header::new(kind, 0).encode());
}
