//! Accounts (customers), users that sign in for them, and their API tokens. A token's secret is
//! never here: only its SHA-256 and the few characters of it that people recognise it by.

use aipress_types::AccountId;
use aipress_types::TokenId;
use aipress_types::UserId;
use serde_json::Value;
use time::OffsetDateTime;

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRecord {
    /// Its id.
    pub id: AccountId,
    /// Its name, for people; not unique.
    pub name: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// A person or machine that signs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// Its id.
    pub id: UserId,
    /// The account that it belongs to.
    pub account: AccountId,
    /// What it signs in as (an e-mail address or a name); unique.
    pub login: String,
    /// Its role, such as `platform-admin`; what a role may do is policy, not registry.
    pub role: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// Since when it may not sign in any more.
    pub disabled_at: Option<OffsetDateTime>,
}

/// An API token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// Its id.
    pub id: TokenId,
    /// Whose it is.
    pub user: UserId,
    /// What its owner called it.
    pub label: String,
    /// First characters of the secret, for people to recognise it by.
    pub prefix: String,
    /// What it is limited to; `null` for all that its user may do.
    pub scope: Value,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it stops working.
    pub expires_at: Option<OffsetDateTime>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
    /// When it was taken back.
    pub revoked_at: Option<OffsetDateTime>,
}

/// A token to write, with the hash of its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenInsert {
    /// The token; `last_used_at` and `revoked_at` are ignored.
    pub token: TokenRecord,
    /// SHA-256 of the secret.
    pub secret_sha256: [u8; 32],
}

/// Who a token speaks for. Nothing is checked: expiry, revocation and disabling are the caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenIdentity {
    /// The token.
    pub token: TokenRecord,
    /// Its user.
    pub user: UserRecord,
    /// The user's account.
    pub account: AccountRecord,
}

/// What the first run writes in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminBootstrap {
    /// The platform's own account.
    pub account: AccountRecord,
    /// Its first administrator.
    pub user: UserRecord,
    /// The administrator's token.
    pub token: TokenInsert,
}
