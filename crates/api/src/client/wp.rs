//! Runs a command in a site's sandbox and reads its output as it comes.

use http::Method;
use http::header;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::call::ApiClient;
use super::call::refusal;
use super::error::ApiError;
use crate::paths;
use crate::wp::WpCommand;
use crate::wp::WpLine;

/// Longest line that is read, in bytes.
const MAX_LINE: usize = 1024 * 1024;

/// The output of a command; dropped, the command ends.
#[derive(Debug)]
pub struct WpLines {
    path: String,
    body: Incoming,
    buffer: Vec<u8>,
}

impl ApiClient {
    /// `POST /v1/tenants/{id}/wp`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn tenant_wp(&self, id: &str, command: &WpCommand) -> Result<WpLines, ApiError> {
        let path = format!("{}/{}/wp", paths::TENANTS, super::platform::escape(id));
        if self.is_dry_run() {
            let planned: Result<WpLine, ApiError> = self.change(Method::POST, &path, command).await;
            return match planned {
                Err(error) => Err(error),
                Ok(_) => Err(ApiError::Unexpected {
                    path,
                    status: 200,
                    detail: "a plan was asked for".to_owned(),
                }),
            };
        }
        let unexpected =
            |detail: String| ApiError::Unexpected { path: path.clone(), status: 0, detail };
        let body = serde_json::to_vec(command).map_err(|error| unexpected(error.to_string()))?;
        let request = self
            .request(Method::POST, &path)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/x-ndjson, application/problem+json")
            .body(body.into())
            .map_err(|error| unexpected(error.to_string()))?;
        let answer = self.http().stream(request).await?;
        let status = answer.status();
        if !status.is_success() {
            let body = answer.into_body().collect().await;
            let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            return Err(refusal(&path, status.as_u16(), &body));
        }
        Ok(WpLines { path, body: answer.into_body(), buffer: Vec::new() })
    }
}

impl WpLines {
    /// The next line; `None` after the last one.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn next(&mut self) -> Result<Option<WpLine>, ApiError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                if line.trim_ascii().is_empty() {
                    continue;
                }
                let line = serde_json::from_slice(&line);
                return line.map(Some).map_err(|error| self.unexpected(&error.to_string()));
            }
            if self.buffer.len() > MAX_LINE {
                return Err(self.unexpected("a line is too long"));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.buffer.extend_from_slice(data);
                    }
                }
                Some(Err(error)) => return Err(self.unexpected(&error.to_string())),
                None => return Ok(None),
            }
        }
    }

    fn unexpected(&self, detail: &str) -> ApiError {
        ApiError::Unexpected { path: self.path.clone(), status: 200, detail: detail.to_owned() }
    }
}
