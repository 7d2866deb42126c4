//! Takes one request through the phases.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use aipress_kit::lifecycle::Lifecycle;
use http::HeaderValue;
use http::Request;
use http::Response;
use http::StatusCode;
use http::Version;
use http::header;
use http::request::Parts;
use http_body::Body;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;

use super::access;
use super::access::Admission;
use super::forwarded;
use super::forwarded::Facts;
use super::hop_by_hop;
use super::refusal::Refusal;
use super::respond;
use super::route;
use super::route::Place;
use super::upstream;
use crate::body::Content;
use crate::body::EdgeBody;
use crate::client::visitor::Visitor;
use crate::context::RequestContext;
use crate::edge::Edge;
use crate::host::Host;
use crate::upstream::Upstream;
use crate::upstream::answer::Answer;
use crate::upstream::answer::Exchange;
use crate::upstream::answer::Held;
use crate::upstream::request_body::BodyBounds;
use crate::upstream::request_body::Progress;
use crate::upstream::request_body::RequestBody;
use crate::upstream::tunnel;

/// Answers one request, whatever happens.
pub(crate) async fn handle(
    edge: Arc<Edge>,
    visitor: Arc<Visitor>,
    request: Request<Incoming>,
) -> Result<Response<EdgeBody>, Infallible> {
    let (parts, body) = request.into_parts();
    let mut context = RequestContext::begin(edge, visitor, &parts);
    let host = Host::of(&parts);
    let accept = parts.headers.get(header::ACCEPT).cloned();
    let mut is_api = false;
    match serve(&mut context, parts, body, host.as_ref(), &mut is_api).await {
        Ok(Served { parts, content: Passed::Answer(content), takes_trailers }) => {
            Ok(respond::pass_on(parts, content, takes_trailers, context))
        }
        Ok(Served { parts, content: Passed::Switch(protocol), .. }) => {
            Ok(respond::switch(parts, protocol, context))
        }
        Err(refusal) => {
            let mut headers = http::HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, accept);
            }
            let host = host.as_ref().ok().and_then(|host| host.sent.to_str().ok()).unwrap_or("");
            Ok(respond::refuse(refusal, &headers, host, is_api, context))
        }
    }
}

/// What a gateway answered.
struct Served {
    parts: http::response::Parts,
    content: Passed,
    takes_trailers: bool,
}

enum Passed {
    Answer(Content),
    Switch(HeaderValue),
}

async fn serve(
    context: &mut RequestContext,
    mut parts: Parts,
    body: Incoming,
    host: Result<&Host, &crate::host::HostError>,
    is_api: &mut bool,
) -> Result<Served, Refusal> {
    // What is not read of a body stays in the socket, and closing would cut off our answer.
    let has_body = !body.is_end_stream();
    context.visitor.lingers(has_body);
    let edge = Arc::clone(&context.edge);
    access::check(&parts, &edge.limits)?;
    let host = host.map_err(|_| Refusal::BadRequest(NO_HOST))?;
    let place = route::find(&edge, host).await?;
    *is_api = matches!(place, Place::Console);
    context.route = place.site().cloned();
    let upstream = Arc::clone(place.upstream(&edge)?);
    context.admission = Some(Admission::take(&edge, &upstream, place.site())?);

    let takes_trailers = hop_by_hop::takes_trailers(&parts.headers);
    let protocol = (parts.version == Version::HTTP_11 && !has_body)
        .then(|| hop_by_hop::wanted_upgrade(&parts.headers))
        .flatten();
    rewrite(context, &mut parts, host, takes_trailers);
    if let Some(protocol) = protocol {
        return switch(&edge, upstream, parts, protocol).await;
    }
    let (request, upload) = outgoing(&edge, parts, body, has_body);
    let exchanged = upstream::exchange(&edge, &upstream, request, upload.as_ref()).await;
    if upload.as_ref().is_none_or(|upload| upload.is_complete()) {
        context.visitor.lingers(false);
    }
    let (response, held) = exchanged?;
    let (parts, incoming) = response.into_parts();
    let content = answer(&edge, &parts, incoming, held, upstream, upload, takes_trailers);
    Ok(Served { parts, content: Passed::Answer(content), takes_trailers })
}

/// When tunnels are cut: they have no end of their own, and who is at their ends connects again.
async fn end_of_tunnels(lifecycle: &Lifecycle) {
    lifecycle.drain.cancelled().await;
    tokio::select! {
        () = tokio::time::sleep(TUNNEL_GRACE) => {}
        () = lifecycle.cut.cancelled() => {}
    }
}

