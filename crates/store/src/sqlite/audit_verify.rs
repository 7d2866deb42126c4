//! Looks at every row of the audit log: whether each is what was written, and none is missing,
//! added or cut off. Knows nothing of signatures: whoever kept places of chains elsewhere
//! (checkpoints) gives them as anchors.
//!
//! Rows are read some thousands at a time, each time with the end of their chain as of the same
//! moment, so that rows which come meanwhile are neither waited for nor taken for added ones, and
//! no long read keeps the write-ahead log from being folded in.

use std::collections::BTreeMap;
use std::collections::HashMap;

use sqlx::Connection;
use sqlx::Row;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::Result;
use super::Store;
use super::audit_chain;
use super::audit_chain::BEGINNING;
use super::audit_chain::Fixed;
use super::audit_chain::Payload;
use super::audit_chain::digest;
use super::result_codes::Db;
use crate::error::StoreError;
use crate::records::AUDIT_FINDINGS_MAX;
use crate::records::AuditFault;
use crate::records::AuditFinding;
use crate::records::AuditHead;
use crate::records::AuditVerification;
use crate::records::PLATFORM_CHAIN;

/// Rows read at a time.
const BATCH: i64 = 4_096;
/// Sites whose end is remembered during a look.
const SITES_REMEMBERED: usize = 10_000;

const ROWS: &str = r#"SELECT id, seq, at, actor, on_behalf_of, action, resource_kind, resource_id,
       request_id, plan, outcome, payload_sha256, link, salt, resource_name, "before", "after",
       reason
  FROM audit WHERE account IS ? AND (seq, id) > (?, ?) ORDER BY seq, id LIMIT ?"#;

impl Store {
    /// Looks at every row of these chains (`None` for all), and compares each place of `anchors`.
    ///
    /// # Errors
    /// When the registry can't be read; what is wrong with the rows is in the answer.
    pub async fn audit_verify(
        &self,
        chains: Option<&[String]>,
        anchors: &[AuditHead],
    ) -> Result<AuditVerification> {
        let mut known: BTreeMap<String, Vec<AuditHead>> = BTreeMap::new();
        for anchor in anchors {
            known.entry(anchor.chain.clone()).or_default().push(anchor.clone());
        }
        let mut conn = self.reader().await?;
        for chain in chain_names(&mut conn).await? {
            known.entry(chain).or_default();
        }
        let mut out = AuditVerification::default();
        let mut ends = Ends::default();
        for (chain, mut anchors) in known {
            if chains.is_some_and(|wanted| !wanted.contains(&chain)) {
                continue;
            }
            anchors.sort_by_key(|anchor| anchor.seq);
            let walker = Walker::new(chain, anchors, out);
            out = walk(&mut conn, walker, &mut ends).await?;
        }
        Ok(out)
    }
}

/// Every chain that has an end or a row.
async fn chain_names(conn: &mut SqliteConnection) -> Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT chain FROM audit_heads
         UNION SELECT coalesce(account, ?) FROM (SELECT DISTINCT account FROM audit)",
    )
    .bind(PLATFORM_CHAIN)
    .fetch_all(conn)
    .await
    .db()
}

async fn walk(
    conn: &mut SqliteConnection,
    mut walker: Walker,
    ends: &mut Ends,
) -> Result<AuditVerification> {
    let (mut head, mut rows) = batch(conn, &walker.chain, (i64::MIN, i64::MIN)).await?;
    while let Some(last) = rows.last() {
        let after = (last.try_get(1).db()?, last.try_get(0).db()?);
        let is_last = i64::try_from(rows.len()).unwrap_or(BATCH) < BATCH;
        let chain = walker.chain.clone();
        // Hashing takes as long as reading: each in its own thread.
        let hashing = tokio::task::spawn_blocking(move || {
            let done = rows.iter().try_for_each(|row| walker.take(row));
            done.map(|()| walker)
        });
        let next = match is_last {
            true => None,
            false => Some(batch(conn, &chain, after).await?),
        };
        walker = hashing.await.map_err(|error| StoreError::Other(error.into()))??;
        for row in std::mem::take(&mut walker.erased) {
            if ends.was_erased(conn, &row).await? {
                walker.out.erased += 1;
            } else {
                walker.tell(AuditFault::Erased, row.seq, row.seq, Some(row.id));
            }
        }
        match next {
            Some(next) => (head, rows) = next,
            None => break,
        }
    }
    Ok(walker.end(head))
}

/// Rows behind this place, and the end of their chain at the same moment.
async fn batch(
    conn: &mut SqliteConnection,
    chain: &str,
    after: (i64, i64),
) -> Result<(AuditHead, Vec<SqliteRow>)> {
    let mut view = conn.begin().await.db()?;
    let head = audit_chain::head(&mut view, chain).await?;
    let rows = sqlx::query(ROWS)
        .bind((chain != PLATFORM_CHAIN).then_some(chain))
        .bind(after.0)
        .bind(after.1)
        .bind(BATCH)
        .fetch_all(&mut *view)
        .await
        .db()?;
    view.commit().await.db()?;
    Ok((head, rows))
}

/// A row whose payload is gone.
struct Gone {
    seq: u64,
    id: u64,
    kind: String,
    resource: String,
}

/// Which sites were erased, as far as asked for.
#[derive(Default)]
struct Ends(HashMap<String, bool>);

