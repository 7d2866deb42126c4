//! Folders: owners and modes, and every link that a tenant can plant.

use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::chown;
use std::os::unix::fs::symlink;
use std::path::Path;

use aipress_drivers::Drivers;
use aipress_drivers::Ensured;
use aipress_drivers::FileObject;
use aipress_drivers::Files;
use aipress_drivers::LoginToken;
use aipress_drivers::Slot;
use aipress_drivers::local::LocalFiles;
use aipress_drivers::local::SeedFile;
use aipress_types::TenantUid;

use crate::conformance;
use crate::machine::Machine;
use crate::machine::fresh_uid;
use crate::machine::is_root;
use crate::machine::owner;

fn folders() -> (Machine, Drivers) {
    let machine = Machine::new();
    machine.prepare_mariadb();
    machine.prepare_redis();
    let drivers = machine.drivers();
    (machine, drivers)
}

fn slot(number: u32) -> Slot {
    Slot::new(number).unwrap()
}

/// Something outside that must neither change nor go.
fn treasure(machine: &Machine) -> std::path::PathBuf {
    let dir = machine.paths.data().root().join("treasure");
    std::fs::create_dir_all(dir.join("deep")).unwrap();
    std::fs::write(dir.join("gold"), "gold").unwrap();
    dir
}

fn assert_untouched(treasure: &Path) {
    assert_eq!(std::fs::read_to_string(treasure.join("gold")).unwrap(), "gold");
    let me = std::fs::metadata("/proc/self").unwrap().uid();
    for path in [treasure.to_path_buf(), treasure.join("gold"), treasure.join("deep")] {
        assert_eq!(std::fs::metadata(path).unwrap().uid(), me);
    }
}

async fn sitting(drivers: &Drivers, number: u32) -> TenantUid {
    let uid = fresh_uid();
    drivers.files.ensure_slot(slot(number)).await.unwrap();
    drivers.files.ensure_site(uid, slot(number)).await.unwrap();
    uid
}

#[tokio::test]
async fn folders_do_what_all_drivers_do() {
    let (_machine, drivers) = folders();
    conformance::files(&drivers).await;
}

#[tokio::test]
async fn plugins_come_and_go_as_with_all_drivers_and_hostile_archives_leave_nothing() {
    let (machine, drivers) = folders();
    let treasure = treasure(&machine);
    conformance::packages(&drivers).await;
    assert_untouched(&treasure);
    let strays = ["/etc/cron.d/evil", "/evil.php", "/C:/evil"];
    assert!(strays.iter().all(|path| !Path::new(path).exists()));
}

#[tokio::test]
async fn owners_and_modes_are_those_of_the_plan() {
    let (machine, _) = folders();
    let seed = SeedFile {
        path: "wp-content/plugins/index.php".into(),
        contents: b"<?php // Silence is golden.".to_vec(),
    };
    let files = LocalFiles::open(&machine.paths, machine.ids, vec![seed]).unwrap();
    let uid = fresh_uid();
    files.ensure_slot(slot(7)).await.unwrap();
    files.ensure_site(uid, slot(7)).await.unwrap();
    files.write_site_json(slot(7), &conformance::config(uid)).await.unwrap();
    let (paths, own, root) = (&machine.paths, machine.ids.slot(slot(7)), machine.ids.root());
    let (site, dir) = (paths.site(uid), paths.slot(slot(7)));
    for (path, uid, gid, mode) in [
        (paths.trash(), root.uid, root.gid, 0o700),
        (paths.sites(), root.uid, root.gid, 0o711),
        (dir.clone(), root.uid, own.gid, 0o750),
        (dir.join("site.json"), root.uid, own.gid, 0o440),
        (dir.join("tmp"), own.uid, own.gid, 0o700),
        (dir.join("tmp/sessions"), own.uid, own.gid, 0o700),
        (site.clone(), own.uid, own.gid, 0o750),
        (site.join("wp-content/uploads"), own.uid, own.gid, 0o750),
        (site.join("wp-content/plugins/index.php"), own.uid, own.gid, 0o640),
        (site.join("private"), own.uid, own.gid, 0o700),
    ] {
        assert_eq!(owner(&path), (uid, gid, mode), "{}", path.display());
    }
    let target = std::fs::canonicalize(dir.join("site")).unwrap();
    assert_eq!(target, std::fs::canonicalize(&site).unwrap());
    assert_eq!(
        std::fs::read_link(dir.join("site")).unwrap(),
        Path::new("../../sites").join(uid.to_string())
    );
}

