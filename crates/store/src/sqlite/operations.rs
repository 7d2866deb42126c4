//! Operations and their steps.

use aipress_types::OperationId;
use aipress_types::StepState;
use aipress_types::TenantUid;
use sqlx::Connection;
use sqlx::QueryBuilder;
use sqlx::Sqlite;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use time::OffsetDateTime;

use super::Result;
use super::columns::Columns;
use super::columns::json_text_or_none;
use super::columns::micros;
use super::columns::number;
use super::result_codes::Db;
use crate::error::StoreError;
use crate::records::OperationFilter;
use crate::records::OperationInsert;
use crate::records::OperationLease;
use crate::records::OperationOutcome;
use crate::records::OperationRecord;
use crate::records::OperationState;
use crate::records::OperationStep;
use crate::records::OperationStepPut;
use crate::records::PAGE_MAX;
use crate::records::Page;
use crate::records::PageRequest;
use crate::records::TimeCursor;

reads! {
    /// The operation of this id, with its steps.
    operation_fetch(id: OperationId) -> Option<OperationRecord>;
    /// A page of operations, newest first.
    operation_list(
        filter: &OperationFilter,
        page: &PageRequest<TimeCursor>,
    ) -> Page<OperationRecord, TimeCursor>;
    /// Operations that are not finished, oldest first, `limit` (at most [`PAGE_MAX`]) of them:
    /// what a process that starts takes up again.
    operations_unfinished(limit: u32) -> Vec<OperationRecord>;
    /// A tenant's operations that are not finished, oldest first: before another is begun.
    operations_unfinished_of(tenant: TenantUid) -> Vec<OperationRecord>;
}

writes! {
    /// Makes a pending operation with pending steps.
    operation_insert(operation: &OperationInsert) -> OperationRecord;
    /// From pending to running. `false` when it is not pending.
    operation_start(id: OperationId, now: OffsetDateTime) -> bool;
    /// Sets the tenant's generation that it waits for.
    operation_set_generation(id: OperationId, generation: u64) -> ();
    /// Sets what a step is; one of an unknown name is appended. Whether anything changed.
    operation_step_put(id: OperationId, step: &OperationStepPut) -> bool;
    /// Ends it. `false`, with nothing written, when it is finished already.
    operation_finish(id: OperationId, outcome: &OperationOutcome, now: OffsetDateTime) -> bool;
}

fn operation(row: &SqliteRow) -> Result<OperationRecord> {
    let columns = Columns::new("operations", row);
    let state = columns.text("state")?;
    let lease = match (columns.text_or_none("lease_owner")?, columns.time_or_none("lease_until")?) {
        (Some(owner), Some(until)) => {
            Some(OperationLease { owner, until, fencing: columns.count("fencing")? })
        }
        _ => None,
    };
    Ok(OperationRecord {
        id: columns.parsed("id")?,
        kind: columns.text("kind")?,
        tenant: columns.parsed_or_none("tenant")?,
        tenant_name: columns.parsed_or_none("tenant_name")?,
        account: columns.parsed_or_none("account")?,
        actor: columns.text("actor")?,
        state: OperationState::ALL.into_iter().find(|known| known.as_str() == state).ok_or_else(
            || StoreError::corrupt("operations.state", format!("`{state}` is no operation state")),
        )?,
        generation: columns.count("generation")?,
        error: columns.json_or_none("error")?,
        result: columns.json_or_none("result")?,
        workflow_version: columns.count("workflow_version")?,
        lease,
        steps: Vec::new(),
        created_at: columns.time("created_at")?,
        started_at: columns.time_or_none("started_at")?,
        finished_at: columns.time_or_none("finished_at")?,
    })
}

fn step(row: &SqliteRow) -> Result<OperationStep> {
    let columns = Columns::new("operation_steps", row);
    Ok(OperationStep {
        seq: columns.count("seq")?,
        name: columns.text("name")?,
        title: columns.text("title")?,
        state: columns.word("state")?,
        started_at: columns.time_or_none("started_at")?,
        finished_at: columns.time_or_none("finished_at")?,
        duration_ms: columns.count_or_none("duration_ms")?,
        message: columns.text_or_none("message")?,
    })
}

async fn steps(conn: &mut SqliteConnection, id: OperationId) -> Result<Vec<OperationStep>> {
    let rows = sqlx::query("SELECT * FROM operation_steps WHERE operation = ? ORDER BY seq")
        .bind(id.to_string())
        .fetch_all(conn)
        .await
        .db()?;
    rows.iter().map(step).collect()
}

