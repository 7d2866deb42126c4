//! A site's database as SQL, read in one consistent snapshot.
//!
//! Base tables only, each held in place while it is read: a view or a trigger would run somebody's
//! text with our rights, and is told instead. Rows are not locked, no statement names a database or
//! a definer. The administrator reads: a suspended site's own user may not.

use aipress_archive::sql::escape_into;
use aipress_types::TenantUid;
use futures_util::TryStreamExt;
use sqlx::AssertSqlSafe;
use sqlx::MySqlConnection;
use sqlx::Row;
use sqlx::mysql::MySqlRow;
use tokio::sync::mpsc;

use super::MariaDb;
use super::execute;
use super::hold::Holder;
use super::names::identifier;
use super::record;
use super::sql_error;
use crate::content::DatabaseFacts;
use crate::error::DriverError;
use crate::layout::tenant_handle;

/// A chunk ends after the statement that makes it this long, in bytes.
const CHUNK: usize = 7 * 1024 * 1024;
/// An `INSERT` ends after the row that makes it this long, in bytes.
const INSERT: usize = 1024 * 1024;
/// The reading of one table, in seconds: 36 GB as slow disks read.
const TABLE_S: u32 = 1800;
const WHAT: &str = "read the site's database";
/// What a chunk begins with: whoever loads it with another program gets the same rows.
const HEAD: &str = "SET NAMES utf8mb4;\nSET TIME_ZONE='+00:00';\nSET FOREIGN_KEY_CHECKS=0;\n\
                    SET UNIQUE_CHECKS=0;\nSET SQL_MODE='NO_AUTO_VALUE_ON_ZERO';\n";

/// How a column's values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As the server says it: numbers.
    Plain,
    /// In hexadecimal: bytes.
    Hex,
    /// In quotes: texts, dates.
    Quoted,
}

struct Column {
    name: String,
    form: Form,
}

/// Counts tables and bytes, and names what a dump leaves out.
pub(super) async fn facts(
    session: &mut MySqlConnection,
    uid: TenantUid,
) -> Result<DatabaseFacts, DriverError> {
    let database = tenant_handle(uid);
    let (tables, bytes): (i64, i64) = sqlx::query_as(
        "SELECT COUNT(*), CAST(COALESCE(SUM(DATA_LENGTH), 0) AS SIGNED) \
         FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_TYPE = 'BASE TABLE'",
    )
    .bind(&database)
    .fetch_one(&mut *session)
    .await
    .map_err(|error| sql_error(WHAT, error))?;
    let left: Vec<String> = sqlx::query_scalar(
        "SELECT CONVERT(CONCAT('view ', TABLE_NAME) USING utf8mb4) FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA = ? AND TABLE_TYPE = 'VIEW' \
         UNION ALL SELECT CONVERT(CONCAT('trigger ', TRIGGER_NAME) USING utf8mb4) \
         FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ? LIMIT 50",
    )
    .bind(&database)
    .bind(&database)
    .fetch_all(session)
    .await
    .map_err(|error| sql_error(WHAT, error))?;
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    Ok(DatabaseFacts { tables: count(tables), bytes: count(bytes), left })
}

/// Sends the database in chunks of whole statements. Ends early when nobody takes them.
pub(super) async fn dump(
    driver: &MariaDb,
    uid: TenantUid,
    chunks: mpsc::Sender<Vec<u8>>,
) -> Result<(), DriverError> {
    let database = tenant_handle(uid);
    let mut session = driver.connect(WHAT).await?;
    if !record::has_database(&mut session, &database).await? {
        return Err(DriverError::conflict(WHAT, "it is not there"));
    }
    let begin = format!(
        "SET SESSION time_zone='+00:00', max_statement_time={TABLE_S}, net_write_timeout=600;USE {};\
         SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;\
         START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;",
        identifier(&database)
    );
    execute(&mut session, WHAT, &begin).await?;
    let mut holder = Holder::open(driver, WHAT).await?;
    holder.use_utc().await?;
    let mut chunk = Chunk { text: HEAD.as_bytes().to_vec(), chunks, closed: false };
    for table in record::tables(&mut session, &database).await? {
        let definition = holder.hold(&database, &table).await?;
        chunk.define(&table, &definition);
        dump_rows(&mut session, &database, &table, &mut chunk).await?;
        if chunk.closed {
            return Ok(());
        }
    }
    chunk.send().await;
    Ok(())
}

