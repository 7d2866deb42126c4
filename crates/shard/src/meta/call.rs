//! One call of meta's internal API, with who calls and which protocol.

use std::time::Duration;

use aipress_api::PROTOCOL;
use aipress_api::PROTOCOL_HEADER;
use aipress_api::Problem;
use aipress_api::ROLE_HEADER;
use aipress_kit::http::Client;
use aipress_kit::http::ClientError;
use aipress_types::ShardId;
use bytes::Bytes;
use http::Method;
use http::Request;
use http::header;
use http_body_util::BodyExt;
use http_body_util::Limited;
use hyper::body::Incoming;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::ShardConfig;

/// Long enough for a meta that is busy, short enough to notice one that hangs.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Largest refusal of a stream that is read, in bytes.
const PROBLEM_MAX: usize = 64 * 1024;

/// Why a call of meta brought nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error(transparent)]
    Transport(#[from] ClientError),
    #[error("meta refused {path}: status {status}: {body}")]
    Refused { path: String, status: u16, body: String },
    #[error("meta's answer to {path} is not understood: {source}")]
    Form { path: String, source: serde_json::Error },
    #[error("request to {path} can't be made: {source}")]
    Request { path: String, source: http::Error },
}

/// A client of meta's internal API.
#[derive(Debug, Clone)]
pub(crate) struct Meta {
    http: Client,
    shard: ShardId,
    token: String,
}

impl Meta {
    pub(crate) fn new(config: &ShardConfig) -> Self {
        Self {
            http: Client::new(config.meta.clone(), TIMEOUT),
            shard: config.id,
            token: config.role_token.clone(),
        }
    }

    /// Path below this shard's own.
    pub(crate) fn own(&self, verb: &str) -> String {
        format!("{}/{}/{verb}", aipress_api::paths::INTERNAL_SHARDS, self.shard)
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallError> {
        self.call(Method::GET, path, Bytes::new()).await
    }

    pub(crate) async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, CallError> {
        let body = serde_json::to_vec(body)
            .map_err(|source| CallError::Form { path: path.to_owned(), source })?;
        self.call(Method::POST, path, Bytes::from(body)).await
    }

    /// A body that is too large for memory: the caller's to read, and to bound.
    pub(crate) async fn stream(&self, path: &str) -> Result<Incoming, CallError> {
        let answer = self.http.stream(self.request(Method::GET, path, Bytes::new())?).await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer.into_body());
        }
        let body = Limited::new(answer.into_body(), PROBLEM_MAX).collect().await;
        let body = body.map(|body| body.to_bytes()).unwrap_or_default();
        let body = match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => problem.detail,
            Err(_) => String::from_utf8_lossy(&body).chars().take(300).collect(),
        };
        Err(CallError::Refused { path: path.to_owned(), status: status.as_u16(), body })
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Request<Bytes>, CallError> {
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/json")
            .header(ROLE_HEADER, self.shard.to_string())
            .header(PROTOCOL_HEADER, PROTOCOL)
            .body(body)
            .map_err(|source| CallError::Request { path: path.to_owned(), source })
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<T, CallError> {
        let request = self.request(method, path, body)?;
        let answer = self.http.call(request).await?;
        let status = answer.status();
        if !status.is_success() {
            let body = String::from_utf8_lossy(answer.body()).chars().take(300).collect();
            return Err(CallError::Refused {
                path: path.to_owned(),
                status: status.as_u16(),
                body,
            });
        }
        serde_json::from_slice(answer.body())
            .map_err(|source| CallError::Form { path: path.to_owned(), source })
    }
}
