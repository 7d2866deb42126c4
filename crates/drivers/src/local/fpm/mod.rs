//! The PHP driver: one php-fpm master with fifty pools, and slots' own masters, which the
//! supervisor starts and ends. Masters run as root, because they must switch to each slot's user;
//! workers never do.

mod config;
pub(in crate::local) mod confine;
mod connections;
mod install;
pub(in crate::local) mod processes;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::Signal;

pub use config::DISABLED_FUNCTIONS;
pub use config::NICE;
pub(crate) use config::OPEN_FILES;
pub use config::OpenBasedir;
pub use config::PING_PATH;
pub use config::PhpFpmOptions;
pub use config::basedir;
pub(in crate::local) use config::ini_file;
pub use config::own_command;
pub use config::own_unit;
pub use config::prepare;
pub use config::prepare_own;
pub use confine::is_available as is_confined;
pub use install::PhpInstall;

use self::config::Master;
use self::processes::Process;
use crate::error::DriverError;
use crate::layout::ShardPaths;
use crate::layout::Slot;
use crate::php::Php;
use crate::php::PhpWorker;
use crate::php::Recycle;
use crate::php::SlotProcess;
use crate::uids::ShardIds;
use crate::unit::UnitControl;

/// SIGKILL ends a process within milliseconds; longer is one stuck in the kernel.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// The shard's php-fpm.
#[derive(Clone)]
pub struct PhpFpm {
    paths: ShardPaths,
    ids: ShardIds,
    units: Arc<dyn UnitControl>,
}

impl PhpFpm {
    /// The master that [`prepare`] prepared; it need not run yet.
    pub fn open(paths: &ShardPaths, ids: ShardIds, units: Arc<dyn UnitControl>) -> Self {
        Self { paths: paths.clone(), ids, units }
    }

