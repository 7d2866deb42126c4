//! Applies a plan, making no choices: plans again, and when the same comes out, sends the recorded
//! requests through the API itself as the caller, on the condition that nothing moved in between.

use std::sync::Arc;

use aipress_api::PlanApplied;
use aipress_api::PlanItem;
use aipress_api::PlanResult;
use aipress_api::PlanView;
use aipress_store::PlanRecord;
use serde_json::Value;

use crate::app::plan;
use crate::app::scope::Answer;
use crate::app::scope::Scope;
use crate::app::tenant::create;
use crate::change::Change;
use crate::codes;
use crate::http::dispatch;
use crate::http::dispatch::Inner;
use crate::http::dispatch::OnlyIf;
use crate::plane::Plane;
use crate::policy::Action;
use crate::policy::Caller;
use crate::policy::Resource;
use crate::policy::authorize;
use crate::problem::ApiError;

/// Somebody else may write between planning again and sending; tried so often.
const TRIES: usize = 3;

/// The caller's plan of this hash.
pub(crate) async fn find(
    plane: &Plane,
    caller: &Caller,
    action: Action,
    id: &str,
) -> Result<PlanRecord, ApiError> {
    authorize(caller, action, Resource::Platform)
        .map_err(|denied| denied.into_error("plan", id))?;
    let found = plane.store.plan_fetch(id).await?;
    // Somebody else's looks like none: what it tells is of their sites.
    found.filter(|plan| plan.actor == caller.actor()).ok_or_else(|| ApiError::not_found("plan", id))
}

/// Applies the plan of this hash.
pub(crate) async fn apply(scope: &Arc<Scope>, id: &str) -> Result<Answer, ApiError> {
    let record = find(&scope.plane, &scope.caller, Action::PlanApply, id).await?;
    let planned = plan::view(&scope.plane, &record)?;
    check_whole(&planned)?;
    let (mut results, mut kept) = (Vec::new(), Vec::new());
    for attempt in 1..=TRIES {
        let etags = still_holds(scope, &record, &planned).await?;
        (results, kept) = send(scope, &planned, &etags).await?;
        let moved = results.len() == 1
            && results.first().is_some_and(|only: &PlanResult| only.status == 412);
        if !moved || attempt == TRIES {
            break;
        }
    }
    let complete =
        results.len() == planned.items.len() && results.iter().all(|result| result.status < 400);
    if let [only] = results.as_slice()
        && !complete
        && planned.items.len() == 1
    {
        // Nothing was done: the refusal itself is the answer.
        return Err(ApiError::of_body(&only.body));
    }
    let status = if results.iter().any(|result| result.status == 202) { 202 } else { 200 };
    let hash = planned.hash;
    let encode = |results: Vec<PlanResult>| {
        serde_json::to_value(PlanApplied { hash: hash.clone(), complete, results })
            .map_err(|error| ApiError::internal("encode results", &error))
    };
    let shown_once = if kept == results { None } else { Some(encode(results)?) };
    let answer = Answer { status, body: encode(kept)?, shown_once, tenant: None, operation: None };
    scope.commit(Change::begin(&scope.plane).await?, &answer).await?;
    Ok(answer)
}

/// Whether the plan of this hash could be applied now: the plan, or the refusal with the new one.
pub(crate) async fn look(scope: &Arc<Scope>, id: &str) -> Result<Answer, ApiError> {
    let record = find(&scope.plane, &scope.caller, Action::PlanApply, id).await?;
    let planned = plan::view(&scope.plane, &record)?;
    check_whole(&planned)?;
    still_holds(scope, &record, &planned).await?;
    let body =
        serde_json::to_value(planned).map_err(|error| ApiError::internal("encode plan", &error))?;
    let answer = Answer { status: 200, body, shown_once: None, tenant: None, operation: None };
    scope.commit(Change::begin(&scope.plane).await?, &answer).await?;
    Ok(answer)
}

/// Refuses a plan whose requests are not all in it.
fn check_whole(planned: &PlanView) -> Result<(), ApiError> {
    let Some((item, what)) =
        planned.items.iter().find_map(|item| Some((item, item.not_kept.as_ref()?)))
    else {
        return Ok(());
    };
    Err(ApiError::new(
        &codes::PLAN_NOT_WHOLE,
        format!("it does not keep {what}: send the request itself, {} {}", item.method, item.path),
    ))
}

