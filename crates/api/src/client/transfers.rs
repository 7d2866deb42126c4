//! Calls about exports, imports and clones. Archives are streamed in pieces by the caller.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::call::ApiClient;
use super::call::refusal;
use super::error::ApiError;
use crate::paths;
use crate::tenant::Accepted;
use crate::transfer::CloneCreate;
use crate::transfer::ExportAccepted;
use crate::transfer::ExportView;
use crate::transfer::ImportComplete;
use crate::transfer::ImportCreate;
use crate::transfer::ImportView;

/// A look at a large archive, and a piece over a slow line, take longer than other calls.
const PATIENCE: Duration = Duration::from_secs(300);

/// The stream of an archive.
#[derive(Debug)]
pub struct Download {
    /// Changes when the export was begun anew.
    pub etag: String,
    /// Its bytes; an error before the end means to go on from there.
    pub body: Incoming,
}

impl ApiClient {
    /// `POST /v1/tenants/{id}/exports`.
    ///
    /// # Errors
    /// See [`ApiError`]; likewise for every call below.
    pub async fn tenant_export(&self, id: &str) -> Result<ExportAccepted, ApiError> {
        let path = format!("{}/{}/exports", paths::TENANTS, super::platform::escape(id));
        self.change(Method::POST, &path, &()).await
    }

    /// `POST /v1/tenants/{id}/clone`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn tenant_clone(&self, id: &str, body: &CloneCreate) -> Result<Accepted, ApiError> {
        let path = format!("{}/{}/clone", paths::TENANTS, super::platform::escape(id));
        self.change(Method::POST, &path, body).await
    }

    /// `GET /v1/exports/{id}`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn export_fetch(&self, id: &str) -> Result<ExportView, ApiError> {
        self.get(&format!("{}/{}", paths::EXPORTS, super::platform::escape(id))).await
    }

    /// `GET /v1/exports/{id}/data` from a byte on.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn export_data(&self, id: &str, from: u64) -> Result<Download, ApiError> {
        let id = super::platform::escape(id);
        let path = format!("{}/{id}/data?from={from}", paths::EXPORTS);
        let request = self
            .request(Method::GET, &path)
            .header(header::ACCEPT, "application/zstd, application/problem+json")
            .body(Bytes::new())
            .map_err(|error| unexpected(&path, &error.to_string()))?;
        let answer = self.http().stream(request).await?;
        let status = answer.status().as_u16();
        if !answer.status().is_success() {
            let body = answer.into_body().collect().await;
            let body = body.map(|body| body.to_bytes()).unwrap_or_default();
            return Err(refusal(&path, status, &body));
        }
        let etag = answer.headers().get(header::ETAG).and_then(|etag| etag.to_str().ok());
        Ok(Download { etag: etag.unwrap_or_default().to_owned(), body: answer.into_body() })
    }

    /// `POST /v1/imports`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn import_create(&self, body: &ImportCreate) -> Result<ImportView, ApiError> {
        self.change(Method::POST, paths::IMPORTS, body).await
    }

    /// `GET /v1/imports/{id}`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn import_fetch(&self, id: &str) -> Result<ImportView, ApiError> {
        self.get(&format!("{}/{}", paths::IMPORTS, super::platform::escape(id))).await
    }

    /// `DELETE /v1/imports/{id}`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn import_delete(&self, id: &str) -> Result<ImportView, ApiError> {
        let path = format!("{}/{}", paths::IMPORTS, super::platform::escape(id));
        self.change(Method::DELETE, &path, &()).await
    }

    /// `PATCH /v1/imports/{id}/data`: one piece, that goes to `offset`.
    ///
    /// # Errors
    /// See [`ApiError`]; what arrived before an error is kept, the import says how much.
    pub async fn import_append(&self, id: &str, offset: u64, piece: Bytes) -> Result<(), ApiError> {
        let path = format!("{}/{}/data", paths::IMPORTS, super::platform::escape(id));
        let request = self
            .request(Method::PATCH, &path)
            .header(header::CONTENT_TYPE, "application/offset+octet-stream")
            .header("upload-offset", offset)
            .body(piece)
            .map_err(|error| unexpected(&path, &error.to_string()))?;
        let answer = self.http().clone().waiting(PATIENCE).call(request).await?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(refusal(&path, answer.status().as_u16(), answer.body()))
    }

    /// `POST /v1/imports/{id}/complete` with `checkOnly`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn import_check(&self, id: &str) -> Result<ImportView, ApiError> {
        let body = ImportComplete { sha256: None, check_only: true };
        let path = format!("{}/{}/complete", paths::IMPORTS, super::platform::escape(id));
        self.patient(PATIENCE).change(Method::POST, &path, &body).await
    }

    /// `POST /v1/imports/{id}/complete`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn import_complete(&self, id: &str, sha256: &str) -> Result<Accepted, ApiError> {
        let body = ImportComplete { sha256: Some(sha256.to_owned()), check_only: false };
        let path = format!("{}/{}/complete", paths::IMPORTS, super::platform::escape(id));
        self.patient(PATIENCE).change(Method::POST, &path, &body).await
    }
}

fn unexpected(path: &str, detail: &str) -> ApiError {
    ApiError::Unexpected { path: path.to_owned(), status: 0, detail: detail.to_owned() }
}
