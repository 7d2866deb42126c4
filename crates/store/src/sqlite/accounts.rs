//! Accounts and users, and the first of each.

use aipress_types::AccountId;
use aipress_types::UserId;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use time::OffsetDateTime;

use super::Result;
use super::columns::Columns;
use super::columns::micros;
use super::result_codes::Db;
use super::tokens::token_insert;
use crate::error::StoreError;
use crate::records::AccountRecord;
use crate::records::AdminBootstrap;
use crate::records::PAGE_MAX;
use crate::records::UserRecord;

reads! {
    /// The account of this id.
    account_fetch(id: AccountId) -> Option<AccountRecord>;
    /// Accounts, oldest first, [`PAGE_MAX`] at most.
    account_list() -> Vec<AccountRecord>;
    /// The user of this id.
    user_fetch(id: UserId) -> Option<UserRecord>;
    /// Users (of one account where one is given), oldest first, [`PAGE_MAX`] at most.
    user_list(account: Option<AccountId>) -> Vec<UserRecord>;
}

writes! {
    /// Makes an account.
    account_insert(account: &AccountRecord) -> ();
    /// Makes a user of an account that exists.
    user_insert(user: &UserRecord) -> ();
    /// Sets since when a user may not sign in; `None` lets them again.
    user_set_disabled(id: UserId, disabled_at: Option<OffsetDateTime>) -> ();
    /// The first run: makes the platform's account, its first administrator and their token.
    /// `false`, with nothing written, when there is any user already.
    bootstrap_admin(admin: &AdminBootstrap) -> bool;
}

pub(super) fn account(row: &SqliteRow, prefix: &str) -> Result<AccountRecord> {
    let columns = Columns::new("accounts", row);
    Ok(AccountRecord {
        id: columns.parsed(&format!("{prefix}id"))?,
        name: columns.text(&format!("{prefix}name"))?,
        created_at: columns.time(&format!("{prefix}created_at"))?,
    })
}

pub(super) fn user(row: &SqliteRow, prefix: &str) -> Result<UserRecord> {
    let columns = Columns::new("users", row);
    Ok(UserRecord {
        id: columns.parsed(&format!("{prefix}id"))?,
        account: columns.parsed(&format!("{prefix}account"))?,
        login: columns.text(&format!("{prefix}login"))?,
        role: columns.text(&format!("{prefix}role"))?,
        created_at: columns.time(&format!("{prefix}created_at"))?,
        disabled_at: columns.time_or_none(&format!("{prefix}disabled_at"))?,
    })
}

async fn account_fetch(
    conn: &mut SqliteConnection,
    id: AccountId,
) -> Result<Option<AccountRecord>> {
    let row = sqlx::query("SELECT * FROM accounts WHERE id = ?")
        .bind(id.to_string())
        .fetch_optional(conn)
        .await
        .db()?;
    row.map(|row| account(&row, "")).transpose()
}

async fn account_list(conn: &mut SqliteConnection) -> Result<Vec<AccountRecord>> {
    let rows = sqlx::query("SELECT * FROM accounts ORDER BY created_at, id LIMIT ?")
        .bind(i64::from(PAGE_MAX))
        .fetch_all(conn)
        .await
        .db()?;
    rows.iter().map(|row| account(row, "")).collect()
}

async fn user_fetch(conn: &mut SqliteConnection, id: UserId) -> Result<Option<UserRecord>> {
    let row = sqlx::query("SELECT * FROM users WHERE id = ?")
        .bind(id.to_string())
        .fetch_optional(conn)
        .await
        .db()?;
    row.map(|row| user(&row, "")).transpose()
}

async fn user_list(
    conn: &mut SqliteConnection,
    account: Option<AccountId>,
) -> Result<Vec<UserRecord>> {
    let rows = sqlx::query(
        "SELECT * FROM users WHERE ?1 IS NULL OR account = ?1 ORDER BY created_at, id LIMIT ?2",
    )
    .bind(account.map(|id| id.to_string()))
    .bind(i64::from(PAGE_MAX))
    .fetch_all(conn)
    .await
    .db()?;
    rows.iter().map(|row| user(row, "")).collect()
}

async fn account_insert(conn: &mut SqliteConnection, account: &AccountRecord) -> Result<()> {
    sqlx::query("INSERT INTO accounts (id, name, created_at) VALUES (?, ?, ?)")
        .bind(account.id.to_string())
        .bind(&account.name)
        .bind(micros(account.created_at))
        .execute(conn)
        .await
        .db()
        .map(drop)
}

async fn user_insert(conn: &mut SqliteConnection, user: &UserRecord) -> Result<()> {
    sqlx::query(
        "INSERT INTO users (id, account, login, role, created_at, disabled_at)
         VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(user.id.to_string())
    .bind(user.account.to_string())
    .bind(&user.login)
    .bind(&user.role)
    .bind(micros(user.created_at))
    .bind(user.disabled_at.map(micros))
    .execute(conn)
    .await
    .db()
    .map(drop)
}

async fn user_set_disabled(
    conn: &mut SqliteConnection,
    id: UserId,
    disabled_at: Option<OffsetDateTime>,
) -> Result<()> {
    let done = sqlx::query("UPDATE users SET disabled_at = ? WHERE id = ?")
        .bind(disabled_at.map(micros))
        .bind(id.to_string())
        .execute(conn)
        .await
        .db()?;
    if done.rows_affected() == 0 {
        return Err(StoreError::not_found("user", id));
    }
    Ok(())
}

async fn bootstrap_admin(conn: &mut SqliteConnection, admin: &AdminBootstrap) -> Result<bool> {
    let first: bool = sqlx::query_scalar("SELECT NOT EXISTS (SELECT 1 FROM users)")
        .fetch_one(&mut *conn)
        .await
        .db()?;
    if first {
        account_insert(conn, &admin.account).await?;
        user_insert(conn, &admin.user).await?;
        token_insert(conn, &admin.token).await?;
    }
    Ok(first)
}
