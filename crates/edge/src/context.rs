//! One request on its way through the phases. When it is dropped, at the end of its answer or
//! because its visitor left, it is counted and logged.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http::request::Parts;

use crate::body::BodyError;
use crate::client::visitor::Visitor;
use crate::edge::Edge;
use crate::phases::access::Admission;
use crate::phases::log;
use crate::phases::refusal::Refusal;
use crate::routes::table::Route;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing, or not all, was handed to the visitor's connection: the visitor left.
    Left,
    /// The answer was handed over whole.
    Complete,
    /// The gateway's answer broke off.
    Broken,
}

pub(crate) struct RequestContext {
    pub(crate) edge: Arc<Edge>,
    pub(crate) visitor: Arc<Visitor>,
    pub(crate) request_id: HeaderValue,
    pub(crate) started: Instant,
    pub(crate) method: Method,
    /// Host and path for the log; none when there is no log.
    pub(crate) target: Option<Box<log::Target>>,
    pub(crate) route: Option<Arc<Route>>,
    pub(crate) admission: Option<Admission>,
    pub(crate) status: Option<StatusCode>,
    /// Why the edge answered by itself.
    pub(crate) refusal: Option<Refusal>,
    pub(crate) bytes: u64,
    pub(crate) outcome: Outcome,
}

impl RequestContext {
    pub(crate) fn begin(edge: Arc<Edge>, visitor: Arc<Visitor>, parts: &Parts) -> Self {
        visitor.begin();
        let target = edge.access_log.is_on().then(|| Box::new(log::Target::of(parts)));
        Self {
            request_id: edge.request_ids.next(),
            started: Instant::now(),
            method: parts.method.clone(),
            target,
            route: None,
            admission: None,
            status: None,
            refusal: None,
            bytes: 0,
            outcome: Outcome::Left,
            edge,
            visitor,
        }
    }

    pub(crate) fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    pub(crate) fn complete(&mut self) {
        self.outcome = Outcome::Complete;
    }

    pub(crate) fn broke(&mut self, error: &BodyError) {
        self.outcome = Outcome::Broken;
        tracing::warn!(
            request_id = self.request_id.to_str().unwrap_or_default(),
            shard = self.route.as_ref().map(|route| tracing::field::display(route.entry.shard)),
            %error,
            "an answer broke off"
        );
    }
}

impl Drop for RequestContext {
    fn drop(&mut self) {
        if let Some(admission) = self.admission.take() {
            admission.release(&self.edge);
        }
        self.visitor.end();
        log::finish(self);
    }
}

/// Counts one more, unless there are `most` already.
pub(crate) fn try_enter(count: &std::sync::atomic::AtomicUsize, most: usize) -> bool {
    let entered = count.fetch_add(1, Ordering::Relaxed) < most;
    if !entered {
        count.fetch_sub(1, Ordering::Relaxed);
    }
    entered
}
