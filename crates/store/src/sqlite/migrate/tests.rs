//! Migrations: applied once, in order, refused when newer or edited.

use sqlx::Connection;

use super::*;

const ONE: (&str, &str) = ("0001_one", "CREATE TABLE one (id INTEGER) STRICT");
const TWO: (&str, &str) = ("0002_two", "CREATE TABLE two (id INTEGER) STRICT");

async fn memory() -> SqliteConnection {
    SqliteConnection::connect("sqlite::memory:").await.unwrap()
}

#[tokio::test]
async fn each_is_applied_once_and_later_ones_follow() {
    let mut conn = memory().await;
    run_list(&mut conn, &[ONE]).await.unwrap();
    run_list(&mut conn, &[ONE]).await.unwrap();
    run_list(&mut conn, &[ONE, TWO]).await.unwrap();
    sqlx::query("INSERT INTO two VALUES (1)").execute(&mut conn).await.unwrap();
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let mut conn = memory().await;
    run_list(&mut conn, &[ONE, TWO]).await.unwrap();
    let error = run_list(&mut conn, &[ONE]).await.unwrap_err();
    assert!(matches!(error, StoreError::SchemaTooNew { found: 2, known: 1 }), "{error:?}");
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn an_edited_migration_is_refused() {
    let mut conn = memory().await;
    run_list(&mut conn, &[ONE]).await.unwrap();
    let edited = ("0001_one", "CREATE TABLE one (id TEXT) STRICT");
    let error = run_list(&mut conn, &[edited]).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing() {
    let mut conn = memory().await;
    let bad = ("0002_bad", "CREATE TABLE half (id INTEGER) STRICT; CREATE TABLE one (id INTEGER)");
    run_list(&mut conn, &[ONE]).await.unwrap();
    run_list(&mut conn, &[ONE, bad]).await.unwrap_err();
    run_list(&mut conn, &[ONE, TWO]).await.unwrap();
    sqlx::query("SELECT * FROM half").fetch_all(&mut conn).await.unwrap_err();
}

#[tokio::test]
async fn rows_from_before_there_were_chains_are_linked() {
    let mut conn = memory().await;
    let before = MIGRATIONS.iter().position(|(name, _)| *name == audit_chain::MIGRATION).unwrap();
    run_list(&mut conn, &MIGRATIONS[..before]).await.unwrap();
    for account in ["NULL", "'a'", "NULL"] {
        let row = format!(
            "INSERT INTO audit (at, actor, action, resource_kind, resource_id, account, outcome)
             VALUES (1, 'user:1', 'tenant.create', 'tenant', 't', {account}, 'allowed')"
        );
        sqlx::query(sqlx::AssertSqlSafe(row)).execute(&mut conn).await.unwrap();
    }
    run_list(&mut conn, MIGRATIONS).await.unwrap();
    let places: Vec<(Option<String>, i64, i64)> =
        sqlx::query_as("SELECT account, seq, length(link) FROM audit ORDER BY id")
            .fetch_all(&mut conn)
            .await
            .unwrap();
    let a = Some("a".to_owned());
    assert_eq!(places, [(None, 1, 32), (a, 1, 32), (None, 2, 32)]);
    let ends: Vec<(String, i64)> =
        sqlx::query_as("SELECT chain, seq FROM audit_heads").fetch_all(&mut conn).await.unwrap();
    assert_eq!(ends, [("a".to_owned(), 1), ("platform".to_owned(), 2)]);
}
