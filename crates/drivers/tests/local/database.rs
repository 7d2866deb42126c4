//! MariaDB: sites that were killed in the middle, and what a tenant can reach.

use std::time::Duration;

use aipress_drivers::DbObjectKind;
use aipress_drivers::DbOwner;
use aipress_drivers::Ensured;
use aipress_drivers::SiteDatabase;
use aipress_types::Secret;
use sqlx::AssertSqlSafe;
use sqlx::Connection;
use sqlx::Row;

use crate::conformance;
use crate::machine::CORE;
use crate::machine::Machine;
use crate::machine::SqlTemplate;
use crate::machine::fresh_uid;
use crate::machine::shared_mariadb;
use crate::machine::until;

fn site() -> SiteDatabase {
    SiteDatabase::of(fresh_uid(), Secret::new("a tenant's p'assword\\"))
}

async fn option(machine: &Machine, site: &SiteDatabase, name: &str) -> String {
    let mut session = machine.sql(&site.user, &site.password).await.unwrap();
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "SELECT option_value FROM {}.wp_options WHERE option_name = ?",
        site.name
    )))
    .bind(name)
    .fetch_one(&mut session)
    .await
    .unwrap()
}

/// Nothing is half: all tables, all rows, the tenant's own home, no placeholder.
async fn assert_whole(machine: &Machine, site: &SiteDatabase) {
    assert_eq!(option(machine, site, "home").await, "http://bakery.localhost:8080");
    let mut session = machine.sql(&site.user, &site.password).await.unwrap();
    let counts: (i64, i64, i64) = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT (SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '{0}'), \
         (SELECT COUNT(*) FROM {0}.wp_options), \
         (SELECT COUNT(*) FROM {0}.wp_posts WHERE guid LIKE 'http://bakery.localhost:8080/%')",
        site.name
    )))
    .fetch_one(&mut session)
    .await
    .unwrap();
    assert_eq!(counts, (12, 144, 6));
}

#[tokio::test]
async fn mariadb_does_what_all_drivers_do() {
    let machine = shared_mariadb().await;
    conformance::database(&machine.drivers(), &SqlTemplate).await;
}

#[tokio::test]
async fn a_site_is_personal_and_nothing_else_is_there() {
    let machine = shared_mariadb().await;
    let (database, site) = (machine.drivers().database, site());
    database.ensure_site(&site, CORE, &conformance::who("bakery")).await.unwrap();
    assert_whole(&machine, &site).await;
    assert_eq!(option(&machine, &site, "blogname").await, "Tom &amp; Jo&#039;s");
    assert_eq!(option(&machine, &site, "admin_email").await, "owner@example.org");
    let mut session = machine.sql(&site.user, &site.password).await.unwrap();
    let user = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT user_login, user_pass, CAST(user_registered AS CHAR) FROM {}.wp_users",
        site.name
    )))
    .fetch_one(&mut session)
    .await
    .unwrap();
    assert_eq!(user.get::<String, _>(0), "admin");
    assert!(user.get::<String, _>(1).starts_with('!'));
    assert_eq!(user.get::<String, _>(2), "2026-11-21 00:00:00");
    for object in database.inventory().await.unwrap() {
        assert!(
            !matches!(object.owner, DbOwner::Unexplained | DbOwner::Unrecorded(_)),
            "{object:?}"
        );
    }
}

#[tokio::test]
async fn what_was_given_up_in_the_middle_ends_whole() {
    let machine = shared_mariadb().await;
    let database = machine.drivers().database;
    for step in 0..12 {
        let site = site();
        let person = conformance::who("bakery");
        // The control plane is killed here: its session ends, the server may go on for a while.
        let given_up = tokio::time::timeout(
            Duration::from_millis(step * 6),
            database.ensure_site(&site, CORE, &person),
        );
        let first = given_up.await;
        let again = database.ensure_site(&site, CORE, &person).await.unwrap();
        assert!(first.is_err() || again == Ensured::Kept);
        assert_whole(&machine, &site).await;
        database.erase(site.uid).await.unwrap();
    }
}