/// How long tunnels may go on once the edge drains.
const TUNNEL_GRACE: Duration = Duration::from_secs(1);
const NO_HOST: &str = "The request names no host, two hosts, or something that is no host.";

fn rewrite(context: &RequestContext, parts: &mut Parts, host: &Host, takes_trailers: bool) {
    let (edge, visitor) = (&context.edge, &context.visitor);
    hop_by_hop::strip(&mut parts.headers);
    let facts = Facts {
        peer: visitor.address,
        peer_value: &visitor.address_value,
        is_trusted: visitor.is_trusted,
        trusted_proxies: &edge.trusted_proxies,
        scheme: edge.scheme,
        host,
        tenant: context.route.as_ref().map(|route| &route.tenant),
        request_id: &context.request_id,
    };
    forwarded::rewrite(&mut parts.headers, &facts);
    if takes_trailers {
        parts.headers.insert(header::TE, HeaderValue::from_static("trailers"));
        parts.headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
    }
}

fn outgoing(
    edge: &Edge,
    mut parts: Parts,
    body: Incoming,
    has_body: bool,
) -> (Request<RequestBody>, Option<Arc<Progress>>) {
    if !has_body {
        parts.headers.remove(header::EXPECT);
        return (upstream::outgoing(parts, RequestBody::empty()), None);
    }
    if upstream::needs_framing(&parts.method) && body.size_hint().exact().is_none() {
        // hyper frames no body of unknown length for these methods unless it is told to.
        parts.headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    let is_expecting = parts.headers.contains_key(header::EXPECT);
    let bounds = BodyBounds {
        idle: edge.timeouts.request_body_idle,
        bytes: edge.limits.body_bytes,
        hold_back: if is_expecting { edge.timeouts.expect_continue } else { Duration::ZERO },
    };
    let (body, progress) = RequestBody::streaming(body, bounds);
    let mut request = upstream::outgoing(parts, body);
    if is_expecting {
        let progress = Arc::clone(&progress);
        hyper::ext::on_informational(&mut request, move |response| {
            if response.status() == StatusCode::CONTINUE {
                progress.want();
            }
        });
    }
    (request, Some(progress))
}

fn answer(
    edge: &Edge,
    parts: &http::response::Parts,
    incoming: Incoming,
    connection: Held,
    upstream: Arc<Upstream>,
    upload: Option<Arc<Progress>>,
    takes_trailers: bool,
) -> Content {
    let exchange = Exchange {
        upstream,
        connection,
        upload,
        idle: edge.timeouts.response_body_idle,
        most_idle: edge.limits.idle_per_upstream,
        takes_trailers,
        ends_with: respond::end_of_stream(&parts.headers, &edge.lifecycle),
    };
    Content::Answer(Box::new(Answer::new(incoming, exchange)))
}

/// Asks the gateway to switch protocols, and if it does lets both ends talk.
async fn switch(
    edge: &Arc<Edge>,
    upstream: Arc<Upstream>,
    mut parts: Parts,
    protocol: HeaderValue,
) -> Result<Served, Refusal> {
    let Ok(permit) = Arc::clone(&edge.tunnels).try_acquire_owned() else {
        edge.metrics.0.overloaded.one();
        return Err(Refusal::Overloaded);
    };
    let visitor = parts.extensions.remove::<OnUpgrade>();
    parts.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    parts.headers.insert(header::UPGRADE, protocol.clone());
    let request = upstream::outgoing(parts, RequestBody::empty());
    let (mut response, held) = upstream::upgrade(edge, &upstream, request).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let (parts, incoming) = response.into_parts();
        let content = answer(edge, &parts, incoming, held, upstream, None, false);
        return Ok(Served { parts, content: Passed::Answer(content), takes_trailers: false });
    }
    let Some(visitor) = visitor else { return Err(Refusal::Nonsense) };
    let gateway = hyper::upgrade::on(&mut response);
    let (idle, lifecycle) = (edge.timeouts.tunnel_idle, edge.lifecycle.clone());
    let metrics = edge.metrics.clone();
    aipress_kit::tasks::spawn("edge-tunnel", async move {
        metrics.0.tunnels.one();
        tokio::select! {
            (from_visitor, from_gateway) = tunnel::run(visitor, gateway, idle) => {
                metrics.0.bytes_sent.add(from_gateway);
                tracing::debug!(from_visitor, from_gateway, "a tunnel ended");
            }
            () = end_of_tunnels(&lifecycle) => {}
        }
        metrics.0.tunnels.less(1);
        drop(permit);
    });
    let (parts, _) = response.into_parts();
    Ok(Served { parts, content: Passed::Switch(protocol), takes_trailers: false })
}
