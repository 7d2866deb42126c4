//! Plugins and themes that a site is asked to have.

use serde::Deserialize;
use serde::Serialize;

/// A plugin or theme that a site is asked to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackageSpec {
    /// Its folder's name, as in the directory of WordPress.org: `akismet`.
    pub name: String,
    /// Exactly this version; the newest that can be had when it is first installed otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Where it comes from; the platform's mirror, then the directory of WordPress.org, when left
    /// out. Otherwise `mirror`, `wordpress.org`, `sha256:<64 hex digits>` (a zip that was uploaded
    /// to the mirror), or `https://…#sha256=<64 hex digits>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whether it is switched on: yes when left out for a plugin, no for a theme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
}
