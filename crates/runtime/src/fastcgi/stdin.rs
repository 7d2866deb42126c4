//! A request's body on its way to the application: in memory or in an unlinked file, of known
//! length either way, because php-fpm has no chunked input.

use std::{
    io,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};

use super::record::{MAX_CONTENT_BYTES, RecordType, put_stream, put_stream_end};
use crate::files::chunk::ChunkReader;

/// A whole request body.
#[derive(Debug)]
pub enum Stdin {
    /// No body, or one that is in memory.
    Memory(Bytes),
    /// A body in a file, from its beginning.
    File {
        /// Reads the file.
        reader: ChunkReader,
        /// How far it was read.
        offset: u64,
        /// How long it is.
        len: u64,
    },
}

impl Stdin {
    /// A body of nothing.
    pub fn empty() -> Self {
        Self::Memory(Bytes::new())
    }

    /// The length that is left in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { offset, len, .. } => len - offset,
        }
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same body from its beginning, for another connection; of one that was not read from.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Memory(bytes) => Self::Memory(bytes.clone()),
            Self::File { reader, offset, len } => {
                Self::File { reader: reader.again(), offset: *offset, len: *len }
            }
        }
    }

    /// Appends the next records to `out`, and the one that ends the stream after the last. Says
    /// whether that was it.
    pub(super) fn poll_records(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut BytesMut,
    ) -> Poll<io::Result<bool>> {
        match self {
            Self::Memory(bytes) => {
                let part = bytes.split_to(bytes.len().min(MAX_CONTENT_BYTES));
                put_stream(out, RecordType::Stdin, &part);
            }
            Self::File { reader, offset, len } => {
                let want = (*len - *offset).min(MAX_CONTENT_BYTES as u64) as usize;
                if want > 0 {
                    let part = std::task::ready!(reader.poll_read_at(cx, *offset, want))?;
                    if part.is_empty() {
                        return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                    }
                    *offset += part.len() as u64;
                    put_stream(out, RecordType::Stdin, &part);
                }
            }
        }
        let done = self.is_empty();
        if done {
            put_stream_end(out, RecordType::Stdin);
        }
        Poll::Ready(Ok(done))
    }
}
