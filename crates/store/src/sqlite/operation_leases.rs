//! Who drives an operation. A lease has a number that only grows; whoever writes under a lease
//! checks its number in the same transaction, so that a driver that was thought dead and wakes up
//! late writes nothing.

use aipress_types::OperationId;
use sqlx::SqliteConnection;
use time::OffsetDateTime;

use super::Result;
use super::columns::Columns;
use super::columns::micros;
use super::columns::number;
use super::operations::operation_existing;
use super::result_codes::Db;
use crate::error::StoreError;
use crate::records::OperationLease;

writes! {
    /// Takes the lease until `until`, with a higher fencing number: when nobody has it, when it is
    /// over, or when `owner` has it already. `None` when somebody else has it, or the operation
    /// is finished.
    operation_lease_acquire(
        id: OperationId,
        owner: &str,
        now: OffsetDateTime,
        until: OffsetDateTime,
    ) -> Option<OperationLease>;
    /// Prolongs the lease. [`StoreError::Fenced`] when it is not the newest any more.
    operation_lease_renew(
        id: OperationId,
        fencing: u64,
        until: OffsetDateTime,
    ) -> OperationLease;
    /// Gives the lease back; one that was lost is left alone.
    operation_lease_release(id: OperationId, fencing: u64) -> ();
    /// Fails with [`StoreError::Fenced`] when the lease is not the newest any more, or the
    /// operation finished. Called first in each transaction that acts under a lease.
    operation_fence(id: OperationId, fencing: u64) -> ();
}

async fn operation_lease_acquire(
    conn: &mut SqliteConnection,
    id: OperationId,
    owner: &str,
    now: OffsetDateTime,
    until: OffsetDateTime,
) -> Result<Option<OperationLease>> {
    operation_existing(conn, id).await?;
    let row = sqlx::query(
        "UPDATE operations SET lease_owner = ?1, lease_until = ?2, fencing = fencing + 1
         WHERE id = ?3 AND finished_at IS NULL
             AND (lease_owner IS NULL OR lease_owner = ?1 OR lease_until <= ?4)
         RETURNING fencing, lease_until",
    )
    .bind(owner)
    .bind(micros(until))
    .bind(id.to_string())
    .bind(micros(now))
    .fetch_optional(conn)
    .await
    .db()?;
    row.map(|row| {
        let columns = Columns::new("operations", &row);
        Ok(OperationLease {
            owner: owner.to_owned(),
            until: columns.time("lease_until")?,
            fencing: columns.count("fencing")?,
        })
    })
    .transpose()
}

async fn operation_lease_renew(
    conn: &mut SqliteConnection,
    id: OperationId,
    fencing: u64,
    until: OffsetDateTime,
) -> Result<OperationLease> {
    operation_fence(conn, id, fencing).await?;
    let row = sqlx::query(
        "UPDATE operations SET lease_until = ? WHERE id = ? RETURNING lease_owner, lease_until",
    )
    .bind(micros(until))
    .bind(id.to_string())
    .fetch_one(conn)
    .await
    .db()?;
    let columns = Columns::new("operations", &row);
    Ok(OperationLease {
        owner: columns.text("lease_owner")?,
        until: columns.time("lease_until")?,
        fencing,
    })
}

async fn operation_lease_release(
    conn: &mut SqliteConnection,
    id: OperationId,
    fencing: u64,
) -> Result<()> {
    sqlx::query(
        "UPDATE operations SET lease_owner = NULL, lease_until = NULL
         WHERE id = ? AND fencing = ?",
    )
    .bind(id.to_string())
    .bind(number(fencing))
    .execute(conn)
    .await
    .db()
    .map(drop)
}

async fn operation_fence(conn: &mut SqliteConnection, id: OperationId, fencing: u64) -> Result<()> {
    let held: bool = sqlx::query_scalar(
        "SELECT EXISTS (
             SELECT 1 FROM operations WHERE id = ? AND fencing = ? AND lease_owner IS NOT NULL
         )",
    )
    .bind(id.to_string())
    .bind(number(fencing))
    .fetch_one(conn)
    .await
    .db()?;
    if held { Ok(()) } else { Err(StoreError::Fenced { id: id.to_string() }) }
}
