//! `GET /v1/tenants/{id}/logs`: a page, or, followed, server-sent events (WHATWG HTML, section
//! 9.2) that go on after the last one seen.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use aipress_api::LogLine;
use aipress_api::LogSource;
use aipress_api::Page;
use aipress_api::Severity;
use aipress_api::internal::LogsAsked;
use aipress_api::log;
use aipress_store::TenantRecord;
use aipress_store::TenantRef;
use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::HeaderMap;
use serde::Deserialize;
use serde::Serialize;

use crate::app;
use crate::app::tenant;
use crate::http::cursor;
use crate::http::query::Params;
use crate::http::query::invalid;
use crate::http::reply;
use crate::http::sse;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::problem::ApiError;
use crate::streams::StreamPermit;

const KNOWN: &[&str] =
    &["since", "until", "level", "source", "contains", "order", "limit", "cursor", "follow"];
/// Longest text to look for, in bytes.
const MAX_CONTAINS: usize = 256;
/// How long the shard may hold a question while there is no line.
const WAIT: Duration = Duration::from_secs(10);
/// Lines that a follower is given at once; also the most that wait for a slow one.
const BATCH: u32 = 200;
/// After a question that the shard did not answer.
const AGAIN: Duration = Duration::from_secs(2);

/// Read a site's log.
///
/// Lines of all sources, newest first. With `follow=true`, or `Accept: text/event-stream`, lines
/// come as they are written, oldest first, from `since` on or from now: send the `id` of the last
/// one as `Last-Event-ID` to go on after it. A deleted site keeps its log until it is erased.
#[utoipa::path(
    get,
    path = "/v1/tenants/{id}/logs",
    tag = "tenants",
    operation_id = "tenant_logs",
    params(
        ("id" = String, Path, description = "Name (of a site that is not erased) or uid"),
        ("since" = Option<String>, Query,
         description = "Not before: how long ago (`90s`, `15m`, `2h`, `3d`), or a time (RFC 3339)"),
        ("until" = Option<String>, Query, description = "Before; like `since`"),
        ("level" = Option<String>, Query,
         description = "As bad as this, or worse: `info`, `notice`, `warning`, `error`"),
        ("source" = Option<String>, Query,
         description = "Only `access`, `cron`, `mail`, `php`, `platform`, `slow`; with commas"),
        ("contains" = Option<String>, Query,
         description = "Only lines with this text in message, path, host, file, client address, \
                        user agent, referer or request id; at most 256 bytes"),
        ("order" = Option<String>, Query, description = "`newest` first (when left out) or `oldest`"),
        ("limit" = Option<u32>, Query, description = "1 to 1000; 100 when left out"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("follow" = Option<bool>, Query, description = "Whether to follow by server-sent events"),
        ("Last-Event-ID" = Option<String>, Header, description = "The last line seen of a stream"),
    ),
    responses((
        status = 200, description = "A page of lines, or events `line`",
        content((Page<LogLine> = "application/json"), (LogLine = "text/event-stream")),
    ))
)]
pub(crate) async fn logs(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let found = tenant::find(&plane, &caller, Action::TenantLogs, &id).await?;
    params.only(KNOWN)?;
    let follows = params.parsed::<bool>("follow")?.unwrap_or_else(|| sse::wanted(&headers));
    let asked = asked(&plane, &params)?;
    if follows {
        let permit = plane.log_streams.open(&caller)?;
        return follow((plane, permit), found, asked, &params, &headers).await;
    }
    page(&plane, &found, asked, &params).await
}

fn asked(plane: &Plane, params: &Params) -> Result<LogsAsked, ApiError> {
    let now = plane.clock.now();
    let moment = |name: &str| {
        params
            .one(name)?
            .map(|text| {
                app::log::moment(text, now).map_err(|why| invalid(format!("`{name}`: {why}")))
            })
            .transpose()
    };
    let contains = params.one("contains")?.filter(|text| !text.is_empty()).map(str::to_owned);
    if contains.as_ref().is_some_and(|text| text.len() > MAX_CONTAINS) {
        return Err(invalid(format!("`contains` has at most {MAX_CONTAINS} bytes")));
    }
    let limit = params.parsed::<u32>("limit")?.unwrap_or(log::DEFAULT_LIMIT);
    if !(1..=log::MAX_LIMIT).contains(&limit) {
        return Err(invalid(format!("`limit` is 1 to {}", log::MAX_LIMIT)));
    }
    let sources = params
        .all("source", |text| text.parse::<LogSource>().map_err(|error| error.to_string()))?;
    Ok(LogsAsked {
        sources,
        since: moment("since")?,
        until: moment("until")?,
        level: params.parsed::<Severity>("level")?,
        contains,
        oldest_first: match params.one("order")? {
            None | Some("newest") => false,
            Some("oldest") => true,
            Some(_) => return Err(invalid("`order` is newest or oldest")),
        },
        after: None,
        limit,
        wait_ms: 0,
    })
}