#[tokio::test]
async fn clearing_a_slot_follows_no_link_and_leaves_nothing() {
    let (machine, drivers) = folders();
    let treasure = treasure(&machine);
    sitting(&drivers, 1).await;
    let tmp = machine.paths.slot_tmp(slot(1));
    symlink(&treasure, tmp.join("way-out")).unwrap();
    symlink(&treasure, tmp.join("sessions/way-out")).unwrap();
    std::fs::create_dir_all(tmp.join("a/b")).unwrap();
    symlink("/", tmp.join("a/b/root")).unwrap();
    std::fs::write(tmp.join("sessions/sess_x"), "secret").unwrap();
    // The folder itself swapped for a link (which its owner cannot do: the slot's is root's).
    assert_eq!(drivers.files.clear_slot(slot(1)).await.unwrap(), Ensured::Repaired);
    assert_untouched(&treasure);
    assert!(!tmp.exists());
    assert_eq!(std::fs::read_dir(machine.paths.trash()).unwrap().count(), 0);
    assert_eq!(drivers.files.ensure_slot(slot(1)).await.unwrap(), Ensured::Created);
    assert_eq!(std::fs::read_dir(tmp.join("sessions")).unwrap().count(), 0);
}

/// Whoever was killed while he wrote, or met a full disk, left the beginning of a file.
#[tokio::test]
async fn what_was_begun_in_a_slot_is_explained_and_goes_with_its_tenant() {
    let (machine, drivers) = folders();
    sitting(&drivers, 1).await;
    let dir = machine.paths.slot(slot(1));
    for name in [".site.json.new", ".full.new", ".limits.json.new"] {
        std::fs::write(dir.join(name), "{").unwrap();
    }
    symlink("../../sites/x", dir.join(".site.new")).unwrap();
    std::fs::create_dir_all(dir.join(".tmp.new/sessions")).unwrap();
    let unexplained = async || {
        let mut all = drivers.files.inventory().await.unwrap();
        all.retain(|object| matches!(object, FileObject::Unexplained(_)));
        all
    };
    assert_eq!(unexplained().await, []);
    std::fs::write(dir.join(".other.new"), "").unwrap();
    assert_eq!(unexplained().await, [FileObject::Unexplained(dir.join(".other.new"))]);
    drivers.files.clear_slot(slot(1)).await.unwrap();
    let left: Vec<_> = std::fs::read_dir(&dir).unwrap().flatten().map(|e| e.file_name()).collect();
    assert!(left.iter().all(|name| name == "tmp" || name == ".other.new"), "{left:?}");
}

#[tokio::test]
async fn erasing_follows_no_link_whatever_the_depth() {
    let (machine, drivers) = folders();
    let treasure = treasure(&machine);
    let uid = sitting(&drivers, 1).await;
    let site = machine.paths.site(uid);
    symlink(&treasure, site.join("wp-content/way-out")).unwrap();
    std::fs::hard_link(treasure.join("gold"), site.join("wp-content/gold")).unwrap();
    std::fs::remove_dir(site.join("wp-content/uploads")).unwrap();
    symlink(&treasure, site.join("wp-content/uploads")).unwrap();
    // Deeper than a path can be, as a tenant can make it.
    let mut dir = rustix::fs::open(&site, rustix::fs::OFlags::DIRECTORY, 0.into()).unwrap();
    for _ in 0..3000 {
        rustix::fs::mkdirat(&dir, "deep", 0o700.into()).unwrap();
        let flags = rustix::fs::OFlags::DIRECTORY;
        dir = rustix::fs::openat(&dir, "deep", flags, 0.into()).unwrap();
    }
    drop(dir);
    let locked = site.join("wp-content/locked");
    std::fs::create_dir(&locked).unwrap();
    std::fs::write(locked.join("x"), "x").unwrap();
    std::fs::set_permissions(&locked, PermissionsExt::from_mode(0o000)).unwrap();
    drivers.files.clear_slot(slot(1)).await.unwrap();
    assert_eq!(drivers.files.erase_site(uid).await.unwrap(), Ensured::Repaired);
    assert_untouched(&treasure);
    assert_eq!(std::fs::read_dir(machine.paths.sites()).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(machine.paths.trash()).unwrap().count(), 0);
}

