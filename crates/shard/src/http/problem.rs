//! Refusals as problem+json.

use aipress_api::Problem;
use aipress_api::problem::MEDIA_TYPE;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;

/// A refusal with this status, code and reason.
pub(super) fn refuse(status: u16, code: &str, detail: impl Into<String>) -> Response {
    let problem = Problem::new(status, code, code.replace('_', " "), detail);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    (status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response()
}
