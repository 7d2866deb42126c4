//! One call: token, host, idempotency key, problem+json.

use aipress_kit::http::Client;
use bytes::Bytes;
use http::Method;
use http::Request;
use http::header;
use http::header::HeaderName;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::ApiError;
use crate::problem::Problem;

/// What must hold for a change to be made (RFC 9110 section 13.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnlyIf<'a> {
    /// Nothing.
    Whatever,
    /// It has this etag.
    Etag(&'a str),
    /// It does not exist.
    Absent,
}

/// A client of the public API, signed in by a token.
#[derive(Debug, Clone)]
pub struct ApiClient {
    http: Client,
    host: String,
    token: Option<String>,
    dry_run: bool,
    reason: Option<String>,
    only_if: Option<(HeaderName, String)>,
}

impl ApiClient {
    /// A client that sends `host` as the name it calls and `token` as its proof.
    pub fn new(http: Client, host: impl Into<String>, token: Option<String>) -> Self {
        Self { http, host: host.into(), token, dry_run: false, reason: None, only_if: None }
    }

    /// With `true`, every change that has a dry run ends in [`ApiError::Planned`] and changes
    /// nothing.
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Says with each change why it is made, for the audit log.
    pub fn because(mut self, reason: Option<String>) -> Self {
        self.reason = reason;
        self
    }

    /// Whether changes are only planned.
    pub fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    /// The same client with another bound for a call.
    pub(super) fn patient(&self, timeout: std::time::Duration) -> Self {
        Self { http: self.http.clone().waiting(timeout), ..self.clone() }
    }

    /// The same client for a change that is made under this condition only.
    pub(super) fn only_if(&self, condition: OnlyIf<'_>) -> Self {
        let only_if = match condition {
            OnlyIf::Whatever => None,
            OnlyIf::Etag(etag) => Some((header::IF_MATCH, format!("\"{etag}\""))),
            OnlyIf::Absent => Some((header::IF_NONE_MATCH, "*".to_owned())),
        };
        Self { only_if, ..self.clone() }
    }

    /// A request without a body.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        let request = self.request(Method::GET, path).body(Bytes::new());
        self.send(path, request).await
    }

    /// A change: `body` as JSON with a fresh idempotency key, so that a retry by a proxy or a
    /// person never does it twice.
    pub(super) async fn change<B: Serialize, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &B,
    ) -> Result<T, ApiError> {
        if self.dry_run {
            let plan = self.post(method, &planning(path), body).await?;
            return Err(ApiError::Planned(Box::new(plan)));
        }
        self.post(method, path, body).await
    }

    /// A request with a body, whatever it does.
    pub(super) async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &B,
    ) -> Result<T, ApiError> {
        let json = serde_json::to_vec(body).map_err(|error| ApiError::Unexpected {
            path: path.to_owned(),
            status: 0,
            detail: error.to_string(),
        })?;
        let body = if json == b"null" { Bytes::new() } else { Bytes::from(json) };
        self.change_with(method, path, "application/json", body).await
    }

    /// The same with a body that is not JSON.
    pub(super) async fn change_bytes<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        media_type: &str,
        body: Bytes,
    ) -> Result<T, ApiError> {
        if self.dry_run {
            let path = planning(path);
            let plan = self.change_with(method, &path, media_type, body).await?;
            return Err(ApiError::Planned(Box::new(plan)));
        }
        self.change_with(method, path, media_type, body).await
    }

    /// A change whose body is of another kind.
    async fn change_with<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        media_type: &str,
        body: Bytes,
    ) -> Result<T, ApiError> {
        let mut request = self
            .request(method, path)
            .header(header::CONTENT_TYPE, media_type)
            .header("idempotency-key", uuid::Uuid::new_v4().to_string());
        if body.is_empty() {
            request = request.header(header::CONTENT_LENGTH, 0);
        }
        if let Some((name, value)) = &self.only_if {
            request = request.header(name, value);
        }
        self.send(path, request.body(body)).await
    }

    pub(super) fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.host)
            .header(header::ACCEPT, "application/json, application/problem+json");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(reason) = &self.reason {
            request = request.header("audit-reason", reason.as_bytes());
        }
        request
    }

    pub(super) fn http(&self) -> &Client {
        &self.http
    }

    async fn send<T: DeserializeOwned>(
        &self,
        path: &str,
        request: Result<Request<Bytes>, http::Error>,
    ) -> Result<T, ApiError> {
        let request = request.map_err(|error| ApiError::Unexpected {
            path: path.to_owned(),
            status: 0,
            detail: error.to_string(),
        })?;
        let answer = self.http.call(request).await?;
        let status = answer.status();
        if !status.is_success() {
            return Err(refusal(path, status.as_u16(), answer.body()));
        }
        serde_json::from_slice(answer.body()).map_err(|error| ApiError::Unexpected {
            path: path.to_owned(),
            status: status.as_u16(),
            detail: error.to_string(),
        })
    }
}

/// The path of a change that is only to be planned.
fn planning(path: &str) -> String {
    let sign = if path.contains('?') { '&' } else { '?' };
    format!("{path}{sign}dryRun=true")
}

pub(super) fn refusal(path: &str, status: u16, body: &[u8]) -> ApiError {
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => ApiError::Problem(Box::new(problem)),
        Err(_) => ApiError::Unexpected {
            path: path.to_owned(),
            status,
            detail: String::from_utf8_lossy(body).chars().take(200).collect(),
        },
    }
}
