//! Who the caller is, on the wire.

use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

/// Answer of `GET /v1/me`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeView {
    /// The user.
    pub user: Uuid,
    /// Name for people.
    pub name: String,
    /// The account that new tenants go to.
    pub account: Uuid,
    /// Role on the platform, such as `platform-admin`; absent for customers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_role: Option<String>,
    /// First characters of the token in use, to tell it from others.
    pub token_prefix: String,
    /// When the token ends.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub token_expires_at: Option<OffsetDateTime>,
    /// PHP that sites run on here, such as `8.2`; absent where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub php_version: Option<String>,
}
