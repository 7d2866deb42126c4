//! Around every request: an id, a last resort for panics, problems completed and written, one
//! line in the access log, one count in the metrics. Neither bodies nor queries nor tokens are
//! logged.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Instant;

use aipress_api::Problem;
use aipress_api::problem::MEDIA_TYPE;
use axum::body::Body;
use axum::extract::MatchedPath;
use axum::extract::Request;
use axum::extract::State;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;
use futures_util::FutureExt;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::header;
use tracing::Instrument;
use uuid::Uuid;

use crate::codes;
use crate::metrics::RequestLabels;
use crate::plane::Plane;
use crate::problem::ApiError;
use crate::problem::ProblemSlot;

/// Carries the request's id, both ways.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The same as an edge says it: nobody else can, it removes the field from what comes in.
const EDGE_REQUEST_ID: HeaderName = HeaderName::from_static("aipress-request-id");
/// Longest id that is taken over from a caller.
const REQUEST_ID_MAX: usize = 64;

/// The id of a request, in its extensions.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// What inner layers add to the access log.
#[derive(Debug, Clone, Default)]
pub(crate) struct AccessNote(Arc<Mutex<Option<String>>>);

impl AccessNote {
    /// Notes who calls.
    pub(crate) fn set_caller(&self, actor: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(actor);
    }

    fn caller(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The outermost layer.
pub(crate) async fn wrap(
    State(plane): State<Arc<Plane>>,
    matched: Option<MatchedPath>,
    mut request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let id = request_id(request.headers());
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    let note = AccessNote::default();
    request.extensions_mut().insert(RequestId(id.clone()));
    request.extensions_mut().insert(note.clone());

    // Every line that is logged on the way carries the id that the caller is told.
    let span = tracing::info_span!("http.request", request.id = id);
    let handled = AssertUnwindSafe(next.run(request)).catch_unwind();
    let answered = handled.instrument(span).await;
    let mut response = answered.unwrap_or_else(|_| {
        let panic = std::io::Error::other("a handler panicked");
        ApiError::internal("handle request", &panic).into_response()
    });
    if response.status().as_u16() >= 400 {
        response = complete(response, &path, &id);
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));

    let status = response.status().as_u16();
    let route = matched.as_ref().map_or("none", MatchedPath::as_str).to_owned();
    let caller = note.caller();
    tracing::info!(
        http.method = %method, http.route = route, http.status = status, request.id = id,
        caller = caller.as_deref().unwrap_or("-"), duration_ms = begun.elapsed().as_millis() as u64,
        "request"
    );
    let labels =
        RequestLabels { method: known(&method).to_owned(), route, status: u32::from(status) };
    plane.metrics.requests.get_or_create(&labels).inc();
    plane.metrics.request_seconds.observe(begun.elapsed().as_secs_f64());
    response
}

/// A method as a label: callers may send any word, labels must stay few.
fn known(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// The edge's id, or the caller's, when it is safe to log and to send back, else a fresh one.
fn request_id(headers: &HeaderMap) -> String {
    headers
        .get(EDGE_REQUEST_ID)
        .or_else(|| headers.get(REQUEST_ID))
        .and_then(|value| value.to_str().ok())
        .filter(|id| {
            (1..=REQUEST_ID_MAX).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        })
        .map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}

/// Writes the body of a refusal. One that did not come from us (a malformed path, say) is given
/// the problem of its status.
fn complete(response: Response, path: &str, id: &str) -> Response {
    let (mut parts, _) = response.into_parts();
    let mut problem = match parts.extensions.remove::<ProblemSlot>() {
        Some(slot) => *slot.0,
        None => {
            let status = parts.status.as_u16();
            let code = codes::ALL
                .iter()
                .find(|code| code.status == status)
                .unwrap_or(if status < 500 { &codes::BAD_REQUEST } else { &codes::INTERNAL });
            Problem::new(status, code.code, code.title, "the request can't be understood as HTTP")
        }
    };
    problem.instance = Some(path.to_owned());
    problem.request_id = Some(id.to_owned());
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    Response::from_parts(parts, Body::from(body))
}
