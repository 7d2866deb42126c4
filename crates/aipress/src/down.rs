//! `aipress down`: ends everything in order, and says when nothing is left.

use std::path::Path;
use std::time::Duration;

use aipress_supervise::ControlError;
use aipress_supervise::UnitState;
use aipress_supervise::control;

use crate::data;
use crate::exit::Failure;

/// A database with much to write takes its time; it is never cut off before.
const PATIENCE: Duration = Duration::from_secs(600);

/// Stops the platform of the data folder. One that is not running is stopped already.
pub(crate) async fn run(data: Option<&Path>) -> Result<(), Failure> {
    let paths = data::paths(data)?;
    let say = |unit: aipress_supervise::UnitStatus| {
        if unit.state == UnitState::Stopped {
            eprintln!("  stopped {}", unit.name);
        }
    };
    match control::shutdown(&paths.run(), PATIENCE, say).await {
        Ok(()) => {
            println!("The platform of {} is stopped; its data stays.", paths.root().display());
            Ok(())
        }
        Err(ControlError::NotRunning(_)) => {
            println!("The platform of {} is not running.", paths.root().display());
            Ok(())
        }
        Err(error) => Err(Failure::Failed(error.into())),
    }
}
