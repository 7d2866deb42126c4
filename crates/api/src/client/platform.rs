//! Calls about the platform: shards, projects, health, who the caller is.

use std::fmt::Write;

use super::call::ApiClient;
use super::error::ApiError;
use crate::health::HealthView;
use crate::me::MeView;
use crate::page::Page;
use crate::paths;
use crate::project::ProjectView;
use crate::shard::ShardPatch;
use crate::shard::ShardView;

/// Filters, order and page of a list: names and values as the API's query has them.
#[derive(Debug, Clone, Default)]
pub struct ListQuery(Vec<(String, String)>);

impl ListQuery {
    /// Adds `name=value` unless there is no value.
    pub fn with(mut self, name: &str, value: Option<impl ToString>) -> Self {
        if let Some(value) = value {
            self.0.push((name.to_owned(), value.to_string()));
        }
        self
    }

    pub(super) fn on(&self, path: &str) -> String {
        let mut out = path.to_owned();
        for (index, (name, value)) in self.0.iter().enumerate() {
            out.push(if index == 0 { '?' } else { '&' });
            out.push_str(&escape(name));
            out.push('=');
            out.push_str(&escape(value));
        }
        out
    }
}

/// Percent-encodes all but RFC 3986's unreserved characters.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

impl ApiClient {
    /// `GET /v1/shards`, one page.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn shard_list(&self, query: &ListQuery) -> Result<Page<ShardView>, ApiError> {
        self.get(&query.on(paths::SHARDS)).await
    }

    /// `GET /v1/shards/{id}`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn shard_fetch(&self, id: &str) -> Result<ShardView, ApiError> {
        self.get(&format!("{}/{}", paths::SHARDS, escape(id))).await
    }

    /// `PATCH /v1/shards/{id}`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn shard_update(&self, id: &str, body: &ShardPatch) -> Result<ShardView, ApiError> {
        self.change(http::Method::PATCH, &format!("{}/{}", paths::SHARDS, escape(id)), body).await
    }

    /// `GET /v1/projects`, one page.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn project_list(&self, query: &ListQuery) -> Result<Page<ProjectView>, ApiError> {
        self.get(&query.on(paths::PROJECTS)).await
    }

    /// `GET /v1/me`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn me(&self) -> Result<MeView, ApiError> {
        self.get(paths::ME).await
    }

    /// `GET /v1/health`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn health(&self) -> Result<HealthView, ApiError> {
        self.get(paths::HEALTH).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_escaped() {
        let query = ListQuery::default().with("name", Some("a b&c")).with("tier", None::<&str>);
        assert_eq!(query.with("limit", Some(5)).on("/x"), "/x?name=a%20b%26c&limit=5");
    }
}
