//! Commands inside a site's sandbox, as the reconciler sees them: PHP on the command line as the
//! slot's Unix user, for the platform's own agent (`php/agent.php`) and for wp-cli.
//!
//! What runs there is the site's own code as much as the platform's: its output is never trusted,
//! and bounded in time and size.

use std::time::Duration;

use aipress_types::TenantUid;
use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::error::DriverError;
use crate::layout::Slot;

/// Most that [`ExecOutput`] keeps of each stream, in bytes.
pub const OUTPUT_MAX: usize = 8 * 1024 * 1024;

/// Longest time that a command may be given.
pub const TIME_LIMIT_MAX: Duration = Duration::from_secs(3600);

/// Time of a command of the platform's own, unless it says otherwise: WordPress loads within a
/// second, a busy machine takes longer.
pub const AGENT_TIME_LIMIT: Duration = Duration::from_secs(60);

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The platform's own agent, `php/agent.php`: `plugin list --format=json` and the like.
    Agent,
    /// The configured wp-cli archive, with the same arguments as `wp` has.
    WpCli,
}

/// A command in a site's sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecCall {
    /// Whose site.
    pub uid: TenantUid,
    /// The slot that the site sits in.
    pub slot: Slot,
    /// What is run.
    pub program: Program,
    /// Its arguments, as typed; no secrets, for other processes see them.
    pub args: Vec<String>,
    /// What it reads on its standard input.
    pub input: Bytes,
    /// When it is killed with everything that it started; at most [`TIME_LIMIT_MAX`].
    pub time_limit: Duration,
    /// Width of the terminal that its output is shown on; `None` when it goes elsewhere.
    pub columns: Option<u16>,
}

impl ExecCall {
    /// A command of the platform's own agent, without input, within [`AGENT_TIME_LIMIT`].
    pub fn agent(uid: TenantUid, slot: Slot, args: &[&str]) -> Self {
        Self {
            uid,
            slot,
            program: Program::Agent,
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            input: Bytes::new(),
            time_limit: AGENT_TIME_LIMIT,
            columns: None,
        }
    }
}

/// A piece of output as it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecChunk {
    /// Of standard output.
    Out(Bytes),
    /// Of standard error.
    Err(Bytes),
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecExit {
    /// By itself, with this status.
    Code(i32),
    /// By a signal that was not ours.
    Signal(i32),
    /// Killed at its time limit.
    TimedOut,
}

/// A whole output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOutput {
    /// How it ended.
    pub exit: ExecExit,
    /// Standard output, at most [`OUTPUT_MAX`] bytes.
    pub out: Vec<u8>,
    /// Standard error, at most [`OUTPUT_MAX`] bytes.
    pub err: Vec<u8>,
}

impl ExecOutput {
    /// Whether it ended by itself with status 0.
    pub fn succeeded(&self) -> bool {
        self.exit == ExecExit::Code(0)
    }
}

/// What a command in a slot runs as, and within: for people who want to know before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sandbox {
    /// The slot's Unix user; `None` where all slots share one.
    pub user: Option<u32>,
    /// Whether it has namespaces of its own.
    pub is_namespaced: bool,
    /// Memory of each of its processes, in bytes.
    pub memory_bytes: u64,
    /// Largest file that it can write, in bytes.
    pub file_bytes: u64,
    /// Processes of the slot's user at once; `None` where nothing bounds them.
    pub processes: Option<u32>,
}

/// Runs commands in sites' sandboxes.
#[async_trait]
pub trait Exec: Send + Sync {
    /// What commands of this slot run as, and within.
    fn sandbox(&self, slot: Slot) -> Sandbox;

    /// Runs a command; its output goes to `output` as it comes (a full channel makes the command
    /// wait; a closed one ends it). When this returns, or is dropped, nothing that the command
    /// started is left. `Busy` when as many run as may.
    async fn run(
        &self,
        call: ExecCall,
        output: mpsc::Sender<ExecChunk>,
    ) -> Result<ExecExit, DriverError>;

    /// Runs a command and keeps its output; more than [`OUTPUT_MAX`] is thrown away.
    async fn output(&self, call: ExecCall) -> Result<ExecOutput, DriverError> {
        let (sender, mut receiver) = mpsc::channel(16);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let collect = async {
            while let Some(chunk) = receiver.recv().await {
                let (kept, piece) = match chunk {
                    ExecChunk::Out(piece) => (&mut out, piece),
                    ExecChunk::Err(piece) => (&mut err, piece),
                };
                let room = OUTPUT_MAX.saturating_sub(kept.len()).min(piece.len());
                kept.extend_from_slice(piece.get(..room).unwrap_or_default());
            }
        };
        let (exit, ()) = tokio::join!(self.run(call, sender), collect);
        Ok(ExecOutput { exit: exit?, out, err })
    }
}
