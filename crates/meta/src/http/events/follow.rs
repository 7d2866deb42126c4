//! `GET /v1/events` as a stream: the feed, filtered for one caller.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use aipress_feed::frame;
use aipress_store::EventFilter;
use aipress_store::StoreError;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::HeaderMap;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::http::events::list::Begin;
use crate::http::events::list::begin;
use crate::http::events::list::place;
use crate::http::query::Params;
use crate::http::query::invalid;
use crate::http::sse;
use crate::plane::Plane;
use crate::policy::Caller;
use crate::problem::ApiError;
use crate::streams::StreamPermit;

/// A quiet stream tells this often how far it looked, so that its follower does not fall behind
/// what is kept. Shorter than the heartbeat, which it stands for.
const TELL_PLACE: Duration = Duration::from_secs(10);
/// A caller's token is looked at again this often: a stream does not outlive it for long.
const CHECK_CALLER: Duration = Duration::from_secs(60);

pub(super) async fn follow(
    plane: Arc<Plane>,
    caller: Caller,
    params: &Params,
    headers: &HeaderMap,
    filter: EventFilter,
) -> Result<Response, ApiError> {
    if params.one("limit")?.is_some() {
        return Err(invalid("`limit` is for pages: a stream goes on"));
    }
    let last_id = headers
        .get("last-event-id")
        .map(|value| value.to_str().unwrap_or("").trim())
        .filter(|text| !text.is_empty());
    let permit = plane.streams.open(&caller)?;
    // Before the first look, so that no signal falls in between.
    let newer = plane.feed.subscribe();
    let begin = begin(&plane, params, last_id, Begin::Newest).await?;
    let mut last = place(&plane, begin).await?;
    if let Begin::Latest(count) = begin {
        let newest = plane.store.events_newest(&filter, count).await?;
        last = newest.first().map_or(last, |event| event.id - 1);
    }
    let follower = Follower {
        last,
        filter,
        // At once, so that the client has a place to go on from before anything happens.
        ready: VecDeque::from([frame(Some(&last.to_string()), None, None)]),
        newer,
        check_at: Instant::now() + CHECK_CALLER,
        caller,
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
    filter: EventFilter,
    /// Taken from the feed and not yet by the client: a few at most, shared with all followers.
    ready: VecDeque<Bytes>,
    newer: watch::Receiver<u64>,
    check_at: Instant,
    caller: Caller,
    plane: Arc<Plane>,
    _permit: StreamPermit,
}

impl Follower {
    /// The next event; `None` ends the stream. The client comes back with the last id it saw.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Some(frame);
            }
            if Instant::now() >= self.check_at {
                self.check_at = Instant::now() + CHECK_CALLER;
                if !self.still_allowed().await {
                    return None;
                }
            }
            self.newer.borrow_and_update();
            let taken = match self.plane.feed.after(self.last, &self.filter).await {
                Ok(taken) => taken,
                Err(error) => {
                    tracing::warn!(%error, "event stream broken off");
                    return None;
                }
            };
            let moved = taken.upto > self.last;
            self.last = taken.upto;
            self.ready.extend(taken.events.into_iter().map(|event| event.frame));
            if moved {
                continue;
            }
            tokio::select! {
                () = self.plane.lifecycle.drain.cancelled() => return None,
                changed = self.newer.changed() => changed.ok()?,
                () = tokio::time::sleep(TELL_PLACE) => {
                    return Some(frame(Some(&self.last.to_string()), None, None));
                }
            }
        }
    }

    /// Whether the token that the stream began with would still be taken.
    async fn still_allowed(&self) -> bool {
        let now = self.plane.clock.now();
        let look = async {
            let token = self.plane.store.token_fetch(self.caller.token.id).await?;
            let user = self.plane.store.user_fetch(self.caller.user.id).await?;
            let token = token.is_some_and(|token| {
                token.revoked_at.is_none() && token.expires_at.is_none_or(|at| at > now)
            });
            let user = user.is_some_and(|user| {
                user.disabled_at.is_none() && user.role == self.caller.user.role
            });
            Ok::<_, StoreError>(token && user)
        };
        look.await.unwrap_or(false)
    }
}
