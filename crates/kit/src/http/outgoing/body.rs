//! The body of an answer from outside, read piece by piece within its bounds.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::Bounds;
use super::error::OutgoingError;

/// A body that is bounded in bytes and time.
#[derive(Debug)]
pub struct OutgoingBody {
    body: Incoming,
    host: String,
    deadline: Instant,
    bounds: Bounds,
    read: u64,
}

impl OutgoingBody {
    pub(super) fn new(body: Incoming, host: String, deadline: Instant, bounds: &Bounds) -> Self {
        Self { body, host, deadline, bounds: *bounds, read: 0 }
    }

    /// The next piece; `None` after the last one.
    ///
    /// # Errors
    /// [`OutgoingError::TooLarge`], [`OutgoingError::TimedOut`] or [`OutgoingError::Broken`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, OutgoingError> {
        let max_bytes = self.bounds.body_max;
        let too_large = || OutgoingError::TooLarge { host: self.host.clone(), max_bytes };
        // Said beforehand: nothing is read in vain.
        if self.body.size_hint().lower() > max_bytes.saturating_sub(self.read) {
            return Err(too_large());
        }
        loop {
            let frame =
                tokio::time::timeout_at(self.deadline, self.body.frame()).await.map_err(|_| {
                    OutgoingError::TimedOut { host: self.host.clone(), after: self.bounds.total }
                })?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| OutgoingError::Broken {
                host: self.host.clone(),
                reason: error.to_string(),
            })?;
            // Trailers are of no interest.
            let Ok(data) = frame.into_data() else { continue };
            self.read += data.len() as u64;
            if self.read > max_bytes {
                return Err(too_large());
            }
            return Ok(Some(data));
        }
    }

    /// At most `limit` first bytes of the body; the rest is not read.
    pub async fn first(&mut self, limit: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while out.len() < limit {
            match self.chunk().await {
                Ok(Some(chunk)) => {
                    let wanted = chunk.len().min(limit - out.len());
                    out.extend_from_slice(&chunk[..wanted]);
                }
                // What is there is what there is.
                Ok(None) | Err(_) => break,
            }
        }
        out
    }
}
