//! Phase `upstream`: sends the request to the gateway and waits for the head of its answer.
//!
//! A request is sent a second time only when that can do no harm: nothing of it was written, or it
//! is safe (RFC 9110 section 9.2.1), has no body, and the connection broke before the answer
//! began, as when a gateway is killed. A time-out is never tried again.

use std::sync::Arc;

use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::Uri;
use http::Version;
use http::header;
use http::request::Parts;
use http::uri::PathAndQuery;
use hyper::body::Incoming;

use super::refusal::Refusal;
use crate::edge::Edge;
use crate::upstream::Upstream;
use crate::upstream::answer::Held;
use crate::upstream::connection::Connection;
use crate::upstream::connection::ExchangeError;
use crate::upstream::request_body::Progress;
use crate::upstream::request_body::RequestBody;
use crate::upstream::tunnel;
use crate::upstream::tunnel::UpgradeError;

/// Connections that may turn out dead before one that is new counts.
const MOST_ATTEMPTS: u32 = 4;

/// A head, and the connection that its body comes by.
pub(crate) type Exchanged = (Response<Incoming>, Held);

/// The request as it goes to a gateway: HTTP/1.1 in origin form.
pub(crate) fn outgoing(parts: Parts, body: RequestBody) -> Request<RequestBody> {
    let Parts { method, uri, version, headers, .. } = parts;
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = origin_form(uri);
    *request.version_mut() = Version::HTTP_11;
    *request.headers_mut() = headers;
    if version == Version::HTTP_2 {
        join_cookies(request.headers_mut());
    }
    request
}

fn origin_form(uri: Uri) -> Uri {
    if uri.authority().is_none() {
        return uri;
    }
    let root = || PathAndQuery::from_static("/");
    Uri::from(uri.into_parts().path_and_query.unwrap_or_else(root))
}

/// HTTP/2 may split cookies into many fields, HTTP/1.1 has one (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut http::HeaderMap) {
    let crumbs: Vec<&[u8]> =
        headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
    {
        headers.insert(header::COOKIE, joined);
    }
}

/// Sends `request` to `upstream`. `upload` tells of its body, if it has one.
pub(crate) async fn exchange(
    edge: &Edge,
    upstream: &Upstream,
    request: Request<RequestBody>,
    upload: Option<&Arc<Progress>>,
) -> Result<Exchanged, Refusal> {
    let mut again = (upload.is_none() && request.method().is_safe()).then(|| copy(&request));
    let mut request = request;
    for attempt in 1..=MOST_ATTEMPTS {
        let mut connection = connection(edge, upstream, attempt < MOST_ATTEMPTS).await?;
        match connection.exchange(request, edge.timeouts.response_head).await {
            Ok(response) => {
                check_answer(edge, &response)?;
                return Ok((response, Held::Connection(connection)));
            }
            Err(ExchangeError::Unsent(unsent)) => request = *unsent,
            Err(ExchangeError::Broken(error)) => {
                tracing::debug!(endpoint = %upstream.endpoint(), %error, "an exchange broke");
                match again.take().filter(|_| !is_visitors_fault(upload)) {
                    Some(copy) => request = copy,
                    None => return Err(broken(edge, upload)),
                }
            }
            Err(ExchangeError::TimedOut) => {
                edge.metrics.0.upstream_timeouts.one();
                return Err(Refusal::TimedOut);
            }
        }
        edge.metrics.0.upstream_retries.one();
    }
    Err(broken(edge, upload))
}

/// Sends `request`, which asks for an upgrade, to `upstream` on a connection of its own.
pub(crate) async fn upgrade(
    edge: &Edge,
    upstream: &Upstream,
    request: Request<RequestBody>,
) -> Result<Exchanged, Refusal> {
    let timeouts = &edge.timeouts;
    match tunnel::ask(upstream, request, timeouts.connect, timeouts.response_head).await {
        Ok((response, task)) => {
            if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                check_answer(edge, &response)?;
            }
            Ok((response, Held::Task(task)))
        }
        Err(UpgradeError::Connect(error)) => Err(unreachable(edge, upstream, &error)),
        Err(UpgradeError::Exchange(ExchangeError::TimedOut)) => {
            edge.metrics.0.upstream_timeouts.one();
            Err(Refusal::TimedOut)
        }
        Err(UpgradeError::Exchange(_)) => Err(broken(edge, None)),
    }
}

async fn connection(
    edge: &Edge,
    upstream: &Upstream,
    may_be_used: bool,
) -> Result<Box<Connection>, Refusal> {
    if may_be_used && let Some(connection) = upstream.take_idle() {
        return Ok(connection);
    }
    upstream
        .connect(edge.timeouts.connect)
        .await
        .map_err(|error| unreachable(edge, upstream, &error))
}

fn copy(request: &Request<RequestBody>) -> Request<RequestBody> {
    let mut copy = Request::new(RequestBody::empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// Refuses an answer whose end can't be told from a broken connection: it would look whole.
fn check_answer(edge: &Edge, response: &Response<Incoming>) -> Result<(), Refusal> {
    use http_body::Body;
    let is_framed = response.body().is_end_stream()
        || response.body().size_hint().exact().is_some()
        || response.headers().contains_key(header::TRANSFER_ENCODING);
    if is_framed && !response.status().is_informational() {
        return Ok(());
    }
    edge.metrics.0.upstream_broken.one();
    Err(Refusal::Nonsense)
}

fn is_visitors_fault(upload: Option<&Arc<Progress>>) -> bool {
    upload.is_some_and(|it| it.is_idle() || it.is_too_large())
}

fn broken(edge: &Edge, upload: Option<&Arc<Progress>>) -> Refusal {
    match upload {
        Some(upload) if upload.is_too_large() => Refusal::BodyTooLarge,
        Some(upload) if upload.is_idle() => Refusal::RequestTimeout,
        _ => {
            edge.metrics.0.upstream_broken.one();
            Refusal::Lost
        }
    }
}

fn unreachable(edge: &Edge, upstream: &Upstream, error: &std::io::Error) -> Refusal {
    edge.metrics.0.upstream_connect_errors.one();
    tracing::warn!(endpoint = %upstream.endpoint(), %error, "connect to a gateway");
    Refusal::Unreachable
}

/// Whether requests of this method may have a body that HTTP/1.1 frames only when told to.
pub(crate) fn needs_framing(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_go_out_in_origin_form() {
        for (uri, expected) in
            [("/a?b", "/a?b"), ("http://h:1/a?b=c", "/a?b=c"), ("http://h", "/"), ("*", "*")]
        {
            let uri: Uri = uri.parse().unwrap();
            assert_eq!(origin_form(uri).to_string(), expected);
        }
    }

    #[test]
    fn cookies_of_http_2_become_one_field() {
        let (parts, ()) = Request::builder()
            .version(Version::HTTP_2)
            .uri("http://h/")
            .header("cookie", "a=1")
            .header("cookie", "b=2")
            .body(())
            .unwrap()
            .into_parts();
        let request = outgoing(parts, RequestBody::empty());
        let cookies: Vec<_> = request.headers().get_all("cookie").iter().collect();
        assert_eq!(cookies, ["a=1; b=2"]);
        assert_eq!(request.version(), Version::HTTP_11);
    }
}
