//! Calls about webhooks.

use http::Method;

use super::call::ApiClient;
use super::error::ApiError;
use super::platform::ListQuery;
use super::platform::escape;
use crate::page::Page;
use crate::paths;
use crate::webhook::DeliveryView;
use crate::webhook::WebhookCreate;
use crate::webhook::WebhookPatch;
use crate::webhook::WebhookRotate;
use crate::webhook::WebhookSecretView;
use crate::webhook::WebhookView;

fn path(id: &str, rest: &str) -> String {
    format!("{}/{}{rest}", paths::WEBHOOKS, escape(id))
}

impl ApiClient {
    /// `POST /v1/webhooks`.
    ///
    /// # Errors
    /// See [`ApiError`]; likewise for every call below.
    pub async fn webhook_create(
        &self,
        body: &WebhookCreate,
    ) -> Result<WebhookSecretView, ApiError> {
        self.change(Method::POST, paths::WEBHOOKS, body).await
    }

    /// `GET /v1/webhooks`, one page.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn webhook_list(&self, query: &ListQuery) -> Result<Page<WebhookView>, ApiError> {
        self.get(&query.on(paths::WEBHOOKS)).await
    }

    /// `GET /v1/webhooks/{id}`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn webhook_fetch(&self, id: &str) -> Result<WebhookView, ApiError> {
        self.get(&path(id, "")).await
    }

    /// `PATCH /v1/webhooks/{id}`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn webhook_update(
        &self,
        id: &str,
        body: &WebhookPatch,
    ) -> Result<WebhookView, ApiError> {
        self.change(Method::PATCH, &path(id, ""), body).await
    }

    /// `DELETE /v1/webhooks/{id}`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn webhook_delete(&self, id: &str) -> Result<WebhookView, ApiError> {
        self.change(Method::DELETE, &path(id, ""), &()).await
    }

    /// `POST /v1/webhooks/{id}/rotate-secret`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn webhook_rotate_secret(
        &self,
        id: &str,
        body: &WebhookRotate,
    ) -> Result<WebhookSecretView, ApiError> {
        self.change(Method::POST, &path(id, "/rotate-secret"), body).await
    }

    /// `POST /v1/webhooks/{id}/test`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn webhook_test(&self, id: &str) -> Result<DeliveryView, ApiError> {
        self.change(Method::POST, &path(id, "/test"), &()).await
    }

    /// `GET /v1/webhooks/{id}/deliveries`, one page.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn webhook_delivery_list(
        &self,
        id: &str,
        query: &ListQuery,
    ) -> Result<Page<DeliveryView>, ApiError> {
        self.get(&query.on(&path(id, "/deliveries"))).await
    }

    /// `POST /v1/webhooks/{id}/deliveries/{delivery}/replay`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn webhook_delivery_replay(
        &self,
        id: &str,
        delivery: &str,
    ) -> Result<DeliveryView, ApiError> {
        let rest = format!("/deliveries/{}/replay", escape(delivery));
        self.change(Method::POST, &path(id, &rest), &()).await
    }
}
