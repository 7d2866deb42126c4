//! Tenants: single rows, and the changes of what is asked of them.

use aipress_types::DesiredState;
use aipress_types::ShardId;
use aipress_types::TenantMetadata;
use aipress_types::TenantState;
use aipress_types::TenantUid;
use sqlx::SqliteConnection;
use time::OffsetDateTime;

use super::Result;
use super::audit::audit_redact;
use super::operation_events::operations_redact;
use super::result_codes::Db;
use super::routes::RoutesOf;
use super::routes::routes_renumber;
use super::tenant_rows::TenantRow;
use crate::error::StoreError;
use crate::records::TenantInsert;
use crate::records::TenantIntentUpdate;
use crate::records::TenantRecord;
use crate::records::TenantRef;

reads! {
    /// The tenant of this name (never an erased one) or uid (erased ones too).
    tenant_fetch(by: &TenantRef) -> Option<TenantRecord>;
}

writes! {
    /// Makes a tenant, of generation 1.
    tenant_insert(tenant: &TenantInsert) -> TenantRecord;
    /// Changes what is asked of a tenant: a higher generation, a new etag.
    ///
    /// [`StoreError::EtagMismatch`] when the row is not as `expected_etag` says, and
    /// [`StoreError::Transition`] when the tenant is erased or the new state is not in the table.
    tenant_update_intent(update: &TenantIntentUpdate) -> TenantRecord;
    /// Sets state and message alone, where they follow from something else than a report (say, no
    /// shard has room). Nothing is written when they are so already.
    tenant_set_state(
        uid: TenantUid,
        state: TenantState,
        message: Option<&str>,
        now: OffsetDateTime,
    ) -> TenantRecord;
    /// Sets what people call a tenant and how they group it: a new etag, the same generation, for
    /// nothing of it reaches the site.
    tenant_set_metadata(
        uid: TenantUid,
        metadata: &TenantMetadata,
        now: OffsetDateTime,
    ) -> TenantRecord;
    /// Places a tenant: the next placement epoch. What was observed elsewhere is forgotten. Its
    /// routes get new numbers, but go on to the old shard until they are put.
    tenant_place(uid: TenantUid, shard: ShardId, now: OffsetDateTime) -> TenantRecord;
    /// Ends a deleted tenant for good: spec, secrets and reports are blanked, so is what its
    /// finished operations and its events told; in the audit log, before and after become hashes.
    /// The row stays, as the proof that its uid was used. Its name is free.
    tenant_erase(uid: TenantUid, now: OffsetDateTime) -> TenantRecord;
}

async fn tenant_fetch(conn: &mut SqliteConnection, by: &TenantRef) -> Result<Option<TenantRecord>> {
    let row = match by {
        TenantRef::Uid(uid) => {
            sqlx::query("SELECT * FROM tenants WHERE uid = ?").bind(uid.to_string())
        }
        TenantRef::Name(name) => {
            sqlx::query("SELECT * FROM tenants WHERE name = ? AND state <> 'erased'")
                .bind(name.as_str())
        }
    }
    .fetch_optional(conn)
    .await
    .db()?;
    row.map(|row| TenantRow::read(&row).map(|row| row.record)).transpose()
}

async fn tenant_insert(conn: &mut SqliteConnection, insert: &TenantInsert) -> Result<TenantRecord> {
    let record = TenantRecord {
        uid: insert.uid,
        name: insert.name.clone(),
        account: insert.account,
        metadata: insert.metadata.clone(),
        spec: insert.spec.clone(),
        desired: insert.desired,
        state: insert.state,
        generation: 1,
        placement_epoch: u64::from(insert.shard.is_some()),
        shard: insert.shard,
        etag: String::new(),
        observed: None,
        observed_generation: 0,
        slot: None,
        sealed_secrets: insert.sealed_secrets.clone(),
        message: None,
        created_at: insert.now,
        updated_at: insert.now,
        deleted_at: None,
        erased_at: None,
    };
    let row = TenantRow { record, revision: 0, observed_phase: None };
    let made = row.write(conn, insert.now).await?;
    labels_insert(conn, &made).await?;
    Ok(made)
}

