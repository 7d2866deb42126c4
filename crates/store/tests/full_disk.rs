//! The registry on a small real disk that is full.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use aipress_store::Store;
use aipress_store::StoreError;
use aipress_store::StoreOptions;
use aipress_testkit::SmallDisk;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
/// More writes than fit on the disk.
const MANY: u32 = 10_000;

fn options(disk: &SmallDisk) -> StoreOptions {
    StoreOptions::new(disk.path().join("registry.db"), Uuid::new_v4())
}

async fn put(store: &Store, number: u32) -> Result<(), StoreError> {
    let mut txn = store.begin().await?;
    txn.setting_put(&format!("k{number}"), &json!("x".repeat(20_000)), NOW).await?;
    txn.commit().await
}

async fn has(store: &Store, numbers: impl IntoIterator<Item = u32>) {
    for number in numbers {
        let found = store.setting_fetch(&format!("k{number}")).await.unwrap();
        assert!(found.is_some(), "k{number} was acknowledged");
    }
}

/// Writes until the disk refuses: how many were acknowledged.
async fn until_full(store: &Store, first: u32) -> u32 {
    for number in first..MANY {
        match put(store, number).await {
            Ok(()) => {}
            Err(StoreError::Full(_)) => return number,
            Err(error) => panic!("a full disk is said as such: {error:?}"),
        }
    }
    panic!("a disk of 16 MiB was never full");
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_and_space_is_all_it_needs() {
    let Some(disk) = SmallDisk::new("a full disk of the registry", 16) else { return };
    let store = Store::open(options(&disk)).await.unwrap();
    put(&store, 0).await.unwrap();
    disk.fill(200);
    let mut kept = until_full(&store, 1).await;
    // Full again and again, by the database and its log alone and by others.
    for _ in 0..3 {
        disk.fill(0);
        assert!(matches!(put(&store, kept).await, Err(StoreError::Full(_))));
        has(&store, 0..kept).await;
        disk.free();
        put(&store, kept).await.unwrap();
        kept += 1;
        disk.fill(100);
        kept = until_full(&store, kept).await;
    }
    // Killed now and started again on the full disk.
    let lost = store.setting_fetch(&format!("k{kept}")).await.unwrap();
    assert_eq!(lost, None, "what was refused is not there");
    drop(store);
    match Store::open(options(&disk)).await {
        Ok(again) => has(&again, 0..kept).await,
        Err(StoreError::Full(_)) => {}
        Err(error) => panic!("a full disk is said as such: {error:?}"),
    }
    disk.free();
    let again = Store::open(options(&disk)).await.unwrap();
    has(&again, 0..kept).await;
    put(&again, kept).await.unwrap();
    assert_eq!(again.integrity_check().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_first_start_on_a_full_disk_says_so_and_leaves_nothing_in_the_way() {
    let Some(disk) = SmallDisk::new("a first start on a full disk", 16) else { return };
    disk.fill(0);
    let error = Store::open(options(&disk)).await.unwrap_err();
    assert!(matches!(error, StoreError::Full(_)), "{error:?}");
    disk.free();
    let store = Store::open(options(&disk)).await.unwrap();
    put(&store, 0).await.unwrap();
    assert_eq!(store.integrity_check().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_registry_that_is_gone_or_empty_is_not_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("registry.db");
    let later = StoreOptions { may_create: false, ..StoreOptions::new(&path, Uuid::new_v4()) };
    let error = Store::open(later.clone()).await.unwrap_err();
    assert!(matches!(error, StoreError::Gone), "{error:?}");
    assert!(!path.exists());
    std::fs::write(&path, b"").unwrap();
    let error = Store::open(later.clone()).await.unwrap_err();
    assert!(matches!(error, StoreError::Gone), "{error:?}");
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    Store::open(StoreOptions::new(&path, Uuid::new_v4())).await.unwrap().close().await;
    Store::open(later).await.unwrap();
}

#[tokio::test]
async fn a_disk_that_became_read_only_is_said() {
    let Some(disk) = SmallDisk::new("a disk that became read-only", 16) else { return };
    let store = Store::open(options(&disk)).await.unwrap();
    put(&store, 0).await.unwrap();
    store.close().await;
    let remount = |how: &str| {
        let mut command = std::process::Command::new("mount");
        command.args(["-o", &format!("remount,{how}")]).arg(disk.path());
        assert!(command.status().unwrap().success(), "remount {how}");
    };
    remount("ro");
    let error = match Store::open(options(&disk)).await {
        Ok(store) => put(&store, 1).await.unwrap_err(),
        Err(error) => error,
    };
    remount("rw");
    assert!(matches!(error, StoreError::Disk(_)), "{error:?}");
    let store = Store::open(options(&disk)).await.unwrap();
    has(&store, [0]).await;
    put(&store, 1).await.unwrap();
}
