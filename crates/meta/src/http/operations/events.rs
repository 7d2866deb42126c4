//! `GET /v1/operations/{id}/events`: server-sent events, resumable, read once for all followers.

use std::collections::VecDeque;
use std::sync::Arc;

use aipress_api::ServerSentEvent;
use aipress_feed::LOOK_AGAIN;
use aipress_feed::Next;
use aipress_feed::OperationFeed;
use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::HeaderMap;
use tokio::sync::watch;

use crate::http::query::invalid;
use crate::http::sse;
use crate::plane::Plane;
use crate::policy::Caller;
use crate::problem::ApiError;
use crate::streams::StreamPermit;

/// Follow an operation by server-sent events.
///
/// `data` is an `OperationEventView`. Each event's `id` is its number; send the last one as `Last-Event-ID` to go on after it. The
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
        status = 200, description = "Events `step` and `state`", body = ServerSentEvent,
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
    let operation = super::find(&plane, &caller, &id).await?;
    let permit = plane.streams.open(&caller)?;
    let feed = plane.operation_feeds.follow(operation.id);
    let follower = Follower {
        last,
        ready: VecDeque::new(),
        signals: feed.subscribe(),
        feed,
        plane,
        _permit: permit,
    };
    Ok(sse::answer(stream::unfold(follower, |mut follower| async move {
        let frame = follower.next().await?;
        Some((frame, follower))
    })))
}

struct Follower {
    last: u64,
    /// Taken and not yet sent; the bytes are shared by all followers of the operation.
    ready: VecDeque<(u64, Bytes)>,
    signals: watch::Receiver<u64>,
    feed: Arc<OperationFeed>,
    plane: Arc<Plane>,
    _permit: StreamPermit,
}

impl Follower {
    /// The next event; `None` ends the stream.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some((seq, frame)) = self.ready.pop_front() {
                self.last = seq;
                return Some(frame);
            }
            self.signals.borrow_and_update();
            match self.feed.after(self.last).await {
                Ok(Next::Events(events)) => self.ready.extend(events),
                Ok(Next::Ended) => return None,
                Ok(Next::Quiet) => self.wait().await?,
                Err(error) => {
                    // The client comes back with the last number that it saw.
                    tracing::warn!(%error, "event stream broken off");
                    return None;
                }
            }
        }
    }

    /// Waits for a sign of this operation; `None` when meta is asked to stop.
    async fn wait(&mut self) -> Option<()> {
        tokio::select! {
            changed = self.signals.changed() => changed.ok(),
            () = tokio::time::sleep(LOOK_AGAIN) => Some(()),
            () = self.plane.lifecycle.drain.cancelled() => None,
        }
    }
}

fn last_event_id(headers: &HeaderMap) -> Result<u64, ApiError> {
    match headers.get("last-event-id") {
        None => Ok(0),
        Some(value) => value
            .to_str()
            .ok()
            .and_then(|text| text.trim().parse::<i64>().ok())
            .and_then(|number| u64::try_from(number).ok())
            .ok_or_else(|| invalid("`Last-Event-ID` is the number of an event")),
    }
}
