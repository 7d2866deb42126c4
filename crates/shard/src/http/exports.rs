//! `/v1/exports/{id}`: an archive of a site is begun, looked at, read as it grows, removed.

use std::io::Seek;
use std::io::SeekFrom;
use std::sync::Arc;
use std::time::Duration;

use aipress_api::internal::ExportBegin;
use aipress_api::internal::ExportPhase;
use axum::Json;
use axum::body::Body;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use bytes::Bytes;
use rustix::buffer::spare_capacity;
use rustix::io::read;
use rustix::io::retry_on_intr;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;

use crate::exports;
use crate::exports::ExportError;
use crate::exports::Job;
use crate::http::problem::refuse;
use crate::plane::Plane;

/// What is read at once, in bytes.
const PIECE: usize = 1024 * 1024;
/// Pieces that wait for a slow reader.
const WAITING: usize = 2;
/// How long a reader waits before it looks again whether the writer is still there.
const LOOK: Duration = Duration::from_secs(10);

/// Begins it where it is not known; 200 with how it is.
pub(super) async fn put(
    State(plane): State<Arc<Plane>>,
    Path(id): Path<Uuid>,
    Json(begin): Json<ExportBegin>,
) -> Response {
    match exports::ensure(&plane, id, begin).await {
        Ok(status) => Json(status).into_response(),
        Err(error) => refusal(&error),
    }
}

/// Removes it.
pub(super) async fn delete(State(plane): State<Arc<Plane>>, Path(id): Path<Uuid>) -> Response {
    match plane.exports.remove(id) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refusal(&error.into()),
    }
}

/// From where on it is read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    #[serde(default)]
    from: u64,
}

/// The archive from a byte on, as it grows, with its attempt as `ETag`. A broken connection is all that tells of a failure in
/// the middle; a body that ends is whole.
pub(super) async fn data(
    State(plane): State<Arc<Plane>>,
    Path(id): Path<Uuid>,
    Query(params): Query<Params>,
) -> Response {
    let job = match plane.exports.fetch(id) {
        Ok(job) => job,
        Err(error) => return refusal(&error),
    };
    let status = job.status.borrow().clone();
    if status.phase == ExportPhase::Failed {
        return refuse(410, "export_failed", status.message.unwrap_or_default());
    }
    let (sender, receiver) = mpsc::channel(WAITING);
    aipress_kit::tasks::spawn("export-read", give(job, params.from, sender));
    let attempt = [(header::ETAG, format!("\"{}\"", status.attempt))];
    (attempt, Body::from_stream(ReceiverStream::new(receiver))).into_response()
}

async fn give(job: Arc<Job>, from: u64, sender: mpsc::Sender<std::io::Result<Bytes>>) {
    if let Err(error) = try_give(&job, from, &sender).await {
        // An error in the body breaks the connection: nobody takes half of it for the whole.
        let _ = sender.send(Err(error)).await;
    }
}

async fn try_give(
    job: &Job,
    from: u64,
    sender: &mpsc::Sender<std::io::Result<Bytes>>,
) -> std::io::Result<()> {
    let mut status = job.status.subscribe();
    let mut file = job.open()?;
    file.seek(SeekFrom::Start(from))?;
    let mut at = from;
    loop {
        let now = status.borrow_and_update().clone();
        while at < now.bytes {
            let wanted = usize::try_from(now.bytes - at).unwrap_or(PIECE).min(PIECE);
            let (back, piece) = tokio::task::spawn_blocking(move || {
                let mut piece = Vec::with_capacity(wanted);
                while piece.len() < wanted {
                    if retry_on_intr(|| read(&file, spare_capacity(&mut piece)))? == 0 {
                        return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
                    }
                }
                Ok((file, piece))
            })
            .await
            .map_err(std::io::Error::other)??;
            file = back;
            at += piece.len() as u64;
            if sender.send(Ok(Bytes::from(piece))).await.is_err() {
                return Ok(());
            }
        }
        match now.phase {
            ExportPhase::Done => return Ok(()),
            ExportPhase::Failed => return Err(std::io::Error::other("the export failed")),
            ExportPhase::Running => {}
        }
        tokio::select! {
            changed = status.changed() => changed.map_err(std::io::Error::other)?,
            () = sender.closed() => return Ok(()),
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

fn refusal(error: &ExportError) -> Response {
    let (status, code) = match error {
        ExportError::Unknown => (404, "not_found"),
        ExportError::NoSite => (409, "not_whole"),
        ExportError::NoSpace { .. } => (507, "no_space"),
        ExportError::Io(_) => (503, "spool"),
    };
    refuse(status, code, error.to_string())
}
