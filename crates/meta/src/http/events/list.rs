//! `GET /v1/events`, as pages; the same address with `Accept: text/event-stream` follows.

use std::sync::Arc;

use aipress_api::EventPage;
use aipress_api::ServerSentEvent;
use aipress_store::EventFilter;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use crate::app::tenant;
use crate::codes;
use crate::http::events::follow;
use crate::http::query::Params;
use crate::http::query::invalid;
use crate::http::reply;
use crate::http::sse;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::policy::Resource;
use crate::policy::authorize;
use crate::policy::visible_accounts;
use crate::problem::ApiError;
use aipress_feed::view;

const KNOWN: &[&str] = &["tenant", "shard", "kind", "after", "latest", "limit"];
/// Kinds of one filter.
pub(crate) const KINDS_MAX: usize = 32;
/// Longest word of a kind.
const KIND_MAX: usize = 64;

/// List events, oldest first, or follow them.
///
/// With `Accept: text/event-stream` the answer is a stream of server-sent events that goes on
/// until the client leaves: each has its `id`, and `data` is an `EventView`. Send the last `id` as
/// `Last-Event-ID` to go on after it; without it a stream begins with what happens from now on,
/// and a page with the oldest event that is kept. Events are kept for 30 days, 1,000,000 of them
/// at most; a place that is older is 410 `cursor_expired`.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "events",
    operation_id = "event_list",
    params(
        ("tenant" = Option<String>, Query, description = "Only of this site (name or uid)"),
        ("shard" = Option<String>, Query, description = "Only of this shard"),
        ("kind" = Option<String>, Query,
         description = "Only these kinds, with commas; `tenant.*` for all that begin so"),
        ("after" = Option<String>, Query,
         description = "Only after this event: an `id`, a `nextCursor`, `oldest` or `newest`"),
        ("latest" = Option<u32>, Query,
         description = "Begin with so many of the newest events, 1 to 500, instead of `after`"),
        ("limit" = Option<u32>, Query, description = "Of a page: 1 to 500; 50 when left out"),
        ("Last-Event-ID" = Option<String>, Header,
         description = "Of a stream: `id` of the last event seen; goes before `after`"),
    ),
    responses((
        status = 200, description = "A page of events, or a stream of them",
        content(
            (EventPage = "application/json"),
            (ServerSentEvent = "text/event-stream"),
        ),
    ))
)]
pub(crate) async fn list(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    authorize(&caller, Action::EventList, Resource::Platform)
        .map_err(|denied| denied.into_error("list", "events"))?;
    params.only(KNOWN)?;
    let limit = params.limit()?;
    let filter = filter(&plane, &caller, &params).await?;
    if sse::wanted(&headers) {
        return follow::follow(plane, caller, &params, &headers, filter).await;
    }
    let begin = begin(&plane, &params, None, Begin::Oldest).await?;
    // Before the page, so that nothing that the page does not have is skipped.
    let newest = plane.store.events_last_id().await?;
    let found = match begin {
        Begin::Latest(count) => plane.store.events_newest(&filter, count).await?,
        _ => plane.store.events_after(place(&plane, begin).await?, &filter, limit).await?,
    };
    let full = found.len() >= limit as usize && !matches!(begin, Begin::Latest(_));
    // A page that is not full has seen everything, so that a reader of rare events moves on, too.
    let next = match found.last().map(|event| event.id) {
        Some(last) if full => last,
        last => last.unwrap_or(0).max(newest),
    };
    reply::ok(&EventPage {
        items: found.iter().map(view).collect(),
        next_cursor: next.to_string(),
        more: full,
    })
}

/// Where a reader begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    /// After this event.
    After(u64),
    /// With the oldest that is kept.
    Oldest,
    /// With what comes.
    Newest,
    /// With so many of the newest that fit.
    Latest(u32),
}

/// What the caller asks for; the last id of a stream goes first: a browser that connects again
/// sends it beside the old query.
pub(crate) async fn begin(
    plane: &Plane,
    params: &Params,
    last_id: Option<&str>,
    default: Begin,
) -> Result<Begin, ApiError> {
    let latest = params.parsed::<u32>("latest")?;
    let after = params.one("after")?;
    if latest.is_some() && after.is_some() {
        return Err(invalid("give either `after` or `latest`"));
    }
    if let Some(count) = latest.filter(|_| last_id.is_none()) {
        return match count {
            1..=500 => Ok(Begin::Latest(count)),
            _ => Err(invalid("`latest` is 1 to 500")),
        };
    }
    let id = match last_id.or(after) {
        None => return Ok(default),
        Some("oldest") => return Ok(Begin::Oldest),
        Some("newest") => return Ok(Begin::Newest),
        Some(text) => text,
    };
    let newest = plane.store.events_last_id().await?;
    // Digits only, so that no two spellings mean the same place.
    let number = id.bytes().all(|b| b.is_ascii_digit()).then(|| id.parse::<u64>().ok()).flatten();
    let Some(number) = number.filter(|number| *number <= newest) else {
        return Err(ApiError::new(
            &codes::INVALID_CURSOR,
            "it is not the `id` of an event of this platform: begin with `after=oldest` or \
             `after=newest`",
        ));
    };
    if number < plane.store.events_floor().await? {
        return Err(ApiError::new(
            &codes::CURSOR_EXPIRED,
            "events after it are not kept any more, so that some would be missing: read the lists \
             of what you follow anew, then begin with `after=oldest`",
        ));
    }
    Ok(Begin::After(number))
}

/// The number after which a reader begins.
pub(crate) async fn place(plane: &Plane, begin: Begin) -> Result<u64, ApiError> {
    Ok(match begin {
        Begin::After(number) => number,
        Begin::Oldest => plane.store.events_floor().await?,
        Begin::Newest | Begin::Latest(_) => plane.store.events_last_id().await?,
    })
}

/// What the caller wants to see, within what they may see.
async fn filter(plane: &Plane, caller: &Caller, params: &Params) -> Result<EventFilter, ApiError> {
    let tenant = match params.one("tenant")? {
        Some(id) => Some(tenant::find(plane, caller, Action::TenantRead, id).await?.uid),
        None => None,
    };
    let kinds = params.all("kind", |text| kind(text).map(str::to_owned))?;
    if kinds.len() > KINDS_MAX {
        return Err(invalid(format!("`kind`: at most {KINDS_MAX}")));
    }
    Ok(EventFilter {
        accounts: visible_accounts(caller),
        tenant,
        shard: params.parsed("shard")?,
        kinds,
    })
}

/// A kind such as `tenant.create`, or `tenant.*`.
pub(crate) fn kind(text: &str) -> Result<&str, String> {
    let word = text.strip_suffix('*').unwrap_or(text);
    let fits =
        word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
    if !text.is_empty() && text.len() <= KIND_MAX && fits {
        Ok(text)
    } else {
        Err(format!("`{text}` is no kind such as `tenant.create` or `tenant.*`"))
    }
}