#[tokio::test]
async fn a_half_made_database_is_made_anew_and_a_complete_one_never() {
    let machine = shared_mariadb().await;
    let (database, site) = (machine.drivers().database, site());
    let person = conformance::who("bakery");
    let mut admin = machine.admin().await;
    let run = async |admin: &mut sqlx::MySqlConnection, text: String| {
        sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(admin).await.unwrap();
    };
    run(
        &mut admin,
        format!(
            "INSERT INTO aipress.sites (uid, db, core_version, state) \
             VALUES ('{}', '{name}', '{CORE}', 'making'); CREATE DATABASE {name}; \
             CREATE TABLE {name}.wp_options (x INT)",
            site.uid,
            name = site.name
        ),
    )
    .await;
    let made = database.ensure_site(&site, CORE, &person).await.unwrap();
    assert_eq!(made, Ensured::Created);
    assert_whole(&machine, &site).await;

    // Whatever the tenant does to its own, it stays the tenant's.
    let mut tenant = machine.sql(&site.user, &site.password).await.unwrap();
    run(&mut tenant, format!("DROP TABLE {0}.wp_options; DROP TABLE {0}.wp_users", site.name))
        .await;
    let kept = database.ensure_site(&site, CORE, &person).await.unwrap();
    assert_eq!(kept, Ensured::Kept);
    run(&mut tenant, format!("DROP DATABASE {}", site.name)).await;
    let error = database.ensure_site(&site, CORE, &person).await.unwrap_err();
    assert!(!error.is_retryable() && error.to_string().contains("backup"), "{error}");
    database.erase(site.uid).await.unwrap();

    // A database that no record explains is nobody's to overwrite.
    run(&mut admin, format!("CREATE DATABASE {}", site.name)).await;
    let error = database.ensure_site(&site, CORE, &person).await.unwrap_err();
    assert!(!error.is_retryable(), "{error}");
    let all = database.inventory().await.unwrap();
    assert!(all.iter().any(|object| object.owner == DbOwner::Unrecorded(site.uid)));
    database.erase(site.uid).await.unwrap();
}

#[tokio::test]
async fn a_killed_server_loses_nothing_that_was_answered() {
    let machine = Machine::new();
    machine.start_mariadb().await;
    machine.prepare_redis();
    let database = machine.drivers().database;
    database.ensure_template(CORE, &SqlTemplate).await.unwrap();
    let (done, half) = (site(), site());
    let person = conformance::who("bakery");
    database.ensure_site(&done, CORE, &person).await.unwrap();
    let making = database.ensure_site(&half, CORE, &person);
    let _ = tokio::time::timeout(Duration::from_millis(15), making).await;
    machine.kill("mariadb");
    let error = database.health().await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    machine.start_mariadb().await;
    assert_eq!(database.ensure_site(&done, CORE, &person).await.unwrap(), Ensured::Kept);
    database.ensure_site(&half, CORE, &person).await.unwrap();
    assert_whole(&machine, &done).await;
    assert_whole(&machine, &half).await;
    until("template survives", || async {
        database.ensure_template(CORE, &SqlTemplate).await.map(|kept| {
            assert_eq!(kept, Ensured::Kept);
        })
    })
    .await;
}

#[tokio::test]
async fn a_server_that_misses_a_file_comes_up_without_it_and_with_all_else() {
    let machine = Machine::new();
    machine.start_mariadb().await;
    machine.prepare_redis();
    let database = machine.drivers().database;
    database.ensure_template(CORE, &SqlTemplate).await.unwrap();
    let site = site();
    database.ensure_site(&site, CORE, &conformance::who("bakery")).await.unwrap();
    let mut admin = machine.admin().await;
    let lost = format!("{}.lost", site.name);
    let create = format!("CREATE TABLE {lost} (id INT); SHUTDOWN");
    sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut admin).await.unwrap();
    machine.ended("mariadb");
    machine.start_mariadb().await;
    let mut admin = machine.admin().await;
    let insert = format!("INSERT INTO {lost} VALUES (1)");
    sqlx::raw_sql(AssertSqlSafe(insert)).execute(&mut admin).await.unwrap();
    machine.kill("mariadb");
    let file = machine.paths.mariadb().join("data").join(&site.name).join("lost.ibd");
    std::fs::remove_file(file).unwrap();

    let unit = machine.prepare_mariadb();
    machine.start("mariadb", &unit);
    assert!(!machine.ended("mariadb").success(), "it can't recover");
    machine.start_mariadb().await;
    // Its definition is there, and can be taken away.
    let mut admin = machine.admin().await;
    let drop = format!("DROP TABLE {lost}");
    sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut admin).await.unwrap();
    assert_whole(&machine, &site).await;
    // Only that start was one of its own kind.
    sqlx::raw_sql("SHUTDOWN").execute(&mut admin).await.unwrap();
    machine.ended("mariadb");
    machine.start_mariadb().await;
    let forced = "SELECT CAST(@@innodb_force_recovery AS SIGNED)";
    let mut admin = machine.admin().await;
    let forced: i64 = sqlx::query_scalar(forced).fetch_one(&mut admin).await.unwrap();
    assert_eq!(forced, 0);
    assert_whole(&machine, &site).await;
}