/// Runs a query for operations and adds their steps, all of one instant.
async fn collect(
    conn: &mut SqliteConnection,
    mut query: QueryBuilder<Sqlite>,
) -> Result<Vec<OperationRecord>> {
    let mut instant = conn.begin().await.db()?;
    let rows = query.build().fetch_all(&mut *instant).await.db()?;
    let mut operations = rows.iter().map(operation).collect::<Result<Vec<_>>>()?;
    for operation in &mut operations {
        operation.steps = steps(&mut instant, operation.id).await?;
    }
    instant.commit().await.db()?;
    Ok(operations)
}

async fn operation_fetch(
    conn: &mut SqliteConnection,
    id: OperationId,
) -> Result<Option<OperationRecord>> {
    let mut query = QueryBuilder::new("SELECT * FROM operations WHERE id = ");
    query.push_bind(id.to_string());
    collect(conn, query).await.map(|found| found.into_iter().next())
}

async fn operation_list(
    conn: &mut SqliteConnection,
    filter: &OperationFilter,
    page: &PageRequest<TimeCursor>,
) -> Result<Page<OperationRecord, TimeCursor>> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM operations WHERE 1");
    if let Some(accounts) = &filter.accounts {
        query.push(" AND account IN (");
        let mut list = query.separated(", ");
        for account in accounts {
            list.push_bind(account.to_string());
        }
        query.push(")");
    }
    if let Some(tenant) = filter.tenant {
        query.push(" AND tenant = ").push_bind(tenant.to_string());
    }
    if !filter.states.is_empty() {
        query.push(" AND state IN (");
        let mut list = query.separated(", ");
        for state in &filter.states {
            list.push_bind(state.as_str());
        }
        query.push(")");
    }
    if let Some(kind) = &filter.kind {
        query.push(" AND kind = ").push_bind(kind);
    }
    if let Some(cursor) = &page.after {
        query.push(" AND (created_at, id) < (").push_bind(cursor.at_us);
        query.push(", ").push_bind(&cursor.id).push(")");
    }
    let wanted = page.rows();
    query.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(number(wanted as u64 + 1));
    let mut items = collect(conn, query).await?;
    let more = items.len() > wanted;
    items.truncate(wanted);
    let next = items
        .last()
        .filter(|_| more)
        .map(|last| TimeCursor { at_us: micros(last.created_at), id: last.id.to_string() });
    Ok(Page { items, next })
}

async fn operations_unfinished(
    conn: &mut SqliteConnection,
    limit: u32,
) -> Result<Vec<OperationRecord>> {
    let mut query = QueryBuilder::new(
        "SELECT * FROM operations WHERE finished_at IS NULL ORDER BY created_at, id LIMIT ",
    );
    query.push_bind(i64::from(limit.clamp(1, PAGE_MAX)));
    collect(conn, query).await
}

async fn operations_unfinished_of(
    conn: &mut SqliteConnection,
    tenant: TenantUid,
) -> Result<Vec<OperationRecord>> {
    let mut query = QueryBuilder::new("SELECT * FROM operations WHERE tenant = ");
    query.push_bind(tenant.to_string());
    query.push(" AND finished_at IS NULL ORDER BY created_at, id LIMIT ");
    query.push_bind(i64::from(PAGE_MAX));
    collect(conn, query).await
}

pub(super) async fn operation_existing(
    conn: &mut SqliteConnection,
    id: OperationId,
) -> Result<OperationRecord> {
    operation_fetch(conn, id).await?.ok_or_else(|| StoreError::not_found("operation", id))
}

async fn operation_insert(
    conn: &mut SqliteConnection,
    insert: &OperationInsert,
) -> Result<OperationRecord> {
    sqlx::query(
        "INSERT INTO operations
             (id, kind, tenant, tenant_name, account, actor, state, generation, workflow_version,
              fencing, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)",
    )
    .bind(insert.id.to_string())
    .bind(&insert.kind)
    .bind(insert.tenant.map(|uid| uid.to_string()))
    .bind(insert.tenant_name.as_ref().map(|name| name.as_str()))
    .bind(insert.account.map(|account| account.to_string()))
    .bind(&insert.actor)
    .bind(OperationState::Pending.as_str())
    .bind(number(insert.generation))
    .bind(i64::from(insert.workflow_version))
    .bind(micros(insert.now))
    .execute(&mut *conn)
    .await
    .db()?;
    for (seq, (name, title)) in (1..).zip(&insert.steps) {
        let step = OperationStep {
            seq,
            name: name.clone(),
            title: title.clone(),
            state: StepState::Pending,
            started_at: None,
            finished_at: None,
            duration_ms: None,
            message: None,
        };
        step_write(conn, insert.id, &step).await?;
    }
    operation_existing(conn, insert.id).await
}

