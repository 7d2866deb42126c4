//! API tokens, found by the hash of their secret.

use aipress_types::TokenId;
use aipress_types::UserId;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use time::Duration;
use time::OffsetDateTime;

use super::Result;
use super::Store;
use super::accounts::account;
use super::accounts::user;
use super::columns::Columns;
use super::columns::json_text;
use super::columns::micros;
use super::result_codes::Db;
use crate::error::StoreError;
use crate::records::PAGE_MAX;
use crate::records::TokenIdentity;
use crate::records::TokenInsert;
use crate::records::TokenRecord;

/// A token's last use is kept to this precision, so that a busy token costs one write a minute
/// and not one a request.
const TOUCH_EVERY: Duration = Duration::MINUTE;

reads! {
    /// Who a token speaks for, by the SHA-256 of its secret. Checks nothing: a token that is
    /// expired, revoked or of a disabled user is found, too.
    token_by_hash(secret_sha256: &[u8; 32]) -> Option<TokenIdentity>;
    /// The token of this id.
    token_fetch(id: TokenId) -> Option<TokenRecord>;
    /// Tokens of a user, oldest first, [`PAGE_MAX`] at most.
    token_list(user: UserId) -> Vec<TokenRecord>;
}

writes! {
    /// Makes a token of a user that exists.
    token_insert(token: &TokenInsert) -> ();
    /// Takes a token back, for good. `false` when it was already.
    token_revoke(id: TokenId, at: OffsetDateTime) -> bool;
}

impl Store {
    /// Remembers that a token was used: in a transaction of its own, and not at all when `token`
    /// (as just read) says that this is known to the minute.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn token_touch(&self, token: &TokenRecord, now: OffsetDateTime) -> Result<()> {
        if token.last_used_at.is_some_and(|last| last + TOUCH_EVERY > now) {
            return Ok(());
        }
        let mut txn = self.begin().await?;
        let outcome = token_touch(txn.enter()?, token.id, now).await;
        txn.leave(outcome)?;
        txn.commit().await
    }
}

fn token(row: &SqliteRow, prefix: &str) -> Result<TokenRecord> {
    let columns = Columns::new("tokens", row);
    Ok(TokenRecord {
        id: columns.parsed(&format!("{prefix}id"))?,
        user: columns.parsed(&format!("{prefix}user"))?,
        label: columns.text(&format!("{prefix}label"))?,
        prefix: columns.text(&format!("{prefix}prefix"))?,
        scope: columns.json(&format!("{prefix}scope"))?,
        created_at: columns.time(&format!("{prefix}created_at"))?,
        expires_at: columns.time_or_none(&format!("{prefix}expires_at"))?,
        last_used_at: columns.time_or_none(&format!("{prefix}last_used_at"))?,
        revoked_at: columns.time_or_none(&format!("{prefix}revoked_at"))?,
    })
}

async fn token_by_hash(
    conn: &mut SqliteConnection,
    secret_sha256: &[u8; 32],
) -> Result<Option<TokenIdentity>> {
    let row = sqlx::query(
        r#"SELECT t.id AS t_id, t."user" AS t_user, t.label AS t_label, t.prefix AS t_prefix,
                  t.scope AS t_scope, t.created_at AS t_created_at, t.expires_at AS t_expires_at,
                  t.last_used_at AS t_last_used_at, t.revoked_at AS t_revoked_at,
                  u.id AS u_id, u.account AS u_account, u.login AS u_login, u.role AS u_role,
                  u.created_at AS u_created_at, u.disabled_at AS u_disabled_at,
                  a.id AS a_id, a.name AS a_name, a.created_at AS a_created_at
           FROM tokens t JOIN users u ON u.id = t."user" JOIN accounts a ON a.id = u.account
           WHERE t.secret_sha256 = ?"#,
    )
    .bind(secret_sha256.as_slice())
    .fetch_optional(conn)
    .await
    .db()?;
    row.map(|row| {
        Ok(TokenIdentity {
            token: token(&row, "t_")?,
            user: user(&row, "u_")?,
            account: account(&row, "a_")?,
        })
    })
    .transpose()
}

async fn token_fetch(conn: &mut SqliteConnection, id: TokenId) -> Result<Option<TokenRecord>> {
    let row = sqlx::query("SELECT * FROM tokens WHERE id = ?")
        .bind(id.to_string())
        .fetch_optional(conn)
        .await
        .db()?;
    row.map(|row| token(&row, "")).transpose()
}

async fn token_list(conn: &mut SqliteConnection, user: UserId) -> Result<Vec<TokenRecord>> {
    let rows =
        sqlx::query(r#"SELECT * FROM tokens WHERE "user" = ? ORDER BY created_at, id LIMIT ?"#)
            .bind(user.to_string())
            .bind(i64::from(PAGE_MAX))
            .fetch_all(conn)
            .await
            .db()?;
    rows.iter().map(|row| token(row, "")).collect()
}

pub(super) async fn token_insert(conn: &mut SqliteConnection, insert: &TokenInsert) -> Result<()> {
    let token = &insert.token;
    sqlx::query(
        r#"INSERT INTO tokens
               (id, "user", label, prefix, secret_sha256, scope, created_at, expires_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?)"#,
    )
    .bind(token.id.to_string())
    .bind(token.user.to_string())
    .bind(&token.label)
    .bind(&token.prefix)
    .bind(insert.secret_sha256.as_slice())
    .bind(json_text(&token.scope)?)
    .bind(micros(token.created_at))
    .bind(token.expires_at.map(micros))
    .execute(conn)
    .await
    .db()
    .map(drop)
}

async fn token_revoke(
    conn: &mut SqliteConnection,
    id: TokenId,
    at: OffsetDateTime,
) -> Result<bool> {
    if token_fetch(conn, id).await?.is_none() {
        return Err(StoreError::not_found("token", id));
    }
    let done = sqlx::query("UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL")
        .bind(micros(at))
        .bind(id.to_string())
        .execute(conn)
        .await
        .db()?;
    Ok(done.rows_affected() > 0)
}

async fn token_touch(conn: &mut SqliteConnection, id: TokenId, now: OffsetDateTime) -> Result<()> {
    // Requests that come together all saw the old time; the first of them writes.
    sqlx::query(
        "UPDATE tokens SET last_used_at = ?1
         WHERE id = ?2 AND (last_used_at IS NULL OR last_used_at <= ?3)",
    )
    .bind(micros(now))
    .bind(id.to_string())
    .bind(micros(now - TOUCH_EVERY))
    .execute(conn)
    .await
    .db()
    .map(drop)
}