#[tokio::test]
async fn a_spare_is_taken_and_an_interrupted_taking_is_cleaned() {
    let machine = Machine::new();
    machine.start_mariadb().await;
    machine.prepare_redis();
    let database = machine.drivers().database;
    database.ensure_template(CORE, &SqlTemplate).await.unwrap();
    assert_eq!(database.ensure_spare(CORE, 1).await.unwrap(), Ensured::Created);
    assert_eq!(database.ensure_spare(CORE, 1).await.unwrap(), Ensured::Kept);
    let (one, two) = (site(), site());
    let person = conformance::who("bakery");
    database.ensure_site(&one, CORE, &person).await.unwrap();
    assert_whole(&machine, &one).await;
    assert_eq!(spares(&machine).await, 0, "taken");
    assert_eq!(database.ensure_spare(CORE, 1).await.unwrap(), Ensured::Created);
    // Killed while renaming: the spare is taken, half its tables are gone.
    let mut admin = machine.admin().await;
    let spare: String =
        sqlx::query_scalar("SELECT db FROM aipress.spares").fetch_one(&mut admin).await.unwrap();
    let text = format!(
        "UPDATE aipress.spares SET state='taken', taken_by='{uid}'; \
         INSERT INTO aipress.sites (uid, db, core_version, state) \
         VALUES ('{uid}', '{name}', '{CORE}', 'making'); CREATE DATABASE {name}; \
         RENAME TABLE {spare}.wp_options TO {name}.wp_options",
        uid = two.uid,
        name = two.name
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut admin).await.unwrap();
    database.ensure_site(&two, CORE, &person).await.unwrap();
    assert_whole(&machine, &two).await;
    assert_eq!(spares(&machine).await, 0, "the half-taken one is gone");
    // Another revision of the template makes spares useless.
    database.ensure_spare(CORE, 2).await.unwrap();
    struct Newer;
    #[async_trait::async_trait]
    impl aipress_drivers::TemplateSource for Newer {
        fn revision(&self) -> String {
            "2".to_owned()
        }
        async fn fill(
            &self,
            access: &aipress_drivers::TemplateAccess,
        ) -> Result<(), aipress_drivers::DriverError> {
            SqlTemplate.fill(access).await
        }
    }
    assert_eq!(database.ensure_template(CORE, &Newer).await.unwrap(), Ensured::Created);
    database.ensure_spare(CORE, 0).await.unwrap();
    assert_eq!(spares(&machine).await, 0);
}

async fn spares(machine: &Machine) -> usize {
    let all = machine.drivers().database.inventory().await.unwrap();
    all.iter()
        .filter(|object| {
            object.kind == DbObjectKind::Database && object.name.starts_with("aipress_spare_")
        })
        .count()
}

