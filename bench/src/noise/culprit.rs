//! The culprit: a site of the shard whose PHP, written by its owner, takes all it can get.

use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use aipress_api::tenant::TenantView;
use anyhow::Context;
use anyhow::ensure;
use rustix::process::Pid;
use rustix::process::Signal;

use crate::client::Connection;
use crate::client::Target;
use crate::platform::Platform;
use crate::processes;

const CODE: &str = include_str!("culprit.php");
/// Who asks the culprit at once: twice the workers that a bronze site has.
pub(super) const VISITORS: usize = 8;
/// Between two requests of such a visitor, when the first came to nothing.
const AGAIN: Duration = Duration::from_millis(50);
/// What a process of the bomb is named by.
const BOMB: &str = "noise-bomb";
/// Starts processes as long as it can; each works for a moment and ends.
const BOMB_CODE: &str = "while :; do sh -c 'i=0; while [ $i -lt 500000 ]; do i=$((i+1)); done' \
                         noise-bomb & done";
/// Until all processes of an attack have ended.
const ENDED: Duration = Duration::from_secs(20);

/// What the culprit takes all of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attack {
    Fork,
    Memory,
    Loop,
    Disk,
    Redis,
    Query,
}

impl Attack {
    pub(super) const ALL: [Self; 6] =
        [Self::Fork, Self::Memory, Self::Loop, Self::Disk, Self::Redis, Self::Query];

    /// Its word in results, and in the request.
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::Fork => "fork",
            Self::Memory => "memory",
            Self::Loop => "loop",
            Self::Disk => "disk",
            Self::Redis => "redis",
            Self::Query => "query",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Fork => "a fork bomb",
            Self::Memory => "a memory hog",
            Self::Loop => "an endless loop in all workers",
            Self::Disk => "a disk filler",
            Self::Redis => "a Redis filler",
            Self::Query => "a query hog, 40 queries at once",
        }
    }
}

/// The hostile site.
pub(super) struct Culprit {
    pub(super) name: String,
    target: Target,
    /// Its Unix user.
    user: u32,
    uploads: PathBuf,
    /// How the titles of its workers begin.
    pool: String,
}

impl Culprit {
    /// Puts hostile code into a site, as its owner would.
    pub(super) fn of(platform: &Platform, tenant: &TenantView) -> anyhow::Result<Self> {
        let shard = tenant.shard.as_deref().context("the culprit has no shard")?;
        let slot = tenant.slot.context("the culprit has no slot")?;
        let dir = platform.data().join("shards").join(shard).join("sites");
        let content = dir.join(tenant.uid.to_string()).join("wp-content");
        let user = std::fs::metadata(&content).context("the culprit's files")?.uid();
        let folder = content.join("mu-plugins");
        if !folder.exists() {
            std::fs::create_dir(&folder)?;
            give(&folder, user, 0o750)?;
        }
        let file = folder.join("noise.php");
        std::fs::write(&file, CODE)?;
        give(&file, user, 0o640)?;
        let target = Target { mark: String::new(), ..platform.home_page(&tenant.name) };
        Ok(Self {
            name: tenant.name.clone(),
            target,
            user,
            uploads: content.join("uploads/noise"),
            pool: format!("php-fpm: pool {shard}-{slot:02}-"),
        })
    }

    /// Attacks until it is dropped: it ends by itself only when it can't attack.
    pub(super) async fn attack(&self, attack: Attack) -> anyhow::Result<()> {
        if attack == Attack::Fork {
            return self.bomb().await;
        }
        let visitors = (0..VISITORS).map(|_| self.visit(attack));
        futures_util::future::join_all(visitors).await;
        Ok(())
    }

    async fn visit(&self, attack: Attack) {
        let path = format!("/?noise={}", attack.id());
        loop {
            let asked = async {
                let mut connection = Connection::open(self.target.address).await?;
                connection.get(&self.target.host, &path).await
            };
            let is_made = asked.await.is_ok_and(|answer| answer.has("noise made"));
            if !is_made {
                tokio::time::sleep(AGAIN).await;
            }
        }
    }