    /// Whether a master runs and listens. Looked at from outside: a connection would make it
    /// start a worker, and idle sites are to have none. It is ready once it wrote its pid.
    fn look(&self, master: Master) -> Result<(), &'static str> {
        let text = std::fs::read_to_string(master.pid_file(&self.paths));
        let pid = text.ok().and_then(|text| text.trim().parse().ok());
        let title = pid.and_then(processes::read).map(|process| process.title);
        if title != Some(self.master_title(master)) {
            return Err("its master does not run");
        }
        let listens = master.sockets(&self.paths).iter().all(|(_, socket)| socket.exists());
        if listens { Ok(()) } else { Err("a pool's socket is gone; restart php-fpm") }
    }

    /// The title that php-fpm gives to a master.
    fn master_title(&self, master: Master) -> String {
        format!("php-fpm: master process ({})", master.conf_file(&self.paths).display())
    }

    /// The title that php-fpm gives to the slot's workers.
    fn title(&self, slot: Slot) -> String {
        format!("php-fpm: pool {}", config::pool_name(&self.paths, slot))
    }

    /// Kills the slot's workers, and as root whatever else runs as the slot's user (which nothing
    /// but a tenant's PHP can have started). The master replaces a killed worker at once by a new
    /// one, which has served nobody yet and stays.
    fn kill(&self, slot: Slot) -> std::io::Result<u32> {
        let title = self.title(slot);
        let uid = self.ids.is_isolated().then(|| self.ids.slot(slot).uid);
        let seen = processes::list()?;
        let former: HashSet<u32> = seen
            .iter()
            .filter(|process| process.title == title)
            .map(|process| process.pid)
            .collect();
        // A child of the master has the slot's user a moment before it has its own title.
        let is_new = |process: &Process| {
            process.title.starts_with("php-fpm: ") && !former.contains(&process.pid)
        };
        processes::kill_all(KILL_LIMIT, seen, &|process| {
            (former.contains(&process.pid) && process.title == title)
                || (Some(process.uid) == uid && !is_new(process))
        })
    }

    fn processes_of(&self, slot: Slot) -> std::io::Result<Vec<SlotProcess>> {
        let title = self.title(slot);
        let uid = self.ids.is_isolated().then(|| self.ids.slot(slot).uid);
        Ok(processes::list()?
            .into_iter()
            .filter(|process| process.title == title || Some(process.uid) == uid)
            .filter_map(|Process { pid, .. }| {
                processes::began(pid).map(|began| SlotProcess { pid, began })
            })
            .collect())
    }

    /// Has workers of the slot end after the request that they are at; `None` for all.
    fn end_softly(&self, slot: Slot, of: Option<&[SlotProcess]>) -> std::io::Result<u32> {
        let title = self.title(slot);
        let wanted = |process: &Process| {
            process.title == title
                && of.is_none_or(|of| {
                    of.iter().any(|one| {
                        one.pid == process.pid && processes::began(one.pid) == Some(one.began)
                    })
                })
        };
        let workers = processes::list()?.into_iter().filter(&wanted);
        // A worker that gets SIGQUIT ends after its request; the master starts others.
        let ended = workers.filter(|p| processes::signal(p, Signal::QUIT, &wanted)).count();
        Ok(u32::try_from(ended).unwrap_or(u32::MAX))
    }

    fn workers(&self) -> std::io::Result<Vec<PhpWorker>> {
        let all = processes::list()?;
        let titles: Vec<(Slot, String)> =
            Slot::all().map(|slot| (slot, self.title(slot))).collect();
        Ok(all
            .iter()
            .filter_map(|process| {
                let (slot, _) = titles.iter().find(|(_, title)| *title == process.title)?;
                let parent = all.iter().find(|other| other.pid == process.parent);
                let orphan =
                    !parent.is_some_and(|parent| parent.title.starts_with("php-fpm: master"));
                Some(PhpWorker { pid: process.pid, slot: *slot, orphan })
            })
            .collect())
    }

    /// Slots whose own masters run, by their titles: also those that nobody asked for.
    fn own_masters(&self) -> std::io::Result<Vec<Slot>> {
        let titles: HashSet<String> =
            processes::list()?.into_iter().map(|process| process.title).collect();
        let runs = |slot: &Slot| titles.contains(&self.master_title(Master::Own(*slot)));
        Ok(Slot::all().filter(runs).collect())
    }

    /// Removes what a slot's own master that was ended leaves behind.
    fn tidy(&self, slot: Slot) -> std::io::Result<()> {
        let master = Master::Own(slot);
        let socket = self.paths.fpm_own_socket(slot);
        for path in [socket, master.pid_file(&self.paths), master.conf_file(&self.paths)] {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Runs what reads or writes files and processes off the runtime's threads.
async fn blocking<T, E>(
    what: &str,
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
    as_error: impl FnOnce(E) -> DriverError,
) -> Result<T, DriverError>
where
    T: Send + 'static,
    E: Send + 'static,
{
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| DriverError::failed(what, error))?
        .map_err(as_error)
}

#[async_trait]
impl Php for PhpFpm {
    async fn health(&self) -> Result<(), DriverError> {
        let (what, own) = ("look at php-fpm", self.clone());
        let unavailable = |detail| DriverError::unavailable(what, detail);
        blocking(what, move || own.look(Master::Shard), unavailable).await
    }

    async fn recycle_slot(&self, slot: Slot, how: Recycle) -> Result<u32, DriverError> {
        let what = format!("end processes of slot {slot}");
        let own = self.clone();
        let work = move || match how {
            Recycle::Kill => own.kill(slot),
            Recycle::Graceful => own.end_softly(slot, None),
        };
        blocking(&what, work, |error| DriverError::failed(&what, error)).await
    }

    async fn processes(&self, slot: Slot) -> Result<Vec<SlotProcess>, DriverError> {
        let (what, own) = (format!("list processes of slot {slot}"), self.clone());
        let failed = |error| DriverError::failed(&what, error);
        blocking(&what, move || own.processes_of(slot), failed).await
    }

    async fn retire(&self, slot: Slot, seen: &[SlotProcess]) -> Result<u32, DriverError> {
        let what = format!("retire workers of slot {slot}");
        let (own, seen) = (self.clone(), seen.to_vec());
        let work = move || {
            own.end_softly(slot, Some(&seen))?;
            let there = own.processes_of(slot)?;
            let left = seen.iter().filter(|one| there.contains(one)).count();
            Ok(u32::try_from(left).unwrap_or(u32::MAX))
        };
        blocking(&what, work, |error: std::io::Error| DriverError::failed(&what, error)).await
    }

    async fn inventory(&self) -> Result<Vec<PhpWorker>, DriverError> {
        let (what, own) = ("list php workers", self.clone());
        blocking(what, move || own.workers(), |error| DriverError::failed(what, error)).await
    }

    async fn ensure_master(&self, slot: Slot) -> Result<(), DriverError> {
        self.units.start(&own_unit(self.paths.id(), slot)).await
    }

    async fn master_health(&self, slot: Slot) -> Result<(), DriverError> {
        let (what, own) = (format!("look at php-fpm of slot {slot}"), self.clone());
        let unavailable = |detail| DriverError::unavailable(&what, detail);
        blocking(&what, move || own.look(Master::Own(slot)), unavailable).await
    }

    async fn end_master(&self, slot: Slot, how: Recycle) -> Result<bool, DriverError> {
        let what = format!("end php-fpm of slot {slot}");
        let failed = |error: std::io::Error| DriverError::failed(&what, error);
        let socket = self.paths.fpm_own_socket(slot);
        if how == Recycle::Graceful
            && blocking(&what, move || connections::count(&socket), failed).await? > 0
        {
            return Ok(false);
        }
        self.units.stop(&own_unit(self.paths.id(), slot)).await?;
        let own = self.clone();
        blocking(&what, move || own.tidy(slot), failed).await?;
        Ok(true)
    }

    async fn masters(&self) -> Result<Vec<Slot>, DriverError> {
        let (what, own) = ("list php masters", self.clone());
        blocking(what, move || own.own_masters(), |error| DriverError::failed(what, error)).await
    }
}
