//! Phase `respond`: makes of a gateway's answer, or of a refusal, what the visitor gets.

use aipress_kit::lifecycle::Lifecycle;
use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Response;
use http::StatusCode;
use http::header;
use http::response::Parts;

use super::forwarded;
use super::hop_by_hop;
use super::refusal::Refusal;
use crate::body::Content;
use crate::body::EdgeBody;
use crate::context::RequestContext;
use crate::pages::Page;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The page of a refusal.
pub(crate) fn refuse(
    refusal: Refusal,
    request_headers: &HeaderMap,
    host: &str,
    is_api: bool,
    mut context: RequestContext,
) -> Response<EdgeBody> {
    let request_id = context.request_id.clone();
    let page = Page { refusal, host, request_id: request_id.to_str().unwrap_or_default(), is_api };
    let rendered = page.render(request_headers);
    let mut headers = rendered.headers;
    headers.insert(REQUEST_ID, request_id);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(rendered.body.len()));
    let body = if context.method == Method::HEAD { Bytes::new() } else { rendered.body };
    context.status = Some(rendered.status);
    context.refusal = Some(refusal);
    let mut response = Response::new(EdgeBody::new(Content::Page(body), context));
    *response.status_mut() = rendered.status;
    *response.headers_mut() = headers;
    response
}

/// The answer of a gateway, without what is of its connection.
pub(crate) fn pass_on(
    parts: Parts,
    content: Content,
    takes_trailers: bool,
    mut context: RequestContext,
) -> Response<EdgeBody> {
    let mut headers = parts.headers;
    hop_by_hop::strip(&mut headers);
    forwarded::strip_internal(&mut headers);
    if !takes_trailers {
        headers.remove(header::TRAILER);
    }
    headers.insert(REQUEST_ID, context.request_id.clone());
    context.status = Some(parts.status);
    let mut response = Response::new(EdgeBody::new(content, context));
    *response.status_mut() = parts.status;
    *response.headers_mut() = headers;
    response
}

/// The answer of a gateway that switches protocols.
pub(crate) fn switch(
    mut parts: Parts,
    protocol: HeaderValue,
    context: RequestContext,
) -> Response<EdgeBody> {
    parts.status = StatusCode::SWITCHING_PROTOCOLS;
    let mut response = pass_on(parts, Content::Empty, false, context);
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, protocol);
    response
}

/// For a stream of events: what ends it when the edge drains, as it has no end of its own.
pub(crate) fn end_of_stream(
    headers: &HeaderMap,
    lifecycle: &Lifecycle,
) -> Option<std::pin::Pin<Box<tokio_util::sync::WaitForCancellationFutureOwned>>> {
    let kind = headers.get(header::CONTENT_TYPE)?;
    let is_events = kind.as_bytes().starts_with(b"text/event-stream");
    is_events.then(|| Box::pin(lifecycle.drain.clone().cancelled_owned()))
}
