//! MariaDB: what a tenant tries while the administrator works on its database.

use std::io::Cursor;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use aipress_archive::ArchiveWriter;
use aipress_archive::Manifest;
use aipress_drivers::Content;
use aipress_drivers::ContentSource;
use aipress_drivers::DriverError;
use aipress_drivers::Ensured;
use aipress_drivers::SiteDatabase;
use aipress_types::Secret;
use sqlx::AssertSqlSafe;
use sqlx::MySqlConnection;
use tokio::sync::mpsc;

use crate::conformance;
use crate::machine::CORE;
use crate::machine::Machine;
use crate::machine::fresh_uid;
use crate::machine::shared_mariadb;

/// A view that shows who is asked: with the administrator's rights, everybody's statements.
const VIEW: &str = "CREATE SQL SECURITY INVOKER VIEW zzz AS \
                    SELECT CONCAT('stolen by ', CURRENT_USER(), ': ', COALESCE(INFO, '')) AS t \
                    FROM information_schema.PROCESSLIST";

async fn tenant(machine: &Machine) -> (SiteDatabase, MySqlConnection) {
    let site = SiteDatabase::of(fresh_uid(), Secret::new("a tenant's"));
    machine.drivers().database.ensure_site(&site, CORE, &conformance::who("x")).await.unwrap();
    let session = session(machine, &site).await;
    (site, session)
}

async fn session(machine: &Machine, site: &SiteDatabase) -> MySqlConnection {
    let mut session = machine.sql(&site.user, &site.password).await.unwrap();
    run(&mut session, &format!("USE {}", site.name)).await;
    session
}

async fn run(session: &mut MySqlConnection, text: &str) {
    sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(session).await.unwrap();
}

