//! Calls about the audit log.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::call::ApiClient;
use super::call::refusal;
use super::error::ApiError;
use super::platform::ListQuery;
use crate::audit::AuditCheckpointsView;
use crate::audit::AuditVerificationView;
use crate::audit::AuditView;
use crate::page::Page;
use crate::paths;

/// Longest wait for a look at all rows: a million take some seconds, and its turn comes in 60.
const LOOK: Duration = Duration::from_secs(300);

impl ApiClient {
    /// `GET /v1/audit`, one page.
    ///
    /// # Errors
    /// See [`ApiError`]; likewise for every call below.
    pub async fn audit_list(&self, query: &ListQuery) -> Result<Page<AuditView>, ApiError> {
        self.get(&query.on(paths::AUDIT)).await
    }

    /// `GET /v1/audit/export`: lines as they come.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn audit_export(&self, query: &ListQuery) -> Result<Incoming, ApiError> {
        let path = query.on(&format!("{}/export", paths::AUDIT));
        let request = self.request(Method::GET, &path).body(Bytes::new());
        let request = request.map_err(|error| ApiError::Unexpected {
            path: path.clone(),
            status: 0,
            detail: error.to_string(),
        })?;
        let answer = self.http().stream(request).await?;
        let status = answer.status();
        if !status.is_success() {
            let body = answer.into_body().collect().await;
            let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            return Err(refusal(&path, status.as_u16(), &body));
        }
        Ok(answer.into_body())
    }

    /// `GET /v1/audit/checkpoints`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn audit_checkpoints(&self) -> Result<AuditCheckpointsView, ApiError> {
        self.get(&format!("{}/checkpoints", paths::AUDIT)).await
    }

    /// `GET /v1/audit/verification`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn audit_verify(&self, query: &ListQuery) -> Result<AuditVerificationView, ApiError> {
        let path = format!("{}/verification", paths::AUDIT);
        self.patient(LOOK).get(&query.on(&path)).await
    }
}
