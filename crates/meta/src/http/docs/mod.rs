//! `/docs`: the API for people to read, made from its description; and the description itself. Open
//! to all: it says nothing of anybody. One page, one style sheet, one script that searches the page,
//! nothing from elsewhere.

use std::sync::Arc;
use std::sync::LazyLock;

use aipress_api::reference;
use aipress_api::reference::ProblemCode;
use axum::Router;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use http::HeaderValue;
use http::header;
use serde_json::Value;

use crate::codes;
use crate::plane::Plane;

/// What a browser may load for the page.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";
/// An hour; a release changes it.
const KEPT: &str = "public, max-age=3600";

static DESCRIPTION: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(super::openapi()).unwrap_or_default());
static JSON: LazyLock<String> = LazyLock::new(|| DESCRIPTION.to_string());
static PAGE: LazyLock<String> = LazyLock::new(|| {
    let code = |it: &codes::Code| ProblemCode { status: it.status, code: it.code, title: it.title };
    let codes: Vec<ProblemCode<'_>> = codes::ALL.iter().map(code).collect();
    reference::render(&DESCRIPTION, &codes)
});

/// The pages.
pub(crate) fn routes() -> Router<Arc<Plane>> {
    Router::new()
        .route("/docs", get(docs))
        .route("/docs/search.js", get(script))
        .route("/docs/style.css", get(style))
        .route("/v1/openapi.json", get(description))
}

async fn docs() -> Response {
    answer("text/html; charset=utf-8", &PAGE)
}

async fn style() -> Response {
    answer("text/css; charset=utf-8", include_str!("style.css"))
}

async fn script() -> Response {
    answer("text/javascript; charset=utf-8", include_str!("search.js"))
}

async fn description() -> Response {
    answer("application/json", &JSON)
}

fn answer(kind: &'static str, body: &'static str) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(KEPT));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_endpoint_and_code_and_its_links_lead_somewhere() {
        let page = PAGE.as_str();
        for (path, item) in DESCRIPTION["paths"].as_object().unwrap() {
            for operation in item.as_object().unwrap().values() {
                let id = operation["operationId"].as_str().unwrap();
                assert!(page.contains(&format!("id=\"{id}\"")), "{path} {id}");
            }
        }
        for code in codes::ALL {
            assert!(page.contains(code.code), "{}", code.code);
        }
        for link in page.split("href=\"#").skip(1) {
            let id = link.split('"').next().unwrap();
            assert!(page.contains(&format!("id=\"{id}\"")), "#{id}");
        }
        assert_eq!(page.matches("<script").count(), 1);
        assert!(page.contains("<script src=\"/docs/search.js\" defer></script>"));
        assert!(
            !page.contains("style=\"") && !page.contains(" onclick="),
            "nothing that the policy forbids"
        );
        assert!(!page.contains("src=\"http") && !page.contains("href=\"http"));
    }
}
