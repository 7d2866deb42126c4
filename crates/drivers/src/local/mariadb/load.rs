//! A site's database from an archive: into an empty one, as the tenant's own user, by statements
//! that were judged. The record says `making` until the last row is there, so that one that was
//! killed in the middle is known, and begun anew.

use std::collections::HashMap;
use std::io::Read;

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
use sqlx::AssertSqlSafe;
use sqlx::ConnectOptions;
use sqlx::MySqlConnection;
use sqlx::mysql::MySqlConnectOptions;
use tokio::sync::mpsc;

use super::CALL_LIMIT;
use super::CONNECT_LIMIT;
use super::MariaDb;
use super::account;
use super::execute;
use super::lock;
use super::names::identifier;
use super::names::literal;
use super::names::password_hash;
use super::record;
use super::site;
use super::sql_error;
use super::template::CHARSET;
use crate::Ensured;
use crate::content::Content;
use crate::content::archive_error;
use crate::database::SiteDatabase;
use crate::database::SiteState;
use crate::error::DriverError;

/// Sessions that load at once; a table is loaded by one of them.
const SESSIONS: usize = 2;
/// Statements that wait for a session, each of at most [`aipress_archive::sql::STATEMENT_MAX`].
const WAITING: usize = 2;
/// The platform's prefix of tables.
const PREFIX: &str = "wp_";
const WHAT: &str = "load the database";
/// Errors of the server that pass by themselves: lock wait, deadlock, disk full, going down.
const PASSING: &[u16] = &[1021, 1053, 1114, 1180, 1205, 1213];

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
    let source = load(driver, database, content).await?;
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
    lock(session, WHAT, &format!("site:{}", database.uid)).await?;
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
    lock(session, WHAT, &format!("site:{}", database.uid)).await?;
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
}

async fn load(
    driver: &MariaDb,
    database: &SiteDatabase,
    content: &Content,
) -> Result<Manifest, DriverError> {
    let mut senders = Vec::new();
    let mut loaders = Vec::new();
    for _ in 0..SESSIONS {
        let (sender, receiver) = mpsc::channel(WAITING);
        senders.push(sender);
        loaders.push(run(driver, database, receiver));
    }
    let content = content.clone();
    let home = content.home.clone();
    let reading = tokio::task::spawn_blocking(move || read_statements(&content, senders));
    let (read, loaded) = tokio::join!(reading, futures_util::future::join_all(loaders));
    // A loader's error is the cause; the reader then only finds nobody to take its statements.
    for result in loaded {
        result?;
    }
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
    senders: Vec<mpsc::Sender<Work>>,
) -> Result<Manifest, DriverError> {
    let mut reader = Reader {
        content,
        sent: vec![0; senders.len()],
        senders,
        manifest: None,
        judge: Judge::default(),
        places: HashMap::new(),
    };
    let input = content.source.open()?;
    read::read(input, &Limits::default(), Check::Trusted, &mut reader)
        .map_err(|error| archive_error(WHAT, &error))?;
    reader.manifest.ok_or_else(|| DriverError::invalid(WHAT, "the archive has no aip.json"))
}

struct Reader<'c> {
    content: &'c Content,
    senders: Vec<mpsc::Sender<Work>>,
    /// Bytes that went to each session.
    sent: Vec<u64>,
    manifest: Option<Manifest>,
    judge: Judge,
    /// Which session has which table.
    places: HashMap<String, usize>,
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
            let place = self.place(&run.table, run.sql.len() as u64);
            let sql = String::from_utf8(run.sql.into_owned()).map_err(|_| ArchiveError::Sql {
                line: statement.line,
                reason: "a statement that is not UTF-8".to_owned(),
            })?;
            let work = Work { table: run.table, sql, line: statement.line };
            let sender = self.senders.get(place);
            if sender.is_none_or(|sender| sender.blocking_send(work).is_err()) {
                return Err(ArchiveError::Visitor("the database does not take it".to_owned()));
            }
        }
        Ok(Flow::On)
    }
}

impl Reader<'_> {
    /// A table stays with its session; a new one goes to whichever got less so far.
    fn place(&mut self, table: &str, bytes: u64) -> usize {
        let place = match self.places.get(table) {
            Some(place) => *place,
            None => {
                let least = (0..self.sent.len()).min_by_key(|at| self.sent.get(*at)).unwrap_or(0);
                self.places.insert(table.to_owned(), least);
                least
            }
        };
        if let Some(sent) = self.sent.get_mut(place) {
            *sent += bytes;
        }
        place
    }
}

/// One session: runs what comes, a transaction for each table (an empty table is then filled
/// without undoing each row).
async fn run(
    driver: &MariaDb,
    database: &SiteDatabase,
    mut works: mpsc::Receiver<Work>,
) -> Result<(), DriverError> {
    let mut session = connect(driver, database).await?;
    let mut current = String::new();
    while let Some(work) = works.recv().await {
        if work.table != current {
            execute(&mut session, WHAT, "COMMIT").await?;
            current = work.table;
        }
        sqlx::raw_sql(AssertSqlSafe(work.sql))
            .execute(&mut session)
            .await
            .map_err(|error| refused(error, &current, work.line))?;
    }
    execute(&mut session, WHAT, "COMMIT").await.map(drop)
}

/// A statement that the server does not take is the archive's fault, unless it is busy or full.
fn refused(error: sqlx::Error, table: &str, line: u64) -> DriverError {
    if let sqlx::Error::Database(told) = &error {
        let number = told.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>().map(|e| e.number());
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
    let setup = "SET SESSION sql_mode='NO_AUTO_VALUE_ON_ZERO', time_zone='+00:00', \
                 foreign_key_checks=0, unique_checks=0, max_statement_time=0, autocommit=0";
    execute(&mut session, WHAT, setup).await?;
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
