//! A shard's hand on the supervisor: starts and stops the units that run only on demand.

use std::path::PathBuf;
use std::time::Duration;

use aipress_drivers::DriverError;
use aipress_drivers::UnitControl;
use aipress_supervise::ControlError;
use aipress_supervise::UnitState;
use aipress_supervise::control;
use aipress_supervise::control::Request;
use async_trait::async_trait;

/// A server may take this long to be up, on a busy machine.
const START: Duration = Duration::from_secs(30);
/// Longer than the grace of any unit on demand.
const STOP: Duration = Duration::from_secs(40);

/// The supervisor of this data folder.
pub(super) struct SupervisorUnits {
    /// Folder of its control socket.
    pub(super) run_dir: PathBuf,
}

#[async_trait]
impl UnitControl for SupervisorUnits {
    async fn start(&self, unit: &str) -> Result<(), DriverError> {
        let what = format!("start unit {unit}");
        let request = Request::Start { unit: unit.to_owned() };
        let seen = control::call(&self.run_dir, &request, START, |_| {}).await;
        let seen = seen.map_err(|error| as_error(&what, error))?;
        match seen.unit(unit) {
            Some(status) if status.state == UnitState::Ready => Ok(()),
            // It closes, or has given the unit up.
            Some(status) => {
                Err(DriverError::Unavailable { what, detail: format!("it is {}", status.state) })
            }
            None => Err(DriverError::Unavailable { what, detail: "it is gone".to_owned() }),
        }
    }

    async fn stop(&self, unit: &str) -> Result<(), DriverError> {
        let what = format!("stop unit {unit}");
        let request = Request::Stop { unit: unit.to_owned() };
        let seen = control::call(&self.run_dir, &request, STOP, |_| {}).await;
        seen.map(drop).map_err(|error| as_error(&what, error))
    }
}

fn as_error(what: &str, error: ControlError) -> DriverError {
    match error {
        ControlError::Timeout(after) => DriverError::Timeout { what: what.to_owned(), after },
        error => DriverError::Unavailable { what: what.to_owned(), detail: error.to_string() },
    }
}
