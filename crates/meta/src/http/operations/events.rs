//! `GET /v1/operations/{id}/events`: server-sent events (WHATWG HTML, section 9.2), resumable.
//!
//! Events are read from the registry as fast as the client takes them, so that a slow client
//! costs no memory; a signal only says when to look again.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use aipress_api::OperationEventView;
use aipress_store::OperationEvent;
use aipress_types::OperationId;
use axum::extract::Path;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::response::sse::Event;
use axum::response::sse::KeepAlive;
use axum::response::sse::Sse;
use futures_util::stream;
use http::HeaderMap;
use http::header;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast;

use crate::codes;
use crate::http::query::invalid;
use crate::plane::Plane;
use crate::policy::Caller;
use crate::problem::ApiError;

/// A comment this often keeps proxies from taking a quiet stream for a dead one.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Looks again this often without a signal, should one be lost.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Events read at once.
const BATCH: u32 = 32;

/// Follow an operation by server-sent events.
///
/// Each event's `id` is its number; send the last one as `Last-Event-ID` to go on after it. The
/// stream ends after the event that ends the operation.
#[utoipa::path(
    get,
    path = "/v1/operations/{id}/events",
    tag = "operations",
    operation_id = "operation_events",
    params(
        ("id" = String, Path, description = "Its id"),
        ("Last-Event-ID" = Option<u64>, Header, description = "Number of the last event seen"),
    ),
    responses((
        status = 200, description = "Events `step` and `state`", body = OperationEventView,
        content_type = "text/event-stream",
    ))
)]
pub(crate) async fn events(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let last = last_event_id(&headers)?;
    let permit = Arc::clone(&plane.streams).try_acquire_owned().map_err(|_| {
        ApiError::new(&codes::TOO_MANY_STREAMS, "close some, or ask for the operation now and then")
            .with_header(header::RETRY_AFTER, "5")
    })?;
    // Before the first look, so that no signal falls in between.
    let signals = plane.signals.operations.subscribe();
    let operation = super::find(&plane, &caller, &id).await?;
    plane.metrics.streams.inc();
    let follower = Follower {
        operation: operation.id,
        last,
        ready: VecDeque::new(),
        signals,
        open: Open { plane, _permit: permit },
    };
    let stream = stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok::<_, Infallible>(encode(event)), follower))
    });
    let mut response = Sse::new(stream)
        .keep_alive(KeepAlive::new().interval(HEARTBEAT).text("still here"))
        .into_response();
    // Tells nginx and the like not to collect the stream.
    response.headers_mut().insert("x-accel-buffering", http::HeaderValue::from_static("no"));
    Ok(response)
}

/// Counts the stream for as long as it lives.
struct Open {
    plane: Arc<Plane>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.plane.metrics.streams.dec();
    }
}

struct Follower {
    operation: OperationId,
    last: u64,
    ready: VecDeque<OperationEvent>,
    signals: broadcast::Receiver<OperationId>,
    open: Open,
}

impl Follower {
    /// The next event; `None` ends the stream.
    async fn next(&mut self) -> Option<OperationEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.last = event.seq;
                return Some(event);
            }
            match self.look().await {
                Ok(Looked::More) => {}
                Ok(Looked::Ended) => return None,
                Ok(Looked::Quiet) => self.wait().await?,
                Err(error) => {
                    // The client comes back with the last number that it saw.
                    tracing::warn!(op.id = %self.operation, %error, "event stream broken off");
                    return None;
                }
            }
        }
    }

    async fn look(&mut self) -> Result<Looked, aipress_store::StoreError> {
        let store = &self.open.plane.store;
        // State first: an operation that has ended gets no further events.
        let ended = store
            .operation_fetch(self.operation)
            .await?
            .is_none_or(|operation| operation.state.is_finished());
        let events = store.operation_events_after(self.operation, self.last, BATCH).await?;
        self.ready.extend(events);
        Ok(match (self.ready.is_empty(), ended) {
            (false, _) => Looked::More,
            (true, true) => Looked::Ended,
            (true, false) => Looked::Quiet,
        })
    }

    /// Waits for a sign of this operation; `None` when meta is asked to stop.
    async fn wait(&mut self) -> Option<()> {
        let signals = &mut self.signals;
        let operation = self.operation;
        let signalled = async {
            loop {
                match signals.recv().await {
                    Ok(id) if id == operation => return,
                    Ok(_) => {}
                    // Too far behind to know: look.
                    Err(_) => return,
                }
            }
        };
        tokio::select! {
            () = signalled => Some(()),
            () = tokio::time::sleep(LOOK_AGAIN) => Some(()),
            () = self.open.plane.lifecycle.drain.cancelled() => None,
        }
    }
}

enum Looked {
    More,
    Quiet,
    Ended,
}

fn encode(event: OperationEvent) -> Event {
    let data = serde_json::json!({
        "seq": event.seq,
        "kind": event.kind,
        "operation": event.data,
    });
    Event::default().id(event.seq.to_string()).event(event.kind).data(data.to_string())
}

fn last_event_id(headers: &HeaderMap) -> Result<u64, ApiError> {
    match headers.get("last-event-id") {
        None => Ok(0),
        Some(value) => value
            .to_str()
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .ok_or_else(|| invalid("`Last-Event-ID` is the number of an event")),
    }
}
