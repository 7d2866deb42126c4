//! Meta → shard: a one-time login token for a site.

use serde::Deserialize;
use serde::Serialize;

/// What `POST /v1/tenants/{uid}/login-token` of a shard takes. The token itself stays at meta.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoginTokenCreate {
    /// SHA-256 of the token, in hex.
    pub token_sha256: String,
    /// WordPress user to sign in as; the first administrator when left out.
    pub user: Option<String>,
    /// When it stops working, in seconds since the epoch.
    pub expires: i64,
}
