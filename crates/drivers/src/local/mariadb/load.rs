//! A site's database from an archive: into an empty one, as the tenant's own user, by statements
//! that were judged. The record says `making` until the last row is there, so that one that was
//! killed in the middle is known, and begun anew.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use aipress_archive::AddressChange;
use aipress_archive::ArchiveError;
use aipress_archive::Limits;
use aipress_archive::Manifest;
use aipress_archive::Member;
use aipress_archive::MemberKind;
use aipress_archive::read;
use aipress_archive::read::Check;
use aipress_archive::read::Flow;
use aipress_archive::read::Visitor;
use aipress_archive::sql::Judge;
use aipress_archive::sql::Rules;
use aipress_archive::sql::Splitter;
use aipress_archive::sql::Verdict;
use aipress_kit::faults;
use futures_util::future::try_join_all;
use sqlx::AssertSqlSafe;
use sqlx::ConnectOptions;
use sqlx::MySqlConnection;
use sqlx::mysql::MySqlConnectOptions;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;

use super::CALL_LIMIT;
use super::CONNECT_LIMIT;
use super::MariaDb;
use super::account;
use super::execute;
use super::names::identifier;
use super::names::literal;
use super::names::password_hash;
use super::record;
use super::room;
use super::site;
use super::sql_error;
use super::template::CHARSET;
use super::turn;
use crate::Ensured;
use crate::content::Content;
use crate::content::archive_error;
use crate::database::SiteDatabase;
use crate::database::SiteState;
use crate::error::DriverError;

/// Sessions that load at once; rows of a table go to whichever is free.
const SESSIONS: usize = 2;
/// Statements that run or wait, each of at most [`aipress_archive::sql::STATEMENT_MAX`].
const WAITING: usize = 4;
/// A session commits after so many bytes of statements: often enough that the binary log need not
/// be gathered in a file of its own first, seldom enough that syncs don't count.
const COMMIT: usize = 4 * 1024 * 1024;
/// Longest that a statement may run, in seconds: as any of a site's.
const STATEMENT_S: u64 = 120;
/// All statements of a load may run so long, and as much longer for each MiB of them: a slow disk
/// that others are busy with takes 5 MiB in a second.
const RUN_BASE: Duration = Duration::from_secs(600);
const RUN_MIB: Duration = Duration::from_secs(2);
/// A load in all, with its archive on its way.
const LOAD_LIMIT: Duration = Duration::from_secs(6 * 3600);
/// The platform's prefix of tables.
const PREFIX: &str = "wp_";
const WHAT: &str = "load the database";
/// Errors of the server that pass by themselves: lock wait, deadlock, disk full, going down.
const PASSING: &[u16] = &[1021, 1053, 1114, 1180, 1205, 1213];
/// Errors of the server for what was ended: somebody ended it, or its time was over.
const ENDED: &[u16] = &[1317, 1969];

/// Makes the database from the archive, or repairs the user of one that is complete.
pub(super) async fn ensure(
    driver: &MariaDb,
    database: &SiteDatabase,
    core_version: &str,
    content: &Content,
) -> Result<Ensured, DriverError> {
    let ready = driver
        .within(WHAT, CALL_LIMIT, async move |mut session| {
            begin(&mut session, database, core_version).await
        })
        .await?;
    if let Some(kept) = ready {
        return Ok(kept);
    }
    faults::point("shard.load.before");
    let _spared = driver.calm.spare(database.uid);
    let source = tokio::time::timeout(LOAD_LIMIT, load(driver, database, content))
        .await
        .map_err(|_| too_long(&format!("{} hours", LOAD_LIMIT.as_secs() / 3600)))??;
    faults::point("shard.load.after");
    driver
        .within(WHAT, CALL_LIMIT, async move |mut session| {
            finish(&mut session, database, &source).await
        })
        .await?;
    Ok(Ensured::Created)
}