struct Chunk {
    text: Vec<u8>,
    chunks: mpsc::Sender<Vec<u8>>,
    closed: bool,
}

impl Chunk {
    async fn send(&mut self) {
        let next = Vec::with_capacity(CHUNK + INSERT);
        let text = std::mem::replace(&mut self.text, next);
        self.closed |= self.chunks.send(text).await.is_err();
        self.text.extend_from_slice(HEAD.as_bytes());
    }

    fn define(&mut self, table: &str, definition: &str) {
        let drop = format!("DROP TABLE IF EXISTS {};\n", identifier(table));
        for part in [drop.as_str(), definition, ";\n"] {
            self.text.extend_from_slice(part.as_bytes());
        }
    }

    async fn send_if_long(&mut self) {
        if self.text.len() >= CHUNK {
            self.send().await;
        }
    }
}

async fn dump_rows(
    session: &mut MySqlConnection,
    database: &str,
    table: &str,
    chunk: &mut Chunk,
) -> Result<(), DriverError> {
    let name = identifier(table);
    let columns = columns(session, database, table).await?;
    if columns.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = columns.iter().map(|column| identifier(&column.name)).collect();
    let list = list.join(",");
    let head = format!("INSERT INTO {name} ({list}) VALUES\n");
    let select = AssertSqlSafe(format!("SELECT {list} FROM {name}"));
    let mut rows = sqlx::raw_sql(select).fetch(&mut *session);
    let mut begun = None;
    while let Some(row) = rows.try_next().await.map_err(|error| sql_error(WHAT, error))? {
        match begun {
            None => {
                begun = Some(chunk.text.len());
                chunk.text.extend_from_slice(head.as_bytes());
            }
            Some(_) => chunk.text.extend_from_slice(b",\n"),
        }
        write_row(&mut chunk.text, &row, &columns)?;
        if begun.is_some_and(|at| chunk.text.len() - at >= INSERT) {
            chunk.text.extend_from_slice(b";\n");
            begun = None;
            chunk.send_if_long().await;
            if chunk.closed {
                return Ok(());
            }
        }
    }
    if begun.is_some() {
        chunk.text.extend_from_slice(b";\n");
    }
    chunk.send_if_long().await;
    Ok(())
}

/// The columns that are written: not those that the server computes.
async fn columns(
    session: &mut MySqlConnection,
    database: &str,
    table: &str,
) -> Result<Vec<Column>, DriverError> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT CONVERT(COLUMN_NAME USING utf8mb4), LOWER(CONVERT(DATA_TYPE USING utf8mb4)) \
         FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? \
         AND IS_GENERATED = 'NEVER' ORDER BY ORDINAL_POSITION",
    )
    .bind(database)
    .bind(table)
    .fetch_all(session)
    .await
    .map_err(|error| sql_error(WHAT, error))?;
    Ok(rows.into_iter().map(|(name, kind)| Column { name, form: form(&kind) }).collect())
}

fn form(kind: &str) -> Form {
    match kind {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "decimal" | "float"
        | "double" | "year" => Form::Plain,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" | "bit"
        | "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
        | "multipolygon" | "geometrycollection" => Form::Hex,
        _ => Form::Quoted,
    }
}

fn write_row(out: &mut Vec<u8>, row: &MySqlRow, columns: &[Column]) -> Result<(), DriverError> {
    for (index, column) in columns.iter().enumerate() {
        out.push(if index == 0 { b'(' } else { b',' });
        match (bytes(row, index)?, column.form) {
            (None, _) => out.extend_from_slice(b"NULL"),
            (Some(value), Form::Plain) => out.extend_from_slice(value),
            (Some([]), Form::Hex) => out.extend_from_slice(b"''"),
            (Some(value), Form::Hex) => {
                out.extend_from_slice(b"0x");
                out.extend_from_slice(hex::encode(value).as_bytes());
            }
            (Some(value), Form::Quoted) => escape_into(out, value),
        }
    }
    out.push(b')');
    Ok(())
}

/// A value as the server sent it, whatever its type: in the text protocol that is its text.
fn bytes(row: &MySqlRow, index: usize) -> Result<Option<&[u8]>, DriverError> {
    row.try_get_unchecked(index).map_err(|error| sql_error(WHAT, error))
}
