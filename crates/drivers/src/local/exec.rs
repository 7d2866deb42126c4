//! Commands in a site's sandbox, really: PHP's command line as the slot's user.

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::error::DriverError;
use crate::exec::Exec;
use crate::exec::ExecCall;
use crate::exec::ExecChunk;
use crate::exec::ExecExit;

/// The sandbox of this machine's slots.
#[derive(Debug, Default)]
pub struct LocalExec;

#[async_trait]
impl Exec for LocalExec {
    async fn run(
        &self,
        _call: ExecCall,
        _output: mpsc::Sender<ExecChunk>,
    ) -> Result<ExecExit, DriverError> {
        Err(DriverError::unavailable("run a command", "this build has no sandbox for commands"))
    }
}
