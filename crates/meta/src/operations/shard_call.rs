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
use http::header;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::plane::Plane;

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
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json")
        .header(ROLE_HEADER, "meta")
        .header(PROTOCOL_HEADER, PROTOCOL);
    if let Some(token) = &plane.own_token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.expose()));
    }
    let request = request.body(Bytes::from(serde_json::to_vec(body)?))?;
    let answer = Client::new(endpoint, timeout).call(request).await?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer.into_body());
    }
    let detail = match serde_json::from_slice::<Problem>(answer.body()) {
        Ok(problem) => problem.detail,
        Err(_) => String::from_utf8_lossy(answer.body()).chars().take(200).collect(),
    };
    Err(ShardCallError::Refused { status: status.as_u16(), detail })
}
