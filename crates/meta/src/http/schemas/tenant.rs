//! `GET /v1/schemas/tenant`.

use axum::body::Body;
use axum::response::Response;
use http::HeaderValue;
use http::header;

use crate::problem::ApiError;
use crate::schema;

/// Show the JSON Schema of the tenant document.
///
/// JSON Schema 2020-12, for editors and for checking files before they are sent. Open to all.
#[utoipa::path(
    get,
    path = "/v1/schemas/tenant",
    tag = "schemas",
    operation_id = "schema_tenant",
    security(()),
    responses((
        status = 200, description = "The schema", body = Object,
        content_type = "application/schema+json",
    ))
)]
pub(crate) async fn tenant() -> Result<Response, ApiError> {
    let text = serde_json::to_vec(&schema::tenant_schema())
        .map_err(|error| ApiError::internal("encode schema", &error))?;
    let mut response = Response::new(Body::from(text));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/schema+json"));
    Ok(response)
}
