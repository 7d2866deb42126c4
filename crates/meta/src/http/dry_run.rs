//! `?dryRun=true`: whether it is asked for, and its answer. What a change would do is found out by its
//! own handler, which leaves what it noted instead of committing.

use std::sync::Arc;

use axum::response::Response;
use http::HeaderValue;
use http::header;

use crate::app::plan;
use crate::app::plan::planner;
use crate::app::plan::planner::Noted;
use crate::app::plan::planner::Request;
use crate::change::Change;
use crate::codes;
use crate::http::query::Params;
use crate::http::query::invalid;
use crate::http::reply;
use crate::plane::Plane;
use crate::policy::Caller;
use crate::problem::ApiError;

/// Whether the query, which has nothing else, asks for a plan only.
pub(crate) fn is_all_asked(params: &Params) -> Result<bool, ApiError> {
    // A misspelt `dryRun` must not make the change.
    params.only(&["dryRun"])?;
    is_asked(params)
}

/// Whether the query asks for a plan only.
pub(crate) fn is_asked(params: &Params) -> Result<bool, ApiError> {
    match params.one("dryRun")? {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(invalid("`dryRun` is true or false")),
    }
}

/// The plan of a request that noted this.
pub(crate) async fn answer(
    plane: &Arc<Plane>,
    caller: &Caller,
    request: Request,
    noted: &Noted,
) -> Result<Response, ApiError> {
    let item = planner::item(request, noted)
        .ok_or_else(|| ApiError::new(&codes::NO_DRY_RUN, "nobody can say what it would do"))?;
    let etag = item.etag.clone();
    let mut change = Change::begin(plane).await?;
    let (actor, account, now) = (caller.actor(), caller.account.id, change.now);
    let record = plan::record(plane, &actor, account, &[item], now)?;
    plan::keep(&mut change, &record).await?;
    change.commit().await?;
    let mut response = reply::ok(&plan::view(plane, &record)?)?;
    if let Some(etag) = &etag
        && let Ok(value) = HeaderValue::from_str(&format!("\"{etag}\""))
    {
        // Of what the plan is about.
        response.headers_mut().insert(header::ETAG, value);
    }
    Ok(response)
}
