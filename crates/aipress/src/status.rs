//! `aipress status`: what is running, as the supervisor sees it.

use std::path::Path;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use aipress_supervise::ControlError;
use aipress_supervise::Holder;
use aipress_supervise::Snapshot;
use aipress_supervise::UnitStatus;
use aipress_supervise::control;
use anyhow::Context;

use crate::args::Output;
use crate::data;
use crate::exit::Failure;
use crate::output;

/// How long the supervisor may take to say.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Prints it; exit code 1 when the platform is not running or a unit is not up.
pub(crate) async fn run(data: Option<&Path>, output: Output) -> Result<(), Failure> {
    let paths = data::paths(data)?;
    let snapshot = match control::status(&paths.run(), PATIENCE).await {
        Ok(mut snapshot) => {
            // Nobody asks for those.
            snapshot.units.retain(|unit| !unit.is_idle());
            snapshot
        }
        Err(ControlError::NotRunning(_)) => {
            let root = paths.root().display();
            if let Some(starting) = Holder::of(&paths.run()) {
                return Err(Failure::Failed(anyhow::anyhow!(
                    "the platform of {root} is only just starting (process {})",
                    starting.pid()
                )));
            }
            return Err(Failure::Failed(anyhow::anyhow!(
                "the platform of {root} is not running; `aipress up --detach` starts it"
            )));
        }
        Err(error) => return Err(Failure::Failed(error.into())),
    };
    match output {
        Output::Name => output::print(output, &snapshot.units, |_| String::new())?,
        _ => output::print(output, &snapshot, table)?,
    }
    if snapshot.is_ready() {
        return Ok(());
    }
    Err(Failure::Failed(anyhow::anyhow!("not every unit is up")))
        .context("status")
        .map_err(Into::into)
}

fn table(snapshot: &Snapshot) -> String {
    let rows: Vec<Vec<String>> = snapshot.units.iter().map(row).collect();
    output::columns(&["UNIT", "STATE", "PID", "SINCE", "RESTARTS", "LAST END"], &rows)
}

fn row(unit: &UnitStatus) -> Vec<String> {
    let last = unit.last_exit.as_ref();
    vec![
        unit.name.clone(),
        unit.state.to_string(),
        unit.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
        ago(unit.since_unix_ms),
        unit.restarts.to_string(),
        last.map_or_else(String::new, |exit| exit.reason.clone()),
    ]
}

fn ago(unix_ms: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    output::ago(now.saturating_sub(Duration::from_millis(unix_ms)).as_secs())
}
