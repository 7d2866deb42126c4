//! Phase `access`: is the request one that is served at all, and is there room for it. The first
//! half is pure; the second counts.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use http::HeaderMap;
use http::Method;
use http::header;
use http::request::Parts;

use super::refusal::Refusal;
use crate::config::Limits;
use crate::context::try_enter;
use crate::edge::Edge;
use crate::routes::table::Route;
use crate::upstream::Upstream;

/// Checks the head of a request against what is allowed.
pub(crate) fn check(parts: &Parts, limits: &Limits) -> Result<(), Refusal> {
    if matches!(parts.method, Method::CONNECT | Method::TRACE) {
        return Err(Refusal::Method);
    }
    let target = parts.uri.path_and_query().map_or(0, |it| it.as_str().len());
    if target > limits.uri_bytes {
        return Err(Refusal::UriTooLong);
    }
    let headers = &parts.headers;
    if headers.len() > limits.header_count {
        return Err(Refusal::HeadersTooLarge);
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > limits.header_bytes {
        return Err(Refusal::HeadersTooLarge);
    }
    check_framing(headers)?;
    if content_length(headers).is_some_and(|length| length > limits.body_bytes) {
        return Err(Refusal::BodyTooLarge);
    }
    let expect = headers.get(header::EXPECT);
    if expect.is_some_and(|it| !it.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Err(Refusal::Expectation);
    }
    Ok(())
}

/// Refuses what another server could frame otherwise than hyper did (request smuggling). Of a
/// request with both `Content-Length` and `Transfer-Encoding` hyper drops the length and closes
/// the connection after it (RFC 9112 section 6.1); differing lengths it refuses by itself.
fn check_framing(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return Ok(()) };
    if headers.contains_key(header::CONTENT_LENGTH) {
        return Err(Refusal::BadRequest("the request has two lengths"));
    }
    if codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
        return Err(Refusal::TransferCoding);
    }
    Ok(())
}

/// The declared length of the body.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// One request's place among those under way, to be [released](Admission::release).
#[derive(Debug)]
pub(crate) struct Admission {
    upstream: Arc<Upstream>,
    route: Option<Arc<Route>>,
}

impl Admission {
    /// Takes a place, if there is one in the edge, at the gateway, and for the host: one slow site
    /// must not take them all.
    pub(crate) fn take(
        edge: &Edge,
        upstream: &Arc<Upstream>,
        route: Option<&Arc<Route>>,
    ) -> Result<Self, Refusal> {
        let limits = &edge.limits;
        let mut entered: [Option<&AtomicUsize>; 3] = [None; 3];
        let wanted = [
            Some((&edge.in_flight, limits.requests)),
            Some((&upstream.in_flight, limits.requests_per_upstream)),
            route.map(|route| (&route.in_flight, limits.requests_per_host)),
        ];
        for (slot, (count, most)) in entered.iter_mut().zip(wanted.into_iter().flatten()) {
            if try_enter(count, most) {
                *slot = Some(count);
                continue;
            }
            for count in entered.into_iter().flatten() {
                count.fetch_sub(1, Ordering::Relaxed);
            }
            edge.metrics.0.overloaded.one();
            return Err(Refusal::Overloaded);
        }
        Ok(Self { upstream: Arc::clone(upstream), route: route.cloned() })
    }

    pub(crate) fn release(self, edge: &Edge) {
        edge.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.upstream.in_flight.fetch_sub(1, Ordering::Relaxed);
        if let Some(route) = self.route {
            route.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn checked(method: &str, uri: &str, fields: &[(&str, &str)]) -> Result<(), Refusal> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        check(&request.body(()).unwrap().into_parts().0, &Limits::default())
    }

    #[test]
    fn ordinary_requests_pass() {
        for (method, fields) in [
            ("GET", &[("accept", "*/*")][..]),
            ("POST", &[("content-length", "104857600"), ("expect", "100-Continue")]),
            ("PUT", &[("transfer-encoding", "Chunked")]),
            ("OPTIONS", &[]),
            ("PROPFIND", &[]),
        ] {
            assert_eq!(checked(method, "/a?b", fields), Ok(()), "{method}");
        }
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let long = format!("/{}", "a".repeat(16 * 1024));
        assert_eq!(checked("GET", &long, &[]), Err(Refusal::UriTooLong));
        let wide = "x".repeat(65 * 1024);
        assert_eq!(checked("GET", "/", &[("a", &wide)]), Err(Refusal::HeadersTooLarge));
        let many = vec![("a", "b"); 129];
        assert_eq!(checked("GET", "/", &many), Err(Refusal::HeadersTooLarge));
        let length = [("content-length", "104857601")];
        assert_eq!(checked("POST", "/", &length), Err(Refusal::BodyTooLarge));
    }

    #[test]
    fn what_is_ambiguous_or_unknown_is_refused() {
        for method in ["CONNECT", "TRACE"] {
            assert_eq!(checked(method, "/", &[]), Err(Refusal::Method));
        }
        assert_eq!(checked("GET", "/", &[("expect", "x")]), Err(Refusal::Expectation));
        for coding in ["gzip, chunked", "xchunked", "chunked, chunked"] {
            let fields = [("transfer-encoding", coding)];
            assert_eq!(checked("POST", "/", &fields), Err(Refusal::TransferCoding), "{coding}");
        }
        let both = [("content-length", "1"), ("transfer-encoding", "chunked")];
        assert!(matches!(checked("POST", "/", &both), Err(Refusal::BadRequest(_))));
        let twice = [("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")];
        assert_eq!(checked("POST", "/", &twice), Err(Refusal::TransferCoding));
    }
}
