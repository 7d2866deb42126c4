//! Calls about tenants.

use http::Method;
use serde_json::Value;

use super::call::ApiClient;
use super::call::OnlyIf;
use super::error::ApiError;
use super::platform::ListQuery;
use crate::cron::CronView;
use crate::document::TenantDocument;
use crate::inventory::InventoryView;
use crate::login_link::LoginLinkCreate;
use crate::login_link::LoginLinkView;
use crate::mail::MailChangedView;
use crate::mail::MailListView;
use crate::mail::MailSelection;
use crate::mail::MailView;
use crate::page::Page;
use crate::paths;
use crate::route::RouteView;
use crate::secret::RotateSecrets;
use crate::tenant::Accepted;
use crate::tenant::TenantCreate;
use crate::tenant::TenantPatch;
use crate::tenant::TenantView;

fn path(id: &str, verb: &str) -> String {
    let id = super::platform::escape(id);
    if verb.is_empty() {
        format!("{}/{id}", paths::TENANTS)
    } else {
        format!("{}/{id}/{verb}", paths::TENANTS)
    }
}

impl ApiClient {
    /// `POST /v1/tenants`.
    ///
    /// # Errors
    /// See [`ApiError`]; likewise for every call below.
    pub async fn tenant_create(&self, body: &TenantCreate) -> Result<Accepted, ApiError> {
        self.change(Method::POST, paths::TENANTS, body).await
    }

    /// `GET /v1/tenants`, one page.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn tenant_list(&self, query: &ListQuery) -> Result<Page<TenantView>, ApiError> {
        self.get(&query.on(paths::TENANTS)).await
    }

    /// `GET /v1/tenants/{id}`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn tenant_fetch(&self, id: &str) -> Result<TenantView, ApiError> {
        self.get(&path(id, "")).await
    }

    /// `PATCH /v1/tenants/{id}`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn tenant_update(&self, id: &str, body: &TenantPatch) -> Result<Accepted, ApiError> {
        self.change(Method::PATCH, &path(id, ""), body).await
    }

    /// `PUT /v1/tenants/{id}`, under a condition.
    ///
    /// # Errors
    /// See [`ApiError`]; a problem of status 412 when the condition does not hold.
    pub async fn tenant_put(
        &self,
        id: &str,
        body: &Value,
        only_if: OnlyIf<'_>,
    ) -> Result<Accepted, ApiError> {
        self.only_if(only_if).change(Method::PUT, &path(id, ""), body).await
    }

    /// `GET /v1/tenants/{id}/document`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn tenant_document(&self, id: &str) -> Result<TenantDocument, ApiError> {
        self.get(&path(id, "document")).await
    }

    /// `DELETE /v1/tenants/{id}`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn tenant_delete(&self, id: &str) -> Result<Accepted, ApiError> {
        self.change(Method::DELETE, &path(id, ""), &()).await
    }

    /// `POST /v1/tenants/{id}/{verb}` for `suspend`, `resume`, `undelete` and `erase`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn tenant_verb(&self, id: &str, verb: &str) -> Result<Accepted, ApiError> {
        self.change(Method::POST, &path(id, verb), &()).await
    }

    /// `POST /v1/tenants/{id}/rotate-secrets`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn tenant_rotate_secrets(
        &self,
        id: &str,
        body: &RotateSecrets,
    ) -> Result<Accepted, ApiError> {
        self.change(Method::POST, &path(id, "rotate-secrets"), body).await
    }

    /// `GET /v1/tenants/{id}/route`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn tenant_route(&self, id: &str) -> Result<RouteView, ApiError> {
        self.get(&path(id, "route")).await
    }

    /// `POST /v1/tenants/{id}/login-link`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn tenant_login_link(
        &self,
        id: &str,
        body: &LoginLinkCreate,
    ) -> Result<LoginLinkView, ApiError> {
        self.change(Method::POST, &path(id, "login-link"), body).await
    }

    /// `GET /v1/tenants/{id}/cron`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn tenant_cron(&self, id: &str) -> Result<CronView, ApiError> {
        self.get(&path(id, "cron")).await
    }

    /// `GET /v1/tenants/{id}/mail`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn tenant_mail(&self, id: &str) -> Result<MailListView, ApiError> {
        self.get(&path(id, "mail")).await
    }

    /// `GET /v1/tenants/{id}/mail/{mail}`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn tenant_mail_show(&self, id: &str, mail: &str) -> Result<MailView, ApiError> {
        let mail = super::platform::escape(mail);
        self.get(&path(id, &format!("mail/{mail}"))).await
    }

    /// `POST /v1/tenants/{id}/mail/retry` or `…/delete`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn tenant_mail_change(
        &self,
        id: &str,
        verb: &str,
        wanted: &MailSelection,
    ) -> Result<MailChangedView, ApiError> {
        self.change(Method::POST, &path(id, &format!("mail/{verb}")), wanted).await
    }

    /// `GET /v1/tenants/{id}/inventory`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn tenant_inventory(&self, id: &str) -> Result<InventoryView, ApiError> {
        self.get(&path(id, "inventory")).await
    }

    /// `POST /v1/tenants/{id}/inventory/refresh`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn tenant_inventory_refresh(&self, id: &str) -> Result<InventoryView, ApiError> {
        self.change(Method::POST, &path(id, "inventory/refresh"), &()).await
    }
}
