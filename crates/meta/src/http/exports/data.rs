//! `GET /v1/exports/{id}/data`.

use std::sync::Arc;
use std::time::Duration;

use aipress_store::ExportRecord;
use aipress_store::ExportState;
use axum::body::Body;
use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http::header;
use hyper::body::Incoming;

use crate::app;
use crate::app::transfer::export;
use crate::codes;
use crate::http::query::Params;
use crate::http::told::Told;
use crate::operations::shard_call;
use crate::operations::shard_call::ShardCallError;
use crate::plane::Plane;
use crate::policy::Caller;
use crate::problem::ApiError;

/// A spool that was just asked for is there within this.
const BEGIN: Duration = Duration::from_secs(20);
const AGAIN: Duration = Duration::from_millis(20);
/// Longest wait for the head of the shard's answer.
const HEAD: Duration = Duration::from_secs(10);

/// Download an archive, as it grows.
///
/// A broken download goes on with `from`, or with `Range: bytes=N-` once the export is done. The
/// `ETag` changes when the export was begun anew: then what is there already is of another archive.
#[utoipa::path(
    get,
    path = "/v1/exports/{id}/data",
    tag = "transfers",
    operation_id = "export_data",
    params(
        ("id" = String, Path, description = "Its id"),
        ("from" = Option<u64>, Query, description = "First byte that is wanted"),
    ),
    responses(
        (status = 200, description = "The archive", body = Vec<u8>, content_type = "application/zstd"),
        (status = 206, description = "The rest of it", body = Vec<u8>, content_type = "application/zstd"),
        (status = 410, description = "The export failed", body = aipress_api::Problem,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn data(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    told: Told,
    Path(id): Path<String>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, ApiError> {
    params.only(&["from"])?;
    let record = export::find(&plane, &caller, &id).await?;
    let view = export::view(&record);
    let size = (record.state == ExportState::Done).then_some(view.bytes);
    let ranged = size.and_then(|size| range(&headers).filter(|from| *from < size));
    let from = match ranged {
        Some(from) => from,
        None => params.parsed("from")?.unwrap_or(0),
    };
    if size.is_some_and(|size| from > size) {
        let detail = "the archive is shorter than that";
        return Err(ApiError::new(&codes::INVALID_QUERY, detail));
    }
    let spool = open(&plane, &record, from).await?;
    // All of a site, password hashes too: who took it is written down before the first byte goes.
    let read = serde_json::json!({ "export": record.id, "from": from });
    app::audit::note_read(&plane, &told.by(&caller), record.tenant, "tenant.export_read", read)
        .await?;
    let attempt = spool.headers().get(header::ETAG).cloned();
    let mut response = Response::new(Body::new(spool.into_body()));
    let fields = response.headers_mut();
    if let Some(attempt) = attempt {
        // As the shard says with these very bytes: what is recorded here may be older.
        fields.insert(header::ETAG, attempt);
    }
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/zstd"));
    let mut put = |name, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            fields.insert(name, value);
        }
    };
    let file = format!("attachment; filename=\"{}.aip\"", record.tenant_name);
    put(header::CONTENT_DISPOSITION, file);
    if let Some(size) = size {
        put(header::ACCEPT_RANGES, "bytes".to_owned());
        put(header::CONTENT_LENGTH, (size - from).to_string());
        if ranged.is_some() {
            put(header::CONTENT_RANGE, format!("bytes {from}-{}/{size}", size.saturating_sub(1)));
        }
    }
    if ranged.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// `Range: bytes=N-`; any other range is ignored, as RFC 9110 section 14.2 allows.
fn range(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(header::RANGE)?.to_str().ok()?;
    text.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}

/// The spool's stream. One that was asked for a moment ago may not have begun.
pub(crate) async fn open(
    plane: &Plane,
    record: &ExportRecord,
    from: u64,
) -> Result<http::Response<Incoming>, ApiError> {
    let failed = |why: &str| {
        ApiError::new(&codes::GONE, format!("the export failed: {why}; export the site again"))
    };
    if record.state == ExportState::Failed {
        return Err(failed(&export::view(record).message.unwrap_or_default()));
    }
    let Some(shard) = plane.store.shard_fetch(record.shard).await? else {
        return Err(ApiError::new(&codes::SHARD_UNAVAILABLE, "the site's shard is gone"));
    };
    let path = format!("{}/{}/data?from={from}", aipress_api::paths::SHARD_EXPORTS, record.id);
    let until = tokio::time::Instant::now() + BEGIN;
    loop {
        match shard_call::stream(plane, &shard.address, Method::GET, &path, &(), HEAD).await {
            Ok(answer) => return Ok(answer),
            Err(ShardCallError::Refused { status: 410, detail }) => return Err(failed(&detail)),
            Err(ShardCallError::Refused { status: 404, .. })
                if record.state == ExportState::Running && tokio::time::Instant::now() < until =>
            {
                plane.transfers.notify_one();
                tokio::time::sleep(AGAIN).await;
            }
            Err(error) => {
                tracing::warn!(export = %record.id, %error, "an export can't be read");
                return Err(ApiError::new(
                    &codes::SHARD_UNAVAILABLE,
                    "the site's shard does not give the archive: try again in a moment",
                ));
            }
        }
    }
}