    /// Native code beside a worker, held to what holds the worker: its groups, its rlimit of
    /// processes, its priority.
    async fn bomb(&self) -> anyhow::Result<()> {
        let worker = self.worker().await?;
        let groups = groups_of(worker)?;
        let nproc = processes_limit(worker)?;
        let nice = rustix::process::getpriority_process(pid(worker))?;
        let enter: String =
            groups.iter().map(|dir| format!("echo 0 > {dir}/cgroup.procs; ")).collect();
        let user = self.user;
        let script = format!(
            "{enter}exec nice -n {nice} prlimit --nproc={nproc} setpriv --reuid={user} \
             --regid={user} --clear-groups sh -c \"$1\" {BOMB}"
        );
        loop {
            let mut command = tokio::process::Command::new("sh");
            command.args(["-c", &script, BOMB, BOMB_CODE]).kill_on_drop(true);
            let ended =
                command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
            // It ends when it can start nothing more; there is always a next one.
            ended.await.context("start a fork bomb")?;
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// A worker of the culprit that was there for a moment, so that its groups hold it.
    async fn worker(&self) -> anyhow::Result<u32> {
        let mut connection = Connection::open(self.target.address).await?;
        connection.get(&self.target.host, "/").await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let found =
            processes::list()?.into_iter().find(|found| found.title.starts_with(&self.pool));
        Ok(found.context("the culprit has no worker")?.pid)
    }

    /// The groups that its workers are in, in words.
    pub(super) async fn groups(&self) -> anyhow::Result<Vec<String>> {
        groups_of(self.worker().await?)
    }

    /// Ends what is left of an attack, workers too, so that the next begins on its own.
    pub(super) async fn clean_up(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + ENDED;
        loop {
            self.end_workers(deadline).await?;
            // Whoever asked a worker that was killed may have been given another, which goes on.
            match std::fs::remove_dir_all(&self.uploads) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
                Err(error) if Instant::now() > deadline => return Err(error.into()),
                _ => {}
            }
        }
    }

    /// Kills what runs now. Workers that are new are somebody else's doing, such as a scheduled
    /// event's.
    async fn end_workers(&self, deadline: Instant) -> anyhow::Result<()> {
        let mut first: Option<Vec<u32>> = None;
        loop {
            let mut own = processes::list()?;
            own.retain(|found| is_of(found.pid, self.user));
            let known =
                first.get_or_insert_with(|| own.iter().map(|found| found.pid).collect::<Vec<_>>());
            own.retain(|found| known.contains(&found.pid) || found.title.contains(BOMB));
            if own.is_empty() {
                return Ok(());
            }
            for process in own.iter().filter_map(|found| pid(found.pid)) {
                // It may have ended by itself.
                let _ = rustix::process::kill_process(process, Signal::KILL);
            }
            ensure!(Instant::now() < deadline, "they go on: {own:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn give(path: &Path, user: u32, mode: u32) -> anyhow::Result<()> {
    std::os::unix::fs::chown(path, Some(user), Some(user))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    Ok(())
}

fn pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

fn is_of(pid: u32, user: u32) -> bool {
    std::fs::metadata(format!("/proc/{pid}")).is_ok_and(|found| found.uid() == user)
}

/// Folders of the groups of slots that a process is in.
fn groups_of(pid: u32) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
    let slots = text.lines().filter_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let mount = match controllers.split(',').next().unwrap_or_default() {
            "" => "/sys/fs/cgroup".to_owned(),
            first => format!("/sys/fs/cgroup/{first}"),
        };
        path.contains("/slot-").then(|| format!("{mount}{path}"))
    });
    Ok(slots.collect())
}

/// A process's limit of processes of its user, as prlimit(1) takes it.
fn processes_limit(pid: u32) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/limits"))?;
    let line =
        text.lines().find_map(|line| line.strip_prefix("Max processes")).context("limits")?;
    Ok(line.split_ascii_whitespace().next().unwrap_or("unlimited").to_owned())
}