impl Ends {
    async fn was_erased(&mut self, conn: &mut SqliteConnection, row: &Gone) -> Result<bool> {
        if row.kind != "tenant" {
            return Ok(false);
        }
        if let Some(known) = self.0.get(&row.resource) {
            return Ok(*known);
        }
        let erased: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM tenants WHERE uid = ? AND state = 'erased')",
        )
        .bind(&row.resource)
        .fetch_one(conn)
        .await
        .db()?;
        if self.0.len() < SITES_REMEMBERED {
            self.0.insert(row.resource.clone(), erased);
        }
        Ok(erased)
    }
}

/// Goes along one chain.
struct Walker {
    chain: String,
    anchors: Vec<AuditHead>,
    next_anchor: usize,
    /// Place that the next row should have.
    expected: u64,
    /// Link of the row before; `None` behind a gap.
    previous: Option<[u8; 32]>,
    last_id: i64,
    erased: Vec<Gone>,
    out: AuditVerification,
}

impl Walker {
    fn new(chain: String, anchors: Vec<AuditHead>, out: AuditVerification) -> Self {
        Self {
            chain,
            anchors,
            next_anchor: 0,
            expected: 1,
            previous: Some(BEGINNING),
            last_id: 0,
            erased: Vec::new(),
            out,
        }
    }

    fn tell(&mut self, fault: AuditFault, seq: u64, until: u64, id: Option<u64>) {
        self.out.faults += 1;
        if self.out.findings.len() < AUDIT_FINDINGS_MAX {
            let chain = self.chain.clone();
            self.out.findings.push(AuditFinding { chain, seq, until, id, fault });
        }
    }

    /// The next row, by place and number.
    fn take(&mut self, row: &SqliteRow) -> Result<()> {
        self.out.rows += 1;
        let number_of_row: i64 = row.try_get(0).db()?;
        let id = u64::try_from(number_of_row).ok();
        let place: i64 = row.try_get(1).db()?;
        let Some(seq) = u64::try_from(place).ok().filter(|seq| *seq >= self.expected) else {
            // A place that is taken, or none.
            self.tell(AuditFault::Added, u64::try_from(place).unwrap_or(0), 0, id);
            return Ok(());
        };
        if seq > self.expected {
            self.tell(AuditFault::Missing, self.expected, seq - 1, None);
            self.previous = None;
        }
        let stored = digest(row.try_get(12).db()?);
        let is_ordered = number_of_row > self.last_id;
        let follows = match self.previous {
            Some(previous) => self.link(row, seq, &previous)? == stored,
            None => true,
        };
        if !(is_ordered && follows && self.payload_fits(row, seq, id)?) {
            self.tell(AuditFault::Changed, seq, seq, id);
        }
        self.compare(seq, &stored, id);
        self.expected = seq.saturating_add(1);
        self.previous = Some(stored);
        self.last_id = self.last_id.max(number_of_row);
        Ok(())
    }

    fn link(&self, row: &SqliteRow, seq: u64, previous: &[u8; 32]) -> Result<[u8; 32]> {
        let fixed = Fixed {
            chain: self.chain.as_bytes(),
            seq,
            at: row.try_get(2).db()?,
            actor: row.try_get(3).db()?,
            on_behalf_of: row.try_get(4).db()?,
            action: row.try_get(5).db()?,
            resource_kind: row.try_get(6).db()?,
            resource_id: row.try_get(7).db()?,
            request_id: row.try_get(8).db()?,
            plan: row.try_get(9).db()?,
            outcome: row.try_get(10).db()?,
            payload_sha256: digest(row.try_get(11).db()?),
        };
        Ok(fixed.link(previous))
    }

    fn payload_fits(&mut self, row: &SqliteRow, seq: u64, id: Option<u64>) -> Result<bool> {
        let salt: Option<&[u8]> = row.try_get(13).db()?;
        let payload = Payload {
            salt: salt.unwrap_or_default(),
            resource_name: row.try_get(14).db()?,
            before: row.try_get(15).db()?,
            after: row.try_get(16).db()?,
            reason: row.try_get(17).db()?,
        };
        if salt.is_some() {
            return Ok(payload.sha256() == digest(row.try_get(11).db()?));
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.erased.push(Gone {
            seq,
            id: id.unwrap_or(0),
            kind: text(row.try_get(6).db()?),
            resource: text(row.try_get(7).db()?),
        });
        let rest = [payload.resource_name, payload.before, payload.after, payload.reason];
        Ok(rest.iter().all(Option::is_none))
    }

    /// Compares what was known of this place.
    fn compare(&mut self, seq: u64, link: &[u8; 32], id: Option<u64>) {
        while let Some(anchor) = self.anchors.get(self.next_anchor).filter(|a| a.seq <= seq) {
            self.next_anchor += 1;
            self.out.anchors += 1;
            // One of a place that is missing was told of as that.
            if anchor.seq == seq && anchor.link != *link {
                self.tell(AuditFault::Rewritten, seq, seq, id);
            }
        }
    }

    /// What the end of the chain says of its rows, and anchors behind the end.
    fn end(mut self, head: AuditHead) -> AuditVerification {
        let last = self.expected - 1;
        let known = self.anchors.iter().map(|anchor| anchor.seq).max().unwrap_or(0).max(head.seq);
        if known > last {
            self.tell(AuditFault::CutOff, last + 1, known, None);
        } else if head.seq < last {
            self.tell(AuditFault::Added, head.seq + 1, last, None);
        } else if self.previous.is_some_and(|link| link != head.link) {
            self.tell(AuditFault::Changed, last, last, None);
        }
        self.out.anchors += (self.anchors.len() - self.next_anchor) as u64;
        self.out.heads.push(head);
        self.out
    }
}

#[cfg(test)]
mod tests;