async fn tenant_set_metadata(
    conn: &mut SqliteConnection,
    uid: TenantUid,
    metadata: &TenantMetadata,
    now: OffsetDateTime,
) -> Result<TenantRecord> {
    let mut row = TenantRow::fetch(conn, uid).await?;
    if row.record.state == TenantState::Erased {
        let (from, to) = (TenantState::Erased, TenantState::Erased);
        return Err(StoreError::Transition { from, to });
    }
    row.record.metadata = metadata.clone();
    let written = row.write(conn, now).await?;
    labels_remove(conn, uid).await?;
    labels_insert(conn, &written).await?;
    Ok(written)
}

async fn labels_insert(conn: &mut SqliteConnection, tenant: &TenantRecord) -> Result<()> {
    for (name, value) in &tenant.metadata.labels {
        sqlx::query("INSERT INTO tenant_labels (name, value, tenant) VALUES (?, ?, ?)")
            .bind(name)
            .bind(value)
            .bind(tenant.uid.to_string())
            .execute(&mut *conn)
            .await
            .db()?;
    }
    Ok(())
}

async fn labels_remove(conn: &mut SqliteConnection, uid: TenantUid) -> Result<()> {
    sqlx::query("DELETE FROM tenant_labels WHERE tenant = ?")
        .bind(uid.to_string())
        .execute(conn)
        .await
        .db()
        .map(drop)
}

async fn tenant_update_intent(
    conn: &mut SqliteConnection,
    update: &TenantIntentUpdate,
) -> Result<TenantRecord> {
    let mut row = TenantRow::fetch(conn, update.uid).await?;
    if let Some(expected) = &update.expected_etag
        && *expected != row.record.etag
    {
        return Err(StoreError::EtagMismatch { current: row.record.etag });
    }
    if row.record.state == TenantState::Erased {
        let to = update.desired.map_or(TenantState::Erased, DesiredState::reached);
        return Err(StoreError::Transition { from: TenantState::Erased, to });
    }
    if let Some(state) = update.state {
        row.become_state(state, update.now)?;
    }
    let tenant = &mut row.record;
    if let Some(spec) = &update.spec {
        tenant.spec = spec.clone();
    }
    if let Some(desired) = update.desired {
        tenant.desired = desired;
    }
    if let Some(sealed) = &update.sealed_secrets {
        tenant.sealed_secrets = sealed.clone();
    }
    tenant.generation = next_generation(tenant);
    row.write(conn, update.now).await
}

/// Above what was asked for and above what a shard has seen: after the registry was restored from
/// a backup, the shard is ahead, and would refuse less.
fn next_generation(tenant: &TenantRecord) -> u64 {
    tenant.generation.max(tenant.observed_generation) + 1
}

async fn tenant_set_state(
    conn: &mut SqliteConnection,
    uid: TenantUid,
    state: TenantState,
    message: Option<&str>,
    now: OffsetDateTime,
) -> Result<TenantRecord> {
    let mut row = TenantRow::fetch(conn, uid).await?;
    if row.record.state == state && row.record.message.as_deref() == message {
        return Ok(row.record);
    }
    row.become_state(state, now)?;
    row.record.message = message.map(str::to_owned);
    row.write(conn, now).await
}

async fn tenant_place(
    conn: &mut SqliteConnection,
    uid: TenantUid,
    shard: ShardId,
    now: OffsetDateTime,
) -> Result<TenantRecord> {
    let mut row = TenantRow::fetch(conn, uid).await?;
    row.record.shard = Some(shard);
    row.record.placement_epoch += 1;
    // The generation goes on: it is of the intent, and must stay above what any shard has seen.
    row.record.generation = row.record.generation.max(row.record.observed_generation);
    row.record.observed = None;
    row.record.observed_generation = 0;
    row.record.slot = None;
    row.observed_phase = None;
    routes_renumber(conn, RoutesOf::Tenant(uid), now).await?;
    row.write(conn, now).await
}

async fn tenant_erase(
    conn: &mut SqliteConnection,
    uid: TenantUid,
    now: OffsetDateTime,
) -> Result<TenantRecord> {
    let mut row = TenantRow::fetch(conn, uid).await?;
    if row.record.state == TenantState::Erased {
        return Ok(row.record);
    }
    row.become_state(TenantState::Erased, now)?;
    if row.record.desired != DesiredState::Erased {
        // The shard has not been told yet; it is, as long as it does not confirm this generation.
        row.record.desired = DesiredState::Erased;
        row.record.generation = next_generation(&row.record);
    }
    row.blank();
    labels_remove(conn, uid).await?;
    audit_redact(conn, uid).await?;
    operations_redact(conn, uid).await?;
    row.write(conn, now).await
}