#[tokio::test]
async fn an_interrupted_erasing_is_seen_and_goes_on() {
    let (machine, drivers) = folders();
    let uid = sitting(&drivers, 1).await;
    drivers.files.clear_slot(slot(1)).await.unwrap();
    let erasing = machine.paths.trash().join(format!("erase-{uid}"));
    std::fs::rename(machine.paths.site(uid), erasing).unwrap();
    let all = drivers.files.inventory().await.unwrap();
    assert!(all.contains(&FileObject::Erasing(uid)), "{all:?}");
    let log = machine.paths.site_logs().join(uid.to_string());
    std::fs::create_dir(log.join("php")).unwrap();
    std::fs::write(log.join("php/1.jsonl"), "{}").unwrap();
    assert_eq!(drivers.files.erase_site(uid).await.unwrap(), Ensured::Repaired);
    assert!(!log.exists(), "the log ends with the site");
    assert_eq!(drivers.files.erase_site(uid).await.unwrap(), Ensured::Kept);
    std::fs::create_dir(machine.paths.sites().join("stray")).unwrap();
    let all = drivers.files.inventory().await.unwrap();
    assert_eq!(all, [FileObject::Unexplained(machine.paths.sites().join("stray"))]);
}

#[tokio::test]
async fn restoring_gives_the_tree_to_another_slot_and_nothing_outside_of_it() {
    if !is_root() {
        return;
    }
    let (machine, drivers) = folders();
    let treasure = treasure(&machine);
    let uid = sitting(&drivers, 1).await;
    let site = machine.paths.site(uid);
    let (old, new) = (machine.ids.slot(slot(1)), machine.ids.slot(slot(2)));
    let content = site.join("wp-content");
    std::fs::write(content.join("page.php"), "x").unwrap();
    std::fs::write(content.join("twice"), "x").unwrap();
    std::fs::hard_link(content.join("twice"), content.join("twice-again")).unwrap();
    for name in ["page.php", "twice"] {
        chown(content.join(name), Some(old.uid), Some(old.gid)).unwrap();
    }
    std::fs::set_permissions(content.join("page.php"), PermissionsExt::from_mode(0o4755)).unwrap();
    symlink(&treasure, content.join("way-out")).unwrap();
    symlink(treasure.join("gold"), content.join("gold-link")).unwrap();
    std::fs::hard_link(treasure.join("gold"), content.join("gold")).unwrap();
    drivers.files.clear_slot(slot(1)).await.unwrap();
    drivers.files.trash_site(uid).await.unwrap();
    drivers.files.ensure_slot(slot(2)).await.unwrap();
    let done = drivers.files.restore_site(uid, slot(2)).await.unwrap();
    assert_eq!(done.refused, [Path::new("wp-content/gold")]);
    assert_untouched(&treasure);
    for name in ["", "wp-content", "wp-content/page.php", "wp-content/twice-again", "private"] {
        let (uid, gid, mode) = owner(&site.join(name));
        assert_eq!((uid, gid), (new.uid, new.gid), "{name}");
        assert_eq!(mode & 0o6000, 0, "{name} keeps no set-id bit");
    }
    assert_eq!(owner(&content.join("way-out")).0, new.uid, "the link itself");
    assert_eq!(drivers.files.ensure_site(uid, slot(2)).await.unwrap(), Ensured::Repaired);
    // A folder of slot 2 is not slot 3's to take.
    drivers.files.ensure_slot(slot(3)).await.unwrap();
    assert!(!drivers.files.ensure_site(uid, slot(3)).await.unwrap_err().is_retryable());
}

#[tokio::test]
async fn a_login_is_written_beneath_the_site_and_nowhere_else() {
    let (machine, drivers) = folders();
    let treasure = treasure(&machine);
    let uid = sitting(&drivers, 1).await;
    let site = machine.paths.site(uid);
    let own = machine.ids.slot(slot(1));
    let token = |byte: &str, expires_unix_s| LoginToken {
        sha256_hex: byte.repeat(32),
        login: None,
        expires_unix_s,
    };
    let write = async |token: LoginToken, now| {
        drivers.files.write_login_token(uid, slot(1), &token, now).await
    };
    write(token("aa", 100), 50).await.unwrap();
    let file = site.join(format!("private/login/{}.json", "aa".repeat(32)));
    assert_eq!(owner(&file), (own.uid, own.gid, 0o600));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), r#"{"user":1,"expires":100}"#);
    write(token("bb", 300), 200).await.unwrap();
    assert!(!file.exists(), "the one that ended is gone");
    assert!(!write(token("../x", 300), 200).await.unwrap_err().is_retryable());

    std::fs::remove_dir_all(site.join("private/login")).unwrap();
    symlink(&treasure, site.join("private/login")).unwrap();
    assert!(write(token("cc", 300), 200).await.is_err());
    std::fs::remove_dir_all(site.join("private")).unwrap();
    symlink(&treasure, site.join("private")).unwrap();
    assert!(write(token("dd", 300), 200).await.is_err());
    assert_untouched(&treasure);
    assert_eq!(std::fs::read_dir(&treasure).unwrap().count(), 2);
    std::fs::remove_file(site.join("private")).unwrap();
    write(token("ee", 300), 200).await.unwrap();
}
