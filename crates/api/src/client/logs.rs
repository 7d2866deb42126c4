//! A site's log, as pages and followed.

use super::call::ApiClient;
use super::error::ApiError;
use super::platform::ListQuery;
use super::platform::escape;
use super::sse::Sse;
use crate::log::LogLine;
use crate::page::Page;
use crate::paths;

/// The stream of a site's log.
#[derive(Debug)]
pub struct LogStream(Sse);

impl ApiClient {
    /// `GET /v1/tenants/{id}/logs`, one page.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn tenant_logs(
        &self,
        id: &str,
        query: &ListQuery,
    ) -> Result<Page<LogLine>, ApiError> {
        self.get(&query.on(&path(id))).await
    }

    /// Follows the same, behind the line with the id `after`, or from now.
    pub fn tenant_log_stream(
        &self,
        id: &str,
        query: &ListQuery,
        after: Option<String>,
    ) -> LogStream {
        let mut events = Sse::new(self.clone(), query.on(&path(id)));
        events.last = after;
        LogStream(events)
    }
}

fn path(id: &str) -> String {
    format!("{}/{}/logs", paths::TENANTS, escape(id))
}

impl LogStream {
    /// The next line; `None` when the server ended the stream (it restarts, say). Call again to go
    /// on after that or after an error, behind the last line.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn next(&mut self) -> Result<Option<LogLine>, ApiError> {
        let Some(data) = self.0.next().await? else { return Ok(None) };
        serde_json::from_str(&data).map(Some).map_err(|error| self.0.unexpected(&error.to_string()))
    }

    /// Gives the connection up, such as one that has been silent for too long.
    pub fn close(&mut self) {
        self.0.close();
    }
}
