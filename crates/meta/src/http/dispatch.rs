//! A request to the API from within: plans are made and applied by the very handlers that people
//! call, as the caller who proved himself already.

use std::collections::VecDeque;
use std::sync::Arc;

use aipress_api::wp::NDJSON;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header;
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::app::scope::Scope;
use crate::http::envelope::RequestId;
use crate::policy::Caller;
use crate::problem::ApiError;
use crate::problem::ProblemSlot;

/// Largest answer that is taken over: those of changes are some kilobytes.
const ANSWER_MAX: usize = 4 * 1024 * 1024;

/// Most of a command's output that is taken over, in bytes: its last.
const OUTPUT_MAX: usize = 256 * 1024;

/// Who sends a request from within. Never from the network: extensions have no form there.
#[derive(Debug, Clone)]
pub(crate) struct Proven {
    pub(crate) caller: Caller,
    /// Why, as was said with the request from outside.
    pub(crate) reason: Option<String>,
    /// Hash of the plan that is applied.
    pub(crate) plan: Option<String>,
}

/// What must hold for a request from within.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OnlyIf<'a> {
    /// Nothing.
    Whatever,
    /// It has this etag.
    Etag(&'a str),
    /// It does not exist.
    Absent,
}

/// A request from within.
#[derive(Debug)]
pub(crate) struct Inner<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    /// `null` for none.
    pub(crate) body: &'a Value,
    pub(crate) dry_run: bool,
    pub(crate) only_if: OnlyIf<'a>,
    /// Hash of the plan that it is of.
    pub(crate) plan: Option<&'a str>,
}

/// The answer.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) status: u16,
    pub(crate) etag: Option<String>,
    pub(crate) body: Value,
    /// The body without what is shown but once, where that is another one.
    pub(crate) kept: Option<Value>,
}

/// On an answer with something that is shown but once: its body without it.
#[derive(Debug, Clone)]
pub(crate) struct Kept(pub(crate) Value);

/// Sends it.
pub(crate) async fn send(scope: &Arc<Scope>, inner: Inner<'_>) -> Result<Done, ApiError> {
    let query = if inner.dry_run { "?dryRun=true" } else { "" };
    let mut request = Request::builder().method(inner.method).uri(format!("{}{query}", inner.path));
    request = match inner.only_if {
        OnlyIf::Whatever => request,
        OnlyIf::Etag(etag) => request.header(header::IF_MATCH, format!("\"{etag}\"")),
        OnlyIf::Absent => request.header(header::IF_NONE_MATCH, "*"),
    };
    let body = match inner.body {
        Value::Null => Body::empty(),
        body => {
            request = request.header(header::CONTENT_TYPE, "application/json");
            Body::from(body.to_string())
        }
    };
    let mut request = request
        .body(body)
        .map_err(|error| ApiError::field("/path", format!("is no path of the API: {error}")))?;
    request.extensions_mut().insert(Proven {
        caller: scope.caller.clone(),
        reason: scope.origin.reason.clone(),
        plan: inner.plan.map(str::to_owned),
    });
    if let Some(id) = &scope.origin.request_id {
        request.extensions_mut().insert(RequestId(id.clone()));
    }
    // Boxed: the router's handlers may come back here.
    let router = super::bare_router(Arc::clone(&scope.plane));
    let answered = Box::pin(router.oneshot(request)).await;
    match answered {
        Ok(response) => taken(response).await,
        Err(never) => match never {},
    }
}

async fn taken(mut response: Response) -> Result<Done, ApiError> {
    let status = response.status().as_u16();
    let etag = response
        .headers()
        .get(header::ETAG)
        .and_then(|value| value.to_str().ok())
        .map(|value| value.trim_matches('"').to_owned());
    if let Some(ProblemSlot(problem)) = response.extensions_mut().remove::<ProblemSlot>() {
        let body = serde_json::to_value(problem)
            .map_err(|error| ApiError::internal("encode problem", &error))?;
        return Ok(Done { status, etag, body, kept: None });
    }
    let media_type = response.headers().get(header::CONTENT_TYPE);
    if media_type.is_some_and(|value| value.as_bytes() == NDJSON.as_bytes()) {
        let lines = lines_of(response.into_body()).await?;
        // How it ended is the last line.
        let kept = lines.last().cloned().map_or_else(Vec::new, |end| vec![end]);
        return Ok(Done { status, etag, body: Value::Array(lines), kept: Some(kept.into()) });
    }
    let kept = response.extensions_mut().remove::<Kept>().map(|Kept(body)| body);
    let limited = http_body_util::Limited::new(response.into_body(), ANSWER_MAX);
    let bytes = match limited.collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return Err(ApiError::internal("answer from within", &*error)),
    };
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Ok(Done { status, etag, body, kept })
}

/// The last lines of a stream of JSON.
async fn lines_of(mut body: Body) -> Result<Vec<Value>, ApiError> {
    let (mut lines, mut size) = (VecDeque::new(), 0);
    let mut rest = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| ApiError::internal("lines from within", &error))?;
        rest.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        if rest.len() > ANSWER_MAX {
            let endless = std::io::Error::other("a line is too long");
            return Err(ApiError::internal("lines from within", &endless));
        }
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            // Empty ones only say that it still runs.
            let Ok(value) = serde_json::from_slice::<Value>(&line) else { continue };
            size += line.len();
            lines.push_back((value, line.len()));
        }
        while size > OUTPUT_MAX && lines.len() > 1 {
            size -= lines.pop_front().map_or(0, |(_, length)| length);
        }
    }
    Ok(lines.into_iter().map(|(value, _)| value).collect())
}