/// Makes an empty database and its user; or says that it is complete.
async fn begin(
    session: &mut MySqlConnection,
    database: &SiteDatabase,
    core_version: &str,
) -> Result<Option<Ensured>, DriverError> {
    record::ensure_schema(session).await?;
    turn(session, WHAT, database.uid).await?;
    match record::site_state(session, database.uid).await? {
        Some(SiteState::Ready) => return site::keep(session, database, WHAT).await.map(Some),
        Some(SiteState::Aside) => {
            return Err(DriverError::conflict(WHAT, "it is set aside; bring it back instead"));
        }
        Some(SiteState::Erasing) => return Err(DriverError::conflict(WHAT, "it is being erased")),
        Some(SiteState::Making) => {
            // A statement of the killed loader may still run: it ends before the database goes.
            account::remove(session, database.uid).await?;
            site::clear_half_made(session, database.uid, WHAT).await?;
        }
        None if record::has_database(session, &database.name).await? => {
            return Err(DriverError::conflict(WHAT, "a database of its name is there already"));
        }
        None => {}
    }
    room::check(session, WHAT).await?;
    let statements = format!(
        "INSERT INTO aipress.sites (uid, db, core_version, state) VALUES ({}, {}, {}, 'making');\
         CREATE DATABASE {} {CHARSET};{}",
        literal(&database.uid.to_string()),
        literal(&database.name),
        literal(core_version),
        identifier(&database.name),
        account::grant_statement(database.uid, &[password_hash(&database.password)]),
    );
    execute(session, WHAT, &statements).await?;
    Ok(None)
}

/// Looks once more, and says that it is complete.
async fn finish(
    session: &mut MySqlConnection,
    database: &SiteDatabase,
    source: &Manifest,
) -> Result<(), DriverError> {
    let tables = record::tables(session, &database.name).await?;
    for needed in ["options", "users", "usermeta", "posts"] {
        if !tables.iter().any(|table| *table == format!("{PREFIX}{needed}")) {
            return Err(DriverError::invalid(
                WHAT,
                format!("the archive has no table {}{needed}", source.database.table_prefix),
            ));
        }
    }
    turn(session, WHAT, database.uid).await?;
    if record::site_state(session, database.uid).await? != Some(SiteState::Making) {
        return Err(DriverError::conflict(WHAT, "somebody else changed it meanwhile"));
    }
    execute(session, WHAT, &record::set_site_state(database.uid, SiteState::Ready)).await.map(drop)
}

/// A statement on its way to a session.
struct Work {
    table: String,
    sql: String,
    line: u64,
    is_rows: bool,
    /// How many of [`WAITING`] it holds, until it was run.
    place: OwnedSemaphorePermit,
}

/// The sessions' common queue.
type Queue = Mutex<mpsc::Receiver<Work>>;

/// What a load has run so far.
#[derive(Default)]
struct Spent {
    bytes: AtomicU64,
    millis: AtomicU64,
}

impl Spent {
    /// Adds a statement; refuses one beyond what so many bytes may take.
    fn add(&self, bytes: usize, time: Duration) -> Result<(), DriverError> {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let bytes = self.bytes.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        let millis = self.millis.fetch_add(millis, Ordering::Relaxed) + millis;
        let mib = u32::try_from(bytes / 1024 / 1024).unwrap_or(u32::MAX);
        if Duration::from_millis(millis) <= RUN_BASE + RUN_MIB.saturating_mul(mib) {
            return Ok(());
        }
        Err(too_long(&format!("{} minutes for its first {mib} MiB", millis / 60_000)))
    }
}

fn too_long(time: &str) -> DriverError {
    DriverError::invalid(WHAT, format!("it takes too long: {time}"))
}

async fn load(
    driver: &MariaDb,
    database: &SiteDatabase,
    content: &Content,
) -> Result<Manifest, DriverError> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let (queue, places) = (Mutex::new(receiver), Arc::new(Semaphore::new(WAITING)));
    let home = content.home.clone();
    let (content, reading_places) = (content.clone(), Arc::clone(&places));
    let reading =
        tokio::task::spawn_blocking(move || read_statements(&content, sender, reading_places));
    let spent = Spent::default();
    let sessions = async {
        let sessions = (0..SESSIONS).map(|_| run(driver, database, &queue, &spent));
        // The first error is the cause, and ends the others.
        let ran = try_join_all(sessions).await;
        if ran.is_err() {
            // The reader gets no place any more, and ends.
            places.close();
        }
        ran
    };
    let (read, loaded) = tokio::join!(reading, sessions);
    // A session's error is the cause; the reader then only finds nobody to take its statements.
    loaded?;
    let manifest = read.map_err(|error| DriverError::failed(WHAT, error))??;
    let statements = finishing(&manifest, &home);
    if !statements.is_empty() {
        let mut session = connect(driver, database).await?;
        execute(&mut session, WHAT, &format!("{statements}COMMIT;")).await?;
    }
    Ok(manifest)
}

