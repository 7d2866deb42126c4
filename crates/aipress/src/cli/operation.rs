//! `aipress operation …`

use std::path::Path;
use std::time::Duration;

use aipress_api::OperationView;
use aipress_api::client::ApiClient;
use aipress_api::client::ListQuery;

use crate::args::Connect;
use crate::args::OperationVerb;
use crate::args::Output;
use crate::cli::connect;
use crate::cli::follow;
use crate::exit::Failure;
use crate::output;

/// Asked for at once.
const PAGE: usize = 200;

/// Calls one verb.
pub(crate) async fn run(
    data: Option<&Path>,
    how: &Connect,
    verb: OperationVerb,
    output: Output,
) -> Result<(), Failure> {
    let client = connect::client(data, how)?;
    match verb {
        OperationVerb::List { tenant, state, limit } => {
            let operations = list(&client, tenant, state, limit).await?;
            let nothing = "No operations yet: every change of a site is one.";
            output::list(output, &operations, nothing, table)?;
        }
        OperationVerb::Show { operation } => {
            let operation = client.operation_fetch(&operation).await?;
            output::print(output, &operation, one)?;
        }
        OperationVerb::Watch { operation, timeout } => {
            let operation = client.operation_fetch(&operation).await?;
            let timeout = Duration::from_secs(timeout);
            let operation = follow::to_the_end(&client, &operation, timeout).await?;
            output::print(output, &operation, one)?;
        }
    }
    Ok(())
}

async fn list(
    client: &ApiClient,
    tenant: Option<String>,
    state: Option<String>,
    limit: usize,
) -> Result<Vec<OperationView>, Failure> {
    let mut operations = Vec::new();
    let mut cursor = None;
    while operations.len() < limit {
        let query = ListQuery::default()
            .with("tenant", tenant.as_deref())
            .with("state", state.as_deref())
            .with("limit", Some(PAGE.min(limit - operations.len())))
            .with("cursor", cursor);
        let page = client.operation_list(&query).await?;
        operations.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(operations)
}

fn table(operations: &[OperationView]) -> String {
    let rows: Vec<Vec<String>> = operations
        .iter()
        .map(|operation| {
            vec![
                operation.id.to_string(),
                operation.kind.clone(),
                operation.tenant_name.clone(),
                operation.state.as_str().to_owned(),
                output::moment(operation.created_at),
            ]
        })
        .collect();
    output::columns(&["OPERATION", "KIND", "SITE", "STATE", "CREATED"], &rows)
}

fn one(operation: &OperationView) -> String {
    let mut text = output::fields(&[
        ("Operation", operation.id.to_string()),
        ("Kind", operation.kind.clone()),
        ("Site", operation.tenant_name.clone()),
        ("State", operation.state.as_str().to_owned()),
        ("Actor", operation.actor.clone()),
        ("Created", output::moment_in_full(operation.created_at)),
        ("URL", operation.url.clone().unwrap_or_default()),
        ("Error", operation.error.as_ref().map(ToString::to_string).unwrap_or_default()),
    ]);
    for step in &operation.steps {
        let took = step.duration_ms.map_or_else(String::new, |ms| format!("  {ms} ms"));
        let why = step.message.as_ref().map_or_else(String::new, |why| format!("  {why}"));
        text.push_str(&format!("  {:<9} {}{took}{why}\n", step.state.as_str(), step.title));
    }
    text
}
