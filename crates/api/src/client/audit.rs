//! Calls about the audit log.

use std::time::Duration;

use super::call::ApiClient;
use super::error::ApiError;
use super::platform::ListQuery;
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

    /// `GET /v1/audit/verification`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn audit_verify(&self, query: &ListQuery) -> Result<AuditVerificationView, ApiError> {
        let path = format!("{}/verification", paths::AUDIT);
        self.patient(LOOK).get(&query.on(&path)).await
    }
}
