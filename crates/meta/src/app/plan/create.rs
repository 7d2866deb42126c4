//! A plan of one change, or of documents.

use std::sync::Arc;

use aipress_api::PlanCreate;
use aipress_types::FieldError;
use serde_json::Value;

use crate::app::plan;
use crate::app::plan::ITEMS_MAX;
use crate::app::plan::apply;
use crate::app::scope::Answer;
use crate::app::scope::Scope;
use crate::change::Change;
use crate::policy::Action;
use crate::policy::Resource;
use crate::policy::authorize;
use crate::problem::ApiError;

/// Makes it.
pub(crate) async fn create(scope: &Arc<Scope>, body: PlanCreate) -> Result<Answer, ApiError> {
    authorize(&scope.caller, Action::PlanCreate, Resource::Platform)
        .map_err(|denied| denied.into_error("plan", "new"))?;
    let mut items = Vec::new();
    let mut errors: Vec<FieldError> = Vec::new();
    for (base, method, path, body) in requests(body)? {
        match apply::plan_again(scope, &apply::unplanned(&method, &path, body)).await {
            Ok((planned, _)) => items.extend(planned),
            Err(refusal) if base.is_empty() => return Err(refusal),
            // All complaints about all documents at once.
            Err(refusal) => errors.extend(refusal.below(&base)),
        }
    }
    if !errors.is_empty() {
        return Err(ApiError::fields(errors));
    }
    let mut change = Change::begin(&scope.plane).await?;
    let plan = plan::record(
        &scope.plane,
        &scope.origin.actor,
        scope.caller.account.id,
        &items,
        change.now,
    )?;
    plan::keep(&mut change, &plan).await?;
    let body = serde_json::to_value(plan::view(&scope.plane, &plan)?)
        .map_err(|error| ApiError::internal("encode plan", &error))?;
    let answer = Answer { status: 200, body, shown_once: None, tenant: None, operation: None };
    scope.commit(change, &answer).await?;
    Ok(answer)
}

/// What is to be planned: where it is in the body, method, path and body.
fn requests(body: PlanCreate) -> Result<Vec<(String, String, String, Value)>, ApiError> {
    const EITHER: &str = "give `method` and `path` of one change, or `documents`";
    if body.documents.is_empty() {
        let (Some(method), Some(path)) = (body.method, body.path) else {
            return Err(ApiError::field("", EITHER));
        };
        if !["DELETE", "PATCH", "POST", "PUT"].contains(&method.as_str()) {
            return Err(ApiError::field("/method", "is POST, PUT, PATCH or DELETE"));
        }
        let plain = path.starts_with("/v1/")
            && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte));
        if !plain || path.starts_with("/v1/plans") {
            return Err(ApiError::field(
                "/path",
                "is the path of a change, such as /v1/tenants/bakery, without a query",
            ));
        }
        return Ok(vec![(String::new(), method, path, body.body.unwrap_or_default())]);
    }
    if body.method.is_some() || body.path.is_some() || body.body.is_some() {
        return Err(ApiError::field("/documents", EITHER));
    }
    if body.documents.len() > ITEMS_MAX {
        let given = body.documents.len();
        return Err(ApiError::field(
            "/documents",
            format!("a plan has at most {ITEMS_MAX} documents, these are {given}"),
        ));
    }
    let mut seen: Vec<String> = Vec::new();
    body.documents
        .into_iter()
        .enumerate()
        .map(|(index, document)| {
            let base = format!("/documents/{index}");
            let name = document.pointer("/metadata/name").and_then(Value::as_str);
            let Some(name) = name.filter(|name| is_segment(name)) else {
                let pointer = format!("{base}/metadata/name");
                return Err(ApiError::field(&pointer, "is the name of the site"));
            };
            if seen.iter().any(|other| other == name) {
                let pointer = format!("{base}/metadata/name");
                return Err(ApiError::field(&pointer, format!("`{name}` comes twice")));
            }
            seen.push(name.to_owned());
            Ok((base, "PUT".to_owned(), format!("/v1/tenants/{name}"), document))
        })
        .collect()
}

/// Whether it can stand in a path as it is; whether it is a name is said by the change itself.
fn is_segment(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}
