//! A disk that becomes full, or is too small from the beginning.

use std::cell::Cell;
use std::sync::Arc;

use aipress_archive::ArchiveWriter;
use aipress_types::ShardId;
use uuid::Uuid;

use super::super::LocalFiles;
use super::*;
use crate::content::ContentSource;
use crate::content::Progress;
use crate::layout::DataPaths;
use crate::uids::UidPlan;

/// A file of 200 MiB of zeros, of which the archive says what it likes.
const SIZE: u64 = 200 << 20;

struct Archive(Vec<u8>);

impl ContentSource for Archive {
    fn open(&self) -> Result<Box<dyn Read + Send>, DriverError> {
        Ok(Box::new(io::Cursor::new(self.0.clone())))
    }
}

fn content(announced: u64) -> Content {
    let manifest: Manifest = serde_json::from_value(serde_json::json!({
        "formatVersion": 1, "platformVersion": "0", "createdAt": "",
        "tenant": { "name": "bakery", "uid": "" },
        "wordpress": { "home": "http://a.localhost", "siteurl": "http://a.localhost" },
        "database": { "tablePrefix": "wp_", "charset": "", "collation": "", "tables": 0, "bytes": 0 },
        "files": { "count": 1, "bytes": announced },
    }))
    .unwrap();
    let mut writer = ArchiveWriter::new(Vec::new(), 1, &manifest, 0).unwrap();
    writer.file(b"uploads/zeros", SIZE, 0).unwrap();
    writer.end_file().unwrap();
    let source = Arc::new(Archive(writer.finish().unwrap()));
    Content { source, home: String::new(), progress: Arc::new(Progress::default()) }
}

#[test]
fn a_disk_that_is_full_is_told_and_left_as_it_was() {
    let dir = tempfile::Builder::new().prefix("aip-").tempdir_in("/tmp").unwrap();
    let shard = ShardId::from_number(1).unwrap();
    let paths = DataPaths::new(dir.path()).unwrap().shard(shard);
    let ids = UidPlan::detect(1_500_000).shard(shard).unwrap();
    let files = LocalFiles::open(&paths, ids, Vec::new()).unwrap();
    let (slot, uid) = (Slot::new(1).unwrap(), TenantUid(Uuid::new_v4()));
    super::super::slot::ensure(&files.disk, slot).unwrap();
    let beside = paths.sites().join(format!("{IMPORT_PREFIX}{uid}"));
    let looks = Cell::new(0_u64);
    // Each look at the disk finds 64 MiB less, from `first` on.
    let refused = |announced: u64, first: u64, inodes: Option<u64>| {
        looks.set(0);
        let free = || {
            let bytes = first - looks.get() * (64 << 20);
            looks.set(looks.get() + 1);
            Ok(Free { bytes, inodes })
        };
        let error = fill_within(&files.disk, uid, slot, &content(announced), &free).unwrap_err();
        assert!(!error.is_retryable(), "it would fill the disk again: {error}");
        assert!(error.to_string().contains("make room"), "{error}");
        assert!(!beside.exists());
        error.to_string()
    };
    let before = refused(SIZE, room::FLOOR + SIZE, None);
    assert!(before.contains("1224 MiB free, and the site's files need 201 of them"), "{before}");
    assert_eq!(looks.get(), 1);
    assert!(refused(u64::MAX, 1 << 60, None).contains("need"));
    assert!(refused(0, 1 << 40, Some(10_000)).contains("10000 files and folders"));
    refused(0, room::FLOOR + (100 << 20), None);
    assert_eq!(looks.get(), 3, "it lied: seen after 128 MiB");
    let enough = || Ok(Free { bytes: 1 << 40, inodes: Some(1 << 20) });
    fill_within(&files.disk, uid, slot, &content(SIZE), &enough).unwrap();
    assert_eq!(std::fs::metadata(beside.join("wp-content/uploads/zeros")).unwrap().len(), SIZE);
    let full = room::disk_error(Errno::NOSPC.into());
    assert!(!full.is_stream() && full.to_string().contains("no room left"), "{full}");
}