async fn step_write(
    conn: &mut SqliteConnection,
    id: OperationId,
    step: &OperationStep,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO operation_steps
             (operation, seq, name, title, state, started_at, finished_at, duration_ms, message)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (operation, seq) DO UPDATE SET
             state = excluded.state, started_at = excluded.started_at,
             finished_at = excluded.finished_at, duration_ms = excluded.duration_ms,
             message = excluded.message",
    )
    .bind(id.to_string())
    .bind(i64::from(step.seq))
    .bind(&step.name)
    .bind(&step.title)
    .bind(step.state.as_str())
    .bind(step.started_at.map(micros))
    .bind(step.finished_at.map(micros))
    .bind(step.duration_ms.map(number))
    .bind(&step.message)
    .execute(conn)
    .await
    .db()
    .map(drop)
}

async fn operation_start(
    conn: &mut SqliteConnection,
    id: OperationId,
    now: OffsetDateTime,
) -> Result<bool> {
    let pending = operation_existing(conn, id).await?.state == OperationState::Pending;
    if pending {
        sqlx::query("UPDATE operations SET state = ?, started_at = ? WHERE id = ?")
            .bind(OperationState::Running.as_str())
            .bind(micros(now))
            .bind(id.to_string())
            .execute(conn)
            .await
            .db()?;
    }
    Ok(pending)
}

async fn operation_set_generation(
    conn: &mut SqliteConnection,
    id: OperationId,
    generation: u64,
) -> Result<()> {
    let done = sqlx::query("UPDATE operations SET generation = ? WHERE id = ?")
        .bind(number(generation))
        .bind(id.to_string())
        .execute(conn)
        .await
        .db()?;
    if done.rows_affected() == 0 {
        return Err(StoreError::not_found("operation", id));
    }
    Ok(())
}

async fn operation_step_put(
    conn: &mut SqliteConnection,
    id: OperationId,
    put: &OperationStepPut,
) -> Result<bool> {
    let steps = operation_existing(conn, id).await?.steps;
    let held = steps.iter().find(|step| step.name == put.name);
    let next = OperationStep {
        seq: held.map_or_else(|| steps.last().map_or(1, |last| last.seq + 1), |step| step.seq),
        name: put.name.clone(),
        title: match (held, &put.title) {
            (Some(step), _) => step.title.clone(),
            (None, Some(title)) => title.clone(),
            (None, None) => put.name.clone(),
        },
        state: put.state,
        started_at: put.started_at.or(held.and_then(|step| step.started_at)),
        finished_at: put.finished_at.or(held.and_then(|step| step.finished_at)),
        duration_ms: put.duration_ms.or(held.and_then(|step| step.duration_ms)),
        message: put.message.clone(),
    };
    if held == Some(&next) {
        return Ok(false);
    }
    step_write(conn, id, &next).await?;
    Ok(true)
}

async fn operation_finish(
    conn: &mut SqliteConnection,
    id: OperationId,
    outcome: &OperationOutcome,
    now: OffsetDateTime,
) -> Result<bool> {
    if operation_existing(conn, id).await?.state.is_finished() {
        return Ok(false);
    }
    let (state, result, error) = match outcome {
        OperationOutcome::Succeeded(result) => (OperationState::Succeeded, result.as_ref(), None),
        OperationOutcome::Failed(error) => (OperationState::Failed, None, Some(error)),
        OperationOutcome::Canceled(error) => (OperationState::Canceled, None, error.as_ref()),
    };
    sqlx::query(
        "UPDATE operations
         SET state = ?1, result = ?2, error = ?3, finished_at = ?4,
             started_at = coalesce(started_at, ?4), lease_owner = NULL, lease_until = NULL
         WHERE id = ?5",
    )
    .bind(state.as_str())
    .bind(json_text_or_none(result)?)
    .bind(json_text_or_none(error)?)
    .bind(micros(now))
    .bind(id.to_string())
    .execute(conn)
    .await
    .db()?;
    Ok(true)
}
