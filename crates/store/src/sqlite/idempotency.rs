//! Idempotency keys. See [`crate::records::IdempotencyRequest`] for how they are used.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Result;
use super::Store;
use super::columns::Columns;
use super::columns::json_text;
use super::columns::micros;
use super::columns::number;
use super::result_codes::Db;
use super::sequences;
use super::sequences::Sequence;
use crate::error::StoreError;
use crate::records::IDEMPOTENCY_IN_FLIGHT_MAX_S;
use crate::records::IdempotencyClaim;
use crate::records::IdempotencyFinish;
use crate::records::IdempotencyOutcome;
use crate::records::IdempotencyRecord;
use crate::records::IdempotencyRequest;

reads! {
    /// What is kept under a caller's key, where the request was finished; expired or not.
    idempotency_fetch(caller: &str, key: &str) -> Option<IdempotencyRecord>;
}

writes! {
    /// Keeps the answer, in the transaction of the change itself, so that the two are one.
    /// [`StoreError::Fenced`] when the claim was lost: then the change must not be committed.
    idempotency_finish(
        claim: &IdempotencyClaim,
        finish: &IdempotencyFinish,
        now: OffsetDateTime,
    ) -> ();
    /// Forgets what expired, `limit` rows at most. How many.
    idempotency_sweep(now: OffsetDateTime, limit: u32) -> u64;
}

/// Most claims that are remembered as given up.
const GIVEN_UP_MAX: usize = 4_096;

/// Claims of this process that nobody works on and that are still in the file, because it could not be
/// written (a full disk, a lock) when they were given back.
#[derive(Debug, Default)]
pub(super) struct GivenUp(Mutex<BTreeSet<u64>>);

impl GivenUp {
    fn remember(&self, claim: u64) {
        let mut claims = self.lock();
        claims.insert(claim);
        if claims.len() > GIVEN_UP_MAX {
            // The oldest; its key is free when IDEMPOTENCY_IN_FLIGHT_MAX_S are over.
            claims.pop_first();
        }
    }

    fn has(&self, claim: u64) -> bool {
        self.lock().contains(&claim)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        // A set is whole at every moment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Claims a key for `ttl`, in a transaction of its own, or says what became of it.
    ///
    /// A claim that is in flight of a process that is not this one, or that could not be given back, or
    /// for longer than [`IDEMPOTENCY_IN_FLIGHT_MAX_S`], counts as abandoned: its change was not
    /// committed, and cannot be any more.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn idempotency_begin(
        &self,
        request: &IdempotencyRequest,
        now: OffsetDateTime,
        ttl: Duration,
    ) -> Result<IdempotencyOutcome> {
        let mut txn = self.begin().await?;
        let claimant = Claimant {
            incarnation: self.incarnation(),
            given_up: &self.inner.given_up,
            now,
            expires_at: now + ttl,
        };
        let outcome = idempotency_begin(txn.enter()?, request, &claimant).await;
        let outcome = txn.leave(outcome)?;
        match outcome {
            IdempotencyOutcome::New(_) => txn.commit().await?,
            _ => txn.rollback().await?,
        }
        Ok(outcome)
    }

    /// Gives a claim back, in a transaction of its own, when nothing was done under it: the next
    /// request with the key is a new one. A claim that was finished or lost is left alone.
    ///
    /// # Errors
    /// See [`StoreError`]. The key is free all the same, for as long as this process lives.
    pub async fn idempotency_release(&self, claim: &IdempotencyClaim) -> Result<()> {
        let released = self.release(claim).await;
        if released.is_err() {
            self.inner.given_up.remember(claim.claim);
        }
        released
    }

    async fn release(&self, claim: &IdempotencyClaim) -> Result<()> {
        let mut txn = self.begin().await?;
        let outcome = idempotency_release(txn.enter()?, claim).await;
        txn.leave(outcome)?;
        txn.commit().await
    }
}

struct Claimant<'s> {
    incarnation: Uuid,
    given_up: &'s GivenUp,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
}

/// What was answered; `None` while it is in flight.
fn record(row: &SqliteRow) -> Result<Option<IdempotencyRecord>> {
    let columns = Columns::new("idempotency", row);
    let Some(status) = columns.count_or_none("status")? else { return Ok(None) };
    Ok(Some(IdempotencyRecord {
        status,
        body: columns.json("body")?,
        showed_secret: columns.flag("showed_secret")?,
        tenant: columns.parsed_or_none("tenant")?,
        operation: columns.parsed_or_none("operation")?,
        expires_at: columns.time("expires_at")?,
    }))
}

async fn row_fetch(
    conn: &mut SqliteConnection,
    caller: &str,
    key: &str,
) -> Result<Option<SqliteRow>> {
    sqlx::query("SELECT * FROM idempotency WHERE caller = ? AND key = ?")
        .bind(caller)
        .bind(key)
        .fetch_optional(conn)
        .await
        .db()
}

