//! Calls about operations.

use super::call::ApiClient;
use super::error::ApiError;
use super::platform::ListQuery;
use crate::operation::OperationView;
use crate::page::Page;
use crate::paths;

impl ApiClient {
    /// `GET /v1/operations`, one page.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn operation_list(&self, query: &ListQuery) -> Result<Page<OperationView>, ApiError> {
        self.get(&query.on(paths::OPERATIONS)).await
    }

    /// `GET /v1/operations/{id}`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn operation_fetch(&self, id: &str) -> Result<OperationView, ApiError> {
        let id = super::platform::escape(id);
        self.get(&format!("{}/{id}", paths::OPERATIONS)).await
    }
}
