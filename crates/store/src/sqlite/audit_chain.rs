//! How audit rows are chained (docs/adr/0017-audit-chains.md). What is hashed is written here and
//! nowhere else; it never changes: rows of all times are looked at by it.
//!
//! A text is hashed as one byte 1, its length in eight bytes, big end first, and its bytes; none as
//! one byte 0; a number in eight bytes.

use aipress_types::AccountId;
use sha2::Digest;
use sha2::Sha256;
use sqlx::Row;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::Result;
use super::columns::Columns;
use super::columns::number;
use super::result_codes::Db;
use crate::records::AuditHead;
use crate::records::PLATFORM_CHAIN;

/// The migration that brings chains; [`link_all`] is its end.
pub(super) const MIGRATION: &str = "0025_audit_chain";
/// What a chain's first row follows.
pub(super) const BEGINNING: [u8; 32] = [0; 32];
/// Rows linked at a time by the migration.
const BATCH: i64 = 1_000;

reads! {
    /// The ends of all chains.
    audit_heads() -> Vec<AuditHead>;
    /// The link of the row at a place of a chain.
    audit_link(chain: &str, seq: u64) -> Option<[u8; 32]>;
}

/// What may be erased later.
pub(super) struct Payload<'a> {
    pub(super) salt: &'a [u8],
    pub(super) resource_name: Option<&'a [u8]>,
    pub(super) before: Option<&'a [u8]>,
    pub(super) after: Option<&'a [u8]>,
    pub(super) reason: Option<&'a [u8]>,
}

impl Payload<'_> {
    pub(super) fn sha256(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"aipress audit payload 1\n");
        put(&mut hash, Some(self.salt));
        for text in [self.resource_name, self.before, self.after, self.reason] {
            put(&mut hash, text);
        }
        hash.finalize().into()
    }
}

/// What stays for good.
pub(super) struct Fixed<'a> {
    pub(super) chain: &'a [u8],
    pub(super) seq: u64,
    /// Microseconds since 1970.
    pub(super) at: i64,
    pub(super) actor: &'a [u8],
    pub(super) on_behalf_of: Option<&'a [u8]>,
    pub(super) action: &'a [u8],
    pub(super) resource_kind: &'a [u8],
    pub(super) resource_id: &'a [u8],
    pub(super) request_id: Option<&'a [u8]>,
    pub(super) plan: Option<&'a [u8]>,
    pub(super) outcome: &'a [u8],
    pub(super) payload_sha256: [u8; 32],
}

impl Fixed<'_> {
    /// The link of this row behind a row of that link.
    pub(super) fn link(&self, previous: &[u8; 32]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"aipress audit link 1\n");
        hash.update(previous);
        put(&mut hash, Some(self.chain));
        hash.update(self.seq.to_be_bytes());
        hash.update(self.at.to_be_bytes());
        for text in [
            Some(self.actor),
            self.on_behalf_of,
            Some(self.action),
            Some(self.resource_kind),
            Some(self.resource_id),
            self.request_id,
            self.plan,
            Some(self.outcome),
        ] {
            put(&mut hash, text);
        }
        hash.update(self.payload_sha256);
        hash.finalize().into()
    }
}

