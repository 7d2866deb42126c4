//! One call of a shard's control plane: who calls, which protocol, and a time-out.

use std::time::Duration;

use aipress_api::PROTOCOL;
use aipress_api::PROTOCOL_HEADER;
use aipress_api::Problem;
use aipress_api::ROLE_HEADER;
use aipress_kit::http::Client;
use aipress_kit::http::ClientError;
use aipress_kit::http::Endpoint;
use bytes::Bytes;
use http::Method;
use http::Request;
use http::Response;
use http::header;
use http_body_util::BodyExt;
use http_body_util::Collected;
use http_body_util::Limited;
use hyper::body::Incoming;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::plane::Plane;

/// Largest refusal that is read, in bytes.
const REFUSAL_MAX: usize = 64 * 1024;

/// Why a shard did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShardCallError {
    #[error(transparent)]
    Transport(#[from] ClientError),
    #[error("the request can't be made")]
    Request(#[from] http::Error),
    #[error("encode the request, or read the answer")]
    Encode(#[from] serde_json::Error),
    /// It answered, and refused.
    #[error("status {status}: {detail}")]
    Refused { status: u16, detail: String },
}

/// Sends `body` as JSON to `path` of the shard at `address`; any 2xx is success.
pub(crate) async fn send<B: Serialize>(
    plane: &Plane,
    address: &str,
    method: Method,
    path: &str,
    body: &B,
    timeout: Duration,
) -> Result<(), ShardCallError> {
    call(plane, address, method, path, body, timeout).await.map(drop)
}

/// The same, and reads the answer's JSON.
pub(crate) async fn ask<B: Serialize, A: DeserializeOwned>(
    plane: &Plane,
    address: &str,
    method: Method,
    path: &str,
    body: &B,
    timeout: Duration,
) -> Result<A, ShardCallError> {
    let answer = call(plane, address, method, path, body, timeout).await?;
    Ok(serde_json::from_slice(&answer)?)
}

async fn call<B: Serialize>(
    plane: &Plane,
    address: &str,
    method: Method,
    path: &str,
    body: &B,
    timeout: Duration,
) -> Result<Bytes, ShardCallError> {
    let endpoint: Endpoint = address.parse()?;
    let request = request_of(plane, method, path, body)?;
    let answer = Client::new(endpoint, timeout).call(request).await?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer.into_body());
    }
    Err(refused(status.as_u16(), answer.body()))
}

/// The same, with an answer (of any 2xx) whose body is the caller's to read; `timeout` is for its
/// head.
pub(crate) async fn stream<B: Serialize>(
    plane: &Plane,
    address: &str,
    method: Method,
    path: &str,
    body: &B,
    timeout: Duration,
) -> Result<Response<Incoming>, ShardCallError> {
    let endpoint: Endpoint = address.parse()?;
    let request = request_of(plane, method, path, body)?;
    let answer = Client::new(endpoint, timeout).stream(request).await?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let body = Limited::new(answer.into_body(), REFUSAL_MAX).collect();
    let body = tokio::time::timeout(timeout, body).await;
    let body = body.ok().and_then(Result::ok).map(Collected::to_bytes).unwrap_or_default();
    Err(refused(status.as_u16(), &body))
}

fn request_of<B: Serialize>(
    plane: &Plane,
    method: Method,
    path: &str,
    body: &B,
) -> Result<Request<Bytes>, ShardCallError> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json")
        .header(ROLE_HEADER, "meta")
        .header(PROTOCOL_HEADER, PROTOCOL);
    if let Some(token) = &plane.own_token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.expose()));
    }
    Ok(request.body(Bytes::from(serde_json::to_vec(body)?))?)
}

fn refused(status: u16, body: &[u8]) -> ShardCallError {
    let detail = match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => problem.detail,
        Err(_) => String::from_utf8_lossy(body).chars().take(200).collect(),
    };
    ShardCallError::Refused { status, detail }
}
