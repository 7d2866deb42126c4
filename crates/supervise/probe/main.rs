//! The program that the integration tests supervise with, and supervise.
//!
//! `supervise FILE` runs the units of a JSON file; `exec-unit` is its helper;
//! the other verbs are tiny units. Not shipped.

mod children;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use aipress_supervise::{
    Backoff, Credentials, EXEC_VERB, InstanceLock, LogFile, Notice, Options, Prepare, Readiness,
    Rlimit, SocketSpec, Step, StopPolicy, Supervisor, Unit,
};
use serde::Deserialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

pub(crate) type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// A file of units, as the tests write it.
#[derive(Deserialize)]
struct Scenario {
    run_dir: PathBuf,
    units: Vec<UnitSpec>,
    #[serde(default)]
    forward: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UnitSpec {
    name: String,
    argv: Vec<String>,
    log: PathBuf,
    #[serde(default)]
    log_max_bytes: Option<u64>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    user: Option<Credentials>,
    #[serde(default)]
    umask: Option<u32>,
    #[serde(default)]
    rlimits: Vec<Rlimit>,
    #[serde(default)]
    no_new_privs: bool,
    #[serde(default)]
    tcp: Option<SocketAddr>,
    #[serde(default)]
    unix: Option<PathBuf>,
    /// Ready when this file is there.
    #[serde(default)]
    ready_file: Option<PathBuf>,
    #[serde(default)]
    ready_ms: Option<u64>,
    /// A line is added to this file before each start.
    #[serde(default)]
    prepare_file: Option<PathBuf>,
    #[serde(default)]
    stop: Option<StopPolicy>,
    #[serde(default)]
    give_up_after: Option<u32>,
    #[serde(default)]
    backoff_ms: Option<u64>,
    #[serde(default)]
    after: Vec<String>,
    #[serde(default)]
    on_demand: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        [verb] if *verb == EXEC_VERB => return aipress_supervise::exec_unit(),
        ["supervise", file] => supervise(file),
        ["serve"] => children::serve(),
        ["master", socket, verdict] => children::master(socket, verdict),
        ["worker", socket] => children::worker(socket),
        _ => Err("supervise FILE | serve | master SOCKET VERDICT | worker SOCKET".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be left to read it.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn supervise(file: &str) -> Outcome {
    let scenario: Scenario = serde_json::from_slice(&std::fs::read(file)?)?;
    let lock = InstanceLock::acquire(&scenario.run_dir)?;
    let mut options = Options::new(lock, scenario.units.into_iter().map(unit).collect());
    options.notice = Notice::new(|line| say(&line));
    if scenario.forward {
        options.forward = Some(Arc::new(|unit: &str, line: &str| say(&format!("{unit}: {line}"))));
    }
    let supervisor = Supervisor::open(options).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    let shutdown = CancellationToken::new();
    let run = supervisor.run(shutdown.clone());
    tokio::pin!(run);
    tokio::select! {
        ended = &mut run => ended?,
        _ = terminate.recv() => {
            shutdown.cancel();
            run.await?;
        }
    }
    Ok(())
}

fn say(line: &str) {
    // Nobody may be left to read it.
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn unit(spec: UnitSpec) -> Unit {
    let mut unit = Unit::new(spec.name, spec.argv, &spec.log);
    unit.log = LogFile { max_bytes: spec.log_max_bytes.unwrap_or(1 << 20), ..unit.log };
    unit.env = spec.env;
    unit.user = spec.user;
    unit.umask = spec.umask.unwrap_or(0o022);
    unit.rlimits = spec.rlimits;
    unit.no_new_privs = spec.no_new_privs;
    unit.sockets.extend(spec.tcp.map(|address| SocketSpec::tcp("web", address)));
    unit.sockets.extend(spec.unix.map(|path| SocketSpec::unix("local", path, 0o600)));
    if let Some(path) = spec.ready_file {
        let timeout = Duration::from_millis(spec.ready_ms.unwrap_or(10_000));
        unit.readiness = Readiness::probe(timeout, move || {
            let there = path.exists();
            async move { if there { Ok(()) } else { Err("the file is not there".into()) } }
        });
    }
    unit.prepare = spec.prepare_file.map(|path| Prepare {
        timeout: Duration::from_secs(5),
        step: Step::new(move || {
            let path = path.clone();
            async move {
                let file = std::fs::OpenOptions::new().append(true).create(true).open(path)?;
                Ok(writeln!(&file, "prepared")?)
            }
        }),
    });
    unit.stop = spec.stop.unwrap_or_default();
    unit.restart = Backoff {
        give_up_after: spec.give_up_after,
        first: Duration::from_millis(spec.backoff_ms.unwrap_or(50)),
        ..Backoff::default()
    };
    unit.after = spec.after;
    unit.on_demand = spec.on_demand;
    unit
}