/// The etags to send the items under, if planning again brings the same plan; otherwise the
/// refusal, with the new plan.
async fn still_holds(
    scope: &Arc<Scope>,
    record: &PlanRecord,
    planned: &PlanView,
) -> Result<Vec<Option<String>>, ApiError> {
    let mut items = Vec::new();
    let mut etags = Vec::new();
    for item in &planned.items {
        match plan_again(scope, item).await {
            Ok((fresh, etag)) => {
                items.extend(fresh);
                etags.push(etag);
            }
            Err(refusal) => {
                let detail = format!("it can't be done any more: {}", refusal.detail());
                return Err(ApiError::new(&codes::PLAN_STALE, detail));
            }
        }
    }
    let mut change = Change::begin(&scope.plane).await?;
    let now = change.now;
    let fresh =
        plan::record(&scope.plane, &scope.origin.actor, scope.caller.account.id, &items, now)?;
    let over = record.expires_at <= now;
    if fresh.id == record.id && !over {
        return Ok(etags);
    }
    plan::keep(&mut change, &fresh).await?;
    change.commit().await?;
    let (code, detail) = if over {
        (
            &codes::PLAN_EXPIRED,
            "it was made more than 15 minutes ago: read it anew, then apply that",
        )
    } else {
        (
            &codes::PLAN_STALE,
            "what it was made from has changed: read the new plan, then apply that",
        )
    };
    Err(ApiError::new(code, format!("{detail} ({})", fresh.id))
        .with_plan(plan::view(&scope.plane, &fresh)?))
}

/// Plans one item anew; and the etag of what it is about.
pub(crate) async fn plan_again(
    scope: &Arc<Scope>,
    item: &PlanItem,
) -> Result<(Vec<PlanItem>, Option<String>), ApiError> {
    let inner = Inner {
        method: &item.method,
        path: &item.path,
        body: &item.body,
        dry_run: true,
        only_if: OnlyIf::Whatever,
        plan: None,
    };
    let done = dispatch::send(scope, inner).await?;
    if done.status >= 400 {
        return Err(ApiError::of_body(&done.body));
    }
    let plan: PlanView = serde_json::from_value(done.body)
        .map_err(|error| ApiError::internal("decode plan", &error))?;
    Ok((plan.items, done.etag))
}

/// The answers; and the same without what is shown but once.
async fn send(
    scope: &Arc<Scope>,
    planned: &PlanView,
    etags: &[Option<String>],
) -> Result<(Vec<PlanResult>, Vec<PlanResult>), ApiError> {
    let (mut results, mut kept): (Vec<PlanResult>, Vec<PlanResult>) = (Vec::new(), Vec::new());
    for (item, etag) in planned.items.iter().zip(etags) {
        let only_if = match etag {
            Some(etag) => OnlyIf::Etag(etag),
            None if item.action == create::KIND => OnlyIf::Absent,
            None => OnlyIf::Whatever,
        };
        let inner = Inner {
            method: &item.method,
            path: &item.path,
            body: &item.body,
            dry_run: false,
            only_if,
            plan: Some(&planned.hash),
        };
        let done = dispatch::send(scope, inner).await?;
        let status = done.status;
        let again = done.kept.unwrap_or_else(|| done.body.clone());
        kept.push(PlanResult { status, body: again });
        results.push(PlanResult { status, body: done.body });
        if status >= 400 {
            break;
        }
    }
    Ok((results, kept))
}

/// An item for a request that was not planned yet.
pub(crate) fn unplanned(method: &str, path: &str, body: Value) -> PlanItem {
    PlanItem {
        method: method.to_owned(),
        path: path.to_owned(),
        body,
        subject: String::new(),
        action: String::new(),
        summary: String::new(),
        steps: Vec::new(),
        changes: Vec::new(),
        may_break: Vec::new(),
        undo: String::new(),
        runs: None,
        not_kept: None,
        etag: None,
        made_from: Value::Null,
    }
}
