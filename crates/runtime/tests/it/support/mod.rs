//! What the integration tests share: a site on disk, a server over a Unix socket, a client, and a
//! FastCGI application that does as it is told.

pub(crate) mod fake_fpm;
pub(crate) mod php_fpm;
pub(crate) mod site;

use std::{sync::Mutex, time::Duration};

use aipress_runtime::{AccessRecord, AccessSink, Asked, ErrorSink};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

/// Longer than anything here takes, so that a test that hangs fails instead.
pub(crate) const LONG: Duration = Duration::from_secs(30);

pub(crate) type RequestBody = BoxBody<Bytes, std::convert::Infallible>;

/// Keeps what it is told.
#[derive(Default)]
pub(crate) struct Records {
    pub(crate) access: Mutex<Vec<AccessRecord>>,
    pub(crate) errors: Mutex<Vec<(String, Vec<u8>, bool)>>,
    /// Request ids, and why there was no answer of PHP.
    pub(crate) failures: Mutex<Vec<(String, String)>>,
}

impl AccessSink for Records {
    fn record(&self, record: &AccessRecord) {
        self.access.lock().unwrap().push(record.clone());
    }
}

impl ErrorSink for Records {
    fn message(&self, asked: &Asked, text: &[u8], truncated: bool) {
        self.errors.lock().unwrap().push((asked.uid.to_string(), text.to_vec(), truncated));
    }

    fn failed(&self, asked: &Asked, reason: &(dyn std::error::Error + 'static)) {
        let id = asked.request_id.as_ref().map_or("", |id| id.to_str().unwrap());
        self.failures.lock().unwrap().push((id.to_owned(), reason.to_string()));
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether the connection said that this is all of it.
    pub(crate) whole: bool,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) fn full(body: impl Into<Bytes>) -> RequestBody {
    Full::new(body.into()).boxed()
}

/// Sends one request on its own connection and gives the answer's head with its open body.
pub(crate) async fn begin(
    socket: &std::path::Path,
    request: Request<RequestBody>,
) -> Response<hyper::body::Incoming> {
    let stream = UnixStream::connect(socket).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    tokio::time::timeout(LONG, sender.send_request(request)).await.unwrap().unwrap()
}

/// Sends one request and reads its answer as far as it goes.
pub(crate) async fn ask(socket: &std::path::Path, request: Request<RequestBody>) -> Answer {
    finish(begin(socket, request).await).await
}

/// Reads an answer as far as it goes.
pub(crate) async fn finish(response: Response<hyper::body::Incoming>) -> Answer {
    let (head, mut body) = response.into_parts();
    let (mut bytes, mut whole) = (Vec::new(), true);
    while let Some(frame) = tokio::time::timeout(LONG, body.frame()).await.unwrap() {
        match frame {
            Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap()),
            Err(_) => whole = false,
        }
        if !whole {
            break;
        }
    }
    Answer { status: head.status, headers: head.headers, body: bytes.into(), whole }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + LONG;
    while !so() {
        assert!(tokio::time::Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
