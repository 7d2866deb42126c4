//! What a site has: asked of its WordPress by the agent, of the database server and of its folder.
//!
//! Level-triggered like all else: a site is looked at when it said that something changed, after
//! it was changed from here, and once a day; what was found goes to meta until meta has it. A site
//! whose PHP is broken still has the platform's part, and says what failed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use aipress_api::inventory::DatabaseSizeView;
use aipress_api::inventory::DiskUsageView;
use aipress_api::inventory::INVENTORY_MAX;
use aipress_api::inventory::InventoryView;
use aipress_api::inventory::SiteInventory;
use aipress_api::inventory::SizeView;
use aipress_drivers::ExecCall;
use aipress_drivers::ExecExit;
use aipress_drivers::ExecOutput;
use aipress_drivers::Slot;
use aipress_types::TenantUid;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::gateway::visits;
use crate::meta::call::Meta;
use crate::plane::Plane;

/// Between two looks for what is due.
const INTERVAL: Duration = Duration::from_secs(15);
/// Sites that are looked at one after the other before it is looked for what is due again.
const AT_ONCE: usize = 4;
/// A site at which nothing happens is looked at this often.
const DAILY: Duration = Duration::from_secs(24 * 3600);
/// After a start, sites of which nothing is known are spread over this time.
const SPREAD: Duration = Duration::from_secs(600);
/// Between tries of one that failed or that meta did not take.
const AGAIN: Duration = Duration::from_secs(300);
/// Most that is told of what the agent said, in characters.
const SAID_CHARS: usize = 300;

/// When each site is due.
#[derive(Debug, Default)]
pub(crate) struct Due {
    sites: Mutex<HashMap<TenantUid, Site>>,
}

#[derive(Debug, Clone, Copy)]
struct Site {
    at: Instant,
    /// What the site's mark was when it was looked at.
    mark: Option<i64>,
}

impl Due {
    /// Something of the site was changed: look soon.
    pub(crate) fn soon(&self, uid: TenantUid) {
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        sites.entry(uid).and_modify(|site| site.at = now).or_insert(Site { at: now, mark: None });
    }

    fn fetch(&self, uid: TenantUid) -> Site {
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        *sites
            .entry(uid)
            .or_insert_with(|| Site { at: Instant::now() + part(uid, SPREAD), mark: None })
    }

    /// It was looked at; `told` says whether meta knows what was found.
    fn looked(&self, uid: TenantUid, mark: Option<i64>, told: bool) {
        let next = if told { DAILY + part(uid, SPREAD) } else { AGAIN };
        let at = Instant::now() + next;
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        sites.insert(uid, Site { at, mark });
    }

    fn keep_only(&self, known: &[TenantUid]) {
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        sites.retain(|uid, _| known.contains(uid));
    }
}

/// A part of a span that is the site's own, so that sites are not looked at in one moment.
fn part(uid: TenantUid, span: Duration) -> Duration {
    let share = u32::from_be_bytes([0, 0, uid.0.as_bytes()[0], uid.0.as_bytes()[1]]);
    span * share / 65_536
}

/// Looks until `stop`.
pub(crate) async fn run(plane: Arc<Plane>, meta: Meta, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        let served: Vec<TenantUid> = plane
            .tenants
            .list()
            .iter()
            .filter(|tenant| tenant.entry.is_served())
            .map(|tenant| tenant.entry.intent.uid)
            .collect();
        plane.inventories.keep_only(&served);
        for (uid, mark) in due(&plane, &served).await {
            let told = tokio::select! {
                () = stop.cancelled() => return,
                told = look(&plane, &meta, uid) => told,
            };
            plane.inventories.looked(uid, mark, told);
        }
    }
}

/// Sites that are to be looked at now, each with its mark, [`AT_ONCE`] at most.
async fn due(plane: &Plane, served: &[TenantUid]) -> Vec<(TenantUid, Option<i64>)> {
    let mut due = Vec::new();
    for uid in served {
        if due.len() >= AT_ONCE {
            break;
        }
        let site = plane.inventories.fetch(*uid);
        let mark = plane.drivers.files.changed_at(*uid).await.ok().flatten();
        if site.at <= Instant::now() || (mark.is_some() && mark != site.mark) {
            due.push((*uid, mark));
        }
    }
    due
}

/// Looks at one site and tells meta; whether that worked.
async fn look(plane: &Plane, meta: &Meta, uid: TenantUid) -> bool {
    let Some(found) = take(plane, uid).await else { return true };
    let path = meta.own(&format!("inventories/{uid}"));
    match meta.post::<_, serde_json::Value>(&path, &found).await {
        Ok(_) => true,
        Err(error) => {
            tracing::warn!(tenant_id = %uid, %error, "meta does not take an inventory");
            false
        }
    }
}

