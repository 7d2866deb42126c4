//! MariaDB: of queries that keep the server busy a site has a few at once, and they end in time.

use std::time::Duration;
use std::time::Instant;

use aipress_drivers::SiteDatabase;
use aipress_types::Secret;
use sqlx::Connection;

use crate::conformance;
use crate::machine::CORE;
use crate::machine::Machine;
use crate::machine::SqlTemplate;
use crate::machine::fresh_uid;

/// Longest until something is seen, however busy the machine is.
const SEEN: Duration = Duration::from_secs(120);
/// Queries at once, and how many of them a busy site keeps.
const QUERIES: usize = 12;
const KEPT: usize = 8;

#[tokio::test]
async fn queries_that_keep_the_server_busy_are_few_at_once_and_end_in_time() {
    let machine = Machine::new();
    machine.start_mariadb().await;
    machine.prepare_redis();
    let database = machine.drivers().database;
    database.ensure_template(CORE, &SqlTemplate).await.unwrap();
    let site = || SiteDatabase::of(fresh_uid(), Secret::new("secret"));
    let (busy, quiet) = (site(), site());
    for site in [&busy, &quiet] {
        database.ensure_site(site, CORE, &conformance::who("bakery")).await.unwrap();
    }
    let mut quiet_session = machine.sql(&quiet.user, &quiet.password).await.unwrap();
    let mut queries = tokio::task::JoinSet::new();
    for _ in 0..QUERIES {
        let mut session = machine.sql(&busy.user, &busy.password).await.unwrap();
        queries.spawn(async move {
            // A session sets its own limit as it likes.
            sqlx::query("SET max_statement_time = 0").execute(&mut session).await.unwrap();
            let forever = "SELECT BENCHMARK(100000000000, SHA1('x'))";
            sqlx::query(forever).execute(&mut session).await
        });
    }
    let started = Instant::now();
    loop {
        let sites = database.calm_queries().await.unwrap();
        assert!(!sites.contains(&quiet.uid), "it only has a connection");
        while queries.try_join_next().is_some() {}
        assert!(queries.len() >= KEPT, "too many were ended");
        if sites.contains(&busy.uid) && queries.len() == KEPT {
            break;
        }
        assert!(started.elapsed() < SEEN, "{sites:?}, {} queries", queries.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Whatever their sessions said, they are ended, each of them.
    let (mut ended, started) = (Vec::new(), Instant::now());
    while !queries.is_empty() {
        ended.extend(database.end_long_queries(Duration::from_secs(1)).await.unwrap());
        while queries.try_join_next().is_some() {}
        assert!(started.elapsed() < SEEN, "{} queries go on", queries.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(ended.iter().filter(|uid| **uid == busy.uid).count() >= KEPT, "{ended:?}");
    assert!(!ended.contains(&quiet.uid), "{ended:?}");
    quiet_session.ping().await.expect("nobody ended the quiet one's");
    let started = Instant::now();
    while !database.calm_queries().await.unwrap().is_empty() {
        assert!(started.elapsed() < SEEN, "somebody still is busy");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
