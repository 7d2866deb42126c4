//! Plugins and themes come and go in one step, and hostile archives leave nothing.

use std::path::Path;

use aipress_drivers::Drivers;
use aipress_drivers::Ensured;
use aipress_drivers::PackagePlace;
use aipress_drivers::Slot;
use aipress_packages::build::ZipBuilder;
use aipress_types::PackageKind;
use aipress_types::TenantUid;

/// A plugin whose archive is sound but for what is added.
fn bread() -> ZipBuilder {
    ZipBuilder::plugin("bread", "1", "")
}

/// Archives that no driver unpacks, each with a word of why.
fn hostile() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let evil = |path: &str| bread().file(path, b"<?php // evil").bytes();
    let mode = |mode: u32| bread().entry(b"bread/evil", b"/etc/shadow", mode, false).bytes();
    let zeros = vec![0; 32 * 1024 * 1024];
    let mut crowd = bread();
    for number in 0..20_001 {
        crowd = crowd.file(&format!("bread/{number}"), b"");
    }
    let mut cut = bread().bytes();
    cut.truncate(cut.len() / 2);
    vec![
        ("a way up", evil("bread/../../evil.php"), "elsewhere"),
        ("a way up from the start", evil("../evil.php"), "elsewhere"),
        ("an absolute path", evil("/etc/cron.d/evil"), "absolute"),
        ("a drive", evil("C:/evil"), "absolute"),
        ("a backslash", evil("bread\\..\\evil"), "backslash"),
        ("a second folder", evil("other/evil.php"), "one folder"),
        ("a file beside", evil("evil.php"), "beside"),
        ("twice the same", evil("bread/bread.php"), "twice"),
        ("the same but for case", evil("bread/BREAD.php"), "case"),
        ("a file that is a folder", evil("bread/bread.php/evil"), "twice"),
        ("a symlink", mode(0o120_777), "link"),
        ("a device", mode(0o060_644), "device"),
        ("a pipe", mode(0o010_644), "device"),
        ("a secret", bread().entry(b"bread/evil", b"x", 0o100_644, true).bytes(), "encrypted"),
        ("a bomb", bread().file("bread/zeros", &zeros).bytes(), "ratio"),
        ("a crowd", crowd.bytes(), "number of entries"),
        ("half of one", cut, "zip"),
        ("noise", b"<html>not found</html>".to_vec(), "zip"),
        ("nothing", Vec::new(), "zip"),
        ("another plugin", ZipBuilder::plugin("salt", "1", "").bytes(), "`salt`"),
        ("no plugin", ZipBuilder::new().file("bread/a.txt", b"x").bytes(), "Plugin Name:"),
        ("a theme", ZipBuilder::theme("bread", "1", "").bytes(), "Plugin Name:"),
    ]
}

fn on_disk(dir: &Path, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

pub(crate) async fn packages(drivers: &Drivers) {
    let (files, packages) = (&drivers.files, &drivers.packages);
    let dir = tempfile::tempdir().unwrap();
    let (uid, slot) = (TenantUid(uuid::Uuid::new_v4()), Slot::new(47).unwrap());
    files.ensure_slot(slot).await.unwrap();
    files.ensure_site(uid, slot).await.unwrap();
    let place = PackagePlace { uid, slot, kind: PackageKind::Plugin, name: "bread".to_owned() };
    let one = on_disk(dir.path(), "1.zip", &bread().bytes());
    let two = on_disk(dir.path(), "2.zip", &ZipBuilder::plugin("bread", "2", "").bytes());

    // It stands there only once it is whole.
    assert_eq!(packages.installed(&place).await.unwrap(), None);
    let first = packages.stage(&place, &one).await.unwrap();
    assert_eq!(packages.installed(&place).await.unwrap(), None);
    packages.swap(&place).await.unwrap();
    assert_eq!(packages.installed(&place).await.unwrap(), Some(first));
    assert_eq!(packages.clear_beside(uid).await.unwrap(), Ensured::Kept);
    // The one before is beside, and comes back.
    let second = packages.stage(&place, &two).await.unwrap();
    assert_ne!(first, second);
    packages.swap(&place).await.unwrap();
    assert_eq!(packages.installed(&place).await.unwrap(), Some(second));
    packages.swap(&place).await.unwrap();
    assert_eq!(packages.installed(&place).await.unwrap(), Some(first));
    assert_eq!(packages.clear_beside(uid).await.unwrap(), Ensured::Repaired);
    assert_eq!(packages.clear_beside(uid).await.unwrap(), Ensured::Kept);

    for (number, (what, bytes, why)) in hostile().into_iter().enumerate() {
        let archive = on_disk(dir.path(), &format!("hostile-{number}.zip"), &bytes);
        let error = packages.stage(&place, &archive).await.unwrap_err();
        assert!(!error.is_retryable() && error.to_string().contains(why), "{what}: {error}");
        packages.clear_beside(uid).await.unwrap();
        assert_eq!(packages.clear_beside(uid).await.unwrap(), Ensured::Kept, "{what}");
        assert_eq!(packages.installed(&place).await.unwrap(), Some(first), "{what}");
    }

    // Away, by an exchange with nothing.
    packages.swap(&place).await.unwrap();
    assert_eq!(packages.installed(&place).await.unwrap(), None);
    packages.clear_beside(uid).await.unwrap();
    files.clear_slot(slot).await.unwrap();
    files.erase_site(uid).await.unwrap();
}
