//! Plugins and themes of one site: `/v1/tenants/{id}/plugins` and `…/themes`.

use aipress_types::PackageSpec;
use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;

/// A plugin or theme of a site: what was asked for beside what was seen there last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SitePackageView {
    /// Its folder's name.
    pub name: String,
    /// Its entry in the site's document; absent for what somebody installed by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<PackageSpec>,
    /// Its name for people, as seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The version that is there, as seen; absent when it was not there, or nobody looked yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `active`, `inactive`, `parent`, `must-use` or `dropin`, as seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// `available`, `none`, or `unknown` when nobody could be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<String>,
    /// The version that is offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_version: Option<String>,
    /// What happened to its last change, when that was taken back because it broke the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back: Option<String>,
    /// When the site was looked at last; absent when nobody looked yet.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub observed_at: Option<OffsetDateTime>,
}

/// To which version a plugin or theme is to be changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SitePackageUpdate {
    /// Exactly this one; the newest that can be had when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Where it comes from; as before when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}