/// Reads, judges and hands out the statements.
fn read_statements(
    content: &Content,
    sender: mpsc::Sender<Work>,
    places: Arc<Semaphore>,
) -> Result<Manifest, DriverError> {
    let mut reader = Reader {
        content,
        sender,
        places,
        runtime: Handle::current(),
        manifest: None,
        judge: Judge::default(),
    };
    let input = content.source.open()?;
    read::read(input, &Limits::default(), Check::Trusted, &mut reader)
        .map_err(|error| archive_error(WHAT, &error))?;
    reader.manifest.ok_or_else(|| DriverError::invalid(WHAT, "the archive has no aip.json"))
}

struct Reader<'c> {
    content: &'c Content,
    sender: mpsc::Sender<Work>,
    /// Free places of [`WAITING`].
    places: Arc<Semaphore>,
    runtime: Handle,
    manifest: Option<Manifest>,
    judge: Judge,
}

impl Visitor for Reader<'_> {
    fn manifest(&mut self, manifest: &Manifest) -> Result<(), ArchiveError> {
        self.content.progress.begin(manifest.database.bytes);
        let prefix = &manifest.database.table_prefix;
        let wordpress = &manifest.wordpress;
        self.judge = Judge::new(Rules {
            prefix: (prefix != PREFIX).then(|| (prefix.clone(), PREFIX.to_owned())),
            address: AddressChange::new(&[&wordpress.home, &wordpress.siteurl], &self.content.home),
            foreign: manifest.foreign,
        });
        self.manifest = Some(manifest.clone());
        Ok(())
    }

    fn member(&mut self, member: &Member, data: &mut dyn Read) -> Result<Flow, ArchiveError> {
        match member.kind {
            MemberKind::Database => {}
            // The database stands before the files; they are read by somebody else.
            MemberKind::File | MemberKind::Folder => return Ok(Flow::Stop),
            _ => return Ok(Flow::On),
        }
        let mut splitter = Splitter::new(data);
        while let Some(statement) = splitter.next_statement()? {
            self.content.progress.add(statement.text.len() as u64);
            let Verdict::Run(run) = self.judge.judge(&statement)? else { continue };
            let sql = String::from_utf8(run.sql.into_owned()).map_err(|_| ArchiveError::Sql {
                line: statement.line,
                reason: "a statement that is not UTF-8".to_owned(),
            })?;
            self.send(run.table, sql, statement.line, run.rows)?;
        }
        Ok(Flow::On)
    }
}

impl Reader<'_> {
    /// Hands a statement out. Rows go to any session in any order; a definition is run by itself,
    /// after all that was before it and before all that follows.
    fn send(&self, table: String, sql: String, line: u64, rows: bool) -> Result<(), ArchiveError> {
        let gone = || ArchiveError::Visitor("the database does not take it".to_owned());
        let wanted = if rows { 1 } else { u32::try_from(WAITING).unwrap_or(u32::MAX) };
        let take =
            |wanted| self.runtime.block_on(Arc::clone(&self.places).acquire_many_owned(wanted));
        let place = take(wanted).map_err(|_| gone())?;
        self.sender
            .blocking_send(Work { table, sql, line, is_rows: rows, place })
            .map_err(|_| gone())?;
        if !rows {
            drop(take(wanted).map_err(|_| gone())?);
        }
        Ok(())
    }
}