async fn idempotency_fetch(
    conn: &mut SqliteConnection,
    caller: &str,
    key: &str,
) -> Result<Option<IdempotencyRecord>> {
    match row_fetch(conn, caller, key).await? {
        Some(row) => record(&row),
        None => Ok(None),
    }
}

/// What stands in the way of a new claim.
fn standing(
    row: &SqliteRow,
    request: &IdempotencyRequest,
    claimant: &Claimant<'_>,
) -> Result<Option<IdempotencyOutcome>> {
    let columns = Columns::new("idempotency", row);
    let record = record(row)?;
    if columns.time("expires_at")? <= claimant.now {
        return Ok(None);
    }
    if record.is_none() {
        let abandoned_at =
            columns.time("claimed_at")? + Duration::seconds(IDEMPOTENCY_IN_FLIGHT_MAX_S);
        let incarnation: Uuid = columns.parsed("incarnation")?;
        let given_up = claimant.given_up.has(columns.count("claim")?);
        if incarnation != claimant.incarnation || abandoned_at <= claimant.now || given_up {
            return Ok(None);
        }
    }
    if columns.text("method")? != request.method
        || columns.text("path")? != request.path
        || columns.blob("body_sha256")? != request.body_sha256
    {
        return Ok(Some(IdempotencyOutcome::Mismatch));
    }
    Ok(Some(record.map_or(IdempotencyOutcome::InFlight, IdempotencyOutcome::Replay)))
}

async fn idempotency_begin(
    conn: &mut SqliteConnection,
    request: &IdempotencyRequest,
    claimant: &Claimant<'_>,
) -> Result<IdempotencyOutcome> {
    if let Some(row) = row_fetch(conn, &request.caller, &request.key).await?
        && let Some(outcome) = standing(&row, request, claimant)?
    {
        return Ok(outcome);
    }
    let claim = sequences::next(conn, Sequence::Claims).await?;
    sqlx::query(
        "INSERT OR REPLACE INTO idempotency
             (caller, key, method, path, body_sha256, incarnation, claim, claimed_at,
              showed_secret, expires_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?)",
    )
    .bind(&request.caller)
    .bind(&request.key)
    .bind(&request.method)
    .bind(&request.path)
    .bind(request.body_sha256.as_slice())
    .bind(claimant.incarnation.to_string())
    .bind(number(claim))
    .bind(micros(claimant.now))
    .bind(micros(claimant.expires_at))
    .execute(conn)
    .await
    .db()?;
    Ok(IdempotencyOutcome::New(IdempotencyClaim {
        caller: request.caller.clone(),
        key: request.key.clone(),
        claim,
    }))
}

async fn idempotency_finish(
    conn: &mut SqliteConnection,
    claim: &IdempotencyClaim,
    finish: &IdempotencyFinish,
    now: OffsetDateTime,
) -> Result<()> {
    // A claim that expired while it was worked on could be somebody else's new one already.
    let done = sqlx::query(
        "UPDATE idempotency
         SET status = ?, body = ?, showed_secret = ?, tenant = ?, operation = ?
         WHERE caller = ? AND key = ? AND claim = ? AND status IS NULL AND expires_at > ?",
    )
    .bind(i64::from(finish.status))
    .bind(json_text(&finish.body)?)
    .bind(finish.showed_secret)
    .bind(finish.tenant.map(|uid| uid.to_string()))
    .bind(finish.operation.map(|id| id.to_string()))
    .bind(&claim.caller)
    .bind(&claim.key)
    .bind(number(claim.claim))
    .bind(micros(now))
    .execute(conn)
    .await
    .db()?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Fenced { id: claim.key.clone() });
    }
    Ok(())
}

async fn idempotency_release(conn: &mut SqliteConnection, claim: &IdempotencyClaim) -> Result<()> {
    sqlx::query(
        "DELETE FROM idempotency WHERE caller = ? AND key = ? AND claim = ? AND status IS NULL",
    )
    .bind(&claim.caller)
    .bind(&claim.key)
    .bind(number(claim.claim))
    .execute(conn)
    .await
    .db()
    .map(drop)
}

async fn idempotency_sweep(
    conn: &mut SqliteConnection,
    now: OffsetDateTime,
    limit: u32,
) -> Result<u64> {
    let done = sqlx::query(
        "DELETE FROM idempotency WHERE (caller, key) IN (
             SELECT caller, key FROM idempotency WHERE expires_at <= ? ORDER BY expires_at LIMIT ?
         )",
    )
    .bind(micros(now))
    .bind(i64::from(limit))
    .execute(conn)
    .await
    .db()?;
    Ok(done.rows_affected())
}
