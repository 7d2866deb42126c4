//! `GET /v1/audit/export`.

use std::sync::Arc;

use aipress_api::AuditView;
use aipress_audit::CSV_HEAD;
use aipress_audit::csv_line;
use aipress_store::AuditCursor;
use aipress_store::AuditFilter;
use aipress_store::PAGE_MAX;
use aipress_store::PageRequest;
use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::Response;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use http::HeaderValue;
use http::header;

use crate::app;
use crate::http::audit::filter;
use crate::http::query::Params;
use crate::http::query::invalid;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::policy::Resource;
use crate::policy::authorize;
use crate::problem::ApiError;

const KNOWN: &[&str] = &["format", "tenant", "actor", "action", "requestId", "q", "since", "until"];

/// What lines are written as.
#[derive(Debug, Clone, Copy)]
enum Format {
    JsonLines,
    Csv,
}

/// How far an export is.
struct Export {
    plane: Arc<Plane>,
    filter: AuditFilter,
    format: Format,
    after: Option<AuditCursor>,
    is_over: bool,
}

/// Export audit rows, newest first, as JSON Lines or CSV.
///
/// As of now: what is written meanwhile is not in it. An export that breaks off ends in a broken
/// connection, never as if it were whole. Cells of CSV that a spreadsheet would take for a formula have
/// an apostrophe in front.
#[utoipa::path(
    get,
    path = "/v1/audit/export",
    tag = "audit",
    operation_id = "audit_export",
    params(
        ("format" = Option<String>, Query, description = "`jsonl`, as when left out, or `csv`"),
        ("tenant" = Option<String>, Query, description = "Only of this site (name or uid)"),
        ("actor" = Option<String>, Query, description = "Only by this actor, such as user:<uuid>"),
        ("action" = Option<String>, Query, description = "Only this action"),
        ("requestId" = Option<String>, Query, description = "Only of this request"),
        ("q" = Option<String>, Query,
         description = "Only with this text in name, before, after or reason (1 to 100 characters)"),
        ("since" = Option<String>, Query, description = "Only at or after this time (RFC 3339)"),
        ("until" = Option<String>, Query, description = "Only before this time (RFC 3339)"),
    ),
    responses((
        status = 200, description = "A row on each line",
        content((AuditView = "application/x-ndjson"), (String = "text/csv")),
    ))
)]
pub(crate) async fn export(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    params: Params,
) -> Result<Response, ApiError> {
    authorize(&caller, Action::AuditList, Resource::Platform)
        .map_err(|denied| denied.into_error("list", "audit"))?;
    params.only(KNOWN)?;
    let format = match params.one("format")? {
        None | Some("jsonl") => Format::JsonLines,
        Some("csv") => Format::Csv,
        Some(_) => return Err(invalid("`format` is `jsonl` or `csv`")),
    };
    let filter = filter::of(&plane, &caller, &params).await?;
    let permit = plane.streams.open(&caller)?;
    let begin = Export { plane, filter, format, after: None, is_over: false };
    let head = match format {
        Format::JsonLines => "",
        Format::Csv => CSV_HEAD,
    };
    let pages = stream::unfold(begin, next);
    let lines = stream::iter([Ok(Bytes::from_static(head.as_bytes()))]).chain(pages);
    let lines = lines.map(move |piece: Result<Bytes, ApiError>| {
        // Counted for as long as the answer is read.
        let _ = &permit;
        piece.map_err(|error| std::io::Error::other(error.detail().to_owned()))
    });
    let (media_type, name) = match format {
        Format::JsonLines => ("application/x-ndjson", "audit.jsonl"),
        Format::Csv => ("text/csv; charset=utf-8; header=present", "audit.csv"),
    };
    let mut response = Body::from_stream(lines).into_response();
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        fields.insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// The next page as lines; no connection of the registry is held while they are read.
async fn next(mut state: Export) -> Option<(Result<Bytes, ApiError>, Export)> {
    if state.is_over {
        return None;
    }
    let page = PageRequest { limit: PAGE_MAX, after: state.after };
    let found = match state.plane.store.audit_list(&state.filter, &page).await {
        Ok(found) => found,
        Err(error) => {
            state.is_over = true;
            return Some((Err(error.into()), state));
        }
    };
    state.after = found.next;
    state.is_over = found.next.is_none();
    let mut lines = String::new();
    for row in found.items {
        let view = app::audit::view(row);
        match state.format {
            Format::Csv => lines.push_str(&csv_line(&view)),
            Format::JsonLines => match serde_json::to_string(&view) {
                Ok(line) => lines.push_str(&(line + "\n")),
                Err(error) => {
                    state.is_over = true;
                    return Some((Err(ApiError::internal("encode audit row", &error)), state));
                }
            },
        }
    }
    Some((Ok(Bytes::from(lines)), state))
}
