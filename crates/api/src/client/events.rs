//! Events, as pages and followed; and the events of one operation.

use super::call::ApiClient;
use super::error::ApiError;
use super::platform::ListQuery;
use super::sse::Sse;
use crate::event::EventPage;
use crate::event::EventView;
use crate::operation::OperationEventView;
use crate::paths;

/// The stream of one operation's events.
#[derive(Debug)]
pub struct OperationEvents(Sse);

/// The stream of the platform's events.
#[derive(Debug)]
pub struct EventStream(Sse);

impl ApiClient {
    /// `GET /v1/events`, one page.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn event_list(&self, query: &ListQuery) -> Result<EventPage, ApiError> {
        self.get(&query.on(paths::EVENTS)).await
    }

    /// Follows `GET /v1/events`, with the filters of `query`.
    pub fn event_stream(&self, query: &ListQuery) -> EventStream {
        EventStream(Sse::new(self.clone(), query.on(paths::EVENTS)))
    }

    /// Follows `GET /v1/operations/{id}/events` from its first event.
    pub fn operation_events(&self, id: &str) -> OperationEvents {
        let id = super::platform::escape(id);
        OperationEvents(Sse::new(self.clone(), format!("{}/{id}/events", paths::OPERATIONS)))
    }
}

impl EventStream {
    /// The next event; `None` when the server ended the stream (it restarts, say). Call again to
    /// go on after that or after an error: nothing is missed, and nothing told twice.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn next(&mut self) -> Result<Option<EventView>, ApiError> {
        let Some(data) = self.0.next().await? else { return Ok(None) };
        serde_json::from_str(&data).map(Some).map_err(|error| self.0.unexpected(&error.to_string()))
    }

    /// The place behind the last event; `None` before the server has told one.
    pub fn cursor(&self) -> Option<&str> {
        self.0.last.as_deref()
    }

    /// Gives the connection up, such as one that has been silent for too long.
    pub fn close(&mut self) {
        self.0.close();
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
        let Some(data) = self.0.next().await? else { return Ok(None) };
        serde_json::from_str(&data).map(Some).map_err(|error| self.0.unexpected(&error.to_string()))
    }
}
