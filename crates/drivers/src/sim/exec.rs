//! The simulated sandbox: a command answers what the test laid down for it, and nothing by default.

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

use super::SimWorld;
use crate::error::DriverError;
use crate::exec::Exec;
use crate::exec::ExecCall;
use crate::exec::ExecChunk;
use crate::exec::ExecExit;
use crate::exec::ExecOutput;
use crate::exec::Sandbox;
use crate::layout::Slot;

#[async_trait]
impl Exec for SimWorld {
    fn sandbox(&self, _slot: Slot) -> Sandbox {
        Sandbox {
            user: None,
            is_namespaced: false,
            memory_bytes: 1,
            file_bytes: 1,
            processes: None,
        }
    }

    async fn run(
        &self,
        call: ExecCall,
        output: mpsc::Sender<ExecChunk>,
    ) -> Result<ExecExit, DriverError> {
        let answer = self
            .call("exec.run", |world| {
                world.commands.push(call.clone());
                Ok(match &world.answers {
                    Some(answer) => answer(&call),
                    None => world.packages.command(&call),
                })
            })
            .await?;
        let ExecOutput { exit, out, err } = answer;
        for chunk in [ExecChunk::Out(Bytes::from(out)), ExecChunk::Err(Bytes::from(err))] {
            // Nobody listens any more: the command would be ended.
            let _ = output.send(chunk).await;
        }
        Ok(exit)
    }
}
