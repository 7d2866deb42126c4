//! Keeps the rules of where sites may connect to (`drivers/src/local/firewall.rs`) in force while
//! the platform runs. Without them the platform runs, too, and says so: here and in `doctor`.

use std::sync::Arc;
use std::time::Duration;

use aipress_drivers::DataPaths;
use aipress_drivers::DriverError;
use aipress_drivers::local::firewall::Firewall;
use tokio_util::sync::CancellationToken;

use crate::settings::Settings;

/// Somebody may have emptied all of the machine's tables, or resolvers may have changed: looked at
/// this often.
const INTERVAL: Duration = Duration::from_secs(10);

/// The rules; none where sites have no Unix users of their own.
pub(crate) fn of(paths: &DataPaths, settings: &Settings) -> Option<Firewall> {
    let uids = settings.uids();
    let shards = (1..=settings.shards).filter_map(aipress_types::ShardId::from_number);
    let slots = shards.filter_map(|shard| uids.shard(shard).ok()?.slot_uids()).collect::<Vec<_>>();
    (!slots.is_empty())
        .then(|| Firewall::new(paths, slots, settings.listen, settings.outgoing.allow.clone()))
}

/// Rules that are kept in force.
pub(crate) struct Filtering(Option<Arc<Firewall>>);

impl Filtering {
    /// Takes them away, once nothing runs any more.
    pub(crate) async fn end(self) {
        let Some(firewall) = self.0 else { return };
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || firewall.remove()).await {
            tracing::warn!(%error, "the rules of where sites may connect to stay");
        }
    }
}

/// Puts the rules in force before the first site runs, and looks after them until `stop`.
pub(crate) async fn keep(
    paths: &DataPaths,
    settings: &Settings,
    stop: CancellationToken,
) -> Filtering {
    let firewall = of(paths, settings).map(Arc::new);
    if let Some(firewall) = firewall.clone() {
        let applied = look(&firewall, None).await;
        aipress_kit::tasks::spawn("firewall", watch(firewall, applied, stop));
    }
    Filtering(firewall)
}

async fn watch(firewall: Arc<Firewall>, mut applied: Applied, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        applied = look(&firewall, Some(applied)).await;
    }
}

/// The rules that were put in force last, or why there are none.
type Applied = Result<String, String>;

/// Puts the rules in force unless they are. What goes wrong is said once.
async fn look(firewall: &Arc<Firewall>, before: Option<Applied>) -> Applied {
    let (own, known) = (Arc::clone(firewall), before.clone().and_then(Result::ok));
    let work = move || {
        let rules = own.rules();
        if known.as_ref() != Some(&rules) || !own.is_there()? {
            own.apply()?;
        }
        Ok::<String, DriverError>(rules)
    };
    let done = match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match (&before, &done) {
        (Some(Err(_)), Err(_)) => {}
        (_, Err(error)) => tracing::warn!(
            error,
            "sites may connect to private networks and to this machine's other services"
        ),
        (Some(Err(_)), Ok(_)) => tracing::info!("sites may not connect to private networks"),
        _ => {}
    }
    done
}

/// Takes away what a platform left that was killed. Without rights to it there is nothing of it.
pub(crate) fn forget(paths: &DataPaths) {
    if let Ok(settings) = Settings::load(paths)
        && let Some(firewall) = of(paths, &settings)
        && let Err(error) = firewall.remove()
    {
        tracing::debug!(%error, "no rules to take away");
    }
}
