//! How much a site's `wp-content` takes. Follows no link and leaves the tree by none; bounded in
//! entries, depth and time, for the tree is the tenant's.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::Duration;
use std::time::Instant;

use aipress_types::TenantUid;
use rustix::fs::FileType;
use rustix::fs::Stat;

use super::Disk;
use crate::error::DriverError;
use crate::files::DiskUsage;
use crate::layout::Slot;
use crate::local::beneath;

/// Files and folders that are counted at most.
const ENTRIES_MAX: u64 = 500_000;
/// Time for it.
const TIME_MAX: Duration = Duration::from_secs(20);
/// Folders within folders; WordPress has some five.
const DEPTH_MAX: usize = 64;
/// Folders that are named.
const NAMED: usize = 10;
/// `st_blocks` counts these (`stat(2)`).
const BLOCK: u64 = 512;

struct Walk {
    entries: u64,
    begun: Instant,
    is_complete: bool,
}

/// Looks.
pub(super) fn of(disk: &Disk, uid: TenantUid) -> Result<DiskUsage, DriverError> {
    let path = disk.paths.site(uid).join("wp-content");
    let failed = |error| DriverError::io("look how much a site takes", &path, error);
    let top = beneath::open_dir(&path).map_err(failed)?;
    let mut walk = Walk { entries: 0, begun: Instant::now(), is_complete: true };
    let mut folders: BTreeMap<String, u64> = BTreeMap::new();
    let mut bytes = 0;
    for name in beneath::names(&top).map_err(failed)? {
        let Some(name) = name.to_str() else { continue };
        let taken = walk.entry(&top, name, 0);
        bytes += taken;
        folders.insert(name.to_owned(), taken);
    }
    let mut folders: Vec<(String, u64)> = folders.into_iter().collect();
    folders.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    folders.truncate(NAMED);
    Ok(DiskUsage { bytes, entries: walk.entries, is_complete: walk.is_complete, folders })
}

impl Walk {
    /// Bytes of an entry with all below it. What ends meanwhile counts nothing.
    fn entry(&mut self, dir: &OwnedFd, name: &str, depth: usize) -> u64 {
        if self.entries >= ENTRIES_MAX || self.begun.elapsed() > TIME_MAX || depth > DEPTH_MAX {
            self.is_complete = false;
            return 0;
        }
        self.entries += 1;
        let Ok(Some(stat)) = beneath::stat_at(dir, name) else { return 0 };
        let own = u64::try_from(stat.st_blocks).unwrap_or(0) * BLOCK;
        if beneath::kind(&stat) != FileType::Directory {
            return own;
        }
        let Ok(folder) = beneath::open_dir_at(dir, name) else { return own };
        let Ok(names) = beneath::names(&folder) else { return own };
        let below = names.iter().filter_map(|name| name.to_str());
        own + below.map(|name| self.entry(&folder, name, depth + 1)).sum::<u64>()
    }
}

/// Bytes of the site's folder and of its slot's temporary one.
pub(super) fn taken(disk: &Disk, uid: TenantUid, slot: Slot) -> Result<u64, DriverError> {
    let mut walk = Walk { entries: 0, begun: Instant::now(), is_complete: true };
    let mut bytes = 0;
    for path in [disk.paths.site(uid), disk.paths.slot_tmp(slot)] {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str()))
        else {
            continue;
        };
        let failed = |error| DriverError::io("count what a site takes", &path, error);
        let parent = beneath::open_dir(parent).map_err(failed)?;
        bytes += walk.entry(&parent, name, 0);
    }
    Ok(bytes)
}

/// When the site last said that what it has has changed, in milliseconds since 1970.
pub(super) fn mark(disk: &Disk, uid: TenantUid) -> Option<i64> {
    let stat = private_stat(disk, uid, "inventory-due")?;
    let nanos = i64::try_from(stat.st_mtime_nsec).ok()?;
    Some(stat.st_mtime.saturating_mul(1000).saturating_add(nanos / 1_000_000))
}

/// When these sites want to be woken: the time of a file that they set.
pub(super) fn cron_marks(disk: &Disk, sites: &[TenantUid]) -> BTreeMap<TenantUid, i64> {
    let mark = |uid: &TenantUid| Some((*uid, private_stat(disk, *uid, "cron-due")?.st_mtime));
    sites.iter().filter_map(mark).collect()
}

fn private_stat(disk: &Disk, uid: TenantUid, name: &str) -> Option<Stat> {
    let site = beneath::open_dir(&disk.paths.site(uid)).ok()?;
    let private = beneath::open_dir_at(&site, "private").ok()?;
    beneath::stat_at(&private, name).ok().flatten()
}
