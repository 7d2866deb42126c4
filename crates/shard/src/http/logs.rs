//! `POST /v1/tenants/{uid}/logs`: lines of a tenant's log, at once or as soon as there are some.
//! What is asked for is in the body, as a text to look for may hold anything.

use std::sync::Arc;
use std::time::Duration;

use aipress_api::internal::LogsAsked;
use aipress_api::internal::LogsFound;
use aipress_api::log::MAX_LIMIT;
use aipress_logs::LineId;
use aipress_logs::LogQuery;
use aipress_logs::Order;
use aipress_logs::Read;
use aipress_types::TenantUid;
use axum::Json;
use axum::extract::Path;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::Response;
use tokio::time::Instant;

use crate::http::problem::refuse;
use crate::plane::Plane;

/// Longest wait that a caller may ask for.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// Between two looks at a log that has nothing new.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// Who waits sees lines only once they are so old: the sources of a tenant are written one after
/// the other, and a line must not come to be behind one that was shown.
const SETTLED: Duration = Duration::from_millis(250);
/// How long a reader waits for its turn.
const TURN: Duration = Duration::from_secs(2);

/// 404 for a tenant that is not of this shard, 503 when too many read, or the disk can't be.
pub(super) async fn read(
    State(plane): State<Arc<Plane>>,
    Path(uid): Path<String>,
    Json(asked): Json<LogsAsked>,
) -> Response {
    let tenant = uid.parse::<TenantUid>().ok().and_then(|uid| plane.tenants.fetch(uid));
    let Some(tenant) = tenant else {
        return refuse(404, "not_found", "no such tenant on this shard");
    };
    let uid = tenant.entry.intent.uid;
    let Some(mut query) = query(&asked) else {
        return refuse(422, "bad_query", "the line to go on behind is none");
    };
    let until = Instant::now() + Duration::from_millis(asked.wait_ms).min(MAX_WAIT);
    loop {
        if asked.wait_ms > 0 {
            let settled = micros(plane.clock.now()).saturating_sub(SETTLED.as_micros() as u64);
            query.until = Some(asked.until.map_or(settled, |until| until.min(settled)));
        }
        let read = match look(&plane, uid, query.clone()).await {
            Ok(read) => read,
            Err(refusal) => return refusal,
        };
        if !read.lines.is_empty() || read.is_more || Instant::now() >= until {
            let last = read.last.or(query.after).map(|id| id.to_string());
            let found = LogsFound { lines: read.lines, last, is_more: read.is_more };
            return Json(found).into_response();
        }
        query.after = read.last.or(query.after);
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn query(asked: &LogsAsked) -> Option<LogQuery> {
    let after = match &asked.after {
        Some(id) => Some(id.parse::<LineId>().ok()?),
        None => None,
    };
    Some(LogQuery {
        sources: asked.sources.clone(),
        since: asked.since,
        until: asked.until,
        severity: asked.level,
        contains: asked.contains.clone(),
        order: if asked.oldest_first { Order::OldestFirst } else { Order::NewestFirst },
        after,
        limit: asked.limit.clamp(1, MAX_LIMIT) as usize,
    })
}

/// One look, beside the async threads, in turn with other readers.
async fn look(plane: &Arc<Plane>, uid: TenantUid, query: LogQuery) -> Result<Read, Response> {
    let busy = || refuse(503, "logs_busy", "too many read logs of this shard at once");
    let turn = tokio::time::timeout(TURN, Arc::clone(&plane.log_turns).acquire_owned());
    let turn = turn.await.ok().and_then(Result::ok).ok_or_else(busy)?;
    let reader = plane.log_reader.clone();
    let read = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        reader.read(uid.0, &query)
    });
    match read.await {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(error)) => {
            tracing::error!(tenant_id = %uid, %error, "a log can't be read");
            Err(refuse(503, "logs_unreadable", "the log can't be read"))
        }
        Err(error) => {
            tracing::error!(tenant_id = %uid, %error, "a reader of a log ended badly");
            Err(refuse(503, "logs_unreadable", "the log can't be read"))
        }
    }
}

fn micros(at: time::OffsetDateTime) -> u64 {
    u64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(0)
}
