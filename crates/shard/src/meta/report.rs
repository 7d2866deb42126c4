//! Tells meta what is: at once when something changed, and every few seconds that it lives.

use std::sync::Arc;
use std::time::Duration;

use aipress_api::internal::ReportAnswer;
use aipress_api::internal::ShardReport;
use aipress_api::internal::ShardTallies;
use aipress_flow::Backoff;
use aipress_types::DesiredState;
use aipress_types::ObservedPhase;
use aipress_types::ShardHealth;
use aipress_types::TenantObserved;
use tokio_util::sync::CancellationToken;

use crate::meta::call::CallError;
use crate::meta::call::Meta;
use crate::plane::Plane;

/// Between two reports when nothing changes; meta takes a shard for lost after three.
const INTERVAL: Duration = Duration::from_secs(5);
/// Progress is gathered for this long, an outcome is told at once: each report is a transaction of
/// meta's, and a new site takes a dozen changes of steps within 100 ms.
const GATHER: Duration = Duration::from_millis(20);
/// After a failed report.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(50), max: Duration::from_secs(5) };

/// Reports until `stop`, from the first look at the servers on: until then what meta knows from
/// before is better. The first report, and the first after a failure, carries every tenant: meta
/// may have been restored from an older state meanwhile.
pub(crate) async fn run(plane: Arc<Plane>, meta: Meta, stop: CancellationToken) {
    let looked = async {
        while plane.health.load().health == ShardHealth::Unknown {
            plane.tenants.observed.notified().await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => return,
        // One that looks for longer than this tells that it lives.
        _ = tokio::time::timeout(INTERVAL, looked) => {}
    }
    let mut failures = 0;
    let mut everything = true;
    loop {
        match report(&plane, &meta, everything).await {
            Ok(answer) => {
                failures = 0;
                everything = false;
                if !answer.stale.is_empty() {
                    plane.pull_now.notify_one();
                }
            }
            Err(error) => {
                if failures == 0 {
                    tracing::warn!(%error, "meta does not take the report; trying again");
                }
                failures += 1;
                everything = true;
            }
        }
        let pause = if failures == 0 { INTERVAL } else { BACKOFF.wait(failures) };
        tokio::select! {
            () = stop.cancelled() => return,
            () = plane.tenants.observed.notified(), if failures == 0 => gather(&plane).await,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Waits for more news, until there is an outcome or the time is over.
async fn gather(plane: &Plane) {
    let outcome = async {
        while !plane.tenants.has_outcome() {
            plane.tenants.observed.notified().await;
        }
    };
    // Running out of time is the ordinary end.
    let _ = tokio::time::timeout(GATHER, outcome).await;
}

async fn report(plane: &Plane, meta: &Meta, all: bool) -> Result<ReportAnswer, CallError> {
    let tenants = plane.tenants.reports_take(all);
    let health = plane.health.load();
    let report = ShardReport {
        health: health.health,
        message: health.message.clone(),
        region: plane.config.region.clone(),
        slots: plane.config.slots,
        control: plane.config.control_url.clone(),
        gateway: plane.config.gateway_url.clone(),
        tenants,
        mail_news: plane.mails.news(),
        tallies: ShardTallies { cron: plane.cron.tallies(), mail: plane.mails.tallies() },
    };
    let answer = meta.post(&meta.own("report"), &report).await;
    if answer.is_ok() {
        plane.mails.told(&report.mail_news);
    }
    match &answer {
        Err(_) => plane.tenants.reports_return(&report.tenants),
        // Meta has recorded an erasure: its next list shows that nothing is to be kept.
        Ok(_) if report.tenants.iter().any(erased) => plane.pull_now.notify_one(),
        Ok(_) => {}
    }
    answer
}

fn erased(tenant: &TenantObserved) -> bool {
    tenant.desired == DesiredState::Erased && tenant.phase == ObservedPhase::Converged
}
