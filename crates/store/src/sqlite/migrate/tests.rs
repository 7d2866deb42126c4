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
