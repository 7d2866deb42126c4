//! `aipress up --detach`: starts the supervisor in the background, shows how it goes, and ends
//! with the addresses.

use std::collections::BTreeSet;
use std::fs::File;
use std::fs::OpenOptions;
use std::io::Read;
use std::io::Seek;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use aipress_api::client::ListQuery;
use aipress_drivers::DataPaths;
use aipress_supervise::ControlError;
use aipress_supervise::Holder;
use aipress_supervise::Snapshot;
use aipress_supervise::UnitState;
use aipress_supervise::control;
use aipress_types::ShardHealth;
use anyhow::Context;
use tokio::time::Instant;

use crate::args::Connect;
use crate::args::Up;
use crate::cli::connect;
use crate::exit::Failure;
use crate::master_key;
use crate::output;
use crate::settings::Settings;
use crate::status;
use crate::up::first_site;
use crate::up::program;

/// The first start fetches WordPress and makes databases.
const PATIENCE: Duration = Duration::from_secs(900);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

const OTHER_SETTINGS: &str =
    "the platform is running with other settings; `aipress down` first, then `up` again";

/// Starts it unless it runs, and waits until everything is up.
pub(super) async fn run(paths: &DataPaths, up: &Up) -> Result<(), Failure> {
    match control::status(&paths.run(), status::PATIENCE).await {
        Ok(snapshot) => already(paths, up, &snapshot).await?,
        Err(ControlError::NotRunning(_)) => match Holder::of(&paths.run()) {
            Some(other) => other_is_first(paths, up, &other).await?,
            None => start(paths, up).await?,
        },
        Err(error) => return Err(Failure::Failed(error.into())),
    }
    farewell(paths)
}

/// It runs: what was asked for now must be what it runs with.
async fn already(paths: &DataPaths, up: &Up, snapshot: &Snapshot) -> Result<(), Failure> {
    let settings = Settings::load(paths)?;
    let asked = settings.clone().told(up, true).map_err(Failure::Usage)?;
    if asked != settings {
        return Err(Failure::Usage(OTHER_SETTINGS.to_owned()));
    }
    output::note(&format!("The platform is running (process {}).", snapshot.pid));
    if program::is_other_build(paths) {
        output::note(
            "It is of another build than this program: `aipress down`, then `up` renews it.",
        );
    }
    wait(paths, None).await
}

/// Another `up` is starting the platform: what it starts is what this one waits for.
async fn other_is_first(paths: &DataPaths, up: &Up, other: &Holder) -> Result<(), Failure> {
    output::note(&format!(
        "Another `aipress up` (process {}) is starting this platform; waiting for it.",
        other.pid()
    ));
    wait(paths, None).await?;
    let settings = Settings::load(paths)?;
    match settings.clone().told(up, true) {
        Ok(asked) if asked == settings => Ok(()),
        _ => Err(Failure::Usage(OTHER_SETTINGS.to_owned())),
    }
}

async fn start(paths: &DataPaths, up: &Up) -> Result<(), Failure> {
    let log = log_path(paths)?;
    let mut watched = Watched::open(log)?;
    let child = spawn(paths, up, &watched)?;
    output::note(&format!("Starting the platform in {} …", paths.root().display()));
    match wait(paths, Some((child, &mut watched))).await {
        // Two began at the same moment, and the other one was faster.
        Err(failure) => match Holder::of(&paths.run()) {
            Some(other) => other_is_first(paths, up, &other).await,
            None => Err(failure),
        },
        done => done,
    }
}

fn spawn(paths: &DataPaths, up: &Up, log: &Watched) -> Result<Child, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--data").arg(paths.root()).arg("up");
    if let Some(listen) = up.listen {
        command.arg("--listen").arg(listen.to_string());
    }
    if let Some(shards) = up.shards {
        command.arg("--shards").arg(shards.to_string());
    }
    if let Some(base) = up.uid_base {
        command.arg("--uid-base").arg(base.to_string());
    }
    if let Some(version) = &up.wordpress {
        command.arg("--wordpress").arg(version);
    }
    if up.no_hello {
        command.arg("--no-hello");
    }
    if let Some(key) = master_key::given() {
        command.env(master_key::VARIABLE, key.expose());
    }
    let out = log.writer()?;
    command
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        // Its own group: a Ctrl-C at this terminal is for who waits, not for the platform.
        .process_group(0);
    Ok(command.spawn().context("start the supervisor")?)
}

