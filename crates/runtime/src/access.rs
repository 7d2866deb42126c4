//! What is told about each request: a record for the access log, and what PHP wrote to its
//! standard error for the tenant's error log. Where either goes is the caller's.

use std::{net::IpAddr, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};

/// The header by which the edge names a request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("aipress-request-id");

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
    /// The request's target as sent. Its query may hold a secret: it is the sink's to leave out.
    pub uri: Uri,
    /// What the headers say of the request.
    pub told: Told,
    /// The answer's status.
    pub status: StatusCode,
    /// Bytes of the answer's body that were handed to the connection.
    pub bytes: u64,
    /// From the request's header to the end of the answer.
    pub duration: Duration,
    /// From the request's header until the answer could begin: for an answer of PHP that is held
    /// back as a whole, until PHP was done. A slow client does not count.
    pub answered: Duration,
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

/// What a request's headers say that a log wants.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// The host, as the visitor wrote it.
    pub host: Option<HeaderValue>,
    /// The request's id, by the edge.
    pub request_id: Option<HeaderValue>,
    /// `User-Agent`.
    pub user_agent: Option<HeaderValue>,
    /// `Referer`.
    pub referer: Option<HeaderValue>,
}

impl Told {
    /// Out of the headers.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self {
            host: headers.get(header::HOST).cloned(),
            request_id: headers.get(REQUEST_ID).cloned(),
            user_agent: headers.get(header::USER_AGENT).cloned(),
            referer: headers.get(header::REFERER).cloned(),
        }
    }
}

/// Whose request it is that PHP speaks of.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The tenant.
    pub uid: Arc<str>,
    /// The request's id.
    pub request_id: Option<HeaderValue>,
}

/// Takes what PHP reports. Called on the executor's threads: must not block.
pub trait ErrorSink: Send + Sync {
    /// Takes one message that PHP wrote to standard error, bounded by
    /// [`max_stderr_bytes`](crate::RuntimeConfig::max_stderr_bytes). `truncated` says that there
    /// was more of it. The text is the tenant's: it may hold anything.
    fn message(&self, asked: &Asked, text: &[u8], truncated: bool);

    /// Takes why a request got no whole answer of PHP, or not of the worker that was asked first.
    fn failed(&self, asked: &Asked, reason: &(dyn std::error::Error + 'static));
}

/// Forgets everything.
impl AccessSink for () {
    fn record(&self, _: &AccessRecord) {}
}

/// Forgets everything.
impl ErrorSink for () {
    fn message(&self, _: &Asked, _: &[u8], _: bool) {}
    fn failed(&self, _: &Asked, _: &(dyn std::error::Error + 'static)) {}
}
