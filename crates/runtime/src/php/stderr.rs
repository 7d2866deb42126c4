//! What one request writes to standard error: kept up to a bound, handed on when it ends.

use std::sync::Arc;

use crate::access::ErrorSink;

/// Collects for one request, and reports when dropped.
pub(crate) struct StderrLog {
    sink: Arc<dyn ErrorSink>,
    uid: Arc<str>,
    text: Vec<u8>,
    max_bytes: usize,
    truncated: bool,
}

impl StderrLog {
    pub(crate) fn new(sink: Arc<dyn ErrorSink>, uid: Arc<str>, max_bytes: usize) -> Self {
        Self { sink, uid, text: Vec::new(), max_bytes, truncated: false }
    }

    pub(crate) fn push(&mut self, part: &[u8]) {
        let taken = part.len().min(self.max_bytes - self.text.len());
        self.text.extend_from_slice(&part[..taken]);
        self.truncated |= taken < part.len();
    }
}

impl Drop for StderrLog {
    fn drop(&mut self) {
        if !self.text.is_empty() {
            self.sink.stderr(&self.uid, &self.text, self.truncated);
        }
    }
}

impl std::fmt::Debug for StderrLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StderrLog").field("bytes", &self.text.len()).finish_non_exhaustive()
    }
}
