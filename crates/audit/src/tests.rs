//! Checkpoints: written, and every way to tamper with rows and file found.

use std::path::PathBuf;

use aipress_kit::clock::Clock;
use aipress_store::AuditFault;
use aipress_store::AuditInsert;
use aipress_store::Store;
use time::macros::datetime;

use super::*;
use crate::file::line_sha256;

struct Log {
    folder: tempfile::TempDir,
    store: Store,
    clock: Clock,
}

impl Log {
    async fn new() -> Self {
        let now = datetime!(2026-11-22 12:00 UTC);
        Self {
            folder: tempfile::tempdir().unwrap(),
            store: Store::temporary().await.unwrap(),
            clock: Clock::fixed(now),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("checkpoints.jsonl")
    }

    /// As a new process has it.
    fn keeper(&self) -> Keeper {
        Keeper::new(self.path(), SigningKey::from_seed(&[7; 32]).unwrap())
    }

    async fn rows(&self, count: usize) {
        let mut txn = self.store.begin().await.unwrap();
        for _ in 0..count {
            let row = AuditInsert {
                at: self.clock.now(),
                actor: "user:1".to_owned(),
                on_behalf_of: None,
                action: "shard.update".to_owned(),
                resource_kind: "shard".to_owned(),
                resource_id: "aipress-shard-001".to_owned(),
                resource_name: None,
                account: None,
                request_id: None,
                plan: None,
                before: None,
                after: None,
                reason: None,
                outcome: "allowed".to_owned(),
            };
            txn.audit_append(&row).await.unwrap();
        }
        txn.commit().await.unwrap();
    }

    fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn put(&self, lines: &[String]) {
        std::fs::write(self.path(), lines.join("\n") + "\n").unwrap();
    }

    async fn faults(&self) -> Vec<String> {
        self.keeper().look(&self.store).await.unwrap().faults
    }

    /// Three checkpoints.
    async fn furnished() -> Self {
        let log = Self::new().await;
        let keeper = log.keeper();
        for _ in 0..3 {
            log.rows(2).await;
            assert_eq!(keeper.write(&log.store, &log.clock).await.unwrap(), 1);
        }
        log
    }
}

#[tokio::test]
async fn ends_that_moved_are_signed_and_stand() {
    let log = Log::furnished().await;
    assert_eq!(log.keeper().write(&log.store, &log.clock).await.unwrap(), 0, "nothing moved");
    let seen = log.keeper().look(&log.store).await.unwrap();
    assert_eq!((seen.count, seen.first, seen.last, seen.faults.len()), (3, 1, 3, 0));
    let places: Vec<u64> = seen.anchors.iter().map(|anchor| anchor.seq).collect();
    assert_eq!(places, [2, 4, 6]);
    let looked = log.store.audit_verify(None, &seen.anchors).await.unwrap();
    assert_eq!((looked.anchors, looked.faults), (3, 0));
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(log.path()).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_changed_line_is_found() {
    let log = Log::furnished().await;
    let mut lines = log.lines();
    lines[1] = lines[1].replace("\"seq\":4", "\"seq\":5");
    log.put(&lines);
    let faults = log.faults().await;
    assert!(faults[0].starts_with("line 2 was changed"), "{faults:?}");
}

#[tokio::test]
async fn a_line_of_another_key_is_found() {
    let log = Log::furnished().await;
    let other = SigningKey::from_seed(&[8; 32]).unwrap();
    let forged = Checkpoint {
        v: 1,
        n: 2,
        at: log.clock.now(),
        previous: line_sha256(log.lines()[0].as_bytes()),
        key: other.public().hex(),
        heads: Vec::new(),
    };
    let mut lines = log.lines();
    lines[1] = file::line(&forged, |text| other.sign(text)).unwrap();
    log.put(&lines);
    let faults = log.faults().await;
    assert!(faults[0].contains("another key"), "{faults:?}");
}

#[tokio::test]
async fn missing_lines_are_found_wherever_they_were() {
    for (gone, wanted) in
        [(0, "begins with checkpoint 2"), (1, "line 2 does not follow"), (2, "ends at 2 of 3")]
    {
        let log = Log::furnished().await;
        let mut lines = log.lines();
        lines.remove(gone);
        log.put(&lines);
        let faults = log.faults().await;
        assert!(faults[0].contains(wanted), "{gone}: {faults:?}");
    }
    let log = Log::furnished().await;
    std::fs::remove_file(log.path()).unwrap();
    assert_eq!(log.faults().await, ["ends at 0 of 3 checkpoints"]);
    // What is written from then on does not hide it.
    log.rows(1).await;
    log.keeper().write(&log.store, &log.clock).await.unwrap();
    assert!(log.faults().await[0].contains("begins with checkpoint 4"));
}

#[tokio::test]
async fn rubbish_is_found_and_a_line_that_was_cut_short_is_not_taken_for_it() {
    let log = Log::furnished().await;
    let mut lines = log.lines();
    lines[2] = "{}".to_owned();
    log.put(&lines);
    assert!(log.faults().await[0].contains("line 3 is damaged"));
    let log = Log::furnished().await;
    let whole = std::fs::read_to_string(log.path()).unwrap();
    std::fs::write(log.path(), format!("{whole}{{\"checkpoint\":{{\"v\":1")).unwrap();
    assert_eq!(log.faults().await, Vec::<String>::new());
    log.rows(1).await;
    log.keeper().write(&log.store, &log.clock).await.unwrap();
    let seen = log.keeper().look(&log.store).await.unwrap();
    assert_eq!((seen.count, seen.faults.len()), (4, 0), "{:?}", seen.faults);
}

#[tokio::test]
async fn who_dies_between_file_and_registry_goes_on() {
    let log = Log::furnished().await;
    let mut txn = log.store.begin().await.unwrap();
    let earlier = serde_json::json!({ "n": 2, "sha256": line_sha256(log.lines()[1].as_bytes()) });
    txn.setting_put("audit_checkpoint", &earlier, log.clock.now()).await.unwrap();
    txn.commit().await.unwrap();
    assert_eq!(log.faults().await, Vec::<String>::new());
    log.rows(1).await;
    log.keeper().write(&log.store, &log.clock).await.unwrap();
    assert_eq!(log.keeper().look(&log.store).await.unwrap().last, 4);
}

/// Another registry in the old one's place is one whose rows were rewritten.
#[tokio::test]
async fn rows_that_were_rewritten_are_not_signed_for_and_told_of() {
    let log = Log::furnished().await;
    let other = Store::temporary().await.unwrap();
    let forged = Log { store: other, ..log };
    forged.rows(9).await;
    assert_eq!(forged.keeper().write(&forged.store, &forged.clock).await.unwrap(), 0);
    let seen = forged.keeper().look(&forged.store).await.unwrap();
    let looked = forged.store.audit_verify(None, &seen.anchors).await.unwrap();
    assert_eq!(looked.faults, 3);
    assert!(looked.findings.iter().all(|found| found.fault == AuditFault::Rewritten));
    let short = Store::temporary().await.unwrap();
    let looked = short.audit_verify(None, &seen.anchors).await.unwrap();
    assert_eq!(looked.findings[0].fault, AuditFault::CutOff);
}

#[test]
fn a_public_key_is_read_as_it_is_shown() {
    let key = SigningKey::from_seed(&[7; 32]).unwrap().public();
    assert_eq!(PublicKey::parse(&key.pem()), Some(key));
    assert_eq!(PublicKey::parse(&key.hex()), Some(key));
    assert_eq!(PublicKey::parse("nothing"), None);
}
