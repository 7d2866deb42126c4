//! Opening the registry: one connection that writes, a pool of those that read.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection;
use sqlx::Sqlite;
use sqlx::SqlitePool;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::sqlite::SqliteJournalMode;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::sqlite::SqliteSynchronous;
use uuid::Uuid;

use super::Result;
use super::idempotency::GivenUp;
use super::migrate;
use super::result_codes::Db;
use super::txn::Txn;
use crate::error::StoreError;

/// Size that the write-ahead log is cut back to after a checkpoint, in bytes.
const WAL_KEPT_BYTES: &str = "67108864";

/// How a registry is opened.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The database file; its folder must exist. A new file gets mode 0600.
    pub path: PathBuf,
    /// Random id of this process's life: marks of other lives count as abandoned.
    pub incarnation: Uuid,
    /// Connections that read (at least 1).
    pub readers: u32,
    /// How long a write waits for its turn or for another process, and a read for a connection.
    pub busy_timeout: Duration,
    /// Whether a registry that is not there is made. A platform that has had one must not start
    /// with an empty one: its sites would be nobody's.
    pub may_create: bool,
    /// Most pages that the file may have (4 KiB each); `None` for SQLite's own limit.
    pub max_pages: Option<u32>,
}

impl StoreOptions {
    /// The options for `path` with 4 readers and 5 s of patience.
    pub fn new(path: impl Into<PathBuf>, incarnation: Uuid) -> Self {
        Self {
            path: path.into(),
            incarnation,
            readers: 4,
            busy_timeout: Duration::from_secs(5),
            may_create: true,
            max_pages: None,
        }
    }

    fn connect_options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.path)
            .foreign_keys(true)
            .busy_timeout(self.busy_timeout)
            // In WAL mode only FULL survives a power cut with every acknowledged commit.
            .synchronous(SqliteSynchronous::Full)
            .pragma("trusted_schema", "OFF")
    }

    fn pool_options(&self, connections: u32) -> SqlitePoolOptions {
        SqlitePoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(self.busy_timeout)
            .max_lifetime(None)
            .idle_timeout(None)
            .test_before_acquire(false)
            .after_release(|conn, _| {
                Box::pin(async move {
                    // After some errors (a full disk) SQLite has rolled back by itself, which the
                    // library's count of open transactions does not notice: such a connection
                    // would refuse every later BEGIN. The ping lets a queued rollback go first.
                    conn.ping().await?;
                    Ok(!conn.is_in_transaction())
                })
            })
    }
}

/// The registry. Cheap to clone; the clones share their connections.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    writer: SqlitePool,
    readers: SqlitePool,
    incarnation: Uuid,
    pub(super) given_up: GivenUp,
    /// Last, so that it is removed after the connections are gone.
    _folder: Option<tempfile::TempDir>,
}

impl Store {
    /// Opens the registry, making it and bringing its schema up to date where needed.
    ///
    /// # Errors
    /// [`StoreError::SchemaTooNew`] for a file of a newer version, [`StoreError::Corrupt`] for one
    /// that is no registry, [`StoreError::Gone`] for none, and whatever else opening a file may end in.
    pub async fn open(options: StoreOptions) -> Result<Self> {
        Self::open_in(options, None).await
    }

    /// A registry in a temporary folder that goes with the last clone of the store. For tests.
    ///
    /// # Errors
    /// As for [`Store::open`].
    pub async fn temporary() -> Result<Self> {
        let folder = tempfile::tempdir().map_err(|error| StoreError::Other(error.into()))?;
        let options = StoreOptions::new(folder.path().join("registry.db"), Uuid::new_v4());
        Self::open_in(options, Some(folder)).await
    }

