//! Servers whose disk is full or whose files are damaged: what is said, and that they are back when
//! the cause is gone.

use std::fs;
use std::time::Duration;

use aipress_drivers::CacheUser;
use aipress_drivers::Ensured;
use aipress_drivers::local;
use aipress_testkit::SmallDisk;
use aipress_types::Secret;
use sqlx::AssertSqlSafe;
use sqlx::Connection;

use crate::machine::Machine;
use crate::machine::fresh_uid;
use crate::machine::until;

/// For what waits for a server that looks for room once a minute.
const PATIENCE: Duration = Duration::from_secs(240);
/// Rows of one statement, 8 KiB each.
const ROWS: u32 = 64;
/// Logs of changes that are worth giving back, bytes.
const LOGS: u64 = 16 << 20;

/// Adds rows; what it says when there is no room.
async fn add(machine: &Machine) -> Result<(), sqlx::Error> {
    let mut admin = machine.try_admin().await?;
    let insert =
        format!("INSERT INTO kept.posts (body) SELECT REPEAT('x', 8192) FROM kept.seq_1_to_{ROWS}");
    sqlx::raw_sql(AssertSqlSafe(insert)).execute(&mut admin).await.map(drop)
}

async fn rows(machine: &Machine) -> Result<i64, sqlx::Error> {
    let mut admin = machine.try_admin().await?;
    sqlx::query_scalar("SELECT COUNT(*) FROM kept.posts").fetch_one(&mut admin).await
}

/// What `ask` gives once the server, which is started again whenever it ends, can do it.
async fn in_the_end<T>(machine: &Machine, ask: impl AsyncFn() -> Result<T, sqlx::Error>) -> T {
    let trying = async {
        loop {
            match tokio::time::timeout(Duration::from_secs(90), ask()).await {
                Ok(Ok(done)) => return done,
                _ => {
                    machine.revive_mariadb();
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, trying).await.expect("it is back by itself")
}

async fn make(machine: &Machine) {
    let mut admin = machine.admin().await;
    let make = "CREATE DATABASE kept; \
                CREATE TABLE kept.posts (id INT AUTO_INCREMENT PRIMARY KEY, body LONGTEXT)";
    sqlx::raw_sql(make).execute(&mut admin).await.unwrap();
    admin.close().await.unwrap();
}

#[tokio::test]
async fn mariadb_on_a_full_disk_keeps_what_it_said_it_has_and_goes_on_by_itself() {
    let Some(disk) = SmallDisk::new("a full disk of MariaDB", 400) else { return };
    let machine = Machine::on(Some(disk));
    let disk = machine.disk.as_ref().unwrap();
    machine.start_mariadb().await;
    make(&machine).await;
    add(&machine).await.unwrap();
    disk.fill(4_096);
    let (mut kept, mut refused) = (i64::from(ROWS), None);
    for _ in 0..200 {
        match tokio::time::timeout(Duration::from_secs(10), add(&machine)).await {
            Ok(Ok(())) => kept += i64::from(ROWS),
            Ok(Err(error)) => refused = Some(error.to_string()),
            // It waits for somebody to make room.
            Err(_) => refused = Some("waits".to_owned()),
        }
        if refused.is_some() {
            break;
        }
    }
    let refused = refused.expect("a disk of 400 MiB was never full");
    println!("with no room left: {refused}");
    disk.free();
    // One row more than was acknowledged may be there: an answer can be lost.
    let seen = in_the_end(&machine, async || rows(&machine).await).await;
    assert!(seen >= kept, "{seen} of {kept}");
    in_the_end(&machine, async || add(&machine).await).await;
    kept += i64::from(ROWS);
    // What its logs of changes take is given back when room is asked for.
    let logs = || {
        let data = fs::read_dir(machine.paths.mariadb().join("data")).unwrap().flatten();
        let logs = data.filter(|it| it.file_name().to_string_lossy().starts_with("binlog.0"));
        logs.map(|it| it.metadata().unwrap().len()).sum::<u64>()
    };
    for _ in 0..200 {
        if logs() > LOGS {
            break;
        }
        in_the_end(&machine, async || add(&machine).await).await;
        kept += i64::from(ROWS);
    }
    assert!(logs() > LOGS, "nothing to give back: {} bytes", logs());
    machine.prepare_redis();
    let database = machine.drivers().database;
    until("logs given back", || async { database.give_back_logs().await.map(drop) }).await;
    assert!(logs() < LOGS, "{} bytes", logs());
    assert_eq!(database.give_back_logs().await.unwrap(), Ensured::Kept);
    in_the_end(&machine, async || add(&machine).await).await;
    kept += i64::from(ROWS);
    // Killed on a disk that is full again, and back when there is room.
    disk.fill(0);
    machine.kill("mariadb");
    disk.free();
    machine.start_mariadb().await;
    let seen = in_the_end(&machine, async || rows(&machine).await).await;
    assert!(seen >= kept, "nothing that was acknowledged is lost: {seen} of {kept}");
}

#[tokio::test]
async fn a_damaged_mariadb_is_said_to_be_and_is_back_with_its_files() {
    let machine = Machine::new();
    machine.start_mariadb().await;
    make(&machine).await;
    add(&machine).await.unwrap();
    machine.kill("mariadb");
    let data = machine.paths.mariadb().join("data");
    let log = machine.paths.dir().join("mariadb.log");
    for file in ["ibdata1", "ib_logfile0"] {
        let path = data.join(file);
        let whole = fs::read(&path).unwrap();
        let mut damaged = whole.clone();
        damaged[..16 * 1024].fill(0x55);
        fs::write(&path, &damaged).unwrap();
        let unit = machine.prepare_mariadb();
        machine.start("mariadb", &unit);
        assert!(!machine.ended("mariadb").success(), "{file}: it starts with damaged files");
        let why = local::mariadb::why_ended(&log).unwrap();
        assert!(why.starts_with("its data can't be used ("), "{file}: {why}");
        assert!(why.contains("bring the shard's mariadb/data back"), "{file}: {why}");
        fs::write(&path, &whole).unwrap();
    }
    machine.start_mariadb().await;
    assert_eq!(rows(&machine).await.unwrap(), i64::from(ROWS));
    assert_eq!(local::mariadb::why_ended(&log), None, "it is up");
}

#[tokio::test]
async fn redis_starts_empty_whatever_lies_there_and_on_a_full_disk() {
    let Some(disk) = SmallDisk::new("a full disk of Redis", 32) else { return };
    let machine = Machine::on(Some(disk));
    let disk = machine.disk.as_ref().unwrap();
    machine.prepare_redis();
    let data = machine.paths.redis().join("data");
    fs::write(data.join("dump.rdb"), "REDIS0011 and then nothing of Redis's").unwrap();
    machine.start_redis().await;
    assert!(!data.join("dump.rdb").exists());
    disk.fill(0);
    machine.kill("redis");
    // It writes nothing: a disk without a byte is no reason to be away.
    machine.start_redis().await;
    let cache = local::Redis::open(&machine.paths).unwrap();
    let user = CacheUser { uid: fresh_uid(), passwords: vec![Secret::new("secret")] };
    let refused = aipress_drivers::Cache::ensure_user(&cache, &user).await;
    disk.free();
    // A user that could not be kept is made when there is room.
    until("a user", || async {
        aipress_drivers::Cache::ensure_user(&cache, &user).await.map(drop)
    })
    .await;
    drop(refused);
    machine.kill("redis");
    machine.start_redis().await;
    let known = aipress_drivers::Cache::inventory(&cache).await.unwrap();
    assert!(known.iter().any(|known| known.uid == Some(user.uid)), "it is on disk");
}