/// Two tenants whose names differ where `_` stands: t_… and tx….
#[tokio::test]
async fn a_tenant_reaches_its_own_database_and_nothing_else() {
    let machine = shared_mariadb().await;
    let (database, mine) = (machine.drivers().database, site());
    database.ensure_site(&mine, CORE, &conformance::who("bakery")).await.unwrap();
    let other = mine.name.replacen("t_", "tx", 1);
    let mut admin = machine.admin().await;
    let text = format!("CREATE DATABASE {other}; CREATE TABLE {other}.s (x INT)");
    sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut admin).await.unwrap();

    let read = format!("SELECT COUNT(*) FROM {other}.s");
    assert!(refused(&machine, &mine, &read).await);
    for attack in [
        "SELECT COUNT(*) FROM mysql.global_priv".to_owned(),
        "SELECT COUNT(*) FROM aipress.sites".to_owned(),
        format!("CREATE DATABASE {}2", mine.name),
        "SELECT LOAD_FILE('/etc/passwd') IS NULL OR 1/0".to_owned(),
        "SELECT 1 INTO OUTFILE '/tmp/aipress-outfile'".to_owned(),
        "SET GLOBAL max_connections=1".to_owned(),
        "SET SESSION sql_log_bin=0".to_owned(),
        "FLUSH TABLES WITH READ LOCK".to_owned(),
        "SHOW BINARY LOGS".to_owned(),
        format!("GRANT SELECT ON {}.* TO 'x'@'localhost' IDENTIFIED BY 'x'", mine.name),
        format!("CREATE EVENT {}.e ON SCHEDULE EVERY 1 DAY DO SELECT 1", mine.name),
        "CREATE USER x@localhost".to_owned(),
        "INSTALL SONAME 'ha_archive'".to_owned(),
        "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE x".to_owned(),
        "SHUTDOWN".to_owned(),
    ] {
        if attack.contains("LOAD_FILE") {
            continue;
        }
        assert!(refused(&machine, &mine, &attack).await, "{attack}");
    }
    let mut tenant = machine.sql(&mine.user, &mine.password).await.unwrap();
    let shown: Vec<String> =
        sqlx::query_scalar("SHOW DATABASES").fetch_all(&mut tenant).await.unwrap();
    assert_eq!(shown, ["information_schema", &mine.name]);
    let file: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT LOAD_FILE('/etc/passwd')").fetch_one(&mut tenant).await.unwrap();
    assert_eq!(file, None);
    let others: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER <> SUBSTRING_INDEX(USER(), '@', 1)",
    )
    .fetch_one(&mut tenant)
    .await
    .unwrap();
    assert_eq!(others, 0);

    // The guard taken away: without the escape the same statement reads the neighbour.
    let unescaped = format!("GRANT SELECT ON `{}`.* TO '{}'@'localhost'", mine.name, mine.user);
    sqlx::raw_sql(sqlx::AssertSqlSafe(unescaped)).execute(&mut admin).await.unwrap();
    assert!(!refused(&machine, &mine, &read).await, "the wildcard reaches the neighbour");
    let bad =
        database.inventory().await.unwrap().into_iter().any(|object| {
            object.kind == DbObjectKind::Grant && object.owner == DbOwner::Unexplained
        });
    assert!(bad, "the inventory shows the bad grant");
    let healed = database.ensure_site(&mine, CORE, &conformance::who("x")).await.unwrap();
    assert_eq!(healed, Ensured::Repaired);
    assert!(refused(&machine, &mine, &read).await, "healed");
    let text = format!("DROP DATABASE {other}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut admin).await.unwrap();
}

/// Whether a statement of the tenant is refused (and not merely wrong).
async fn refused(machine: &Machine, site: &SiteDatabase, statement: &str) -> bool {
    let mut session = machine.sql(&site.user, &site.password).await.unwrap();
    let done = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut session).await;
    match done {
        Ok(_) => false,
        Err(sqlx::Error::Database(error)) => {
            assert!(!error.message().contains("syntax"), "{statement}: {error}");
            true
        }
        Err(other) => panic!("{statement}: {other}"),
    }
}

#[tokio::test]
async fn a_suspended_tenant_is_out_at_once_and_both_passwords_rotate() {
    let machine = shared_mariadb().await;
    let (database, mine) = (machine.drivers().database, site());
    database.ensure_site(&mine, CORE, &conformance::who("bakery")).await.unwrap();
    let mut open = machine.sql(&mine.user, &mine.password).await.unwrap();
    database.suspend(mine.uid).await.unwrap();
    assert!(open.ping().await.is_err(), "its connections ended");
    assert!(machine.sql(&mine.user, &mine.password).await.is_err());
    database.resume(mine.uid).await.unwrap();
    let fresh = Secret::new("fresh");
    database.set_passwords(mine.uid, &[mine.password.clone(), fresh.clone()]).await.unwrap();
    for password in [&mine.password, &fresh] {
        machine.sql(&mine.user, password).await.unwrap();
    }
    assert!(machine.sql(&mine.user, &Secret::new("wrong")).await.is_err());
    database.set_passwords(mine.uid, std::slice::from_ref(&fresh)).await.unwrap();
    assert!(machine.sql(&mine.user, &mine.password).await.is_err());
    machine.sql(&mine.user, &fresh).await.unwrap();
    database.set_aside(mine.uid).await.unwrap();
    assert!(machine.sql(&mine.user, &fresh).await.is_err());
    assert!(machine.sql("root", &Secret::new("")).await.is_err(), "no root without password");
}

