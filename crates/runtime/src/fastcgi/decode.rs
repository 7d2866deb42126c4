//! What the application sends, out of bytes as they come. Without I/O.

use bytes::{Buf, Bytes, BytesMut};

use super::{
    end_request::EndRequest,
    record::{HEADER_BYTES, Header, REQUEST_ID, RecordType, VERSION},
};

/// Something that the application said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A part of the answer, not empty.
    Stdout(Bytes),
    /// A part of what goes to the error log, not empty.
    Stderr(Bytes),
    /// The answer is whole (or refused; see the status). Nothing follows.
    End(EndRequest),
}

/// The bytes are no FastCGI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A record of another version.
    #[error("record of version {0}, expected 1")]
    Version(u8),
    /// A record of a request that we did not make.
    #[error("record of request {0}, which was never begun")]
    RequestId(u16),
    /// A record that only a web server sends.
    #[error("record of type {0}, which an application never sends")]
    Direction(u8),
    /// An `END_REQUEST` of a wrong length.
    #[error("END_REQUEST of {0} bytes, expected 8")]
    EndRequest(u16),
}

/// Cuts bytes into events. Content is given on as it comes, not only when its record is whole.
#[derive(Debug, Default)]
pub struct Decoder {
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    kind: Option<RecordType>,
    content_left: usize,
    padding_left: usize,
}

impl Decoder {
    /// The next event in `input`, of which what was understood is removed; `None` when more bytes
    /// are needed.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Option<Event>, DecodeError> {
        loop {
            let Some(current) = &mut self.current else {
                let Some(header) = input.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
                let header = Header::decode(*header);
                self.current = Some(Current::begin(header)?);
                input.advance(HEADER_BYTES);
                continue;
            };
            if current.content_left == 0 {
                let skipped = current.padding_left.min(input.len());
                input.advance(skipped);
                current.padding_left -= skipped;
                if current.padding_left > 0 {
                    return Ok(None);
                }
                self.current = None;
                continue;
            }
            if input.is_empty() {
                return Ok(None);
            }
            if current.kind == Some(RecordType::EndRequest) {
                if input.len() < current.content_left {
                    return Ok(None);
                }
                let content = input.split_to(current.content_left);
                current.content_left = 0;
                if let Some(end) = EndRequest::decode(&content) {
                    return Ok(Some(Event::End(end)));
                }
                continue;
            }
            let part = input.split_to(current.content_left.min(input.len())).freeze();
            current.content_left -= part.len();
            match current.kind {
                Some(RecordType::Stdout) => return Ok(Some(Event::Stdout(part))),
                Some(RecordType::Stderr) => return Ok(Some(Event::Stderr(part))),
                _ => {}
            }
        }
    }
}

impl Current {
    fn begin(header: Header) -> Result<Self, DecodeError> {
        if header.version != VERSION {
            return Err(DecodeError::Version(header.version));
        }
        let kind = RecordType::from_number(header.kind);
        match kind {
            // A management record, or one of a later version: skipped.
            None => {}
            Some(RecordType::Stdout | RecordType::Stderr | RecordType::EndRequest)
                if header.request_id == REQUEST_ID => {}
            Some(RecordType::Stdout | RecordType::Stderr | RecordType::EndRequest) => {
                return Err(DecodeError::RequestId(header.request_id));
            }
            Some(_) => return Err(DecodeError::Direction(header.kind)),
        }
        if kind == Some(RecordType::EndRequest) && header.content_bytes != 8 {
            return Err(DecodeError::EndRequest(header.content_bytes));
        }
        Ok(Self {
            kind,
            content_left: usize::from(header.content_bytes),
            padding_left: usize::from(header.padding_bytes),
        })
    }
}
