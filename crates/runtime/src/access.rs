//! What is told about each request: a record for the access log, and what PHP wrote to its
//! standard error for the tenant's error log. Where either goes is the caller's.

use std::{net::IpAddr, sync::Arc, time::Duration};

use http::{Method, StatusCode};

/// Who made an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A file.
    Static,
    /// PHP.
    Php,
    /// The runtime itself: redirects and error pages.
    Platform,
}

impl Source {
    /// The word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Php => "php",
            Self::Platform => "platform",
        }
    }
}

/// One request, after its answer's last byte or its end before that.
#[derive(Debug, Clone)]
pub struct AccessRecord {
    /// The tenant; `None` for a site that nobody knows.
    pub uid: Option<Arc<str>>,
    /// The client's address as the edge told it.
    pub client: IpAddr,
    /// The request's method.
    pub method: Method,
    /// The request's path as sent. Without the query, which may hold a secret.
    pub path: String,
    /// The answer's status.
    pub status: StatusCode,
    /// Bytes of the answer's body that were handed to the connection.
    pub bytes: u64,
    /// From the request's header to the end of the answer.
    pub duration: Duration,
    /// How long the request waited for a worker.
    pub queued: Duration,
    /// Who made the answer.
    pub source: Source,
    /// Whether the answer was whole: false when the client left or the worker died.
    pub complete: bool,
}

/// Takes access records. Called on the executor's threads: must not block.
pub trait AccessSink: Send + Sync {
    /// Takes one record.
    fn record(&self, record: &AccessRecord);
}

/// Takes what PHP writes to standard error. Called on the executor's threads: must not block.
pub trait ErrorSink: Send + Sync {
    /// Takes what one request of a tenant wrote, bounded by
    /// [`max_stderr_bytes`](crate::RuntimeConfig::max_stderr_bytes). `truncated` says that there
    /// was more. The text is the tenant's: it may hold anything.
    fn stderr(&self, uid: &str, text: &[u8], truncated: bool);
}

/// Forgets everything.
impl AccessSink for () {
    fn record(&self, _: &AccessRecord) {}
}

/// Forgets everything.
impl ErrorSink for () {
    fn stderr(&self, _: &str, _: &[u8], _: bool) {}
}