/// What a site has now; `None` when it is not served here.
pub(crate) async fn take(plane: &Plane, uid: TenantUid) -> Option<InventoryView> {
    let entry = plane.tenants.fetch(uid)?.entry;
    let slot = entry.slot.and_then(Slot::new).filter(|_| entry.is_served())?;
    let drivers = &plane.drivers;
    let (site, database, disk) = tokio::join!(
        ask_site(plane, uid, slot),
        drivers.database.size(uid),
        drivers.files.usage(uid)
    );
    let mut problems = Vec::new();
    let site = site.map_err(|words| problems.push(words)).ok();
    let database = database
        .map(|size| DatabaseSizeView {
            bytes: size.bytes,
            tables: size.tables,
            largest: sizes(size.largest),
        })
        .map_err(|error| problems.push(error.to_string()))
        .ok();
    let disk = disk
        .map(|usage| DiskUsageView {
            bytes: usage.bytes,
            entries: usage.entries,
            complete: usage.is_complete,
            folders: sizes(usage.folders),
        })
        .map_err(|error| problems.push(error.to_string()))
        .ok();
    let observed_at = plane.clock.now();
    let observed_at = observed_at.replace_nanosecond(0).unwrap_or(observed_at);
    let (file, reads) = (plane.config.paths.gateway_visits(), uid);
    let last_visit_at =
        tokio::task::spawn_blocking(move || visits::last(&file, reads)).await.ok().flatten();
    Some(InventoryView { observed_at, site, problems, database, disk, last_visit_at })
}

fn sizes(sizes: Vec<(String, u64)>) -> Vec<SizeView> {
    sizes.into_iter().map(|(name, bytes)| SizeView { name, bytes }).collect()
}

/// What WordPress says, or why it does not.
async fn ask_site(plane: &Plane, uid: TenantUid, slot: Slot) -> Result<SiteInventory, String> {
    let run =
        async |args: &[&str]| plane.drivers.exec.output(ExecCall::agent(uid, slot, args)).await;
    let whole = run(&["aipress", "inventory"]).await.map_err(|error| error.to_string())?;
    let words = match understood(&whole) {
        Ok(found) => return Ok(found),
        Err(words) => words,
    };
    // Its own code may be broken; without it most is known, too.
    let bare = run(&["aipress", "inventory", "--skip-plugins", "--skip-themes"]).await;
    match bare.map_err(|error| error.to_string()).and_then(|output| understood(&output)) {
        Ok(found) => {
            tracing::info!(tenant_id = %uid, words, "an inventory without the site's own code");
            Ok(found)
        }
        Err(_) => Err(words),
    }
}

fn understood(output: &ExecOutput) -> Result<SiteInventory, String> {
    if !output.succeeded() {
        let text = String::from_utf8_lossy(&output.err);
        let text: String = text.trim().chars().take(SAID_CHARS).collect();
        return Err(match output.exit {
            ExecExit::TimedOut => "the site did not say in time what it has".to_owned(),
            _ => format!("the site can't say what it has: {text}"),
        });
    }
    // Half of what meta takes: the rest is the platform's part.
    if output.out.len() > INVENTORY_MAX / 2 {
        return Err("the site says more than fits".to_owned());
    }
    serde_json::from_slice(&output.out)
        .map_err(|error| format!("what the site says is not understood: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcilers::tenant::tests::Machine;

    #[tokio::test(start_paused = true)]
    async fn a_site_is_looked_at_when_it_changed_and_once_a_day() {
        let machine = Machine::new();
        let plane = machine.plane();
        let uid = TenantUid(uuid::Uuid::new_v4());
        let is_due = async || !due(&plane, &[uid]).await.is_empty();
        let later = tokio::time::advance;
        // One that nothing is known of after a start, within ten minutes.
        assert!(!is_due().await);
        later(SPREAD).await;
        assert!(is_due().await);
        plane.inventories.looked(uid, None, true);
        later(DAILY - Duration::from_secs(60)).await;
        assert!(!is_due().await);
        later(SPREAD + Duration::from_secs(60)).await;
        assert!(is_due().await, "once a day");
        plane.inventories.looked(uid, None, true);
        // Changed from here, or by its own people: its mark moved.
        plane.inventories.soon(uid);
        assert!(is_due().await);
        plane.inventories.looked(uid, None, true);
        assert!(!is_due().await);
        machine.world.mark_changed(uid, 7);
        assert_eq!(due(&plane, &[uid]).await, [(uid, Some(7))]);
        plane.inventories.looked(uid, Some(7), true);
        assert!(!is_due().await);
        machine.world.mark_changed(uid, 8);
        assert!(is_due().await);
        // What meta did not take is told again soon.
        plane.inventories.looked(uid, Some(8), false);
        assert!(!is_due().await);
        later(AGAIN).await;
        assert!(is_due().await);
        // Not all at once.
        let many: Vec<TenantUid> = (0..10).map(|_| TenantUid(uuid::Uuid::new_v4())).collect();
        many.iter().for_each(|uid| plane.inventories.soon(*uid));
        assert_eq!(due(&plane, &many).await.len(), AT_ONCE);
        plane.inventories.keep_only(&many[..1]);
        assert_eq!(due(&plane, &many).await.len(), 1);
    }
}
