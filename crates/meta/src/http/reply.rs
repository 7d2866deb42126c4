//! Answers in JSON, with the headers that follow from them.

use aipress_api::Page;
use axum::body::Body;
use axum::response::Response;
use http::HeaderName;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use serde::Serialize;
use serde_json::Value;

use crate::problem::ApiError;

/// Marks an answer that is the repetition of an earlier one.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A 200 with `body`, and its etag where it has one.
pub(crate) fn ok<T: Serialize>(body: &T) -> Result<Response, ApiError> {
    let body =
        serde_json::to_value(body).map_err(|error| ApiError::internal("encode answer", &error))?;
    Ok(answer(200, &body))
}

/// A page of a list.
pub(crate) fn page<T: Serialize>(
    items: Vec<T>,
    next_cursor: Option<String>,
) -> Result<Response, ApiError> {
    ok(&Page { items, next_cursor })
}

/// An answer of this status. A 202 says where its operation is, and everything that carries an
/// etag says it in the header, too; both follow from the body, so that a replay has them as well.
pub(crate) fn answer(status: u16, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let etag = ["/etag", "/tenant/etag", "/status/etag"].iter().find_map(|at| body.pointer(at));
    if let Some(etag) = etag.and_then(Value::as_str)
        && let Ok(value) = HeaderValue::from_str(&format!("\"{etag}\""))
    {
        headers.insert(header::ETAG, value);
    }
    if status == StatusCode::ACCEPTED.as_u16()
        && let Some(id) = body.pointer("/operation/id").and_then(Value::as_str)
        && let Ok(value) =
            HeaderValue::from_str(&format!("{}/{id}", aipress_api::paths::OPERATIONS))
    {
        headers.insert(header::LOCATION, value);
    }
    response
}
