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

#[tokio::test]
async fn a_prepared_transaction_ends_with_its_connection() {
    let machine = Machine::new();
    machine.start_mariadb().await;
    machine.prepare_redis();
    let database = machine.drivers().database;
    database.ensure_template(CORE, &SqlTemplate).await.unwrap();
    let (owner, other) = (site(), site());
    for site in [&owner, &other] {
        database.ensure_site(site, CORE, &conformance::who("bakery")).await.unwrap();
    }
    let mut holds = machine.sql(&owner.user, &owner.password).await.unwrap();
    let mut leaves = machine.sql(&owner.user, &owner.password).await.unwrap();
    for session in [&mut holds, &mut leaves] {
        run(session, &format!("USE {}", owner.name)).await;
    }
    run(&mut holds, "CREATE TABLE xa (n INT PRIMARY KEY)").await;
    for (session, xid, n) in [(&mut holds, "X'61',X'62',7", 1), (&mut leaves, "'a\\'b','',1", 2)] {
        run(session, &format!("XA START {xid}; INSERT INTO xa VALUES ({n}); XA END {xid}")).await;
        run(session, &format!("XA PREPARE {xid}")).await;
    }
    leaves.close().await.unwrap();
    let mut stranger = machine.sql(&other.user, &other.password).await.unwrap();
    let started = Instant::now();
    let mut left = usize::MAX;
    // A closed connection lets go of it a moment later.
    while left > 1 {
        assert!(started.elapsed() < SEEN, "{left} transactions are left");
        tokio::time::sleep(Duration::from_millis(100)).await;
        database.end_long_queries(Duration::from_secs(60)).await.unwrap();
        left = sqlx::raw_sql("XA RECOVER").fetch_all(&mut stranger).await.unwrap().len();
    }
    run(&mut holds, "XA COMMIT X'61',X'62',7").await;
    let rows: Vec<(i32,)> = sqlx::query_as("SELECT n FROM xa").fetch_all(&mut holds).await.unwrap();
    assert_eq!(rows, [(1,)], "the one that is held is its owner's");
}

#[tokio::test]
async fn a_session_has_its_part_of_the_servers_memory() {
    let machine = Machine::new();
    machine.start_mariadb().await;
    machine.prepare_redis();
    let database = machine.drivers().database;
    database.ensure_template(CORE, &SqlTemplate).await.unwrap();
    let greedy = site();
    database.ensure_site(&greedy, CORE, &conformance::who("bakery")).await.unwrap();
    let mut session = machine.sql(&greedy.user, &greedy.password).await.unwrap();
    run(&mut session, &format!("USE {}", greedy.name)).await;
    run(&mut session, "SET max_heap_table_size = 4294967295, sort_buffer_size = 4294967295").await;
    let (table, sort): (u64, u64) =
        sqlx::query_as("SELECT @@max_heap_table_size, @@sort_buffer_size")
            .fetch_one(&mut session)
            .await
            .unwrap();
    assert_eq!((table >> 20, sort >> 20), (64, 16), "MiB");
    // Each variable is within its bound, and there is always another.
    let fill = tokio::spawn(async move {
        for number in 0..200 {
            let statement = format!("SET @v{number} = REPEAT('x', 60000000)");
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut session).await?;
        }
        Ok::<_, sqlx::Error>(())
    });
    let (mut told, started) = (false, Instant::now());
    while !fill.is_finished() {
        assert!(started.elapsed() < SEEN, "nobody ends it");
        told |= database.calm_queries().await.unwrap().iter().any(|busy| busy.uid == greedy.uid);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let ended = fill.await.unwrap().expect_err("its connection was ended");
    assert!(told, "{ended}");
}

fn site() -> SiteDatabase {
    SiteDatabase::of(fresh_uid(), Secret::new("secret"))
}

async fn run(session: &mut sqlx::MySqlConnection, statements: &str) {
    let statements = sqlx::AssertSqlSafe(statements.to_owned());
    sqlx::raw_sql(statements).execute(session).await.unwrap();
}
