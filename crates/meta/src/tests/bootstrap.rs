//! The first start, and the administrator's token.

use std::os::unix::fs::PermissionsExt;

use super::harness::Meta;

#[tokio::test]
async fn the_first_start_writes_a_token_that_works_and_keeps_only_its_hash() {
    let mut meta = Meta::start(0).await;
    let file = meta.folder.path().join("admin-token");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(meta.admin.starts_with("aip_") && meta.admin.len() == 47);
    let me = meta.get("/v1/me").await.is(200);
    assert_eq!(me.at("/platformRole"), "platform-admin");
    assert_eq!(me.at("/tokenPrefix"), &meta.admin[..10]);
    let registry = std::fs::read(meta.folder.path().join("registry.db")).unwrap();
    let secret = meta.admin.as_bytes();
    assert!(!registry.windows(secret.len()).any(|window| window == secret));

    let before = meta.admin.clone();
    meta.restart().await;
    assert_eq!(meta.admin, before, "a restart keeps it");
}

#[tokio::test]
async fn a_lost_token_file_is_replaced_and_the_old_token_revoked() {
    let mut meta = Meta::start(0).await;
    let old = meta.admin.clone();
    meta.stop().await;
    std::fs::remove_file(meta.folder.path().join("admin-token")).unwrap();
    meta.restart().await;
    assert_ne!(meta.admin, old);
    meta.get("/v1/me").await.is(200);
    let request = meta.request_as(&old, "GET", "/v1/me").body(bytes::Bytes::new()).unwrap();
    meta.call(request).await.is_problem(401, "unauthenticated");
}
