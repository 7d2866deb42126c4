//! `aipress down`: ends everything in order, and says when nothing is left.

use std::path::Path;
use std::time::Duration;

use aipress_drivers::DataPaths;
use aipress_supervise::ControlError;
use aipress_supervise::Holder;
use aipress_supervise::UnitState;
use aipress_supervise::control;
use anyhow::Context;

use crate::data;
use crate::exit::Failure;
use crate::output;

/// A database with much to write takes its time; it is never cut off before.
const PATIENCE: Duration = Duration::from_secs(600);

/// Stops the platform of the data folder. One that is not running is stopped already.
pub(crate) async fn run(data: Option<&Path>) -> Result<(), Failure> {
    let paths = data::paths(data)?;
    let say = |unit: aipress_supervise::UnitStatus| {
        if unit.state == UnitState::Stopped {
            output::note(&format!("  stopped {}", unit.name));
        }
    };
    match control::shutdown(&paths.run(), PATIENCE, say).await {
        Ok(()) => {
            say_stopped(&paths);
            Ok(())
        }
        Err(ControlError::NotRunning(_)) => match Holder::of(&paths.run()) {
            // It is still laying its ground, and can't be asked yet.
            Some(starting) => end_starting(&paths, starting).await,
            None => {
                let root = paths.root().display();
                output::say(&format!("The platform of {root} is not running.\n"));
                Ok(())
            }
        },
        Err(error) => Err(Failure::Failed(error.into())),
    }
}

/// Ends an `up` that is only just starting.
async fn end_starting(paths: &DataPaths, starting: Holder) -> Result<(), Failure> {
    let pid = starting.pid();
    output::note(&format!("The platform is only just starting (process {pid}); stopping it."));
    starting.end().with_context(|| format!("stop process {pid}"))?;
    tokio::time::timeout(PATIENCE, starting.ended())
        .await
        .map_err(|_| {
            Failure::TimedOut(format!("process {pid} still runs after {} s", PATIENCE.as_secs()))
        })?
        .with_context(|| format!("wait for process {pid}"))?;
    say_stopped(paths);
    Ok(())
}

fn say_stopped(paths: &DataPaths) {
    let root = paths.root().display();
    output::say(&format!("The platform of {root} is stopped; its data stays.\n"));
}
