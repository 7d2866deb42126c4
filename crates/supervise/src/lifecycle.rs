//! One unit's life: wait, prepare, start, watch, end, again.
//!
//! One task for each unit; it alone touches the unit's process. What it should
//! do comes by two levels it can look at any time, never by messages that can
//! be missed: a [`Wish`] (run or not, and which asked start) and the closing of
//! the whole. Whatever it is doing it gives up when these say so.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::WaitIdStatus;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backoff::{AfterDeath, DeathCount};
use crate::logs;
use crate::process::{self, KILL_TIMEOUT, Launcher, Process};
use crate::sockets::ListenSocket;
use crate::status::{Board, LastExit, Snapshot, UnitState, UnitStatus, now_unix_ms};
use crate::unit::{Readiness, StepResult, Unit};

/// What somebody wants of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) run: bool,
    /// Another number than the running one's asks for a fresh start.
    pub(crate) generation: u64,
}

/// A unit with all that its life needs.
pub(crate) struct Lifecycle {
    pub(crate) unit: Arc<Unit>,
    /// Units that come after this one: they end first.
    pub(crate) dependents: Vec<String>,
    pub(crate) sockets: Arc<Vec<ListenSocket>>,
    pub(crate) launcher: Arc<Launcher>,
    pub(crate) board: Arc<Board>,
    pub(crate) wish: watch::Receiver<Wish>,
    pub(crate) closing: CancellationToken,
}

/// How one incarnation ended.
enum Ending {
    Asked,
    Died { reason: String, up: Duration },
}

impl Lifecycle {
    /// Lives until the closing. Ends with the session empty.
    pub(crate) async fn run(mut self) {
        let mut deaths = DeathCount::default();
        let mut waited = false;
        loop {
            let wish = *self.wish.borrow_and_update();
            if self.closing.is_cancelled() {
                return self.set(UnitState::Stopped, None);
            }
            if !wish.run {
                self.set(UnitState::Stopped, None);
                self.wish_changed().await;
                continue;
            }
            if !waited {
                waited = self.wait_for_earlier(wish.generation).await;
                continue;
            }
            let Ending::Died { reason, up } = self.incarnation(wish.generation).await else {
                deaths = DeathCount::default();
                continue;
            };
            self.note_death(&reason).await;
            match deaths.died(&self.unit.restart, up) {
                AfterDeath::Restart(delay) => {
                    self.set(UnitState::Backoff, Some(format!("again in {delay:?}: {reason}")));
                    tokio::select! {
                        () = tokio::time::sleep(delay) => {}
                        () = self.called_off(wish.generation) => {}
                    }
                    self.board.update(&self.unit.name, |status| status.restarts += 1);
                }
                AfterDeath::GiveUp => {
                    self.set(UnitState::Failed, Some(reason));
                    self.wish_changed().await;
                    deaths = DeathCount::default();
                }
            }
        }
    }

    fn set(&self, state: UnitState, detail: Option<String>) {
        let keeps_pid = matches!(state, UnitState::Ready | UnitState::Stopping);
        self.board.update(&self.unit.name, |status| {
            status.state = state;
            status.detail = detail;
            if !keeps_pid {
                status.pid = None;
            }
        });
    }

    /// What its end alone does not say.
    async fn because(&self, pid: i32, status: Option<WaitIdStatus>) -> Option<String> {
        let (unit, launcher) = (self.unit.clone(), self.launcher.clone());
        let look = move || {
            let of_memory = launcher.kills.explain(pid, status, &logs::tail(&unit.log.path));
            of_memory.or_else(|| unit.explain.as_ref().and_then(|explain| explain.call()))
        };
        tokio::task::spawn_blocking(look).await.ok().flatten()
    }

    async fn note_death(&self, reason: &str) {
        let path = self.unit.log.path.clone();
        let tail = tokio::task::spawn_blocking(move || logs::tail(&path)).await;
        let last_exit = LastExit {
            at_unix_ms: now_unix_ms(),
            reason: reason.to_owned(),
            log_tail: tail.unwrap_or_default(),
        };
        tracing::warn!(unit.name = self.unit.name, reason, "unit died");
        self.board.update(&self.unit.name, |status| status.last_exit = Some(last_exit));
    }

    /// Whether everything that this unit comes after is up; not when the
    /// start was called off meanwhile.
    async fn wait_for_earlier(&self, generation: u64) -> bool {
        let earlier = &self.unit.after;
        let up = |unit: &UnitStatus| unit.state == UnitState::Ready || unit.is_idle();
        let ready =
            |snapshot: &Snapshot| earlier.iter().all(|name| snapshot.unit(name).is_none_or(up));
        if !earlier.is_empty() {
            self.set(UnitState::Waiting, Some(format!("after {}", earlier.join(", "))));
        }
        let mut snapshots = self.board.watch();
        tokio::select! {
            _ = snapshots.wait_for(ready) => true,
            () = self.called_off(generation) => false,
        }
    }

    async fn wish_changed(&mut self) {
        tokio::select! {
            _ = self.wish.changed() => {}
            () = self.closing.cancelled() => {}
        }
    }

    /// Resolves when this start is not wanted any more: stopped, superseded,
    /// or everything closes and nobody is left who needs this unit.
    async fn called_off(&self, generation: u64) {
        let mut wish = self.wish.clone();
        let mut snapshots = self.board.watch();
        tokio::select! {
            _ = wish.wait_for(|wish| !wish.run || wish.generation != generation) => {}
            () = async {
                self.closing.cancelled().await;
                let _ = snapshots.wait_for(|now| now.all_ended(&self.dependents)).await;
            } => {}
        }
    }

