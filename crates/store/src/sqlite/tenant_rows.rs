//! Rows of tenants: how one is read, and the one statement that writes it. Every write goes
//! through [`TenantRow::write`], so that no write forgets the etag.

use aipress_types::ObservedPhase;
use aipress_types::TenantMetadata;
use aipress_types::TenantSpec;
use aipress_types::TenantState;
use aipress_types::TenantUid;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use time::OffsetDateTime;

use super::Result;
use super::columns::Columns;
use super::columns::json_text;
use super::columns::json_text_or_none;
use super::columns::micros;
use super::columns::number;
use super::result_codes::Db;
use crate::error::StoreError;
use crate::records::TenantRecord;

/// A row: the record, and what the record does not show.
#[derive(Debug)]
pub(super) struct TenantRow {
    pub(super) record: TenantRecord,
    /// Counts writes of the row.
    pub(super) revision: u64,
    /// How far the last report was; stays when an erasure blanks the report.
    pub(super) observed_phase: Option<ObservedPhase>,
}

/// Different for any two tenants, so that an etag of an erased one does not fit the next of its
/// name.
fn etag(uid: TenantUid, revision: u64) -> String {
    let uid = uid.hex();
    format!("{}-{revision}", uid.get(..8).unwrap_or(&uid))
}

impl TenantRow {
    pub(super) fn read(row: &SqliteRow) -> Result<Self> {
        let columns = Columns::new("tenants", row);
        let uid = columns.parsed("uid")?;
        let revision = columns.count("revision")?;
        let record = TenantRecord {
            uid,
            name: columns.parsed("name")?,
            account: columns.parsed("account")?,
            metadata: TenantMetadata {
                display_name: columns.text_or_none("display_name")?,
                labels: columns.json("labels")?,
            },
            spec: columns.json("spec")?,
            desired: columns.parsed("desired")?,
            state: columns.parsed("state")?,
            generation: columns.count("generation")?,
            placement_epoch: columns.count("placement_epoch")?,
            shard: columns.shard_or_none("shard")?,
            etag: etag(uid, revision),
            observed: columns.json_or_none("observed")?,
            observed_generation: columns.count("observed_generation")?,
            slot: columns.count_or_none("slot")?,
            sealed_secrets: columns.blob("sealed_secrets")?,
            message: columns.text_or_none("message")?,
            created_at: columns.time("created_at")?,
            updated_at: columns.time("updated_at")?,
            deleted_at: columns.time_or_none("deleted_at")?,
            erased_at: columns.time_or_none("erased_at")?,
        };
        Ok(Self { record, revision, observed_phase: columns.word_or_none("observed_phase")? })
    }

    /// The row of this uid.
    pub(super) async fn fetch(conn: &mut SqliteConnection, uid: TenantUid) -> Result<Self> {
        let row = sqlx::query("SELECT * FROM tenants WHERE uid = ?")
            .bind(uid.to_string())
            .fetch_optional(conn)
            .await
            .db()?
            .ok_or_else(|| StoreError::not_found("tenant", uid))?;
        Self::read(&row)
    }

    /// Takes the step to `to`, where the table of states allows it, and keeps `deleted_at` true.
    pub(super) fn become_state(&mut self, to: TenantState, now: OffsetDateTime) -> Result<()> {
        let record = &mut self.record;
        let from = record.state;
        if from == to {
            return Ok(());
        }
        if !from.may_become(to) {
            return Err(StoreError::Transition { from, to });
        }
        record.state = to;
        match to {
            TenantState::Deleted => record.deleted_at = Some(now),
            TenantState::Erased => record.erased_at = Some(now),
            _ => record.deleted_at = None,
        }
        Ok(())
    }

    /// Sets the spec to nothing, as of a tenant that nobody asked for.
    pub(super) fn blank(&mut self) {
        self.record.metadata = TenantMetadata::default();
        self.record.spec = TenantSpec::default();
        self.record.sealed_secrets = Vec::new();
        self.record.observed = None;
        self.record.slot = None;
        self.record.message = None;
    }

    /// Writes the row, new or not, with a new etag.
    pub(super) async fn write(
        mut self,
        conn: &mut SqliteConnection,
        now: OffsetDateTime,
    ) -> Result<TenantRecord> {
        self.revision += 1;
        self.record.updated_at = now;
        let statement = if self.revision == 1 { INSERT } else { UPDATE };
        let tenant = &self.record;
        let row = sqlx::query(statement)
            .bind(tenant.uid.to_string())
            .bind(tenant.name.as_str())
            .bind(tenant.account.to_string())
            .bind(json_text(&tenant.spec)?)
            .bind(tenant.spec.tier.as_str())
            .bind(tenant.desired.as_str())
            .bind(tenant.state.as_str())
            .bind(number(tenant.generation))
            .bind(number(tenant.placement_epoch))
            .bind(tenant.shard.map(|shard| i64::from(shard.number())))
            .bind(number(self.revision))
            .bind(json_text_or_none(tenant.observed.as_ref())?)
            .bind(number(tenant.observed_generation))
            .bind(self.observed_phase.map(phase_word))
            .bind(tenant.slot.map(i64::from))
            .bind(&tenant.sealed_secrets)
            .bind(&tenant.message)
            .bind(micros(tenant.created_at))
            .bind(micros(tenant.updated_at))
            .bind(tenant.deleted_at.map(micros))
            .bind(tenant.erased_at.map(micros))
            .bind(&tenant.metadata.display_name)
            .bind(json_text(&tenant.metadata.labels)?)
            .fetch_one(conn)
            .await
            .db()?;
        // Read back, so that the caller has what the next reader will have.
        Self::read(&row).map(|row| row.record)
    }
}

const INSERT: &str = "INSERT INTO tenants
    (uid, name, account, spec, tier, desired, state, generation, placement_epoch, shard, revision,
     observed, observed_generation, observed_phase, slot, sealed_secrets, message, created_at,
     updated_at, deleted_at, erased_at, display_name, labels)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
            ?20, ?21, ?22, ?23)
    RETURNING *";

const UPDATE: &str = "UPDATE tenants SET
    name = ?2, account = ?3, spec = ?4, tier = ?5, desired = ?6, state = ?7, generation = ?8,
    placement_epoch = ?9, shard = ?10, revision = ?11, observed = ?12, observed_generation = ?13,
    observed_phase = ?14, slot = ?15, sealed_secrets = ?16, message = ?17, created_at = ?18,
    updated_at = ?19, deleted_at = ?20, erased_at = ?21, display_name = ?22, labels = ?23
    WHERE uid = ?1
    RETURNING *";

fn phase_word(phase: ObservedPhase) -> &'static str {
    match phase {
        ObservedPhase::Converging => "converging",
        ObservedPhase::Converged => "converged",
        ObservedPhase::Failed => "failed",
    }
}