/// Where a page ended. `since=15m` means the same moment on each page.
#[derive(Serialize, Deserialize)]
struct Cursor {
    after: String,
    since: Option<u64>,
    until: Option<u64>,
}

async fn page(
    plane: &Plane,
    tenant: &TenantRecord,
    mut asked: LogsAsked,
    params: &Params,
) -> Result<Response, ApiError> {
    let binding = params.binding(&format!("logs of {}", tenant.uid));
    if let Some(Cursor { after, since, until }) = cursor::decode::<Cursor>(params, binding)? {
        (asked.since, asked.until) = (since, until);
        asked.after = Some(after);
    }
    let found = app::log::read(plane, tenant, &asked).await?;
    let next = found.last.filter(|_| found.is_more).and_then(|after| {
        cursor::encode(binding, &Cursor { after, since: asked.since, until: asked.until })
    });
    reply::page(found.lines, next)
}

async fn follow(
    (plane, permit): (Arc<Plane>, StreamPermit),
    tenant: TenantRecord,
    mut asked: LogsAsked,
    params: &Params,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    for name in ["cursor", "until", "order", "limit"] {
        if params.one(name)?.is_some() {
            return Err(invalid(format!("a log that is followed takes no `{name}`")));
        }
    }
    let last = headers.get("last-event-id").map(|value| value.to_str().unwrap_or("?").to_owned());
    if last.as_ref().is_some_and(|id| !is_line_id(id)) {
        return Err(invalid("`Last-Event-ID` is the id of a line"));
    }
    if last.is_none() && asked.since.is_none() {
        asked.since = u64::try_from(plane.clock.now().unix_timestamp_nanos() / 1_000).ok();
    }
    asked.after = last;
    asked.oldest_first = true;
    asked.limit = BATCH;
    // What can't be read at all is said before a stream is begun.
    let first = app::log::read(&plane, &tenant, &asked).await?;
    asked.after = first.last.or(asked.after);
    asked.wait_ms = u64::try_from(WAIT.as_millis()).unwrap_or(0);
    let follower = Follower { ready: first.lines.into(), tenant, asked, plane, _permit: permit };
    Ok(sse::answer(stream::unfold(follower, |mut follower| async move {
        let line = follower.next().await?;
        Some((encode(&line), follower))
    })))
}

fn is_line_id(text: &str) -> bool {
    text.split_once('-').is_some_and(|(micros, source)| {
        (1..=20).contains(&micros.len())
            && micros.bytes().all(|byte| byte.is_ascii_digit())
            && source.parse::<LogSource>().is_ok()
    })
}

fn encode(line: &LogLine) -> Bytes {
    // Texts and numbers always serialize, in one line.
    let data = serde_json::to_string(line).unwrap_or_default();
    aipress_feed::frame(Some(&line.id), Some("line"), Some(&data))
}

struct Follower {
    plane: Arc<Plane>,
    tenant: TenantRecord,
    asked: LogsAsked,
    ready: VecDeque<LogLine>,
    _permit: StreamPermit,
}

impl Follower {
    /// The next line; `None` ends the stream: meta stops, or the site was erased.
    async fn next(&mut self) -> Option<LogLine> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some(line);
            }
            let drained = self.plane.lifecycle.drain.clone();
            let looked = tokio::select! {
                () = drained.cancelled() => return None,
                looked = self.look() => looked,
            };
            if looked.is_err() {
                tokio::select! {
                    () = drained.cancelled() => return None,
                    () = tokio::time::sleep(AGAIN) => {}
                }
                // It may have been erased, or be on another shard by now.
                let by_uid = TenantRef::Uid(self.tenant.uid);
                self.tenant = self.plane.store.tenant_fetch(&by_uid).await.ok().flatten()?;
                self.tenant.shard?;
            }
        }
    }

    async fn look(&mut self) -> Result<(), ApiError> {
        let found = app::log::read(&self.plane, &self.tenant, &self.asked).await?;
        if found.last.is_some() {
            self.asked.after = found.last;
        }
        self.ready.extend(found.lines);
        Ok(())
    }
}