    async fn incarnation(&self, generation: u64) -> Ending {
        self.board.update(&self.unit.name, |status| status.generation = generation);
        self.set(UnitState::Starting, self.unit.prepare.as_ref().map(|_| "prepare".to_owned()));
        if let Some(prepare) = &self.unit.prepare {
            let prepared = tokio::select! {
                prepared = tokio::time::timeout(prepare.timeout, prepare.step.call()) => prepared,
                () = self.called_off(generation) => return Ending::Asked,
            };
            if let Err(reason) = flatten(prepared, prepare.timeout) {
                return never_up(format!("prepare: {reason}"));
            }
        }
        let process = match self.launcher.start(&self.unit, &self.sockets).await {
            Ok(process) => process,
            Err(error) => return never_up(format!("start: {error}")),
        };
        self.board.update(&self.unit.name, |status| {
            status.pid = u32::try_from(process.pid).ok();
            status.detail = Some("not ready yet".to_owned());
        });
        self.watch(&process, generation).await
    }

    async fn watch(&self, process: &Process, generation: u64) -> Ending {
        tokio::select! {
            biased;
            () = self.called_off(generation) => {
                self.stop(process).await;
                return self.ending(process, None, Duration::ZERO, true).await;
            }
            () = process.exited() => {
                return self.ending(process, Some("before it was ready"), Duration::ZERO, false).await;
            }
            ready = self.becomes_ready() => if let Err(reason) = ready {
                self.stop(process).await;
                return self.ending(process, Some(&reason), Duration::ZERO, false).await;
            },
        }
        self.set(UnitState::Ready, None);
        let since = Instant::now();
        tokio::select! {
            biased;
            () = self.called_off(generation) => {
                self.stop(process).await;
                self.ending(process, None, since.elapsed(), true).await
            }
            () = process.exited() => self.ending(process, None, since.elapsed(), false).await,
        }
    }

    /// `Err` is why it is not ready in time.
    async fn becomes_ready(&self) -> Result<(), String> {
        let Readiness::Probe { step, attempt_timeout, interval, timeout } = &self.unit.readiness
        else {
            return Ok(());
        };
        let mut last = String::new();
        let attempts = async {
            loop {
                let attempt = tokio::time::timeout(*attempt_timeout, step.call()).await;
                match flatten(attempt, *attempt_timeout) {
                    Ok(()) => return,
                    Err(reason) if reason != last => {
                        let detail = format!("not ready yet: {reason}");
                        self.board.update(&self.unit.name, |status| status.detail = Some(detail));
                        last = reason;
                    }
                    Err(_) => {}
                }
                tokio::time::sleep(*interval).await;
            }
        };
        match tokio::time::timeout(*timeout, attempts).await {
            Ok(()) => Ok(()),
            Err(_) => Err(format!("not ready within {timeout:?}: {last}")),
        }
    }

    /// Asks the leader to end, and kills it when its grace has passed.
    async fn stop(&self, process: &Process) {
        let policy = self.unit.stop;
        self.set(UnitState::Stopping, Some(format!("killed after {:?}", policy.grace)));
        let unit = self.unit.name.as_str();
        if let Err(error) = process.signal(policy.signal.as_signal()) {
            tracing::error!(unit, %error, "ask unit to end");
        }
        if tokio::time::timeout(policy.grace, process.exited()).await.is_ok() {
            return;
        }
        tracing::warn!(unit, grace = ?policy.grace, "unit does not end, killed");
        if let Err(error) = process.signal(rustix::process::Signal::KILL) {
            tracing::error!(unit, %error, "kill unit");
        }
        // One that hangs in the kernel is waited for by `ending`.
        let _ = tokio::time::timeout(KILL_TIMEOUT, process.exited()).await;
    }

    /// Sweeps up behind the leader. Does not come back before everything of
    /// the unit is gone: a second start beside the remains of the first would
    /// be worse than none.
    async fn ending(
        &self,
        process: &Process,
        why: Option<&str>,
        up: Duration,
        asked: bool,
    ) -> Ending {
        let (status, swept) = loop {
            match self.launcher.finish(&self.unit, process).await {
                Ok(finished) => break finished,
                Err(error) => {
                    tracing::error!(unit = self.unit.name, %error, "end unit's processes");
                    self.set(UnitState::Stopping, Some(error.to_string()));
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        };
        if swept > 0 {
            tracing::info!(unit = self.unit.name, swept, "ended what the unit left");
        }
        if asked {
            return Ending::Asked;
        }
        let how = process::describe(status);
        let because = self.because(process.pid, status).await;
        let how = because.map_or(how.clone(), |because| format!("{because} ({how})"));
        Ending::Died { reason: why.map_or(how.clone(), |why| format!("{why} ({how})")), up }
    }
}

fn never_up(reason: String) -> Ending {
    Ending::Died { reason, up: Duration::ZERO }
}

/// A step's outcome in words, its sources included.
fn flatten(
    outcome: Result<StepResult, tokio::time::error::Elapsed>,
    timeout: Duration,
) -> Result<(), String> {
    match outcome {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            let mut text = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            Err(text)
        }
        Err(_) => Err(format!("no answer within {timeout:?}")),
    }
}