/// Waits until it is so, at most 60 s.
async fn until(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !ask().await {
        assert!(started.elapsed() < Duration::from_secs(60), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The dump has listed the tables and can't go on for want of somebody who takes its chunks.
#[tokio::test]
async fn a_view_that_takes_a_tables_place_is_not_dumped() {
    let machine = shared_mariadb().await;
    let database = machine.drivers().database;
    let (site, mut session) = tenant(&machine).await;
    run(&mut session, "CREATE TABLE aaa (t LONGTEXT); CREATE TABLE zzz (t TEXT)").await;
    for _ in 0..4 {
        run(&mut session, "INSERT INTO aaa VALUES (REPEAT('a', 8000000))").await;
    }
    // A suspended site can be had, too: its own user can't sign in.
    for suspended in [false, true] {
        if suspended {
            database.suspend(site.uid).await.unwrap();
            let mut admin = machine.admin().await;
            run(&mut admin, &format!("USE {}; DROP VIEW zzz; CREATE TABLE zzz (t INT)", site.name))
                .await;
        }
        let (chunks, mut taken) = mpsc::channel(1);
        let dump = tokio::spawn({
            let (database, uid) = (machine.drivers().database, site.uid);
            async move { database.dump(uid, chunks).await }
        });
        until("the dump has begun", async || taken.len() == 1).await;
        if !suspended {
            run(&mut session, &format!("DROP TABLE zzz; {VIEW}")).await;
        }
        let mut text = Vec::new();
        while let Some(chunk) = taken.recv().await {
            text.extend_from_slice(&chunk);
        }
        let text = String::from_utf8(text).unwrap();
        let ended = dump.await.unwrap();
        assert!(text.contains("INSERT INTO `aaa`") && !text.contains("stolen by"));
        match ended {
            Ok(()) => assert!(suspended && text.contains("CREATE TABLE `zzz`")),
            Err(error) => assert!(!suspended && error.to_string().contains("view"), "{error}"),
        }
    }
    database.erase(site.uid).await.unwrap();
}

#[tokio::test]
async fn a_view_that_takes_a_tables_place_is_not_copied() {
    let machine = shared_mariadb().await;
    let database = machine.drivers().database;
    let (site, mut session) = tenant(&machine).await;
    let mut other = self::session(&machine, &site).await;
    run(&mut session, "CREATE TABLE zzz (t TEXT); CREATE TABLE aaa (t TEXT)").await;
    // The copy of rows waits for the first table: what it copies is settled by then.
    run(&mut other, "LOCK TABLES aaa WRITE").await;
    let copy = tokio::spawn({
        let (database, uid) = (machine.drivers().database, site.uid);
        async move { database.snapshot(uid).await }
    });
    let mut admin = machine.admin().await;
    let waits = format!(
        "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'aipress_admin' \
         AND STATE LIKE 'Waiting for table metadata lock' AND INFO LIKE 'INSERT INTO%{}%'",
        site.uid.0.simple()
    );
    until("the copy waits", async || {
        let found = sqlx::query_scalar(AssertSqlSafe(waits.clone()));
        copy.is_finished() || found.fetch_one(&mut admin).await.is_ok_and(|count: i64| count > 0)
    })
    .await;
    run(&mut session, &format!("DROP TABLE zzz; {VIEW}")).await;
    run(&mut other, "UNLOCK TABLES").await;
    let refused = copy.await.unwrap().unwrap_err();
    assert!(refused.is_retryable(), "{refused}");

    // What a comment of the server ends is not run, neither beside the definition nor within it.
    for option in ["*/; DROP USER nobody; -- ", "*/ AS SELECT * FROM mysql.global_priv -- "] {
        let make = format!(
            "DROP VIEW IF EXISTS zzz; DROP TABLE IF EXISTS zzz; \
             SET sql_mode='IGNORE_BAD_TABLE_OPTIONS'; CREATE TABLE zzz (t INT) x='{option}'"
        );
        run(&mut session, &make).await;
        let refused = database.snapshot(site.uid).await.unwrap_err();
        assert!(matches!(&refused, DriverError::Conflict { .. }), "{refused}");
        assert!(refused.to_string().contains("options"), "{refused}");
    }
    run(&mut session, "DROP TABLE zzz").await;
    assert_eq!(database.snapshot(site.uid).await.unwrap(), Ensured::Created);
    database.erase(site.uid).await.unwrap();
}

struct Archive(Vec<u8>);

impl ContentSource for Archive {
    fn open(&self) -> Result<Box<dyn Read + Send>, DriverError> {
        Ok(Box::new(Cursor::new(self.0.clone())))
    }
}

/// A site whose database is this dump.
fn archive(dump: &str) -> Content {
    let manifest: Manifest = serde_json::from_value(serde_json::json!({
        "formatVersion": 1, "platformVersion": "0", "tenant": {"name": "x", "uid": ""},
        "wordpress": {"home": "http://x.localhost", "siteurl": "http://x.localhost"},
        "database": {"tablePrefix": "wp_", "charset": "utf8mb4", "collation": "utf8mb4_bin",
                     "tables": 4, "bytes": 100},
        "files": {"count": 0, "bytes": 0}, "createdAt": "2026-11-21T00:00:00Z",
    }))
    .unwrap();
    let mut archive = ArchiveWriter::new(Vec::new(), 1, &manifest, 0).unwrap();
    archive.document(b"{}").unwrap();
    archive.database(dump.as_bytes()).unwrap();
    Content {
        source: Arc::new(Archive(archive.finish().unwrap())),
        home: "http://x.localhost".to_owned(),
        progress: Arc::default(),
    }
}

const NEEDED: &str = "CREATE TABLE wp_options (a int CHECK (a <= 5 AND a <> 3));\
                      CREATE TABLE wp_users (a int); CREATE TABLE wp_usermeta (a int);\
                      CREATE TABLE wp_posts (a int default (1 - - 2)); INSERT INTO wp_posts VALUES \
                      (DEFAULT);";

/// What one server takes for a comment and another runs: it is gone, or one statement of its own.
#[tokio::test]
async fn a_dump_runs_nothing_beside_what_was_judged() {
    let machine = shared_mariadb().await;
    let database = machine.drivers().database;
    let site = SiteDatabase::of(fresh_uid(), Secret::new("a tenant's"));
    let smuggled = [
        "INSERT INTO wp_users /*M!101110 SELECT SLEEP(100000) UNION */ VALUES (1);",
        "CREATE TABLE a (a text default (1 - - '\n+ 2)); CREATE VIEW smuggled AS SELECT 1; -- '));",
        "CREATE TABLE b (a text default (4 / * '\n*/ 2)); CREATE VIEW smuggled AS SELECT 1; -- '));",
    ];
    let mut refused = 0;
    for sql in smuggled {
        let content = archive(&format!("{NEEDED}{sql}"));
        let made = database.ensure_site_from(&site, CORE, &content).await;
        let mut admin = machine.admin().await;
        let views = "SELECT COUNT(*) FROM information_schema.VIEWS WHERE TABLE_NAME = 'smuggled'";
        let views: i64 = sqlx::query_scalar(views).fetch_one(&mut admin).await.unwrap();
        assert_eq!(views, 0, "{sql}");
        match made {
            Ok(_) => {
                let rows = format!("SELECT a FROM {}.wp_posts", site.name);
                let rows: i32 =
                    sqlx::query_scalar(AssertSqlSafe(rows)).fetch_one(&mut admin).await.unwrap();
                assert_eq!(rows, 3, "1 - - 2");
            }
            Err(error) => {
                assert!(!error.is_retryable(), "{error}");
                refused += 1;
            }
        }
        database.erase(site.uid).await.unwrap();
    }
    assert_eq!(refused, 1, "signs that stand apart are no expression");
}

/// A statement that does not end is ended, and its import with it; and it ends with its tenant.
#[tokio::test]
async fn a_load_that_does_not_end_is_ended() {
    let machine = shared_mariadb().await;
    let row = format!("INSERT INTO c VALUES ('{}');", "x".repeat(100_000));
    let dump = format!("{NEEDED}CREATE TABLE c (a mediumtext);{}", row.repeat(600));
    for erased in [false, true] {
        let site = SiteDatabase::of(fresh_uid(), Secret::new("a tenant's"));
        let load = tokio::spawn({
            let (database, site) = (machine.drivers().database, site.clone());
            let content = archive(&dump);
            async move { database.ensure_site_from(&site, CORE, &content).await }
        });
        // Somebody holds the table before its rows are there.
        let (mut admin, mut holder) = (machine.admin().await, machine.admin().await);
        let lock = format!("LOCK TABLES {}.c WRITE", site.name);
        until("the table is there", async || {
            sqlx::raw_sql(AssertSqlSafe(lock.clone())).execute(&mut holder).await.is_ok()
        })
        .await;
        let waits = format!(
            "SELECT MAX(ID) FROM information_schema.PROCESSLIST WHERE USER = '{}' \
             AND STATE = 'Waiting for table metadata lock' AND INFO LIKE 'INSERT INTO c %'",
            site.user
        );
        let mut waiting = None;
        until("a statement waits", async || {
            let found = sqlx::query_scalar(AssertSqlSafe(waits.clone()));
            waiting = found.fetch_one(&mut admin).await.unwrap_or(None::<i64>);
            waiting.is_some()
        })
        .await;
        let erase = {
            let (database, uid) = (machine.drivers().database, site.uid);
            async move { database.erase(uid).await }
        };
        if erased {
            let erase = tokio::spawn(erase);
            load.await.unwrap().unwrap_err();
            run(&mut holder, "UNLOCK TABLES").await;
            erase.await.unwrap().unwrap();
        } else {
            run(&mut admin, &format!("KILL QUERY {}", waiting.unwrap())).await;
            // The other session waits, too, and is let go with it.
            let error = load.await.unwrap().unwrap_err();
            run(&mut holder, "UNLOCK TABLES").await;
            assert!(!error.is_retryable() && error.to_string().contains("of table c"), "{error}");
            erase.await.unwrap();
        }
    }
}
