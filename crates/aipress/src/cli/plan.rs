//! `aipress plan …`, and what `--dry-run` prints.

use std::path::Path;
use std::time::Duration;

use aipress_api::OperationView;
use aipress_api::PlanApplied;
use aipress_api::PlanItem;
use aipress_api::PlanResult;
use aipress_api::PlanRun;
use aipress_api::PlanView;
use aipress_api::client::ApiClient;
use aipress_api::client::ApiError;
use serde_json::Value;

use crate::args::Connect;
use crate::args::Output;
use crate::args::PlanVerb;
use crate::args::Wait;
use crate::cli::connect;
use crate::cli::follow;
use crate::exit::Failure;
use crate::output;

/// Calls one verb.
pub(crate) async fn run(
    data: Option<&Path>,
    how: &Connect,
    verb: PlanVerb,
    output: Output,
) -> Result<(), Failure> {
    let client = connect::client(data, how)?;
    match verb {
        PlanVerb::Show { hash } => print(output, &client.plan_fetch(&hash).await?),
        PlanVerb::Apply { hash, wait } => match client.plan_apply(&hash).await {
            Ok(applied) => ended(&client, &applied, wait, output).await,
            Err(ApiError::Problem(mut problem)) => {
                // What would be done now, for whoever wants that instead.
                if let Some(plan) = problem.plan.take() {
                    print(output, &plan)?;
                }
                Err(ApiError::Problem(problem).into())
            }
            Err(error) => Err(error.into()),
        },
    }
}

/// Follows what was begun, and shows what is shown but once.
async fn ended(
    client: &ApiClient,
    applied: &PlanApplied,
    wait: Wait,
    output: Output,
) -> Result<(), Failure> {
    let operation = |result: &PlanResult| -> Option<OperationView> {
        serde_json::from_value(result.body.get("operation")?.clone()).ok()
    };
    for operation in applied.results.iter().filter_map(operation) {
        if wait.no_wait || operation.state.is_final() {
            continue;
        }
        output::note(&format!("{}:", operation.kind));
        follow::to_the_end(client, &operation, Duration::from_secs(wait.timeout)).await?;
    }
    output::print(output, applied, |applied| {
        let text: String = applied.results.iter().map(told).collect();
        let made = applied.results.iter().filter(|result| result.status < 400).count();
        text + &format!("{made} {} made\n", if made == 1 { "change" } else { "changes" })
    })?;
    if !applied.complete {
        let why = applied
            .results
            .last()
            .and_then(|last| last.body.get("detail").and_then(Value::as_str))
            .unwrap_or("refused");
        return Err(Failure::Failed(anyhow::anyhow!("the plan ended early: {why}")));
    }
    match applied.results.iter().find_map(status).and_then(|status| u8::try_from(status).ok()) {
        None | Some(0) => Ok(()),
        Some(status) => Err(Failure::Status(status)),
    }
}

/// What of an answer nobody can ask for again: a link, a secret, the output of a command.
fn told(result: &PlanResult) -> String {
    let text = |pointer: &str| result.body.pointer(pointer).and_then(Value::as_str);
    if let Some(lines) = result.body.as_array() {
        let pieces = lines.iter().filter_map(|line| line.get("data").and_then(Value::as_str));
        return pieces.collect();
    }
    let mut told = String::new();
    if text("/tenant/uid").is_none()
        && let Some(url) = text("/url")
    {
        told.push_str(&format!("{url}\n"));
    }
    if let Some(secret) = text("/secret") {
        let id = text("/webhook/id").unwrap_or_default();
        told.push_str(&format!("webhook {id}: its secret is {secret}; it is shown this once\n"));
    }
    if let Some(id) = text("/export/id") {
        told.push_str(&format!("the archive: GET /v1/exports/{id}/data\n"));
    }
    told
}

/// The status that a command ended with.
fn status(result: &PlanResult) -> Option<i64> {
    result.body.as_array()?.last()?.get("exit")?.as_i64()
}

/// Prints a plan.
pub(crate) fn print(output: Output, plan: &PlanView) -> Result<(), Failure> {
    output::print(output, plan, |plan| {
        let mut text: String = plan.items.iter().map(item).collect();
        if plan.changes_nothing {
            text.push_str("Nothing would change.\n");
        } else if plan.items.iter().any(|item| item.not_kept.is_some()) {
            text.push_str("Nothing is changed yet: the same command without --dry-run does it.\n");
        } else {
            text.push_str(&format!(
                "Nothing is changed yet. Until {}:\n  aipress plan apply {}\n",
                output::moment_in_full(plan.expires_at),
                plan.hash
            ));
        }
        text
    })
}

fn item(item: &PlanItem) -> String {
    let mut text = format!("{}: {}\n", item.subject, item.summary);
    let value = |value: &Option<Value>| match value {
        None => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let width = item.changes.iter().map(|change| change.pointer.len()).max().unwrap_or(0);
    for change in &item.changes {
        let (before, after) = (value(&change.before), value(&change.after));
        text.push_str(&format!("  {:<width$}  {before} → {after}\n", change.pointer));
    }
    if let Some(run) = &item.runs {
        text.push_str(&run_of(run));
    }
    if item.changes.is_empty() && item.runs.is_none() {
        return text;
    }
    text.push_str(&format!("  steps: {}\n", item.steps.join(", ")));
    for risk in &item.may_break {
        text.push_str(&format!("  may break: {risk}\n"));
    }
    text.push_str(&format!("  undo: {}\n", item.undo));
    text
}

/// What would be run, and within what.
fn run_of(run: &PlanRun) -> String {
    const MIB: u64 = 1024 * 1024;
    let mut text = format!("  runs: {}\n  by: {}", run.command.join(" "), run.program);
    text.push_str(&format!(", in slot {} of {}", run.slot, run.shard));
    if let Some(user) = run.user {
        text.push_str(&format!(", as Unix user {user}"));
    }
    if run.is_namespaced {
        text.push_str(", in namespaces of its own");
    }
    text.push_str(&format!(
        "\n  limits: {} s, {} MiB of memory, files of {} MiB",
        run.time_limit_seconds,
        run.memory_bytes / MIB,
        run.file_bytes / MIB
    ));
    if let Some(processes) = run.processes {
        text.push_str(&format!(", {processes} processes"));
    }
    text.push('\n');
    text
}
