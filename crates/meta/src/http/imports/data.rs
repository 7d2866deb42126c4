//! `PATCH /v1/imports/{id}/data`.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use aipress_api::paths;
use aipress_store::ImportRecord;
use axum::body::Body;
use axum::body::HttpBody;
use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::StatusCode;
use serde_json::Value;
use serde_json::json;

use crate::app::plan::planner::Noted;
use crate::app::plan::planner::Request;
use crate::app::transfer::import;
use crate::app::transfer::spool::ARCHIVE_MAX;
use crate::codes;
use crate::http::dry_run;
use crate::http::query::Params;
use crate::http::upload::Pieces;
use crate::plane::Plane;
use crate::policy::Caller;
use crate::problem::ApiError;

/// Where a piece goes.
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
/// Longest wait for the next bytes.
const IDLE: Duration = Duration::from_secs(60);

/// Upload the next piece of the archive.
///
/// `Upload-Offset` says where it goes: the number of bytes that are there (`offset` of the import).
/// What arrives before a connection breaks is kept; the import says where to go on.
#[utoipa::path(
    patch,
    path = "/v1/imports/{id}/data",
    tag = "transfers",
    operation_id = "import_data",
    params(
        ("id" = String, Path, description = "Its id"),
        ("Upload-Offset" = u64, Header, description = "Bytes that are there already"),
    ),
    request_body(content = Vec<u8>, content_type = "application/offset+octet-stream"),
    responses((
        status = 204, description = "Kept",
        headers(("Upload-Offset" = u64, description = "Bytes that are there now")),
    ))
)]
pub(crate) async fn append(
    State(plane): State<Arc<Plane>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    params: Params,
    body: Body,
) -> Result<Response, ApiError> {
    let found = import::find(&plane, &caller, &id).await?;
    import::check_uploading(&found)?;
    let told = headers.get(&OFFSET).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let Some(told) = told else {
        return Err(ApiError::new(
            &codes::BAD_REQUEST,
            "say in `Upload-Offset` how many bytes are there already",
        ));
    };
    if body.is_end_stream() {
        let detail = "there are no bytes in this request: send the piece as its body";
        return Err(ApiError::new(&codes::BAD_REQUEST, detail));
    }
    let Some(_turn) = plane.spool.turn(found.id) else {
        return Err(ApiError::new(&codes::INVALID_STATE, "somebody uploads to it right now"));
    };
    let is_dry_run = dry_run::is_all_asked(&params)?;
    let here = size(&plane, &found)?;
    if here != told {
        let detail = format!("{here} bytes are there: go on from them");
        return Err(
            ApiError::new(&codes::INVALID_STATE, detail).with_header(OFFSET, &here.to_string())
        );
    }
    if is_dry_run {
        let length = drain_counted(body).await;
        return foreseen(&plane, &caller, &found, here, length).await;
    }
    let written = write(&plane, &found, here, body).await;
    let there = size(&plane, &found)?;
    plane.looks.note(found.id, &plane.spool.path(found.id), here, there);
    if there > here {
        import::put_off(&plane, found.id).await?;
    }
    written?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(OFFSET, HeaderValue::from(there));
    Ok(response)
}

/// The plan of a piece of so many bytes.
async fn foreseen(
    plane: &Arc<Plane>,
    caller: &Caller,
    import: &ImportRecord,
    here: u64,
    length: u64,
) -> Result<Response, ApiError> {
    let request = Request {
        method: "PATCH".to_owned(),
        path: format!("{}/{}/data", paths::IMPORTS, import.id),
        body: Value::Null,
    };
    let noted = Noted {
        before: Some(json!({ "id": import.id, "bytes": here })),
        after: Some(json!({ "id": import.id, "bytes": here.saturating_add(length) })),
        not_kept: Some(format!("the piece ({length} bytes)")),
        ..import::noted("import.data", import)
    };
    dry_run::answer(plane, caller, request, &noted).await
}

/// Bytes of a piece that is not kept.
async fn drain_counted(body: Body) -> u64 {
    let mut pieces = Pieces::new(body, IDLE, "the piece ended before it was whole");
    let mut length = 0;
    while let Ok(Some(data)) = pieces.next().await {
        length += data.len() as u64;
        if length > ARCHIVE_MAX {
            break;
        }
    }
    length
}

fn size(plane: &Plane, import: &ImportRecord) -> Result<u64, ApiError> {
    plane.spool.size(import.id).map_err(|error| ApiError::internal("look at upload", &error))
}

async fn write(
    plane: &Plane,
    import: &ImportRecord,
    here: u64,
    body: Body,
) -> Result<(), ApiError> {
    let fault = |error: std::io::Error| ApiError::internal("keep upload", &error);
    let mut room = plane.spool.room().map_err(fault)?.min(ARCHIVE_MAX.saturating_sub(here));
    let mut file = plane.spool.append(import.id).map_err(fault)?;
    let broken = "the piece ended before it was whole; what arrived is kept: go on from there";
    let mut pieces = Pieces::new(body, IDLE, broken);
    while let Some(data) = pieces.next().await? {
        match room.checked_sub(data.len() as u64) {
            // Into the page cache, which costs less than handing it to another thread.
            Some(_) => file.write_all(&data).map_err(fault)?,
            None => {
                let detail = "there is no more room for archives here";
                let refusal = ApiError::new(&codes::BODY_TOO_LARGE, detail);
                return Err(pieces.refuse(refusal).await);
            }
        }
        room -= data.len() as u64;
    }
    Ok(())
}