/// One session: runs what comes, and commits now and then.
///
/// `unique_checks` stays on: without it InnoDB fills an empty table by a sort, which takes twice
/// the time for rows of some kilobytes, and locks the whole table.
async fn run(
    driver: &MariaDb,
    database: &SiteDatabase,
    queue: &Queue,
    spent: &Spent,
) -> Result<(), DriverError> {
    let mut session = connect(driver, database).await?;
    let mut open = 0;
    loop {
        let mut next = if open > 0 && open < COMMIT { at_hand(queue) } else { None };
        if next.is_none() {
            // Also when there is nothing to do: a definition waits for those who hold its table.
            execute(&mut session, WHAT, "COMMIT").await?;
            open = 0;
            next = queue.lock().await.recv().await;
        }
        let Some(work) = next else { return Ok(()) };
        let (length, begun) = (work.sql.len(), Instant::now());
        open += length;
        let sql = AssertSqlSafe(work.sql);
        // Rows were read to their last byte: they are one statement. Of a definition the server
        // makes sure, for a prepared text is one; the larger ones of rows would only take longer.
        let ran = if work.is_rows {
            sqlx::raw_sql(sql).execute(&mut session).await
        } else {
            sqlx::query(sql).persistent(false).execute(&mut session).await
        };
        ran.map_err(|error| refused(error, &work.table, work.line))?;
        spent.add(length, begun.elapsed())?;
        drop(work.place);
    }
}

/// What waits in the queue; nothing when somebody else waits for it.
fn at_hand(queue: &Queue) -> Option<Work> {
    queue.try_lock().ok()?.try_recv().ok()
}

/// A statement that the server does not take is the archive's fault, unless it is busy or full.
fn refused(error: sqlx::Error, table: &str, line: u64) -> DriverError {
    if let sqlx::Error::Database(told) = &error {
        let number = told.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>().map(|e| e.number());
        if number.is_some_and(|number| ENDED.contains(&number)) {
            let text = format!(
                "line {line} of table {table}'s part was ended: a statement may run {STATEMENT_S} s"
            );
            return DriverError::invalid(WHAT, text);
        }
        if number.is_some_and(|number| !PASSING.contains(&number)) {
            let message: String = told.message().chars().take(300).collect();
            return DriverError::invalid(
                WHAT,
                format!("mariadb does not take line {line} of table {table}'s part: {message}"),
            );
        }
    }
    sql_error(WHAT, error)
}

/// A session as the tenant's user, without the limits of a page's.
async fn connect(
    driver: &MariaDb,
    database: &SiteDatabase,
) -> Result<MySqlConnection, DriverError> {
    let options = MySqlConnectOptions::new()
        .socket(&driver.socket)
        .username(&database.user)
        .password(database.password.expose())
        .database(&database.name)
        .ssl_mode(sqlx::mysql::MySqlSslMode::Disabled)
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(None)
        .statement_cache_capacity(0)
        .disable_statement_logging();
    let mut session = tokio::time::timeout(CONNECT_LIMIT, options.connect())
        .await
        .map_err(|_| DriverError::Timeout { what: WHAT.to_owned(), after: CONNECT_LIMIT })?
        .map_err(|error| sql_error(WHAT, error))?;
    // Rows come as the dump has them: also dates of zero, ids of 0, keys in any order.
    let setup = format!(
        "SET SESSION sql_mode='NO_AUTO_VALUE_ON_ZERO', time_zone='+00:00', \
         foreign_key_checks=0, max_statement_time={STATEMENT_S}, autocommit=0"
    );
    execute(&mut session, WHAT, &setup).await?;
    Ok(session)
}

/// What is made right once all rows are there. Nothing when the site comes back as it was.
fn finishing(manifest: &Manifest, home: &str) -> String {
    let mut sql = String::new();
    let prefix = &manifest.database.table_prefix;
    if prefix != PREFIX {
        let (old, length) = (literal(prefix), prefix.chars().count());
        sql.push_str(&format!(
            "UPDATE IGNORE wp_options SET option_name='wp_user_roles' \
             WHERE option_name=CONCAT({old},'user_roles');\
             UPDATE wp_usermeta SET meta_key=CONCAT('wp_',SUBSTRING(meta_key,{})) \
             WHERE LEFT(meta_key,{length})={old} AND LEFT(meta_key,3)<>'wp_';",
            length + 1
        ));
    }
    let wordpress = &manifest.wordpress;
    if wordpress.home != home || wordpress.siteurl != home {
        sql.push_str(&format!(
            "UPDATE wp_options SET option_value={} WHERE option_name IN ('home','siteurl');",
            literal(home)
        ));
    }
    if manifest.foreign {
        sql.push_str(
            "UPDATE wp_options SET option_value='' WHERE option_name IN \
             ('upload_path','upload_url_path') AND option_value<>'wp-content/uploads';",
        );
    }
    sql
}
