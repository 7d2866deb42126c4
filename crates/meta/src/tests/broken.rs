//! The registry full, locked, damaged or gone, and the master key lost: what callers are told, that
//! nothing acknowledged is lost, and that it goes on when the cause is gone.

use std::fs;
use std::sync::atomic::Ordering;

use aipress_testkit::SmallDisk;
use bytes::Bytes;
use serde_json::json;

use super::harness::Meta;
use super::harness::until;
use super::harness::with_json;
use super::plane;
use crate::reconcilers::integrity;

/// More sites than fit on the disk.
const MANY: u32 = 2_000;

#[tokio::test]
async fn a_full_disk_refuses_changes_and_nothing_else() {
    let Some(disk) = SmallDisk::new("a full disk of meta", 16) else { return };
    let meta = Meta::start_on(disk.path(), MANY).await;
    meta.made("first").await;
    disk.fill(100);
    let create = |name: &str| {
        let request = meta.request("POST", "/v1/tenants").header("idempotency-key", name);
        with_json(request, &json!({ "name": name }))
    };
    let mut kept = Vec::new();
    let (refused, answer) = loop {
        let name = format!("site-{}", kept.len());
        let answer = meta.call(create(&name)).await;
        if answer.status != 202 {
            break (name, answer);
        }
        kept.push(name);
        assert!(kept.len() < MANY as usize, "the disk was never full");
        disk.fill(0);
    };
    answer.is_problem(503, "registry_unavailable");
    assert!(answer.at("/detail").contains("full"), "{}", answer.text);
    assert_eq!(answer.header("retry-after"), "10");
    // Reads go on.
    meta.get("/v1/me").await.is(200);
    meta.get("/v1/health").await.is(200);
    for name in &kept {
        meta.get(&format!("/v1/tenants/{name}")).await.is(200);
    }
    meta.get(&format!("/v1/tenants/{refused}")).await.is_problem(404, "not_found");
    // The same request, with its key, as soon as there is space: nobody restarts anything.
    disk.free();
    until("the refused change", || async {
        let answer = meta.call(create(&refused)).await;
        (answer.status == 202).then_some(answer)
    })
    .await;
    for name in kept.iter().chain([&refused]) {
        until("a site", || async { (meta.state(name).await == "active").then_some(()) }).await;
    }
    let store = meta.store().await;
    assert_eq!(store.integrity_check().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_registry_that_another_process_holds_is_waited_for_and_then_said() {
    let meta = Meta::start(1).await;
    meta.made("first").await;
    let store = meta.store().await;
    let held = store.begin().await.unwrap();
    let refused = meta.post("/v1/tenants", json!({ "name": "second" })).await;
    refused.is_problem(503, "registry_unavailable");
    assert!(refused.at("/detail").contains("busy"), "{}", refused.text);
    assert_eq!(refused.header("retry-after"), "1");
    meta.get("/v1/tenants/first").await.is(200);
    held.rollback().await.unwrap();
    meta.made("second").await;
}

#[tokio::test]
async fn a_damaged_registry_is_said_and_left_as_it_is() {
    let mut meta = Meta::start(1).await;
    meta.made("first").await;
    meta.stop().await;
    let path = meta.folder.path().join("registry.db");
    let whole = fs::read(&path).unwrap();
    let mut header = whole.clone();
    header[..100].fill(0x55);
    let half = whole[..whole.len() / 2].to_vec();
    for (what, damaged) in [("header", header), ("half", half), ("empty", Vec::new())] {
        fs::write(&path, &damaged).unwrap();
        let words = meta.refuses_to_start().await;
        assert!(words.contains("registry.db"), "{what}: {words}");
        assert!(words.contains("bring it back from a copy"), "{what}: {words}");
        assert_eq!(fs::read(&path).unwrap(), damaged, "{what}: it was written to");
    }
    fs::remove_file(&path).unwrap();
    let words = meta.refuses_to_start().await;
    assert!(words.contains("gone or empty"), "{words}");
    assert!(!path.exists(), "an empty one in its place");
    // Brought back, it goes on.
    fs::write(&path, &whole).unwrap();
    meta.restart().await;
    meta.get("/v1/tenants/first").await.is(200);
}

#[tokio::test]
async fn a_damaged_page_is_found_before_somebody_needs_it() {
    let mut meta = Meta::start(1).await;
    meta.made("first").await;
    let store = meta.store().await;
    let plane_over_whole = plane::over(store.clone(), &meta).await;
    integrity::look(&plane_over_whole).await;
    assert!(!plane_over_whole.is_damaged.load(Ordering::Relaxed));
    drop(plane_over_whole);
    store.close().await;
    meta.stop().await;
    let path = meta.folder.path().join("registry.db");
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len() - 8 * 4096;
    bytes[end..].fill(0xff);
    fs::write(&path, bytes).unwrap();
    let store = meta.store().await;
    let damaged = plane::over(store, &meta).await;
    integrity::look(&damaged).await;
    assert!(damaged.is_damaged.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_lost_or_other_master_key_is_said_before_anything_is_done() {
    let mut meta = Meta::start(1).await;
    meta.made("first").await;
    meta.stop().await;
    let path = meta.folder.path().join("master.key");
    let own = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let words = meta.refuses_to_start().await;
    assert!(words.contains("master.key") && words.contains("gone"), "{words}");
    assert!(!path.exists(), "a new key in its place");
    fs::write(&path, "0".repeat(64)).unwrap();
    let words = meta.refuses_to_start().await;
    assert!(words.contains("not the one"), "{words}");
    fs::remove_file(&path).unwrap();
    fs::write(&path, "half").unwrap();
    let words = meta.refuses_to_start().await;
    assert!(words.contains("64 hex digits"), "{words}");
    fs::remove_file(&path).unwrap();
    fs::write(&path, own).unwrap();
    meta.restart().await;
    meta.made("second").await;
}

#[tokio::test]
async fn damaged_rows_are_no_fault_of_the_callers_to_try_again() {
    let meta = Meta::start(1).await;
    let error = aipress_store::StoreError::Corrupt { context: "the file".into(), source: None };
    let refused = crate::problem::ApiError::from(error);
    assert_eq!(refused.code(), "registry_damaged");
    // The next request is another one.
    let request = meta.request("GET", "/v1/me").body(Bytes::new()).unwrap();
    meta.call(request).await.is(200);
}
