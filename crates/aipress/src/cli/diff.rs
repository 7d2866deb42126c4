//! `aipress diff`: what applying documents would change, line by line.

use std::path::Path;

use aipress_api::PlanItem;
use aipress_api::client::ApiClient;
use aipress_api::client::ApiError;
use anyhow::Context;
use serde_json::Value;

use crate::args::Connect;
use crate::args::Diff;
use crate::cli::apply;
use crate::cli::connect;
use crate::cli::documents;
use crate::exit::Failure;
use crate::output;

/// Lines around a change.
const AROUND: usize = 3;
/// Exit code when something would change.
const DIFFERS: u8 = 1;

/// Prints the differences.
///
/// # Errors
/// [`Failure::Status`] of 1 when there are any.
pub(crate) async fn run(data: Option<&Path>, how: &Connect, args: Diff) -> Result<(), Failure> {
    let documents = documents::read(&args.files)?;
    let client = connect::client(data, how)?;
    let plans = apply::plans(&client, &documents).await?;
    let mut differs = false;
    for (document, item) in documents.iter().zip(plans.iter().flat_map(|plan| &plan.items)) {
        if item.changes.is_empty() {
            continue;
        }
        differs = true;
        let before = current(&client, &document.name).await?;
        let mut after = before.clone().unwrap_or_else(|| document.value.clone());
        if before.is_some() {
            change(&mut after, item);
        } else if let Some(fields) = after.as_object_mut() {
            fields.remove("status");
        }
        let old = before.as_ref().map(yaml).transpose()?.unwrap_or_default();
        let (from, to) = (format!("platform/{}", document.name), document.origin.clone());
        output::say(&output::diff(&from, &to, &old, &yaml(&after)?, AROUND));
    }
    if differs { Err(Failure::Status(DIFFERS)) } else { Ok(()) }
}

/// The document of a site as it is, without what is only seen.
async fn current(client: &ApiClient, name: &str) -> Result<Option<Value>, Failure> {
    match client.tenant_document(name).await {
        Ok(mut document) => {
            document.status = None;
            Ok(Some(serde_json::to_value(document).context("encode document")?))
        }
        Err(ApiError::Problem(problem)) if problem.status == 404 => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Makes the changes of a plan in a document.
fn change(document: &mut Value, item: &PlanItem) {
    for change in &item.changes {
        let mut place = &mut *document;
        let parts: Vec<String> = change
            .pointer
            .split('/')
            .skip(1)
            .map(|p| p.replace("~1", "/").replace("~0", "~"))
            .collect();
        let Some((last, way)) = parts.split_last() else { continue };
        for part in way {
            if !place.is_object() {
                *place = Value::Object(serde_json::Map::new());
            }
            place = &mut place[part.as_str()];
        }
        match &change.after {
            Some(value) => place[last.as_str()] = value.clone(),
            None => {
                if let Some(fields) = place.as_object_mut() {
                    fields.shift_remove(last);
                }
            }
        }
    }
}

fn yaml(value: &Value) -> Result<String, Failure> {
    Ok(serde_yaml_ng::to_string(value).context("encode YAML")?)
}
