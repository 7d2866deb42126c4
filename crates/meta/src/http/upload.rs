//! Bodies that are files: taken as they come, within bounds. A mutation whose body is one is a
//! [`Call`] like any other afterwards, told apart by the SHA-256 of its body.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::FromRequest;
use axum::extract::Request;
use bytes::Bytes;
use http::HeaderMap;
use http::header;
use http_body_util::BodyExt;

use crate::codes;
use crate::http::call::Call;
use crate::http::call::drain;
use crate::plane::Plane;
use crate::problem::ApiError;
use aipress_mirror::Incoming;
use aipress_mirror::IncomingError;
use aipress_mirror::Received;

/// Between two pieces of a body.
const PIECE_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest time for a whole body.
const BODY_TIMEOUT: Duration = Duration::from_secs(600);

/// An upload, whole, its caller proven.
pub(crate) struct Upload {
    pub(crate) call: Call,
    pub(crate) received: Received,
}

impl FromRequest<Arc<Plane>> for Upload {
    type Rejection = ApiError;

    async fn from_request(request: Request, plane: &Arc<Plane>) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let call = match Call::before_body(&mut parts, plane, &["dryRun", "kind"], check_media_type)
            .await
        {
            Ok(call) => call,
            Err(refusal) => {
                drain(body).await;
                return Err(refusal);
            }
        };
        let stopped = |_| ApiError::new(&codes::INTERNAL, "shutting down");
        let _turn = plane.mirror.receiving.acquire().await.map_err(stopped)?;
        let received = tokio::time::timeout(BODY_TIMEOUT, receive(plane, body))
            .await
            .map_err(|_| late())??;
        let (sha256, bytes) = (received.sha256(), received.size());
        let described = serde_json::json!({ "sha256": sha256, "bytes": bytes });
        let body = Bytes::copy_from_slice(sha256.as_bytes());
        let call = call.with_body(body).described(described);
        Ok(Self { call, received })
    }
}

fn check_media_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.unwrap_or("").split(';').next().unwrap_or("").trim();
    if essence.eq_ignore_ascii_case("application/zip") {
        return Ok(());
    }
    Err(ApiError::new(
        &codes::NOT_A_ZIP,
        "send the archive itself as the body, with `Content-Type: application/zip`",
    )
    .with_header(header::ACCEPT, "application/zip"))
}

fn late() -> ApiError {
    ApiError::new(&codes::BAD_REQUEST, "the body did not arrive in time")
}

async fn receive(plane: &Plane, body: Body) -> Result<Received, ApiError> {
    let failed = |error: std::io::Error| ApiError::internal("receive an archive", &error);
    let mut incoming = Incoming::begin(plane.mirror.dir()).await.map_err(failed)?;
    let mut pieces = Pieces::new(body, PIECE_TIMEOUT, "the body ended before it was whole");
    while let Some(data) = pieces.next().await? {
        match incoming.write(&data).await {
            Ok(()) => {}
            Err(IncomingError::Io(error)) => return Err(failed(error)),
            Err(refusal @ IncomingError::TooLarge) => {
                let refusal = ApiError::new(&codes::BODY_TOO_LARGE, refusal.to_string());
                return Err(pieces.refuse(refusal).await);
            }
        }
    }
    incoming.end().await.map_err(failed)
}

/// The pieces of a body, as they come.
pub(crate) struct Pieces {
    body: Body,
    pause: Duration,
    broken: &'static str,
}

impl Pieces {
    /// Pieces that are `pause` apart at most. `broken` is what is said when the body does not come
    /// whole.
    pub(crate) fn new(body: Body, pause: Duration, broken: &'static str) -> Self {
        Self { body, pause, broken }
    }

    /// The next one; `None` when the body ended as its sender meant it.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            let next = tokio::time::timeout(self.pause, self.body.frame()).await;
            let Some(frame) = next.map_err(|_| late())? else { return Ok(None) };
            let frame = frame.map_err(|_| ApiError::new(&codes::BAD_REQUEST, self.broken))?;
            // Trailers say nothing here.
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
    }

    /// Reads the rest and forgets it, so that the caller hears why it is refused.
    pub(crate) async fn refuse(self, refusal: ApiError) -> ApiError {
        drain(self.body).await;
        refusal
    }
}
