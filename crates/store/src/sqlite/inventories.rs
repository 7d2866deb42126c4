//! What sites have, as their shards last saw it.

use aipress_types::TenantUid;
use sqlx::SqliteConnection;

use super::Result;
use super::columns::Columns;
use super::columns::json_text;
use super::columns::micros;
use super::result_codes::Db;
use crate::records::InventoryRecord;

reads! {
    /// The inventory of a tenant, if one was ever taken.
    inventory_fetch(uid: TenantUid) -> Option<InventoryRecord>;
}

writes! {
    /// Keeps an inventory in the place of an older one; whether it is newer than what is kept.
    inventory_put(record: &InventoryRecord) -> bool;
    /// Forgets the inventory of a tenant that is erased.
    inventory_remove(uid: TenantUid) -> ();
}

async fn inventory_fetch(
    conn: &mut SqliteConnection,
    uid: TenantUid,
) -> Result<Option<InventoryRecord>> {
    let row = sqlx::query("SELECT * FROM tenant_inventories WHERE uid = ?")
        .bind(uid.to_string())
        .fetch_optional(conn)
        .await
        .db()?;
    row.map(|row| {
        let columns = Columns::new("tenant_inventories", &row);
        Ok(InventoryRecord {
            uid,
            observed_at: columns.time("observed_at")?,
            document: columns.json("document")?,
        })
    })
    .transpose()
}

async fn inventory_put(conn: &mut SqliteConnection, record: &InventoryRecord) -> Result<bool> {
    sqlx::query(
        "INSERT INTO tenant_inventories (uid, observed_at, document) VALUES (?, ?, ?)
         ON CONFLICT (uid) DO UPDATE SET
             observed_at = excluded.observed_at, document = excluded.document
         WHERE excluded.observed_at >= tenant_inventories.observed_at",
    )
    .bind(record.uid.to_string())
    .bind(micros(record.observed_at))
    .bind(json_text(&record.document)?)
    .execute(conn)
    .await
    .db()
    .map(|done| done.rows_affected() > 0)
}

async fn inventory_remove(conn: &mut SqliteConnection, uid: TenantUid) -> Result<()> {
    sqlx::query("DELETE FROM tenant_inventories WHERE uid = ?")
        .bind(uid.to_string())
        .execute(conn)
        .await
        .db()
        .map(drop)
}
