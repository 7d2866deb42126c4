//! Server-sent events (WHATWG HTML, section 9.2) out of a body, as far as this API sends them.

use bytes::Bytes;
use http::HeaderValue;
use http::Method;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::call::ApiClient;
use super::call::refusal;
use super::error::ApiError;

/// Longest event that is read, in bytes.
const MAX_EVENT: usize = 1024 * 1024;

/// A stream that is open, or will be when it is read.
#[derive(Debug)]
pub(super) struct Sse {
    client: ApiClient,
    path: String,
    body: Option<Incoming>,
    buffer: Vec<u8>,
    /// Last id seen; sent when the stream is opened again.
    pub(super) last: Option<String>,
}

impl Sse {
    pub(super) fn new(client: ApiClient, path: String) -> Self {
        Self { client, path, body: None, buffer: Vec::new(), last: None }
    }

    /// The data of the next event; `None` when the server ended the stream. Called again after
    /// that, or after an error, it opens the stream anew behind the last id.
    pub(super) async fn next(&mut self) -> Result<Option<String>, ApiError> {
        loop {
            if let Some(data) = self.take() {
                return Ok(Some(data));
            }
            let body = match &mut self.body {
                Some(body) => body,
                none => none.insert(open(&self.client, &self.path, self.last.as_deref()).await?),
            };
            match body.frame().await {
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.buffer.extend_from_slice(data);
                    }
                    if self.buffer.len() > MAX_EVENT {
                        self.close();
                        return Err(self.unexpected("an event is too long"));
                    }
                }
                Some(Err(error)) => {
                    self.close();
                    return Err(self.unexpected(&error.to_string()));
                }
                None => {
                    self.close();
                    return Ok(None);
                }
            }
        }
    }

    /// Drops the connection; half an event is sent again by the next one.
    pub(super) fn close(&mut self) {
        self.body = None;
        self.buffer.clear();
    }

    /// Takes whole events (lines up to an empty one) out of the buffer until one has data.
    fn take(&mut self) -> Option<String> {
        while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
            let text = String::from_utf8_lossy(&block);
            let mut data: Option<String> = None;
            for line in text.lines() {
                let Some((field, value)) = line.split_once(':') else { continue };
                let value = value.strip_prefix(' ').unwrap_or(value);
                match field {
                    "id" => self.last = Some(value.to_owned()),
                    "data" => {
                        let data = data.get_or_insert_default();
                        if !data.is_empty() {
                            data.push('\n');
                        }
                        data.push_str(value);
                    }
                    _ => {}
                }
            }
            if data.is_some() {
                return data;
            }
        }
        None
    }

    pub(super) fn unexpected(&self, detail: &str) -> ApiError {
        ApiError::Unexpected { path: self.path.clone(), status: 200, detail: detail.to_owned() }
    }
}

async fn open(client: &ApiClient, path: &str, last: Option<&str>) -> Result<Incoming, ApiError> {
    let mut request = client.request(Method::GET, path);
    if let Some(headers) = request.headers_mut() {
        // Instead of that for JSON, which would ask for pages.
        let accepted = HeaderValue::from_static("text/event-stream, application/problem+json");
        headers.insert(http::header::ACCEPT, accepted);
    }
    if let Some(last) = last {
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
