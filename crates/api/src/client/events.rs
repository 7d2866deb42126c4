//! Follows an operation by its server-sent events, resuming where the stream broke.

use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::call::ApiClient;
use super::call::refusal;
use super::error::ApiError;
use crate::operation::OperationEventView;
use crate::paths;

/// Longest line of a stream that is read, in bytes.
const MAX_LINE: usize = 1024 * 1024;

/// The stream of one operation's events.
#[derive(Debug)]
pub struct OperationEvents {
    client: ApiClient,
    path: String,
    body: Option<Incoming>,
    buffer: Vec<u8>,
    last: u64,
}

impl ApiClient {
    /// Follows `GET /v1/operations/{id}/events` from its first event.
    pub fn operation_events(&self, id: &str) -> OperationEvents {
        let id = super::platform::escape(id);
        OperationEvents {
            client: self.clone(),
            path: format!("{}/{id}/events", paths::OPERATIONS),
            body: None,
            buffer: Vec::new(),
            last: 0,
        }
    }
}

impl OperationEvents {
    /// The next event; `None` when the server ended the stream, which it does after the last
    /// event of an operation that has ended. Call again to go on after an error: the stream
    /// resumes by `Last-Event-ID`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn next(&mut self) -> Result<Option<OperationEventView>, ApiError> {
        loop {
            if let Some(event) = self.take_event()? {
                self.last = event.seq;
                return Ok(Some(event));
            }
            let body = match &mut self.body {
                Some(body) => body,
                none => none.insert(open(&self.client, &self.path, self.last).await?),
            };
            match body.frame().await {
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.buffer.extend_from_slice(data);
                    }
                    if self.buffer.len() > MAX_LINE {
                        return Err(self.unexpected("an event is too long"));
                    }
                }
                Some(Err(error)) => {
                    self.body = None;
                    self.buffer.clear();
                    return Err(self.unexpected(&error.to_string()));
                }
                None => {
                    self.body = None;
                    self.buffer.clear();
                    return Ok(None);
                }
            }
        }
    }

    /// Takes the first whole event (lines up to an empty one) out of the buffer.
    fn take_event(&mut self) -> Result<Option<OperationEventView>, ApiError> {
        while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
            let text = String::from_utf8_lossy(&block);
            let data: String = text
                .lines()
                .filter_map(|line| line.strip_prefix("data:"))
                .map(|line| line.strip_prefix(' ').unwrap_or(line))
                .collect::<Vec<_>>()
                .join("\n");
            if !data.is_empty() {
                return serde_json::from_str(&data)
                    .map(Some)
                    .map_err(|error| self.unexpected(&error.to_string()));
            }
        }
        Ok(None)
    }

    fn unexpected(&self, detail: &str) -> ApiError {
        ApiError::Unexpected { path: self.path.clone(), status: 200, detail: detail.to_owned() }
    }
}

async fn open(client: &ApiClient, path: &str, last: u64) -> Result<Incoming, ApiError> {
    let mut request = client
        .request(Method::GET, path)
        .header(http::header::ACCEPT, "text/event-stream, application/problem+json");
    if last > 0 {
        request = request.header("last-event-id", last);
    }
    let request = request.body(Bytes::new()).map_err(|error| ApiError::Unexpected {
        path: path.to_owned(),
        status: 0,
        detail: error.to_string(),
    })?;
    let answer = client.http().stream(request).await?;
    let status = answer.status().as_u16();
    if status == 200 {
        return Ok(answer.into_body());
    }
    let body = answer.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    Err(refusal(path, status, &body))
}
