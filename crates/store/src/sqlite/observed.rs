//! What shards report of tenants. Reports come again and again (level-triggered): one that says
//! nothing new writes nothing, one that is late is dropped.

use aipress_types::TenantState;
use sqlx::SqliteConnection;

use super::Result;
use super::tenant_rows::TenantRow;
use crate::records::TenantObservation;
use crate::records::TenantRecorded;

writes! {
    /// Keeps a shard's report of a tenant, and the state that follows from it.
    ///
    /// A report of an older placement, or of a lower generation than one that was kept, is
    /// [`TenantRecorded::Stale`].
    tenant_record_observed(observation: &TenantObservation) -> TenantRecorded;
}

async fn tenant_record_observed(
    conn: &mut SqliteConnection,
    observation: &TenantObservation,
) -> Result<TenantRecorded> {
    let report = &observation.observed;
    let mut row = TenantRow::fetch(conn, report.uid).await?;
    let tenant = &row.record;
    if report.placement_epoch < tenant.placement_epoch
        || report.generation < tenant.observed_generation
    {
        return Ok(TenantRecorded::Stale(Box::new(row.record)));
    }
    let erased = tenant.state == TenantState::Erased;
    let known = tenant.observed_generation == report.generation
        && row.observed_phase == Some(report.phase)
        && (erased || tenant.observed.as_ref() == Some(report));
    let state = observation.state.unwrap_or(tenant.state);
    if known && state == tenant.state && (erased || tenant.message == observation.message) {
        return Ok(TenantRecorded::Unchanged(Box::new(row.record)));
    }
    row.become_state(state, observation.now)?;
    row.record.observed_generation = report.generation;
    row.observed_phase = Some(report.phase);
    row.record.slot = report.slot;
    row.record.observed = Some(report.clone());
    row.record.message.clone_from(&observation.message);
    if erased {
        row.blank();
    }
    let record = row.write(conn, observation.now).await?;
    Ok(TenantRecorded::Changed(Box::new(record)))
}