#[tokio::test]
async fn an_interrupted_first_start_begins_again_and_a_lost_account_heals() {
    let machine = Machine::new();
    let staging = machine.paths.mariadb().join("data.staging");
    std::fs::create_dir_all(staging.join("mysql")).unwrap();
    std::fs::write(staging.join("mysql/half"), "x").unwrap();
    machine.start_mariadb().await;
    machine.prepare_redis();
    assert!(!staging.exists());
    let mut admin = machine.admin().await;
    let domain: u64 =
        sqlx::query_scalar("SELECT @@gtid_domain_id").fetch_one(&mut admin).await.unwrap();
    assert_eq!(domain, 1);
    let drop = "ALTER USER aipress_admin@localhost IDENTIFIED BY 'lost'";
    sqlx::raw_sql(drop).execute(&mut admin).await.unwrap();
    let error = machine.drivers().database.health().await.unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("restart"), "{error}");
    machine.kill("mariadb");
    machine.start_mariadb().await;
}

/// What a restore must bring back, byte for byte.
async fn contents(machine: &Machine, site: &SiteDatabase) -> Vec<String> {
    let mut session = machine.sql(&site.user, &site.password).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("USE {}", site.name))).execute(&mut session).await.unwrap();
    let tables: Vec<String> =
        sqlx::query_scalar("SHOW TABLES").fetch_all(&mut session).await.unwrap();
    let mut found = Vec::new();
    for table in tables {
        let query = format!("SHOW CREATE TABLE `{table}`");
        let (_, definition): (String, String) =
            sqlx::query_as(AssertSqlSafe(query)).fetch_one(&mut session).await.unwrap();
        let query = format!("CHECKSUM TABLE `{table}`");
        let (_, sum): (String, Option<i64>) =
            sqlx::query_as(AssertSqlSafe(query)).fetch_one(&mut session).await.unwrap();
        found.push(format!("{definition} {sum:?}"));
    }
    found
}

#[tokio::test]
async fn a_copy_brings_back_all_that_an_upgrade_changed_and_goes_on_where_it_was_killed() {
    let machine = shared_mariadb().await;
    let database = machine.drivers().database;
    let site = site();
    database.ensure_site(&site, CORE, &conformance::who("copied")).await.unwrap();
    let mut session = machine.sql(&site.user, &site.password).await.unwrap();
    let make = "CREATE TABLE parent (id INT PRIMARY KEY AUTO_INCREMENT, t TEXT, \
                twice TEXT AS (UPPER(t)) STORED, FULLTEXT KEY words (t)); \
                CREATE TABLE child (id INT, CONSTRAINT fk FOREIGN KEY (id) REFERENCES parent (id)); \
                INSERT INTO parent (id, t) VALUES (0, 'zero; id'), (7, 'seven'); \
                INSERT INTO child VALUES (7);";
    let sql = format!("SET sql_mode='NO_AUTO_VALUE_ON_ZERO';USE {};{make}", site.name);
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut session).await.unwrap();
    let before = contents(&machine, &site).await;
    database.snapshot(site.uid).await.unwrap();
    assert_eq!(contents(&machine, &site).await, before, "a copy changes nothing");
    let upgrade = "ALTER TABLE wp_options ADD COLUMN extra INT, DROP COLUMN autoload; \
                   DELETE FROM wp_users; DROP TABLE child; DROP TABLE parent; \
                   CREATE TABLE wp_new (id INT)";
    sqlx::raw_sql(upgrade).execute(&mut session).await.unwrap();

    // Killed after the first table: the record says so, and the rest is still in the copy.
    let mut admin = machine.admin().await;
    let copy = format!("aipress_snap_{}", site.uid.0.simple());
    let half = format!(
        "UPDATE aipress.snapshots SET state='restoring' WHERE db='{copy}'; \
         SET foreign_key_checks=0; RENAME TABLE {copy}.child TO {}.child; \
         DROP TABLE {}.wp_options",
        site.name, site.name
    );
    sqlx::raw_sql(AssertSqlSafe(half)).execute(&mut admin).await.unwrap();
    assert!(database.drop_snapshot(site.uid).await.is_err(), "half of the site is in it");
    database.restore_snapshot(site.uid).await.unwrap();
    assert_eq!(contents(&machine, &site).await, before);
    let refused =
        sqlx::raw_sql(AssertSqlSafe(format!("INSERT INTO {}.child VALUES (9)", site.name)));
    assert!(refused.execute(&mut session).await.is_err(), "its foreign key holds");

    let trigger = format!(
        "CREATE TRIGGER {0}.t BEFORE INSERT ON {0}.child FOR EACH ROW SET NEW.id = 7",
        site.name
    );
    sqlx::raw_sql(AssertSqlSafe(trigger)).execute(&mut admin).await.unwrap();
    let refused = database.snapshot(site.uid).await.unwrap_err();
    assert!(refused.to_string().contains("triggers"), "{refused}");
    database.erase(site.uid).await.unwrap();
}

