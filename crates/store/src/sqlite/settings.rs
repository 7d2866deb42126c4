//! Settings: a few JSON values by key (size and epoch of the federation, say).

use serde_json::Value;
use sqlx::SqliteConnection;
use time::OffsetDateTime;

use super::Result;
use super::columns::Columns;
use super::columns::json_text;
use super::columns::micros;
use super::result_codes::Db;

reads! {
    /// The value of a key.
    setting_fetch(key: &str) -> Option<Value>;
}

writes! {
    /// Sets the value of a key.
    setting_put(key: &str, value: &Value, now: OffsetDateTime) -> ();
}

async fn setting_fetch(conn: &mut SqliteConnection, key: &str) -> Result<Option<Value>> {
    let row = sqlx::query("SELECT value FROM settings WHERE key = ?")
        .bind(key)
        .fetch_optional(conn)
        .await
        .db()?;
    row.map(|row| Columns::new("settings", &row).json("value")).transpose()
}

async fn setting_put(
    conn: &mut SqliteConnection,
    key: &str,
    value: &Value,
    now: OffsetDateTime,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO settings (key, value, updated_at) VALUES (?, ?, ?)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
    )
    .bind(key)
    .bind(json_text(value)?)
    .bind(micros(now))
    .execute(conn)
    .await
    .db()
    .map(drop)
}
