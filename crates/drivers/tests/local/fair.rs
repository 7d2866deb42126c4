//! MariaDB: queries of one site that keep the server busy give way to others', and end in time.

use std::time::Duration;
use std::time::Instant;

use aipress_drivers::SiteDatabase;
use aipress_types::Secret;

use crate::conformance;
use crate::machine::CORE;
use crate::machine::Machine;
use crate::machine::SqlTemplate;
use crate::machine::fresh_uid;
use crate::machine::is_root;

/// Longest until something is seen, however busy the machine is.
const SEEN: Duration = Duration::from_secs(120);
/// Queries at once.
const QUERIES: usize = 3;

/// Threads of the server that have the lowest priority.
fn held(machine: &Machine) -> usize {
    let pid = std::fs::read_to_string(machine.paths.mariadb_run().join("mariadbd.pid")).unwrap();
    let tasks = std::fs::read_dir(format!("/proc/{}/task", pid.trim())).unwrap();
    let nice = |stat: String| {
        // proc_pid_stat(5): the 19th field; the name before the parenthesis has two.
        stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(16)?.parse::<i32>().ok()
    };
    let stats =
        tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok());
    stats.filter_map(nice).filter(|nice| *nice == 19).count()
}

#[tokio::test]
async fn queries_that_keep_the_server_busy_give_way_and_end_in_time() {
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
    let _quiet = machine.sql(&quiet.user, &quiet.password).await.unwrap();
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
    if is_root() {
        let started = Instant::now();
        loop {
            let sites = database.calm_queries().await.unwrap();
            assert!(!sites.contains(&quiet.uid), "it only has a connection");
            if sites.contains(&busy.uid) && held(&machine) == QUERIES {
                break;
            }
            assert!(started.elapsed() < SEEN, "{sites:?}, {} threads", held(&machine));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    } else {
        eprintln!("not run: threads that give way, for only root can give their priority back");
    }
    // Whatever their sessions said, they are ended, each of them.
    let (mut ended, started) = (Vec::new(), Instant::now());
    while !queries.is_empty() {
        ended.extend(database.end_long_queries(Duration::from_secs(1)).await.unwrap());
        while queries.try_join_next().is_some() {}
        assert!(started.elapsed() < SEEN, "{} queries go on", queries.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(ended.iter().filter(|uid| **uid == busy.uid).count() >= QUERIES, "{ended:?}");
    assert!(!ended.contains(&quiet.uid), "{ended:?}");
    let started = Instant::now();
    while !database.calm_queries().await.unwrap().is_empty() || held(&machine) > 0 {
        assert!(started.elapsed() < SEEN, "{} threads are held", held(&machine));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
