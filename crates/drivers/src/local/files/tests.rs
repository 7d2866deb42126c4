//! Who waits for whom.

use aipress_types::ShardId;
use uuid::Uuid;

use super::*;
use crate::layout::DataPaths;
use crate::uids::UidPlan;

#[tokio::test]
async fn a_long_removal_holds_up_no_other_site() {
    let dir = tempfile::Builder::new().prefix("aip-").tempdir_in("/tmp").unwrap();
    let shard = ShardId::from_number(1).unwrap();
    let paths = DataPaths::new(dir.path()).unwrap().shard(shard);
    let ids = UidPlan::detect(1_500_000).shard(shard).unwrap();
    let files = LocalFiles::open(&paths, ids, Vec::new()).unwrap();
    let (slot, other) = (Slot::new(1).unwrap(), Slot::new(2).unwrap());
    let uid = TenantUid(Uuid::new_v4());
    files.ensure_slot(slot).await.unwrap();
    files.ensure_site(uid, slot).await.unwrap();
    files.clear_slot(slot).await.unwrap();

    let removing = Arc::clone(&files.removal).lock_owned().await;
    let erasing = {
        let files = files.clone();
        aipress_kit::tasks::spawn("erase", async move { files.erase_site(uid).await })
    };
    let condemned = FileObject::Erasing(uid);
    tokio::time::timeout(Duration::from_secs(30), async {
        while !files.inventory().await.unwrap().contains(&condemned) {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the site leaves its place at once");
    files.ensure_slot(other).await.unwrap();
    files.ensure_site(TenantUid(Uuid::new_v4()), other).await.unwrap();
    assert!(!erasing.is_finished());
    drop(removing);
    assert_eq!(erasing.await.unwrap().unwrap().unwrap(), Ensured::Repaired);
    assert!(!files.inventory().await.unwrap().contains(&condemned));
}
