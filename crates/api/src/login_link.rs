//! One-time login links on the wire.

use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;

/// What `POST /v1/tenants/{id}/login-link` takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoginLinkCreate {
    /// WordPress user to sign in as; the first administrator when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// A link that signs in to wp-admin once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoginLinkView {
    /// The link. A secret: shown this once; absent in a replay of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// When it stops working, used or not.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// In a replay: that the link was shown before and is not shown again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
}
