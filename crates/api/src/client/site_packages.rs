//! Calls about plugins and themes of one site.

use aipress_types::PackageKind;
use aipress_types::PackageSpec;
use http::Method;

use super::call::ApiClient;
use super::error::ApiError;
use super::platform::escape;
use crate::page::Page;
use crate::paths;
use crate::site_package::SitePackageUpdate;
use crate::site_package::SitePackageView;
use crate::tenant::Accepted;

fn path(kind: PackageKind, id: &str) -> String {
    format!("{}/{}/{}", paths::TENANTS, escape(id), kind.plural())
}

fn one(kind: PackageKind, id: &str, name: &str) -> String {
    format!("{}/{}", path(kind, id), escape(name))
}

impl ApiClient {
    /// `GET /v1/tenants/{id}/plugins`, or `…/themes`; likewise for every call below.
    ///
    /// # Errors
    /// See [`ApiError`]; likewise for every call below.
    pub async fn site_package_list(
        &self,
        kind: PackageKind,
        id: &str,
    ) -> Result<Page<SitePackageView>, ApiError> {
        self.get(&path(kind, id)).await
    }

    /// `POST …`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn site_package_install(
        &self,
        kind: PackageKind,
        id: &str,
        body: &PackageSpec,
    ) -> Result<Accepted, ApiError> {
        self.change(Method::POST, &path(kind, id), body).await
    }

    /// `POST …/{name}/activate` and `…/deactivate`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn site_package_switch(
        &self,
        kind: PackageKind,
        id: &str,
        name: &str,
        on: bool,
    ) -> Result<Accepted, ApiError> {
        let verb = if on { "activate" } else { "deactivate" };
        self.change(Method::POST, &format!("{}/{verb}", one(kind, id, name)), &()).await
    }

    /// `POST …/{name}/update`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn site_package_update(
        &self,
        kind: PackageKind,
        id: &str,
        name: &str,
        body: &SitePackageUpdate,
    ) -> Result<Accepted, ApiError> {
        self.change(Method::POST, &format!("{}/update", one(kind, id, name)), body).await
    }

    /// `DELETE …/{name}`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn site_package_remove(
        &self,
        kind: PackageKind,
        id: &str,
        name: &str,
    ) -> Result<Accepted, ApiError> {
        self.change(Method::DELETE, &one(kind, id, name), &()).await
    }
}
