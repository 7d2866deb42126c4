//! A dry run never changes anything: one that was asked of a change that has none is refused before
//! its handler sees it, also of those that do not go by [`Call`](super::call::Call).

use axum::extract::MatchedPath;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;
use http::Method;

use crate::app::plan::coverage;
use crate::codes;
use crate::problem::ApiError;

/// The layer.
pub(crate) async fn guard(matched: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let asks = *request.method() != Method::GET
        && request.uri().query().is_some_and(|query| query.contains("dryRun"));
    if asks
        && let Some(route) = matched
        && let Err(why) = coverage::planned(request.method().as_str(), route.as_str())
    {
        return ApiError::new(&codes::NO_DRY_RUN, why).into_response();
    }
    next.run(request).await
}