fn put(hash: &mut Sha256, bytes: Option<&[u8]>) {
    let Some(bytes) = bytes else { return hash.update([0]) };
    hash.update([1]);
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

/// The chain that a row of this account belongs to.
pub(super) fn chain_of(account: Option<AccountId>) -> String {
    account.map_or_else(|| PLATFORM_CHAIN.to_owned(), |account| account.to_string())
}

/// A hash of a column. One of another length fits nothing, as zeros do: whoever wrote it there is
/// found by a look at the chain, and stops nobody's work.
pub(super) fn digest(bytes: &[u8]) -> [u8; 32] {
    bytes.try_into().unwrap_or([0; 32])
}

fn head_of(row: &SqliteRow) -> Result<AuditHead> {
    let columns = Columns::new("audit_heads", row);
    Ok(AuditHead {
        chain: columns.text("chain")?,
        seq: columns.count("seq")?,
        link: digest(&columns.blob("link")?),
    })
}

async fn audit_heads(conn: &mut SqliteConnection) -> Result<Vec<AuditHead>> {
    let rows = sqlx::query("SELECT chain, seq, link FROM audit_heads ORDER BY chain")
        .fetch_all(conn)
        .await
        .db()?;
    rows.iter().map(head_of).collect()
}

async fn audit_link(
    conn: &mut SqliteConnection,
    chain: &str,
    seq: u64,
) -> Result<Option<[u8; 32]>> {
    let row =
        sqlx::query("SELECT link FROM audit WHERE account IS ? AND seq = ? ORDER BY id LIMIT 1")
            .bind((chain != PLATFORM_CHAIN).then_some(chain))
            .bind(number(seq))
            .fetch_optional(conn)
            .await
            .db()?;
    row.map(|row| Ok(digest(&Columns::new("audit", &row).blob("link")?))).transpose()
}

/// The end of a chain; its beginning when nothing was written yet.
pub(super) async fn head(conn: &mut SqliteConnection, chain: &str) -> Result<AuditHead> {
    let row = sqlx::query("SELECT chain, seq, link FROM audit_heads WHERE chain = ?")
        .bind(chain)
        .fetch_optional(conn)
        .await
        .db()?;
    match row {
        Some(row) => head_of(&row),
        None => Ok(AuditHead { chain: chain.to_owned(), seq: 0, link: BEGINNING }),
    }
}

pub(super) async fn head_put(
    conn: &mut SqliteConnection,
    chain: &str,
    seq: u64,
    link: &[u8; 32],
) -> Result<()> {
    sqlx::query(
        "INSERT INTO audit_heads (chain, seq, link) VALUES (?, ?, ?)
         ON CONFLICT (chain) DO UPDATE SET seq = excluded.seq, link = excluded.link",
    )
    .bind(chain)
    .bind(number(seq))
    .bind(&link[..])
    .execute(conn)
    .await
    .db()
    .map(drop)
}

/// Links the rows from before there were chains, as they are.
pub(super) async fn link_all(conn: &mut SqliteConnection) -> Result<()> {
    let mut last = 0_i64;
    loop {
        let rows = sqlx::query("SELECT * FROM audit WHERE id > ? ORDER BY id LIMIT ?")
            .bind(last)
            .bind(BATCH)
            .fetch_all(&mut *conn)
            .await
            .db()?;
        for row in &rows {
            last = row.try_get("id").db()?;
            link_one(conn, row, last).await?;
        }
        if rows.is_empty() {
            return Ok(());
        }
    }
}

async fn link_one(conn: &mut SqliteConnection, row: &SqliteRow, id: i64) -> Result<()> {
    let salt = Uuid::new_v4().into_bytes();
    let maybe = |name: &str| row.try_get::<Option<&[u8]>, _>(name).db();
    let text = |name: &str| row.try_get::<&[u8], _>(name).db();
    let account: Option<String> = row.try_get("account").db()?;
    let chain = account.unwrap_or_else(|| PLATFORM_CHAIN.to_owned());
    let head = head(conn, &chain).await?;
    let payload_sha256 = Payload {
        salt: &salt,
        resource_name: maybe("resource_name")?,
        before: maybe("before")?,
        after: maybe("after")?,
        reason: maybe("reason")?,
    }
    .sha256();
    let seq = head.seq + 1;
    let link = Fixed {
        chain: chain.as_bytes(),
        seq,
        at: row.try_get("at").db()?,
        actor: text("actor")?,
        on_behalf_of: maybe("on_behalf_of")?,
        action: text("action")?,
        resource_kind: text("resource_kind")?,
        resource_id: text("resource_id")?,
        request_id: maybe("request_id")?,
        plan: maybe("plan")?,
        outcome: text("outcome")?,
        payload_sha256,
    }
    .link(&head.link);
    sqlx::query("UPDATE audit SET seq = ?, salt = ?, payload_sha256 = ?, link = ? WHERE id = ?")
        .bind(number(seq))
        .bind(&salt[..])
        .bind(&payload_sha256[..])
        .bind(&link[..])
        .bind(id)
        .execute(&mut *conn)
        .await
        .db()?;
    head_put(conn, &chain, seq, &link).await
}
