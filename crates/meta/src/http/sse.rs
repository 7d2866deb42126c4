//! Answers made of server-sent events (WHATWG HTML, section 9.2).

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::StreamExt;
use futures_util::stream;
use http::HeaderMap;
use http::HeaderValue;
use http::header;

/// Media type.
pub(crate) const MEDIA_TYPE: &str = "text/event-stream";
/// A comment this often keeps proxies from taking a quiet stream for a dead one.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(15);

/// An answer that sends `frames` as they come, and heartbeats in between. The stream is asked for
/// the next frame only when the client took the ones before: what is slow costs no memory.
pub(crate) fn answer(frames: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let beating = stream::unfold(Box::pin(frames), |mut frames| async move {
        let next = tokio::time::timeout(HEARTBEAT, frames.next()).await;
        match next {
            Ok(frame) => frame.map(|frame| (Ok::<_, Infallible>(frame), frames)),
            Err(_) => Some((Ok(Bytes::from_static(b": still here\n\n")), frames)),
        }
    });
    let mut response = Response::new(Body::from_stream(beating));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));
    // Tells nginx and the like not to collect the stream.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Whether the caller would rather have a stream than a page: a list of types with that one in it
/// and no JSON (RFC 9110 section 12.5.1, as far as clients use it).
pub(crate) fn wanted(headers: &HeaderMap) -> bool {
    let accepts = |wanted: &str| {
        headers
            .get_all(header::ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|item| {
                let essence = item.split(';').next().unwrap_or("").trim();
                essence.eq_ignore_ascii_case(wanted)
            })
    };
    accepts(MEDIA_TYPE) && !accepts("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_asked_for() {
        let headers = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            headers
        };
        assert!(wanted(&headers("text/event-stream")));
        assert!(wanted(&headers("application/problem+json, Text/Event-Stream;q=0.9")));
        assert!(!wanted(&headers("application/json, text/event-stream")));
        assert!(!wanted(&headers("*/*")));
        assert!(!wanted(&HeaderMap::new()));
    }
}
