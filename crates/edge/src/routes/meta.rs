//! The two questions that an edge has for meta's role-to-role API.

use std::time::Duration;

use aipress_api::PROTOCOL;
use aipress_api::PROTOCOL_HEADER;
use aipress_api::ROLE_HEADER;
use aipress_api::internal::RouteChanges;
use aipress_api::internal::RouteEntry;
use aipress_api::paths::INTERNAL_ROUTES;
use aipress_kit::http::Client;
use aipress_kit::http::ClientError;
use aipress_kit::http::Endpoint;
use aipress_types::Secret;
use bytes::Bytes;
use http::HeaderValue;
use http::Request;
use http::StatusCode;
use http::header::AUTHORIZATION;

/// How much longer than meta may hold an answer back the edge waits for it.
const GRACE: Duration = Duration::from_secs(10);

/// From this size on an answer (in bytes) is parsed where it holds no visitor up.
const LARGE: usize = 256 * 1024;

/// Why meta brought no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MetaError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("meta answered {status}: {body}")]
    Status { status: StatusCode, body: String },
    #[error("meta's answer makes no sense: {0}")]
    Answer(#[from] serde_json::Error),
    #[error("meta's answer could not be read: {0}")]
    Stopped(#[from] tokio::task::JoinError),
    #[error("the role's token or a host can't be sent: {0}")]
    Request(#[from] http::Error),
}

/// Meta, as this edge calls it.
#[derive(Debug)]
pub(crate) struct Meta {
    feed: Client,
    question: Client,
    wait: Duration,
    authorization: HeaderValue,
}

impl Meta {
    pub(crate) fn new(
        endpoint: Endpoint,
        token: &Secret,
        wait: Duration,
        question: Duration,
    ) -> Result<Self, MetaError> {
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.expose().trim()))
            .map_err(http::Error::from)?;
        authorization.set_sensitive(true);
        let feed = Client::new(endpoint.clone(), wait + GRACE);
        Ok(Self { feed, question: Client::new(endpoint, question), wait, authorization })
    }

    /// What changed since `after`; waits until something did, within bounds.
    pub(crate) async fn changes(&self, after: Option<u64>) -> Result<RouteChanges, MetaError> {
        let wait = self.wait.as_millis();
        let path = match after {
            Some(after) => format!("{INTERNAL_ROUTES}?after={after}&waitMs={wait}"),
            None => format!("{INTERNAL_ROUTES}?waitMs={wait}"),
        };
        let response = self.feed.call(self.request(&path)?).await?;
        if response.status() != StatusCode::OK {
            return Err(refused(response));
        }
        let body = response.into_body();
        if body.len() < LARGE {
            return Ok(serde_json::from_slice(&body)?);
        }
        Ok(tokio::task::spawn_blocking(move || serde_json::from_slice(&body)).await??)
    }

    /// Where `host` is. `None` when it is nowhere.
    pub(crate) async fn route(&self, host: &str) -> Result<Option<RouteEntry>, MetaError> {
        let request = self.request(&format!("{INTERNAL_ROUTES}/{host}"))?;
        let response = self.question.call(request).await?;
        match response.status() {
            StatusCode::OK => Ok(Some(serde_json::from_slice(response.body())?)),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(refused(response)),
        }
    }

    fn request(&self, path: &str) -> Result<Request<Bytes>, MetaError> {
        Ok(Request::get(path)
            .header(AUTHORIZATION, self.authorization.clone())
            .header(ROLE_HEADER, "edge")
            .header(PROTOCOL_HEADER, PROTOCOL)
            .body(Bytes::new())?)
    }
}

fn refused(response: http::Response<Bytes>) -> MetaError {
    let body = String::from_utf8_lossy(response.body()).chars().take(500).collect();
    MetaError::Status { status: response.status(), body }
}
