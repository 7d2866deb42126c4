//! Phase `log`: counts a request and, if that is wanted, writes a line about it.
//!
//! The line is an event of target `access` with the fields of the product's logs (`tenant_id`,
//! `region`, `service`, `severity`, `message`). It is made in a thread of its own behind a bounded
//! queue: a slow reader of logs slows no visitor, and costs lines, which are counted. No address
//! of a visitor is in it, and no value of a query that may be a secret.

use std::sync::Arc;

use aipress_api::LogRequest;
use aipress_api::Severity;
use aipress_api::internal::EdgeLine;
use aipress_kit::http::redacted;
use aipress_kit::http::without_query;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http::Uri;
use http::header;
use http::request::Parts;
use tokio::sync::mpsc;

use crate::context::Outcome;
use crate::context::RequestContext;
use crate::phases::refusal::Refusal;
use crate::routes::table::Route;

/// Lines that wait to be written.
const QUEUE: usize = 8_192;
/// Lines taken from the queue at once.
const BATCH: usize = 512;
/// Pause of the writer between batches, so that it is not woken for each line.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(5);
/// What is logged for a request whose visitor left before there was an answer (nginx's number).
const LEFT: u16 = 499;

/// Where lines go.
#[derive(Debug, Clone)]
pub(crate) struct AccessLog(Option<mpsc::Sender<Line>>);

/// What a request was for.
#[derive(Debug)]
pub(crate) struct Target {
    host: Option<HeaderValue>,
    uri: Uri,
    user_agent: Option<HeaderValue>,
    referer: Option<HeaderValue>,
}

#[derive(Debug)]
struct Line {
    method: Method,
    target: Box<Target>,
    route: Option<Arc<Route>>,
    status: u16,
    bytes: u64,
    duration_us: u64,
    outcome: Outcome,
    request_id: HeaderValue,
}

impl Target {
    pub(crate) fn of(parts: &Parts) -> Self {
        Self {
            host: parts.headers.get(header::HOST).cloned(),
            uri: parts.uri.clone(),
            user_agent: parts.headers.get(header::USER_AGENT).cloned(),
            referer: parts.headers.get(header::REFERER).cloned(),
        }
    }

    /// The host, cut.
    fn host(&self) -> String {
        let host = self.host.as_ref().and_then(|it| it.to_str().ok());
        let host = host.or_else(|| self.uri.authority().map(|it| it.as_str())).unwrap_or("");
        host.chars().take(260).collect()
    }
}

impl AccessLog {
    /// A log that nobody keeps.
    pub(crate) fn off() -> Self {
        Self(None)
    }

    /// A log, and what is to be run in a thread until every sender is gone.
    pub(crate) fn on(edge_id: String, region: Option<String>) -> (Self, impl FnOnce() + Send) {
        let (send, mut receive) = mpsc::channel::<Line>(QUEUE);
        let write = move || {
            let mut lines: Vec<Line> = Vec::with_capacity(BATCH);
            while receive.blocking_recv_many(&mut lines, BATCH) > 0 {
                for line in lines.drain(..) {
                    line.write(&edge_id, region.as_deref());
                }
                std::thread::sleep(PAUSE);
            }
        };
        (Self(Some(send)), write)
    }

    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }
}

/// Counts and logs a request that is over.
pub(crate) fn finish(context: &mut RequestContext) {
    let counts = &context.edge.metrics.0;
    counts.bytes_sent.add(context.bytes);
    if context.outcome != Outcome::Complete {
        counts.aborted.one();
    }
    let status = context.status.map_or(LEFT, |status| status.as_u16());
    let class = usize::from(status / 100).clamp(1, 5) - 1;
    counts.answers[class].one();
    let (Some(log), Some(target)) = (&context.edge.access_log.0, context.target.take()) else {
        return;
    };
    if let (Some(refusal), Some(route)) = (context.refusal, &context.route) {
        hand_over(context, &target, refusal, route);
    }
    let line = Line {
        method: context.method.clone(),
        target,
        route: context.route.take(),
        status,
        bytes: context.bytes,
        duration_us: u64::try_from(context.started.elapsed().as_micros()).unwrap_or(u64::MAX),
        outcome: context.outcome,
        request_id: context.request_id.clone(),
    };
    if log.try_send(line).is_err() {
        counts.access_log_dropped.one();
    }
}

/// Tells the site's log of a request that never came to its gateway.
fn hand_over(context: &RequestContext, target: &Target, refusal: Refusal, route: &Route) {
    let Some(upstream) = &route.upstream else { return };
    let status = refusal.status().as_u16();
    let path = redacted(&target.uri);
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let line = EdgeLine {
        tenant: route.entry.tenant,
        severity: match status {
            500.. => Severity::Error,
            _ => Severity::Warning,
        },
        message: format!("{} {path} {status}: {}", context.method, refusal.title()),
        request_id: text(&context.request_id),
        dropped: 0,
        request: LogRequest {
            method: context.method.as_str().to_owned(),
            host: target.host(),
            path,
            status,
            bytes: context.bytes,
            duration_ms: context.started.elapsed().as_secs_f64() * 1_000.0,
            queued_ms: None,
            client: context.visitor.address.to_string(),
            user_agent: target.user_agent.as_ref().map(text),
            referer: target.referer.as_ref().map(|it| without_query(&text(it)).to_owned()),
            handler: "edge".to_owned(),
            is_complete: context.outcome == Outcome::Complete,
        },
    };
    context.edge.handover.push(upstream.endpoint(), line);
}

impl Line {
    fn write(&self, edge_id: &str, region: Option<&str>) {
        let path = redacted(&self.target.uri);
        let host = self.target.host();
        let entry = self.route.as_ref().map(|route| &route.entry);
        #[expect(clippy::cast_precision_loss, reason = "microseconds of a request fit")]
        let duration_ms = self.duration_us as f64 / 1_000.0;
        let severity = severity(self.status);
        tracing::info!(
            target: "access",
            service = "edge",
            severity,
            edge = edge_id,
            region,
            tenant_id = entry.map(|it| tracing::field::display(it.tenant)),
            shard = entry.map(|it| tracing::field::display(it.shard)),
            method = self.method.as_str(),
            host,
            path,
            status = self.status,
            bytes = self.bytes,
            duration_ms,
            is_complete = self.outcome == Outcome::Complete,
            request_id = self.request_id.to_str().unwrap_or_default(),
            "{} {} {}",
            self.method,
            path,
            self.status,
        );
    }
}

fn severity(status: u16) -> &'static str {
    match StatusCode::from_u16(status) {
        Ok(status) if status.is_server_error() => "ERROR",
        Ok(status) if status.is_client_error() => "WARNING",
        _ => "INFO",
    }
}

#[cfg(test)]
mod tests;
