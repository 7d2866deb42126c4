//! What is SQLite's own: its failures, each as our error, and the file itself.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use aipress_store::IdempotencyOutcome;
use aipress_store::IdempotencyRequest;
use aipress_store::Store;
use aipress_store::StoreError;
use aipress_store::StoreOptions;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

fn options(folder: &Path) -> StoreOptions {
    StoreOptions::new(folder.join("registry.db"), Uuid::new_v4())
}

async fn put(store: &Store, key: &str, bytes: usize) -> Result<(), StoreError> {
    let mut txn = store.begin().await?;
    txn.setting_put(key, &json!("x".repeat(bytes)), NOW).await?;
    txn.commit().await
}

#[tokio::test]
async fn a_full_disk_is_said_and_survived() {
    let folder = tempfile::tempdir().unwrap();
    let limited = StoreOptions { max_pages: Some(150), ..options(folder.path()) };
    let store = Store::open(limited).await.unwrap();
    put(&store, "small", 10).await.unwrap();
    for _ in 0..3 {
        let error = put(&store, "large", 2_000_000).await.unwrap_err();
        assert!(matches!(error, StoreError::Full(_)), "{error:?}");
        assert!(!error.is_retryable());
        // SQLite rolled back by itself; neither the next reader nor the next writer suffers.
        assert_eq!(store.setting_fetch("large").await.unwrap(), None);
        put(&store, "small", 20).await.unwrap();
    }
    assert_eq!(store.integrity_check().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn after_a_full_disk_the_transaction_commits_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let limited = StoreOptions { max_pages: Some(150), ..options(folder.path()) };
    let store = Store::open(limited).await.unwrap();
    let mut txn = store.begin().await.unwrap();
    txn.setting_put("before", &json!(1), NOW).await.unwrap();
    txn.setting_put("large", &json!("x".repeat(2_000_000)), NOW).await.unwrap_err();
    txn.setting_put("after", &json!(1), NOW).await.unwrap_err();
    txn.commit().await.unwrap_err();
    for key in ["before", "large", "after"] {
        assert_eq!(store.setting_fetch(key).await.unwrap(), None, "{key}");
    }
}

#[tokio::test]
async fn a_lock_that_is_held_is_busy() {
    let folder = tempfile::tempdir().unwrap();
    let holder = Store::open(options(folder.path())).await.unwrap();
    let hasty = StoreOptions { busy_timeout: Duration::from_millis(50), ..options(folder.path()) };
    let other = Store::open(hasty).await.unwrap();
    let held = holder.begin().await.unwrap();
    // Of another process: SQLite's own lock. Of this one: its turn at the one connection.
    let error = other.begin().await.unwrap_err();
    assert!(matches!(error, StoreError::Busy(_)), "{error:?}");
    assert!(error.is_retryable());
    held.rollback().await.unwrap();
    let held = other.begin().await.unwrap();
    let error = other.begin().await.unwrap_err();
    assert!(matches!(error, StoreError::Busy(_)), "{error:?}");
    held.rollback().await.unwrap();
    put(&other, "a", 1).await.unwrap();
}

/// Found by `make test-chaos SEED=5`: on a full disk neither the change nor its key could be written, and
/// whoever sent it again heard for ten minutes that it is under way.
#[tokio::test]
async fn a_key_that_could_not_be_given_back_is_free_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let holder = Store::open(options(folder.path())).await.unwrap();
    let hasty = StoreOptions { busy_timeout: Duration::from_millis(50), ..options(folder.path()) };
    let store = Store::open(hasty).await.unwrap();
    let request = IdempotencyRequest {
        caller: "user:1".to_owned(),
        key: "k".to_owned(),
        method: "POST".to_owned(),
        path: "/v1/tenants".to_owned(),
        body_sha256: [5; 32],
    };
    let day = time::Duration::DAY;
    let claimed = store.idempotency_begin(&request, NOW, day).await.unwrap();
    let IdempotencyOutcome::New(claim) = claimed else { panic!("{claimed:?}") };
    let held = holder.begin().await.unwrap();
    store.idempotency_release(&claim).await.unwrap_err();
    held.rollback().await.unwrap();
    let again = store.idempotency_begin(&request, NOW, day).await.unwrap();
    assert!(
        matches!(&again, IdempotencyOutcome::New(new) if new.claim != claim.claim),
        "{again:?}"
    );
    let third = store.idempotency_begin(&request, NOW, day).await.unwrap();
    assert_eq!(third, IdempotencyOutcome::InFlight);
}

#[tokio::test]
async fn what_is_no_registry_is_corrupt() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    std::fs::write(&options.path, "this is a letter to my grandmother".repeat(100)).unwrap();
    let error = Store::open(options).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn a_damaged_page_is_corrupt() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let store = Store::open(options.clone()).await.unwrap();
    put(&store, "large", 100_000).await.unwrap();
    store.close().await;
    let mut bytes = std::fs::read(&options.path).unwrap();
    // Pages at the end, where the large value went; the first ones hold the schema.
    let end = bytes.len() - 60 * 1024;
    for byte in &mut bytes[end..] {
        *byte = 0xff;
    }
    std::fs::write(&options.path, bytes).unwrap();
    let store = Store::open(options).await.unwrap();
    let findings = store.integrity_check().await;
    assert!(!matches!(&findings, Ok(list) if list.is_empty()), "{findings:?}");
    let error = store.setting_fetch("large").await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
}

#[tokio::test]
async fn the_files_are_their_owners_only() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(options(folder.path())).await.unwrap();
    put(&store, "a", 1).await.unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
        seen += 1;
    }
    assert!(seen >= 2, "the database and its write-ahead log");
}

#[tokio::test]
async fn a_temporary_registry_leaves_nothing() {
    let store = Store::temporary().await.unwrap();
    put(&store, "a", 1).await.unwrap();
    let clone = store.clone();
    drop(store);
    assert!(clone.setting_fetch("a").await.unwrap().is_some());
}

#[tokio::test]
async fn a_missing_folder_is_an_error_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = StoreOptions::new(folder.path().join("no/registry.db"), Uuid::new_v4());
    let error = Store::open(nowhere).await.unwrap_err();
    assert!(matches!(&error, StoreError::Other(source) if source.is::<std::io::Error>()));
}
