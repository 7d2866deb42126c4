//! Numbers that count upwards in the order of commits: taken in the write transaction itself, so
//! that whoever has seen a number will never see a lower one appear later.

use sqlx::SqliteConnection;

use super::Result;
use super::columns::Columns;
use super::result_codes::Db;

/// What a sequence is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sequence {
    /// Claims of idempotency keys.
    Claims,
    /// Events of the outbox.
    Events,
    /// Changes of routes.
    Routes,
}

impl Sequence {
    fn name(self) -> &'static str {
        match self {
            Self::Claims => "claims",
            Self::Events => "events",
            Self::Routes => "routes",
        }
    }
}

/// The next number.
pub(super) async fn next(conn: &mut SqliteConnection, sequence: Sequence) -> Result<u64> {
    let row = sqlx::query("UPDATE sequences SET value = value + 1 WHERE name = ? RETURNING value")
        .bind(sequence.name())
        .fetch_one(conn)
        .await
        .db()?;
    Columns::new("sequences", &row).count("value")
}

/// The last number, and the last of those that were forgotten.
pub(super) async fn last(conn: &mut SqliteConnection, sequence: Sequence) -> Result<(u64, u64)> {
    let row = sqlx::query("SELECT value, floor FROM sequences WHERE name = ?")
        .bind(sequence.name())
        .fetch_one(conn)
        .await
        .db()?;
    let columns = Columns::new("sequences", &row);
    Ok((columns.count("value")?, columns.count("floor")?))
}

/// Remembers that everything up to `floor` may be missing.
pub(super) async fn raise_floor(
    conn: &mut SqliteConnection,
    sequence: Sequence,
    floor: u64,
) -> Result<()> {
    sqlx::query("UPDATE sequences SET floor = max(floor, ?) WHERE name = ?")
        .bind(super::columns::number(floor))
        .bind(sequence.name())
        .execute(conn)
        .await
        .db()
        .map(drop)
}
