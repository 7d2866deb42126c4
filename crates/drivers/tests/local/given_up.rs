//! MariaDB: what a control plane that is gone left waiting in the server undoes nothing later.

use std::time::Duration;

use aipress_drivers::DriverError;
use aipress_drivers::SiteDatabase;
use aipress_types::Secret;
use sqlx::AssertSqlSafe;
use sqlx::MySqlConnection;

use crate::conformance;
use crate::machine::CORE;
use crate::machine::Machine;
use crate::machine::SqlTemplate;
use crate::machine::fresh_uid;
use crate::machine::until;

async fn run(session: &mut MySqlConnection, text: &str) {
    sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(session).await.unwrap();
}

/// Waits until so many statements that contain `part` are in the server.
async fn running(machine: &Machine, part: &str, count: impl Fn(i64) -> bool) {
    until(part, async || {
        let found: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
             WHERE ID <> CONNECTION_ID() AND INFO LIKE ?",
        )
        .bind(format!("%{part}%"))
        .fetch_one(&mut machine.admin().await)
        .await
        .unwrap();
        if count(found) {
            Ok(())
        } else {
            Err(DriverError::Failed { what: part.to_owned(), detail: format!("{found} of them") })
        }
    })
    .await;
}

/// A site is set aside; the control plane dies while the statement waits for a row; the site is wanted
/// again. Found by `make test-chaos SEED=2`: the old statement ended after the site was back, and
/// nothing brought it back a second time.
#[tokio::test]
async fn a_statement_that_waited_longer_than_its_sender_lived_takes_no_site_away() {
    let machine = Machine::new();
    machine.prepare_redis();
    machine.start_mariadb().await;
    let database = machine.drivers().database;
    let site = SiteDatabase::of(fresh_uid(), Secret::new("a tenant's password"));
    database.ensure_template(CORE, &SqlTemplate).await.unwrap();
    database.ensure_site(&site, CORE, &conformance::who("bakery")).await.unwrap();

    let mut other = machine.admin().await;
    run(&mut other, "BEGIN").await;
    run(&mut other, &format!("SELECT * FROM aipress.sites WHERE uid='{}' FOR UPDATE", site.uid))
        .await;
    let aside = tokio::spawn({
        let database = machine.drivers().database;
        async move { database.set_aside(site.uid).await }
    });
    running(&machine, "UPDATE aipress.sites", |count| count == 1).await;
    aside.abort();
    aside.await.unwrap_err();

    let back = tokio::spawn({
        let (database, site) = (machine.drivers().database, site.clone());
        async move { database.bring_back(&site).await }
    });
    // It waits for its turn; one that does not wait has ended by then.
    let waits = async {
        running(&machine, "SELECT GET_LOCK", |count| count == 1).await;
    };
    let ended = async {
        while !back.is_finished() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        () = waits => {}
        () = ended => {}
    }
    run(&mut other, "ROLLBACK").await;
    back.await.unwrap().unwrap();
    running(&machine, "UPDATE aipress.sites", |count| count == 0).await;

    database.ensure_site(&site, CORE, &conformance::who("bakery")).await.unwrap();
    machine.sql(&site.user, &site.password).await.unwrap();
}
