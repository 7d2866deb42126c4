//! Which statuses an endpoint refuses with, and by which codes: said for each, from what the
//! endpoint is, so that none is forgotten when one is added.

use std::collections::BTreeMap;

use aipress_api::problem::MEDIA_TYPE;
use utoipa::openapi::ContentBuilder;
use utoipa::openapi::Ref;
use utoipa::openapi::RefOr;
use utoipa::openapi::Response;
use utoipa::openapi::ResponseBuilder;

use crate::codes;
use crate::codes::Code;

/// What of an endpoint decides about its problems.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traits<'a> {
    pub(super) path: &'a str,
    pub(super) is_open: bool,
    pub(super) changes: bool,
    pub(super) has_body: bool,
    pub(super) is_conditional: bool,
    pub(super) is_streamed: bool,
    pub(super) is_paged: bool,
}

/// The problems of an endpoint, by status.
pub(super) fn responses(traits: Traits<'_>) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<&Code>> = BTreeMap::new();
    for code in codes::ALL.iter().filter(|code| occurs(code, traits)) {
        by_status.entry(code.status).or_default().push(code);
    }
    by_status.into_iter().map(|(status, codes)| (status.to_string(), response(&codes))).collect()
}

fn response(codes: &[&Code]) -> RefOr<Response> {
    let said: Vec<String> =
        codes.iter().map(|code| format!("`{}` ({})", code.code, code.title)).collect();
    let example = codes.first().map(|code| {
        serde_json::json!({
            "type": format!("https://aipress.io/problems/{}", code.code),
            "title": code.title,
            "status": code.status,
            "code": code.code,
            "detail": "what went wrong this time, and what to do",
        })
    });
    let content = ContentBuilder::new()
        .schema(Some(RefOr::Ref(Ref::from_schema_name("Problem"))))
        .example(example)
        .build();
    RefOr::T(
        ResponseBuilder::new().description(said.join(", ")).content(MEDIA_TYPE, content).build(),
    )
}

/// Whether an endpoint may refuse with this code.
fn occurs(code: &Code, traits: Traits<'_>) -> bool {
    let Traits { path, is_open, changes, has_body, is_conditional, is_streamed, is_paged } = traits;
    let beneath = |prefix: &str| path.starts_with(prefix);
    let is_named = path.contains('{');
    let of_site = beneath("/v1/tenants");
    // What applies a plan runs any change.
    let applies = path == "/v1/plans/{hash}/apply";
    let plans = applies || path == "/v1/plans";
    let packages = beneath("/v1/packages") || plans;
    let reaches_shard = [
        "/v1/exports/{id}/data",
        "/v1/tenants/{id}/inventory",
        "/v1/tenants/{id}/inventory/refresh",
        "/v1/tenants/{id}/login-link",
        "/v1/tenants/{id}/logs",
        "/v1/tenants/{id}/wp",
    ];
    match code.code {
        "bad_request" | "invalid_query" | "registry_unavailable" | "internal" => true,
        "invalid_json" => has_body,
        "invalid_cursor" => is_paged,
        "invalid_idempotency_key" | "idempotency_in_flight" | "idempotency_mismatch" => changes,
        "unauthenticated" | "forbidden" => !is_open,
        // In lists, what a filter names.
        "not_found" => {
            is_named
                || of_site
                || plans
                || is_paged
                || beneath("/v1/imports")
                || beneath("/v1/audit")
        }
        "not_observed_yet" => path == "/v1/tenants/{id}/inventory",
        // The path's affair, and no endpoint's but of those that take a request in a request, and
        // where a word stands beside a checksum.
        "method_not_allowed" => plans || path == "/v1/packages/{sha256}",
        // Of roles of one platform only.
        "protocol_mismatch" => false,
        "name_taken" | "no_capacity" => changes && (of_site || plans || beneath("/v1/imports")),
        "invalid_state" => changes,
        "plan_expired" | "plan_stale" => plans,
        "gone" => beneath("/v1/exports") || beneath("/v1/imports") || of_site || plans,
        "cursor_expired" => path == "/v1/events",
        "too_many_webhooks" => changes && (path == "/v1/webhooks" || plans),
        "etag_mismatch" => changes && (is_conditional || plans),
        "package_conflict" | "package_in_use" => changes && packages,
        "not_a_zip" => path == "/v1/packages" && changes,
        "package_refused" | "package_quota" => changes && packages,
        "package_unavailable" => changes && (packages || of_site),
        "body_too_large" | "unsupported_media_type" => has_body,
        "invalid_fields" | "no_dry_run" => changes,
        "too_many_commands" => path == "/v1/tenants/{id}/wp" || applies,
        "too_many_streams" => is_streamed || beneath("/v1/audit/"),
        "shard_unavailable" => reaches_shard.contains(&path) || plans,
        // A new code is said of all until somebody knows better.
        _ => true,
    }
}