/// Waits until every unit is up, every shard healthy and the first site settled.
async fn wait(
    paths: &DataPaths,
    mut started: Option<(Child, &mut Watched)>,
) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    let mut up = BTreeSet::new();
    loop {
        if let Some((child, watched)) = &mut started {
            watched.show_new();
            if let Some(end) = child.try_wait()? {
                return Err(Failure::Failed(anyhow::anyhow!(
                    "the platform did not start ({end}):\n{}",
                    watched.tail()
                )));
            }
        }
        if started.is_none() && is_gone(paths).await {
            return Err(Failure::Failed(anyhow::anyhow!(
                "the platform stopped while it was starting; `{}` says why",
                paths.logs().join("supervisor.log").display()
            )));
        }
        if let Ok(snapshot) = control::status(&paths.run(), status::PATIENCE).await {
            show(&snapshot, &mut up, started.is_some());
            if snapshot.is_ready() && settled(paths).await {
                return Ok(());
            }
        }
        if Instant::now() > deadline {
            return Err(Failure::TimedOut(format!(
                "not everything is up after {} s; `aipress status` and `aipress doctor` say what",
                PATIENCE.as_secs()
            )));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether nobody runs or starts the platform any more.
async fn is_gone(paths: &DataPaths) -> bool {
    Holder::of(&paths.run()).is_none()
        && matches!(
            control::status(&paths.run(), status::PATIENCE).await,
            Err(ControlError::NotRunning(_))
        )
}

fn show(snapshot: &Snapshot, up: &mut BTreeSet<String>, aloud: bool) {
    for unit in &snapshot.units {
        if unit.state == UnitState::Ready && up.insert(unit.name.clone()) && aloud {
            output::note(&format!("  ✓ {}", unit.name));
        }
        if matches!(unit.state, UnitState::Backoff | UnitState::Failed)
            && let Some(exit) = &unit.last_exit
            && up.insert(format!("{} {}", unit.name, exit.reason))
        {
            output::tell(&format!("  ✗ {}: {}", unit.name, exit.reason));
            exit.log_tail.iter().for_each(|line| output::tell(&format!("    | {line}")));
        }
    }
}

/// Whether every shard has reported itself healthy and the first site is made (or was, or is not
/// wanted).
async fn settled(paths: &DataPaths) -> bool {
    let asked = Connect::here();
    let Ok(client) = connect::client(Some(paths.root()), &asked) else { return false };
    let Ok(page) = client.shard_list(&ListQuery::default()).await else { return false };
    let Ok(settings) = Settings::load(paths) else { return false };
    let healthy = page.items.iter().filter(|shard| shard.health == ShardHealth::Healthy).count();
    healthy == settings.shards as usize && super::first_site_mark(paths).exists()
}

fn farewell(paths: &DataPaths) -> Result<(), Failure> {
    let settings = Settings::load(paths)?;
    output::say(&format!(
        "AIPress is up.\n  API          {}/v1\n  Admin token  {}\n  First site   {}\n",
        settings.console_url(),
        paths.admin_token().display(),
        settings.site_url(first_site::NAME)
    ));
    if !crate::data::is_root() {
        output::say(
            "  WARNING      not root: sites are NOT isolated from each other (one Unix user for all)\n",
        );
    }
    Ok(())
}

fn log_path(paths: &DataPaths) -> Result<PathBuf, Failure> {
    let logs = paths.logs();
    std::fs::create_dir_all(&logs).with_context(|| format!("make {}", logs.display()))?;
    Ok(logs.join("supervisor.log"))
}

/// The supervisor's log, of which what is for people is shown while it starts.
struct Watched {
    path: PathBuf,
    reader: File,
    since: String,
}

/// How much of the log an error shows, in bytes from its end.
const TAIL: usize = 4_000;

impl Watched {
    fn open(path: PathBuf) -> Result<Self, Failure> {
        let opened = OpenOptions::new().create(true).append(true).open(&path);
        opened.with_context(|| format!("write {}", path.display()))?;
        let mut reader = File::open(&path).with_context(|| format!("read {}", path.display()))?;
        reader.seek(std::io::SeekFrom::End(0))?;
        Ok(Self { path, reader, since: String::new() })
    }

    fn writer(&self) -> Result<File, Failure> {
        let opened = OpenOptions::new().append(true).open(&self.path);
        Ok(opened.with_context(|| format!("write {}", self.path.display()))?)
    }

    /// Shows the lines that are words, not records.
    fn show_new(&mut self) {
        let mut text = String::new();
        if self.reader.read_to_string(&mut text).is_ok() {
            for line in text.lines().filter(|line| !line.starts_with('{')) {
                output::tell(line);
            }
            self.since.push_str(&text);
        }
    }

    fn tail(&mut self) -> String {
        self.show_new();
        let cut = self.since.len().saturating_sub(TAIL);
        let from = (cut..self.since.len()).find(|at| self.since.is_char_boundary(*at));
        format!("{}\n(all of it: {})", &self.since[from.unwrap_or(0)..], self.path.display())
    }
}
