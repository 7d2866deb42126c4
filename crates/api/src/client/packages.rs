//! Calls about plugins and themes in the mirror.

use std::time::Duration;

use bytes::Bytes;
use http::Method;

use super::call::ApiClient;
use super::error::ApiError;
use super::platform::ListQuery;
use super::platform::escape;
use crate::package::PackageFetch;
use crate::package::PackageView;
use crate::page::Page;
use crate::paths;

/// Longest time for an upload, or for the mirror to get something.
const TIMEOUT: Duration = Duration::from_secs(900);

impl ApiClient {
    /// `GET /v1/packages`, one page.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn package_list(&self, query: &ListQuery) -> Result<Page<PackageView>, ApiError> {
        self.get(&query.on(paths::PACKAGES)).await
    }

    /// `GET /v1/packages/{sha256}`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn package_fetch(&self, sha256: &str) -> Result<PackageView, ApiError> {
        self.get(&format!("{}/{}", paths::PACKAGES, escape(sha256))).await
    }

    /// `POST /v1/packages`: uploads an archive; `query` may say `kind`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn package_add(
        &self,
        query: &ListQuery,
        archive: Bytes,
    ) -> Result<PackageView, ApiError> {
        self.patient(TIMEOUT)
            .change_bytes(Method::POST, &query.on(paths::PACKAGES), "application/zip", archive)
            .await
    }

    /// `POST /v1/packages/fetch`: lets the mirror get an archive.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn package_get(&self, body: &PackageFetch) -> Result<PackageView, ApiError> {
        let path = format!("{}/fetch", paths::PACKAGES);
        self.patient(TIMEOUT).change(Method::POST, &path, body).await
    }

    /// `DELETE /v1/packages/{sha256}`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn package_delete(&self, sha256: &str) -> Result<PackageView, ApiError> {
        let path = format!("{}/{}", paths::PACKAGES, escape(sha256));
        self.change(Method::DELETE, &path, &()).await
    }
}
