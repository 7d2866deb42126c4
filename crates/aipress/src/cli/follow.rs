//! Follows an operation: a line that moves on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use aipress_api::OperationState;
use aipress_api::OperationView;
use aipress_api::client::ApiClient;
use aipress_api::client::ApiError;
use aipress_types::StepState;
use tokio::time::Instant;

use crate::exit::Failure;
use crate::exit::INTERRUPTED;
use crate::output;
use crate::output::Look;

/// Between tries when the stream broke (meta restarts, say).
const RETRY: Duration = Duration::from_millis(300);

/// Shows the operation's steps until it ends.
///
/// # Errors
/// When it ends badly, or not within `timeout`.
pub(crate) async fn to_the_end(
    client: &ApiClient,
    operation: &OperationView,
    timeout: Duration,
) -> Result<OperationView, Failure> {
    let deadline = Instant::now() + timeout;
    let id = operation.id.to_string();
    let mut shown = Shown::new();
    let mut events = client.operation_events(&id);
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        let next = tokio::select! {
            next = tokio::time::timeout_at(deadline, events.next()) => next,
            _ = &mut interrupted => {
                shown.end();
                output::tell(&format!("It goes on: `aipress operation watch {id}` follows it."));
                return Err(Failure::Status(INTERRUPTED));
            }
        };
        let next = next.map_err(|_| {
            Failure::TimedOut(format!(
                "not done within {} s; it goes on: `aipress operation watch {id}` follows it",
                timeout.as_secs()
            ))
        })?;
        let latest = match next {
            Ok(Some(event)) => event.operation,
            // The stream ended or broke: ask how it is, and go on where it broke.
            Ok(None) | Err(ApiError::Transport(_) | ApiError::Unexpected { .. }) => {
                match client.operation_fetch(&id).await {
                    Ok(operation) => operation,
                    Err(ApiError::Transport(_) | ApiError::Unexpected { .. }) => {
                        tokio::time::sleep(RETRY).await;
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            Err(error) => return Err(error.into()),
        };
        shown.show(&latest);
        if latest.state.is_final() {
            shown.end();
            return outcome(latest);
        }
    }
}

fn outcome(operation: OperationView) -> Result<OperationView, Failure> {
    match operation.state {
        OperationState::Failed => {
            let why = operation
                .error
                .as_ref()
                .map_or_else(|| "no reason given".to_owned(), ToString::to_string);
            Err(Failure::Failed(anyhow::anyhow!("{} failed: {why}", operation.kind)))
        }
        OperationState::Superseded => Err(Failure::Failed(anyhow::anyhow!(
            "{} was overtaken by a later change of {}",
            operation.kind,
            operation.tenant_name
        ))),
        _ => Ok(operation),
    }
}

/// What was shown so far.
struct Shown {
    quiet: bool,
    terminal: bool,
    done: Vec<String>,
    noted: Vec<String>,
    waiting: Option<String>,
}

impl Shown {
    fn new() -> Self {
        Self {
            quiet: Look::is_quiet(),
            terminal: std::io::stderr().is_terminal(),
            done: Vec::new(),
            noted: Vec::new(),
            waiting: None,
        }
    }

    fn show(&mut self, operation: &OperationView) {
        if self.quiet {
            return;
        }
        for step in &operation.steps {
            if step.state == StepState::Succeeded && !self.done.contains(&step.name) {
                let took = step.duration_ms.map_or_else(String::new, |ms| format!("  {ms} ms"));
                self.line(&format!("  ✓ {}{took}", step.title));
                self.done.push(step.name.clone());
            }
            // It may come a moment after its step has succeeded.
            if let Some(note) = step.message.as_ref().filter(|_| step.state == StepState::Succeeded)
                && !self.noted.contains(note)
            {
                self.line(&format!("    note: {note}"));
                self.noted.push(note.clone());
            }
            if step.state == StepState::Failed {
                let why = step.message.as_deref().unwrap_or("failed");
                let text = format!("  … {}: {why}; trying again", step.title);
                if self.waiting.as_ref() != Some(&text) {
                    self.line(&text);
                    self.waiting = Some(text);
                }
            }
        }
        if self.terminal
            && let Some(step) = operation.steps.iter().find(|s| s.state == StepState::Running)
        {
            output::put(&format!("\r\x1b[2K  … {}", output::harmless(&step.title)));
        }
    }

    fn line(&self, text: &str) {
        if self.terminal {
            output::put("\r\x1b[2K");
        }
        output::tell(text);
    }

    fn end(&self) {
        if self.terminal && !self.quiet {
            output::put("\r\x1b[2K");
        }
    }
}
