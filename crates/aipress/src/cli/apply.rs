//! `aipress apply`: all documents are checked by a plan before the first is put; then one after the
//! other, each with its outcome.

use std::path::Path;
use std::time::Duration;

use aipress_api::PlanItem;
use aipress_api::PlanView;
use aipress_api::TenantView;
use aipress_api::client::ApiClient;
use aipress_api::client::ApiError;
use aipress_api::client::ListQuery;
use aipress_api::client::OnlyIf;
use serde::Serialize;

use crate::args::Apply;
use crate::args::Connect;
use crate::args::Output;
use crate::args::Wait;
use crate::cli::confirm;
use crate::cli::connect;
use crate::cli::documents;
use crate::cli::documents::Document;
use crate::cli::follow;
use crate::cli::plan;
use crate::exit::Failure;
use crate::output;

/// Documents of one plan, as many as the API takes.
const PLAN_MAX: usize = 100;
/// Sites of one page.
const PAGE: usize = 200;

/// What became of one document.
#[derive(Debug, Serialize)]
struct Outcome {
    name: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// Applies.
pub(crate) async fn run(
    data: Option<&Path>,
    how: &Connect,
    args: Apply,
    output: Output,
) -> Result<(), Failure> {
    let documents = documents::read(&args.files)?;
    let client = connect::client(data, how)?;
    let plans = plans(&client, &documents).await?;
    let surplus = match &args.selector {
        Some(selector) => surplus(&client, selector, &documents).await?,
        None => Vec::new(),
    };
    if how.dry_run {
        for plan in &plans {
            plan::print(output, plan)?;
        }
        for tenant in &surplus {
            output::note(&format!("tenant {}: would be deleted (--prune)", tenant.name));
        }
        return Ok(());
    }
    ask(&surplus, args.yes)?;
    let items = plans.iter().flat_map(|plan| &plan.items);
    let mut outcomes = Vec::new();
    for (document, item) in documents.iter().zip(items) {
        outcomes.push(put(&client, document, item, args.wait).await);
    }
    for tenant in &surplus {
        outcomes.push(delete(&client, tenant, args.wait).await);
    }
    output::print(output, &outcomes, |outcomes| {
        let rows: Vec<Vec<String>> = outcomes.iter().map(row).collect();
        output::columns(&["NAME", "OUTCOME", "URL", "MESSAGE"], &rows)
    })?;
    let failed = outcomes.iter().filter(|outcome| outcome.outcome == "failed").count();
    if failed == 0 {
        return Ok(());
    }
    Err(Failure::Failed(anyhow::anyhow!("{failed} of {} failed", outcomes.len())))
}

fn row(outcome: &Outcome) -> Vec<String> {
    vec![
        outcome.name.clone(),
        outcome.outcome.to_owned(),
        outcome.url.clone().unwrap_or_default(),
        outcome.message.clone().unwrap_or_default(),
    ]
}

/// Plans of all documents, in their order; complaints name the files.
pub(super) async fn plans(
    client: &ApiClient,
    documents: &[Document],
) -> Result<Vec<PlanView>, Failure> {
    let mut plans = Vec::new();
    let mut complaints = Vec::new();
    for chunk in documents.chunks(PLAN_MAX) {
        let values = chunk.iter().map(|document| document.value.clone()).collect();
        match client.plan_documents(values).await {
            Ok(plan) => plans.push(plan),
            Err(ApiError::Problem(problem)) if !problem.errors.is_empty() => {
                for error in &problem.errors {
                    complaints.push(complaint(chunk, &error.pointer, &error.detail));
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    if complaints.is_empty() {
        return Ok(plans);
    }
    Err(Failure::Usage(format!("nothing is changed:\n  {}", complaints.join("\n  "))))
}

/// `/documents/3/spec/tier` is `/spec/tier` of the fourth.
fn complaint(chunk: &[Document], pointer: &str, detail: &str) -> String {
    let rest = pointer.strip_prefix("/documents/").unwrap_or(pointer);
    let (index, below) = rest.split_once('/').map_or((rest, ""), |(index, below)| (index, below));
    match index.parse::<usize>().ok().and_then(|index| chunk.get(index)) {
        Some(document) if below.is_empty() => {
            format!("{} ({}): {detail}", document.origin, document.name)
        }
        Some(document) => format!("{}: /{below}: {detail}", document.origin),
        None => format!("{pointer}: {detail}"),
    }
}

/// Sites with the labels that no document is about.
async fn surplus(
    client: &ApiClient,
    selector: &str,
    documents: &[Document],
) -> Result<Vec<TenantView>, Failure> {
    if selector.trim().is_empty() {
        return Err(Failure::Usage("--selector: give labels, such as team=shops".to_owned()));
    }
    if !documents.iter().any(|document| has_labels(document, selector)) {
        return Err(Failure::Usage(format!(
            "--selector {selector}: no document has these labels, so every site that has them would \
             be deleted; is it what you mean? Nothing is changed"
        )));
    }
    let own = client.me().await?.account;
    let mut surplus = Vec::new();
    let mut cursor = None;
    loop {
        let query = ListQuery::default()
            .with("label", Some(selector))
            .with("state", Some("creating,active,suspended,failed"))
            .with("limit", Some(PAGE))
            .with("cursor", cursor);
        let page = client.tenant_list(&query).await?;
        surplus.extend(page.items.into_iter().filter(|tenant| {
            let is_named = documents.iter().any(|document| document.name == tenant.name);
            is_surplus(&tenant.account, &own, is_named)
        }));
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(surplus);
        }
    }
}

/// An administrator sees the sites of all accounts: those of others are not his to prune.
fn is_surplus<Id: PartialEq>(account: &Id, own: &Id, is_named: bool) -> bool {
    account == own && !is_named
}

/// Whether a document has all labels of `NAME=VALUE,…`.
fn has_labels(document: &Document, selector: &str) -> bool {
    selector.split(',').all(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let labels = document.value.pointer("/metadata/labels");
        let label = labels.and_then(|labels| labels.get(name));
        label.and_then(|label| label.as_str()) == Some(value)
    })
}

fn ask(surplus: &[TenantView], yes: bool) -> Result<(), Failure> {
    if surplus.is_empty() {
        return Ok(());
    }
    let count = surplus.len();
    output::note(&format!("{count} sites have the labels and no document:"));
    for tenant in surplus {
        output::note(&format!("  {}  {}", tenant.name, tenant.url));
    }
    let what = "deletes them; each can be undeleted for 7 days";
    confirm::type_name(&count.to_string(), what, yes)
}

async fn put(client: &ApiClient, document: &Document, item: &PlanItem, wait: Wait) -> Outcome {
    let name = document.name.clone();
    if item.changes.is_empty() {
        return Outcome { name, outcome: "unchanged", url: None, message: None };
    }
    let is_new = item.action == "tenant.create";
    let outcome = if is_new { "created" } else { "changed" };
    output::note(&format!("{name}: {}", item.summary));
    let only_if = match &item.etag {
        Some(etag) => OnlyIf::Etag(etag),
        None if is_new => OnlyIf::Absent,
        None => OnlyIf::Whatever,
    };
    let done = async {
        let accepted = client.tenant_put(&name, &document.value, only_if).await?;
        if !wait.no_wait && !accepted.operation.state.is_final() {
            let timeout = Duration::from_secs(wait.timeout);
            follow::to_the_end(client, &accepted.operation, timeout).await?;
        }
        Ok::<String, Failure>(accepted.tenant.url)
    };
    match done.await {
        Ok(url) => Outcome { name, outcome, url: Some(url), message: None },
        Err(Failure::Api(ApiError::Problem(problem))) if problem.status == 412 => {
            let done = if is_new { "made a site of this name" } else { "changed it" };
            let message = format!(
                "somebody {done} since it was planned, and nothing of it was overwritten: `aipress \
                 diff` with the same files shows what yours would change now; apply again if you \
                 mean it"
            );
            Outcome { name, outcome: "failed", url: None, message: Some(message) }
        }
        Err(error) => {
            Outcome { name, outcome: "failed", url: None, message: Some(error.to_string()) }
        }
    }
}

async fn delete(client: &ApiClient, tenant: &TenantView, wait: Wait) -> Outcome {
    let name = tenant.name.clone();
    output::note(&format!("{name}: delete"));
    let done = async {
        let accepted = client.tenant_delete(&tenant.uid.to_string()).await?;
        if !wait.no_wait {
            let timeout = Duration::from_secs(wait.timeout);
            follow::to_the_end(client, &accepted.operation, timeout).await?;
        }
        Ok::<(), Failure>(())
    };
    match done.await {
        Ok(()) => Outcome { name, outcome: "deleted", url: None, message: None },
        Err(error) => {
            Outcome { name, outcome: "failed", url: None, message: Some(error.to_string()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_sites_that_no_document_is_about_are_pruned() {
        let (own, other) = ("own", "other");
        assert!(is_surplus(&own, &own, false));
        assert!(!is_surplus(&own, &own, true));
        assert!(!is_surplus(&other, &own, false), "an administrator sees it, and keeps it");
    }
}
