//! What a site has, as last seen: `GET /v1/tenants/{id}/inventory`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;

/// Largest inventory on its way from a shard to meta, in bytes.
pub const INVENTORY_MAX: usize = 256 * 1024;

/// What a site has. The platform's part is there also when the site's own code is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InventoryView {
    /// When it was looked at.
    #[serde(with = "time::serde::rfc3339")]
    pub observed_at: OffsetDateTime,
    /// What WordPress says; absent when it could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteInventory>,
    /// Why something is absent, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    /// Size of the database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseSizeView>,
    /// Size of `wp-content`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<DiskUsageView>,
    /// The last request of a visitor that reached the site, to half a minute.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub last_visit_at: Option<OffsetDateTime>,
}

/// What WordPress says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SiteInventory {
    /// Version of the core.
    pub wordpress_version: String,
    /// Version of its database (`db_version`).
    pub database_version: u64,
    /// Version of PHP.
    pub php_version: String,
    /// Extensions of PHP.
    pub php_extensions: Vec<String>,
    /// Address of the site.
    pub site_url: String,
    /// Language, such as `de_DE`.
    pub locale: String,
    /// Whether it is a network of sites.
    pub multisite: bool,
    /// Pattern of permalinks; empty for plain ones.
    pub permalink_structure: String,
    /// Plugins, at most 300.
    pub plugins: Vec<InventoryItemView>,
    /// When the directory of plugins last answered WordPress; absent when it never did.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub plugins_checked_at: Option<OffsetDateTime>,
    /// Themes, at most 300.
    pub themes: Vec<InventoryItemView>,
    /// When the directory of themes last answered WordPress; absent when it never did.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub themes_checked_at: Option<OffsetDateTime>,
    /// Who may sign in.
    pub users: UsersView,
    /// What is published.
    pub content: ContentView,
    /// The last sign-in whose session is still there.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub last_login_at: Option<OffsetDateTime>,
}

/// A plugin or a theme.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InventoryItemView {
    /// Name of its folder.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Its version, as it says.
    pub version: String,
    /// `active`, `inactive`, `parent`, `must-use` or `dropin`.
    pub status: String,
    /// Whether WordPress updates it by itself.
    pub auto_update: bool,
    /// `available`, `none`, or `unknown` when nobody could be asked.
    pub update: String,
    /// The version that is offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_version: Option<String>,
}

/// Users of a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsersView {
    /// How many.
    pub total: u64,
    /// How many of each role.
    pub by_role: BTreeMap<String, u64>,
    /// Logins of administrators, at most 50.
    pub administrators: Vec<String>,
}

/// What a site has published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContentView {
    /// Published posts.
    pub posts: u64,
    /// Published pages.
    pub pages: u64,
    /// Files of the media library.
    pub attachments: u64,
    /// Approved comments.
    pub comments: u64,
}

/// Size of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseSizeView {
    /// Data and indexes, in bytes, as the server estimates them.
    pub bytes: u64,
    /// How many tables.
    pub tables: u64,
    /// The ten largest.
    pub largest: Vec<SizeView>,
}

/// Size of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiskUsageView {
    /// Bytes on disk.
    pub bytes: u64,
    /// Files and folders.
    pub entries: u64,
    /// Whether all was counted: the walk is bounded.
    pub complete: bool,
    /// Folders in `wp-content`, the largest ten.
    pub folders: Vec<SizeView>,
}

/// A thing and its size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SizeView {
    /// Its name.
    pub name: String,
    /// Bytes.
    pub bytes: u64,
}
