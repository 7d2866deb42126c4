//! `aipress up`: starts the whole platform on this machine and supervises it.

mod detach;
mod first_site;
mod ground;
mod last_words;
mod program;
mod units;

pub(crate) use ground::roles_file;
pub(crate) use units::FAULT_DIR_VARIABLE;

use std::path::Path;

use aipress_drivers::DataPaths;
use aipress_kit::lifecycle::Lifecycle;
use aipress_supervise::InstanceLock;
use aipress_supervise::LockError;
use aipress_supervise::OpenError;
use aipress_supervise::Options;
use aipress_supervise::SocketError;
use aipress_supervise::Supervisor;
use anyhow::Context;
use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::setrlimit;

use crate::args::Up;
use crate::data;
use crate::exit::Failure;
use crate::firewall;
use crate::output;
use crate::settings::Settings;

/// Runs in the foreground until a signal, or starts that in the background and waits until
/// everything is up.
pub(crate) async fn run(data: Option<&Path>, up: Up) -> Result<(), Failure> {
    let paths = data::paths(data)?;
    if up.detach {
        return detach::run(&paths, &up).await;
    }
    // It has the roles' tokens in memory, and the master key where that is given by a variable.
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none).context("keep memory off the disk")?;
    let lock = InstanceLock::acquire(&paths.run()).map_err(|error| locked(&paths, error))?;
    if !data::is_root() {
        output::tell(
            "WARNING: not root: every site runs as this one user, so sites are NOT isolated from \
             each other. Run as root to give each site a Unix user of its own.",
        );
    }
    let existing = paths.config().exists();
    let settings = Settings::load(&paths)?.told(&up, existing).map_err(Failure::Usage)?;
    let ground = ground::lay(&paths, settings, up.wordpress.as_deref()).await?;
    let options = Options::new(lock, units::all(&paths, &ground)?);
    let supervisor = Supervisor::open(options).await.map_err(|error| not_opened(&error))?;
    let lifecycle = Lifecycle::from_signals().context("listen to signals")?;
    let filtering = firewall::keep(&paths, &ground.settings, lifecycle.drain.clone()).await;
    let ready = supervisor.handle();
    let wanted = !up.no_hello;
    let (site_paths, site_settings) = (paths.clone(), ground.settings.clone());
    aipress_kit::tasks::spawn("first-site", async move {
        first_site::ensure(&ready, &site_paths, &site_settings, wanted).await;
    });
    supervisor.run(lifecycle.drain).await.context("supervise")?;
    // Nothing runs any more that it would be for.
    filtering.end().await;
    forget_groups(&paths, &ground.settings);
    Ok(())
}

/// Somebody was first: what it is doing, and what there is to do.
fn locked(paths: &DataPaths, error: LockError) -> Failure {
    let LockError::Held { pid, .. } = error else { return Failure::Failed(error.into()) };
    let root = paths.root().display();
    let by = pid.map_or_else(String::new, |pid| format!(", by process {pid}"));
    Failure::Usage(format!(
        "the platform of {root} is started already{by}: `aipress status` shows it, `aipress down` \
         stops it. A second platform needs a folder and an address of its own: --data and --listen"
    ))
}

/// A port that is taken is the most common reason: it gets the flag that changes it.
fn not_opened(error: &OpenError) -> Failure {
    let hint = match error {
        OpenError::Socket { name, error: SocketError::Taken { .. }, .. } if name == "edge" => {
            "\nGive another address with --listen, such as --listen 127.0.0.1:8081 (with make: \
             make up UP=\"--listen 127.0.0.1:8081\")."
        }
        _ => "",
    };
    Failure::Failed(anyhow::anyhow!("{error}{hint}"))
}

/// Marker that the first site was made: a `hello` that somebody deleted does not come back.
fn first_site_mark(paths: &DataPaths) -> std::path::PathBuf {
    paths.root().join("first-site")
}

/// Removes the control groups of all shards. Called when nothing runs any more.
pub(crate) fn forget_groups(paths: &DataPaths, settings: &Settings) {
    for shard in ground::shards(settings) {
        if let Err(error) = aipress_drivers::local::share::forget(&paths.shard(shard)) {
            tracing::debug!(%error, "control groups stay");
        }
    }
}