    async fn open_in(options: StoreOptions, folder: Option<tempfile::TempDir>) -> Result<Self> {
        if options.may_create {
            create_private(&options.path).await?;
        } else if is_gone(&options.path) {
            return Err(StoreError::Gone);
        }
        let mut write_options = options
            .connect_options()
            .journal_mode(SqliteJournalMode::Wal)
            .pragma("journal_size_limit", WAL_KEPT_BYTES);
        if let Some(pages) = options.max_pages {
            write_options = write_options.pragma("max_page_count", pages.to_string());
        }
        let writer = options.pool_options(1).connect_with(write_options).await.db()?;
        migrate::run(&mut *writer.acquire().await.db()?).await?;
        let readers = options
            .pool_options(options.readers.max(1))
            .connect_lazy_with(options.connect_options().pragma("query_only", "ON"));
        let inner = Inner {
            writer,
            readers,
            incarnation: options.incarnation,
            given_up: GivenUp::default(),
            _folder: folder,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The id that the store was opened with.
    pub fn incarnation(&self) -> Uuid {
        self.inner.incarnation
    }

    /// Begins a write transaction, waiting for the one before it. Nothing slow may happen until
    /// it ends: every other write waits for it.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when its turn does not come in time.
    pub async fn begin(&self) -> Result<Txn> {
        // A deferred transaction that starts to write later fails at once with
        // SQLITE_BUSY_SNAPSHOT, whatever the busy time-out; an immediate one waits its turn.
        let transaction = self.inner.writer.begin_with("BEGIN IMMEDIATE").await.db()?;
        Ok(Txn::new(transaction))
    }

    /// What SQLite's own check of the whole file finds wrong; empty when it is sound. Slow.
    ///
    /// # Errors
    /// When the check itself cannot run.
    pub async fn integrity_check(&self) -> Result<Vec<String>> {
        let mut conn = self.reader().await?;
        let findings: Vec<String> =
            sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut *conn).await.db()?;
        Ok(findings.into_iter().filter(|line| line != "ok").collect())
    }

    /// Every row of every table but these, as text: for tests that prove that nothing changed.
    ///
    /// # Errors
    /// When it can't be read.
    #[cfg(feature = "dump")]
    pub async fn dump(&self, except: &[&str]) -> Result<Vec<String>> {
        const TABLES: &str = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name";
        let mut conn = self.reader().await?;
        let tables: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(&mut *conn).await.db()?;
        let mut rows = Vec::new();
        for table in tables.iter().filter(|table| !except.contains(&table.as_str())) {
            let columns: Vec<String> =
                sqlx::query_scalar("SELECT name FROM pragma_table_info(?) ORDER BY cid")
                    .bind(table)
                    .fetch_all(&mut *conn)
                    .await
                    .db()?;
            let quoted: Vec<String> = columns
                .iter()
                .map(|column| format!("'{column}=' || quote(\"{column}\")"))
                .collect();
            let text = format!("SELECT {} FROM \"{table}\"", quoted.join(" || ' ' || "));
            let found: Vec<String> =
                sqlx::query_scalar(sqlx::AssertSqlSafe(text)).fetch_all(&mut *conn).await.db()?;
            rows.extend(found.into_iter().map(|row| format!("{table}: {row}")));
        }
        rows.sort();
        Ok(rows)
    }

    /// Closes every connection, waiting for those in use.
    pub async fn close(&self) {
        self.inner.readers.close().await;
        // Last: the last connection to close folds the write-ahead log into the file.
        self.inner.writer.close().await;
    }

    pub(super) async fn reader(&self) -> Result<PoolConnection<Sqlite>> {
        self.inner.readers.acquire().await.db()
    }
}

/// Whether there is nothing to open: neither in the file nor in its write-ahead log.
fn is_gone(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let is_empty = |path: &Path| std::fs::metadata(path).is_ok_and(|file| file.len() == 0);
    let is_missing = |path: &Path| {
        std::fs::metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    };
    let log = Path::new(&log);
    is_missing(path) || (is_empty(path) && (is_missing(log) || is_empty(log)))
}

/// Makes the file, where it is not there, readable by its owner only (SQLite gives its log and
/// shared-memory files the same mode).
async fn create_private(path: &Path) -> Result<()> {
    tokio::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .await
        .map(drop)
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::StorageFull => StoreError::Full(error.into()),
            std::io::ErrorKind::ReadOnlyFilesystem => StoreError::Disk(error.into()),
            _ => StoreError::Other(error.into()),
        })
}
