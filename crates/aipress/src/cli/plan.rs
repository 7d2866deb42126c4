//! `aipress plan …`, and what `--dry-run` prints.

use std::path::Path;
use std::time::Duration;

use aipress_api::Accepted;
use aipress_api::PlanItem;
use aipress_api::PlanView;
use serde_json::Value;

use crate::args::Connect;
use crate::args::Output;
use crate::args::PlanVerb;
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
        PlanVerb::Apply { hash, wait } => {
            let applied = client.plan_apply(&hash).await?;
            for result in &applied.results {
                if wait.no_wait || result.status >= 400 {
                    continue;
                }
                if let Ok(accepted) = serde_json::from_value::<Accepted>(result.body.clone())
                    && !accepted.operation.state.is_final()
                {
                    let timeout = Duration::from_secs(wait.timeout);
                    output::note(&format!("{}:", accepted.tenant.name));
                    follow::to_the_end(&client, &accepted.operation, timeout).await?;
                }
            }
            output::print(output, &applied, |applied| {
                format!(
                    "{} changes made\n",
                    applied.results.iter().filter(|r| r.status < 400).count()
                )
            })?;
            if applied.complete {
                return Ok(());
            }
            let why = applied
                .results
                .last()
                .and_then(|last| last.body.get("detail").and_then(Value::as_str))
                .unwrap_or("refused");
            Err(Failure::Failed(anyhow::anyhow!("the plan ended early: {why}")))
        }
    }
}

/// Prints a plan.
pub(crate) fn print(output: Output, plan: &PlanView) -> Result<(), Failure> {
    output::print(output, plan, |plan| {
        let mut text: String = plan.items.iter().map(item).collect();
        if plan.changes_nothing {
            text.push_str("Nothing would change.\n");
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
    if item.changes.is_empty() {
        return text;
    }
    text.push_str(&format!("  steps: {}\n", item.steps.join(", ")));
    for risk in &item.may_break {
        text.push_str(&format!("  may break: {risk}\n"));
    }
    text.push_str(&format!("  undo: {}\n", item.undo));
    text
}
