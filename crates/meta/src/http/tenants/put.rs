//! `PUT /v1/tenants/{id}`.

use aipress_api::Accepted;
use aipress_api::TenantDocument;
use axum::extract::Path;
use axum::response::Response;

use crate::app::tenant;
use crate::http::call::Call;
use crate::http::json;

/// Make a site what a document says.
///
/// Makes it when no site has the name; otherwise its spec, labels and display name become those of
/// the document: what is left out goes back to its default. What is set once (title, locale,
/// administrator's address, account, region, residency) stays as it is when left out. `status` is
/// not read. A document that changes nothing is answered 200.
#[utoipa::path(
    put,
    path = "/v1/tenants/{id}",
    tag = "tenants",
    operation_id = "tenant_put",
    params(
        ("id" = String, Path, description = "Name or uid; the name is that of the document"),
        ("If-None-Match" = Option<String>, Header, pattern = r"^\*$",
         description = "`*`: only if there is no such site; else 412 `etag_mismatch`"),
    ),
    request_body = TenantDocument,
    responses(
        (status = 200, description = "Nothing to change but at most labels and display name",
         body = Accepted, headers(("ETag" = String))),
        (status = 202, description = "Recorded and under way", body = Accepted,
         headers(("Location" = String, description = "The operation"), ("ETag" = String))),
    )
)]
pub(crate) async fn put(Path(id): Path<String>, call: Call) -> Response {
    call.once(
        |scope, body| async move { tenant::put::put(&scope, &id, json::decode(&body)?).await },
    )
    .await
}
