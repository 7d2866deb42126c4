//! MariaDB: what a tenant tries while the administrator works on its database.

use std::time::Duration;
use std::time::Instant;

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
