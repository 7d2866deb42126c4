//! Calls about plans.

use std::time::Duration;

use http::Method;
use serde_json::Value;

use super::call::ApiClient;
use super::error::ApiError;
use crate::paths;
use crate::plan::PlanApplied;
use crate::plan::PlanCreate;
use crate::plan::PlanView;

/// Several changes one after the other, or a command, take longer than other calls; no longer than
/// an edge waits for an answer.
const PATIENCE: Duration = Duration::from_secs(310);

impl ApiClient {
    /// `POST /v1/plans` of documents.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn plan_documents(&self, documents: Vec<Value>) -> Result<PlanView, ApiError> {
        let body = PlanCreate { documents, ..PlanCreate::default() };
        self.post(Method::POST, paths::PLANS, &body).await
    }

    /// `GET /v1/plans/{hash}`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn plan_fetch(&self, hash: &str) -> Result<PlanView, ApiError> {
        self.get(&format!("{}/{}", paths::PLANS, super::platform::escape(hash))).await
    }

    /// `POST /v1/plans/{hash}/apply`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn plan_apply(&self, hash: &str) -> Result<PlanApplied, ApiError> {
        let path = format!("{}/{}/apply", paths::PLANS, super::platform::escape(hash));
        self.patient(PATIENCE).change(Method::POST, &path, &()).await
    }
}