/// The log of slow queries is kept to its bound, and goes on being written.
#[tokio::test]
async fn slow_queries_fill_no_disk() {
    let machine = Machine::new();
    machine.prepare_redis();
    machine.start_mariadb().await;
    let drivers = machine.drivers();
    let log = machine.paths.mariadb().join("data/slow.log");
    let aside = log.with_extension("log.1");
    let size = || std::fs::metadata(&log).map_or(0, |found| found.len());
    drivers.database.trim_logs().await.unwrap();
    assert!(!aside.exists(), "a small log stays");
    std::fs::File::options()
        .append(true)
        .create(true)
        .open(&log)
        .unwrap()
        .set_len(17 << 20)
        .unwrap();
    drivers.database.trim_logs().await.unwrap();
    assert_eq!(std::fs::metadata(&aside).unwrap().len(), 17 << 20);
    let begun = size();
    assert!(begun < 4096, "{begun} bytes in the new one");
    let mut session = machine.admin().await;
    sqlx::query("SELECT SLEEP(2.2)").execute(&mut session).await.unwrap();
    assert!(size() > begun, "the slow query is in the new log");
}

/// The list of events is the tenant's own table; a view in its place is not looked at, for its
/// functions would run with the administrator's rights.
#[tokio::test]
async fn scheduled_events_are_read_from_a_table_and_from_nothing_else() {
    let machine = shared_mariadb().await;
    let database = machine.drivers().database;
    let site = site();
    database.ensure_template(CORE, &SqlTemplate).await.unwrap();
    database.ensure_site(&site, CORE, &conformance::who("bakery")).await.unwrap();
    let mut session = machine.sql(&site.user, &site.password).await.unwrap();
    let name = &site.name;
    let run = async |session: &mut sqlx::MySqlConnection, text: String| {
        sqlx::raw_sql(AssertSqlSafe(text)).execute(session).await.unwrap();
    };
    let list = "a:2:{i:1700000000;a:1:{s:1:\"h\";a:1:{s:1:\"k\";a:0:{}}}s:7:\"version\";i:2;}";
    run(&mut session, format!("DELETE FROM {name}.wp_options WHERE option_name = 'cron'")).await;
    assert_eq!(database.cron_due(site.uid).await.unwrap(), None);
    let insert = format!(
        "INSERT INTO {name}.wp_options (option_name, option_value) VALUES ('cron', '{list}')"
    );
    run(&mut session, insert).await;
    assert_eq!(database.cron_due(site.uid).await.unwrap(), Some(1_700_000_000));
    let rename = format!("RENAME TABLE {name}.wp_options TO {name}.real_options");
    run(&mut session, rename).await;
    let view = format!(
        "CREATE SQL SECURITY INVOKER VIEW {name}.wp_options AS SELECT * FROM {name}.real_options"
    );
    run(&mut session, view).await;
    assert!(database.cron_due(site.uid).await.is_err());
    database.erase(site.uid).await.unwrap();
}
