//! The archive that a site is made of, pulled from meta as a stream.

use std::io;
use std::io::Read;
use std::time::Duration;

use aipress_drivers::ContentSource;
use aipress_drivers::DriverError;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::runtime::Handle;

use crate::meta::call::CallError;
use crate::meta::call::Meta;

/// Longest wait for the next piece. A clone's archive comes as it is made: a large table may take
/// a while to be read.
const PIECE_TIMEOUT: Duration = Duration::from_secs(120);
const WHAT: &str = "fetch the archive";

/// An archive that meta has, or fetches from another shard.
pub(crate) struct PulledArchive {
    meta: Meta,
    path: String,
    runtime: Handle,
}

impl PulledArchive {
    /// The archive of this import. Called within the runtime.
    pub(crate) fn new(meta: Meta, import: uuid::Uuid) -> Self {
        let path = format!("{}/{import}/data", aipress_api::paths::INTERNAL_IMPORTS);
        Self { meta, path, runtime: Handle::current() }
    }
}

impl ContentSource for PulledArchive {
    fn open(&self) -> Result<Box<dyn Read + Send>, DriverError> {
        let body = self.runtime.block_on(self.meta.stream(&self.path)).map_err(|error| {
            let detail = error.to_string();
            match &error {
                // It is not there and will not be: the import was given up, or its source failed.
                CallError::Refused { status: 404 | 410, body, .. } => {
                    DriverError::Invalid { what: WHAT.to_owned(), detail: body.clone() }
                }
                _ => DriverError::Unavailable { what: WHAT.to_owned(), detail },
            }
        })?;
        Ok(Box::new(Pulled { body, runtime: self.runtime.clone(), piece: bytes::Bytes::new() }))
    }
}

/// A body as a blocking stream. It ends well only where the sender ended it.
struct Pulled {
    body: Incoming,
    runtime: Handle,
    piece: bytes::Bytes,
}

impl Read for Pulled {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            let next =
                self.runtime.block_on(tokio::time::timeout(PIECE_TIMEOUT, self.body.frame()));
            let broken = |text: String| io::Error::new(io::ErrorKind::ConnectionAborted, text);
            match next {
                Err(_) => return Err(broken("the archive does not come on".to_owned())),
                Ok(None) => return Ok(0),
                Ok(Some(Err(error))) => return Err(broken(error.to_string())),
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.piece = data;
                    }
                }
            }
        }
        let count = self.piece.len().min(buffer.len());
        let taken = self.piece.split_to(count);
        if let Some(place) = buffer.get_mut(..count) {
            place.copy_from_slice(&taken);
        }
        Ok(count)
    }
}
