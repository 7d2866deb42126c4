//! Everything in the shard's folders, each with what it is.

use std::path::Path;

use aipress_types::TenantUid;
use serde::Deserialize;

use super::Disk;
use super::at;
use super::import::IMPORT_PREFIX;
use super::package;
use super::slot;
use super::trash::ERASING_PREFIX;
use crate::error::DriverError;
use crate::files::FileObject;
use crate::layout::ShardPaths;
use crate::layout::Slot;
use crate::local::beneath;

/// Longest `site.json` that is read.
const CONFIG_MAX: usize = 64 * 1024;

#[derive(Deserialize)]
struct ConfigUid {
    uid: TenantUid,
}

/// Lists slots, sites, logs and trash.
pub(super) fn list(disk: &Disk) -> Result<Vec<FileObject>, DriverError> {
    let mut objects = Vec::new();
    for name in names(&disk.paths.slots())? {
        match Slot::from_dir_name(&name) {
            Some(slot) => list_slot(disk, slot, &mut objects)?,
            None => objects.push(FileObject::Unexplained(disk.paths.slots().join(name))),
        }
    }
    for name in names(&disk.paths.sites())? {
        // A plugin on its way into, or out of, a site that is listed itself.
        if package::owner_of(&name).is_some() {
            continue;
        }
        // One that is being filled is a site's as well.
        let owner = name.strip_prefix(IMPORT_PREFIX).unwrap_or(&name);
        objects.push(match owner.parse() {
            Ok(uid) => FileObject::Site(uid),
            Err(_) => FileObject::Unexplained(disk.paths.sites().join(name)),
        });
    }
    for name in names(&disk.paths.site_logs())? {
        objects.push(match name.parse() {
            Ok(uid) => FileObject::Log(uid),
            Err(_) => FileObject::Unexplained(disk.paths.site_logs().join(name)),
        });
    }
    for name in names(&disk.paths.trash())? {
        let erasing = name.strip_prefix(ERASING_PREFIX).and_then(|uid| uid.parse().ok());
        objects.push(match (name.parse(), erasing) {
            (Ok(uid), _) => FileObject::Trash(uid),
            (_, Some(uid)) => FileObject::Erasing(uid),
            _ => FileObject::Unexplained(disk.paths.trash().join(name)),
        });
    }
    Ok(objects)
}

fn list_slot(disk: &Disk, slot: Slot, objects: &mut Vec<FileObject>) -> Result<(), DriverError> {
    let path = disk.paths.slot(slot);
    for name in names(&path)? {
        match name.as_str() {
            "tmp" | ShardPaths::SLOT_FULL | ShardPaths::SLOT_LIMITS => {}
            slot::CONFIG => {
                let fail = at("read slot", &path);
                let dir = beneath::open_dir(&path).map_err(&fail)?;
                let text = beneath::read_at(&dir, slot::CONFIG, CONFIG_MAX).map_err(&fail)?;
                let uid = serde_json::from_slice::<ConfigUid>(&text).ok().map(|found| found.uid);
                objects.push(FileObject::SlotConfig(slot, uid));
            }
            slot::LINK => {
                let uid = slot::linked(disk, slot).ok().flatten();
                objects.push(FileObject::SlotLink(slot, uid));
            }
            begun if slot::is_begun(begun) => {}
            _ => objects.push(FileObject::Unexplained(path.join(name))),
        }
    }
    Ok(())
}

/// Names in one of the platform's own folders, sorted.
fn names(path: &Path) -> Result<Vec<String>, DriverError> {
    let fail = at("list folder", path);
    let dir = beneath::open_dir(path).map_err(&fail)?;
    let mut names: Vec<String> = beneath::names(&dir)
        .map_err(&fail)?
        .into_iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    Ok(names)
}
