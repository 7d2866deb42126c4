//! MariaDB: of queries that keep the server busy a site has a few at once, and they end in time; one
//! that leaves no core to the others is held to half of them until it is calm.

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
/// Queries at once for each core; at most eight of all are kept.
const QUERIES_EACH: usize = 6;

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
    let cores = std::thread::available_parallelism().unwrap().get();
    let kept = (cores / 2).clamp(1, 8);
    let mut queries = tokio::task::JoinSet::new();
    for _ in 0..QUERIES_EACH * cores {
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
        assert!(sites.iter().all(|site| site.uid != quiet.uid), "it only has a connection");
        while queries.try_join_next().is_some() {}
        assert!(queries.len() >= kept, "too many were ended");
        let queries_of_busy = sites.iter().find(|site| site.uid == busy.uid);
        let may = queries_of_busy.map_or(usize::MAX, |site| site.queries as usize);
        if may == kept && queries.len() == kept {
            break;
        }
        assert!(started.elapsed() < SEEN, "{sites:?}, {} queries", queries.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let refused = machine.sql(&busy.user, &busy.password).await.expect_err("it has its part");
    assert!(refused.to_string().contains("max_user_connections"), "{refused}");
    // Another process lets go whom this one held, as it can't know since when it is calm.
    let another = machine.drivers().database;
    another.calm_queries().await.unwrap();
    machine.sql(&busy.user, &busy.password).await.expect("it was let go").close().await.unwrap();
    // Whatever their sessions said, they are ended, each of them.
    let (mut ended, started) = (Vec::new(), Instant::now());
    while !queries.is_empty() {
        ended.extend(database.end_long_queries(Duration::from_secs(1)).await.unwrap());
        while queries.try_join_next().is_some() {}
        assert!(started.elapsed() < SEEN, "{} queries go on", queries.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(ended.iter().filter(|uid| **uid == busy.uid).count() >= kept, "{ended:?}");
    assert!(!ended.contains(&quiet.uid), "{ended:?}");
    quiet_session.ping().await.expect("nobody ended the quiet one's");
    let started = Instant::now();
    while !another.calm_queries().await.unwrap().is_empty() {
        assert!(started.elapsed() < SEEN, "somebody still is busy");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
