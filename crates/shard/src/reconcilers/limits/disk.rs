//! Disk: by the file system's own quotas where it has them, else counted and stopped.
//!
//! With quotas a write over the limit fails in the kernel; here the limit is set, and read how much
//! of it is taken, so that the site's people learn why. Without them a site's tree is walked, but
//! only when it could have reached its limit: when as much was taken of the whole disk since the
//! last walk as the site had left; and a site that is over it gets no more bytes into any file.

use std::time::Duration;

use aipress_drivers::DiskHeld;
use aipress_drivers::DriverError;
use tokio::time::Instant;

use super::AGAIN_PERCENT;
use super::Limit;
use super::Limits;
use super::Seated;
use super::Site;
use super::scarce::Scarcity;
use super::size;
use crate::plane::Plane;
/// A site in which something runs is walked this often, whatever the disk says.
pub(super) const WALK: Duration = Duration::from_secs(60);
/// The same for one that is near its limit, or over it.
pub(super) const WALK_NEAR: Duration = Duration::from_secs(5);
/// Near: this part of the limit.
const NEAR_PERCENT: u64 = 80;
/// A write that does not fit is refused as a whole: with quotas a site has met its limit a little
/// before it takes all of it. In bytes; but never more than the part that a full site has to free.
const EDGE: u64 = 1024 * 1024;

#[derive(Debug, Clone, Copy)]
pub(super) struct Walked {
    pub(super) bytes: u64,
    pub(super) at: Instant,
    /// Free bytes of the disk then.
    pub(super) free: u64,
}

/// What the file system said of a site.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    found: DiskHeld,
    at: Instant,
    bytes_max: u64,
}

impl Limits {
    pub(super) async fn disks(
        &mut self,
        plane: &Plane,
        seated: &[Seated],
    ) -> Result<(), DriverError> {
        let share = &plane.drivers.share;
        let (free, busy) = (share.free_bytes().await?, share.busy().await?);
        self.scarcity = self.scarcity.next(free, share.total_bytes().await?);
        let is_scarce = self.scarcity > Scarcity::None;
        for seat in seated {
            let is_busy = busy.contains(&seat.slot);
            let site = self.sites.entry(seat.uid).or_default();
            let (words, is_stopped) = match held(plane, seat, site, is_busy).await? {
                Some(held) => {
                    let is_met = site.told.contains_key(&Limit::Disk);
                    (words_of_quota(&held, is_met), false)
                }
                None => {
                    let words = counted(plane, seat, site, free, is_busy).await?;
                    let is_stopped = words.is_some();
                    (words, is_stopped)
                }
            };
            let is_full = is_stopped || is_scarce;
            if is_full || site.is_full {
                share.set_full(seat.slot, is_full).await?;
            }
            if site.is_full && !is_full {
                // A worker that saw the mark a moment ago keeps its limit.
                let how = aipress_drivers::Recycle::Graceful;
                plane.drivers.php.recycle_slot(seat.slot, how).await?;
            }
            site.is_full = is_full;
            let scarce = "The disk of the server is nearly full: no file can be written and nothing \
                          added to the database for now.";
            site.hold(Limit::Disk, words);
            site.hold(Limit::Server, is_scarce.then(|| scarce.to_owned()));
        }
        Ok(())
    }
}

/// What the file system says of a site, when it holds it; asked again when something may have
/// changed it.
async fn held(
    plane: &Plane,
    seat: &Seated,
    site: &mut Site,
    is_busy: bool,
) -> Result<Option<Held>, DriverError> {
    let bytes_max = seat.limits.storage_bytes;
    let is_told = site.told.contains_key(&Limit::Disk);
    let is_known = site.quota.is_some_and(|held| {
        held.bytes_max == bytes_max && !is_busy && !is_told && held.at.elapsed() < WALK
    });
    if !is_known {
        let found = plane.drivers.files.hold(seat.uid, seat.slot, bytes_max).await?;
        site.quota = found.map(|found| Held { found, at: Instant::now(), bytes_max });
    }
    Ok(site.quota)
}

/// What a site is told that has met its quota.
fn words_of_quota(held: &Held, is_met: bool) -> Option<String> {
    let Held { found, bytes_max, .. } = *held;
    let again = |most: u64| most / 100 * AGAIN_PERCENT;
    let edge = bytes_max.saturating_sub(EDGE).max(again(bytes_max));
    if found.bytes >= edge || (is_met && found.bytes > again(bytes_max)) {
        return Some(of_bytes(found.bytes, bytes_max));
    }
    let is_many = found.files >= found.files_max;
    (is_many || (is_met && found.files > again(found.files_max))).then(|| {
        format!(
            "The site has {} files and folders, as many as it may: none can be made until some are \
             deleted.",
            found.files
        )
    })
}

fn of_bytes(bytes: u64, bytes_max: u64) -> String {
    format!(
        "The site's files take {}, its tier has {}: no file can be written until some are deleted.",
        size(bytes),
        size(bytes_max)
    )
}

/// What a site is told that was walked and is over its limit.
async fn counted(
    plane: &Plane,
    seat: &Seated,
    site: &mut Site,
    free: u64,
    is_busy: bool,
) -> Result<Option<String>, DriverError> {
    let limit = seat.limits.storage_bytes;
    if is_due(site, limit, free, is_busy) {
        let bytes = plane.drivers.files.taken(seat.uid, seat.slot).await?;
        site.disk = Some(Walked { bytes, at: Instant::now(), free });
    }
    let bytes = site.disk.map_or(0, |walked| walked.bytes);
    let again = limit / 100 * AGAIN_PERCENT;
    let is_over = bytes >= limit || (site.told.contains_key(&Limit::Disk) && bytes > again);
    Ok(is_over.then(|| of_bytes(bytes, limit)))
}

/// Whether a site could have reached its limit since it was walked.
pub(super) fn is_due(site: &Site, limit: u64, free: u64, is_busy: bool) -> bool {
    let Some(walked) = site.disk else { return true };
    let age = walked.at.elapsed();
    let is_near = walked.bytes >= limit / 100 * NEAR_PERCENT;
    if is_near && (is_busy || site.is_full) {
        return age >= WALK_NEAR;
    }
    let (left, taken) = (limit.saturating_sub(walked.bytes), walked.free.saturating_sub(free));
    is_busy && (taken >= left || age >= WALK)
}
