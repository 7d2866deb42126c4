//! The pages for when there is no page: unknown, starting, suspended, busy or broken sites, and
//! requests that are refused.
//!
//! Small, without anything to load, and without a word about what is behind (paths, versions,
//! reasons): those are in the log.

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::negotiate::prefers_json;
use crate::access::REQUEST_ID;
use crate::body::Body;

/// Something that the runtime says itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Nobody here has this host.
    UnknownSite,
    /// The site is being made or moved.
    Starting,
    /// The site is paused.
    Suspended,
    /// The site cannot work; somebody is on it.
    Broken,
    /// All of the site's workers are taken, and its queue is full.
    Busy,
    /// PHP died.
    Failed,
    /// PHP took too long.
    TimedOut,
    /// The disk failed.
    Internal,
    /// There is no such file.
    NotFound,
    /// The file may not be read.
    Forbidden,
    /// The request is none.
    BadRequest,
    /// The path is too long.
    PathTooLong,
    /// A file takes only GET and HEAD.
    MethodNotAllowed,
    /// The client stopped sending.
    Stalled,
    /// The request body is too large.
    BodyTooLarge,
    /// The request's headers are too large.
    HeadersTooLarge,
}

/// How a notice is told.
struct Words {
    status: StatusCode,
    /// Stable, for programs.
    code: &'static str,
    title: &'static str,
    text: &'static str,
    /// After how many seconds it is worth another try.
    retry_after: Option<u16>,
}

/// A page: `{title}` and `{text}` are filled in escaped, `{refresh}` with a tag or nothing.
const PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
{refresh}<title>{title}</title>
<style>
body{margin:0;min-height:100vh;display:grid;place-items:center;background:#f6f7f9;color:#1d2327;font:17px/1.6 system-ui,sans-serif}
main{max-width:32rem;padding:2rem}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .5rem}
p{margin:0 0 1rem}
small{color:#646970}
@media(prefers-color-scheme:dark){body{background:#16181c;color:#e8eaed}small{color:#9aa0a6}}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{text}</p>
<small>{status}{id}</small>
</main>
</body>
</html>
"#;

impl Notice {
    /// The answer: a page, or problem+json (RFC 9457) when the client prefers JSON. Never stored.
    pub fn respond(self, request: &HeaderMap) -> Response<Body> {
        let words = self.words();
        let id = request.get(REQUEST_ID).and_then(|id| id.to_str().ok());
        let (kind, body) = if prefers_json(request) {
            ("application/problem+json", words.problem(id))
        } else {
            ("text/html; charset=utf-8", words.page(self == Self::Starting, id))
        };
        let mut response = Response::new(Body::full(body));
        *response.status_mut() = words.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::VARY, HeaderValue::from_static("Accept"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert("aipress-notice", HeaderValue::from_static(words.code));
        if let Some(seconds) = words.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self == Self::MethodNotAllowed {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        response
    }

    fn words(self) -> Words {
        let (status, code, title, text, retry_after) = match self {
            Self::UnknownSite => (
                StatusCode::NOT_FOUND,
                "unknown_site",
                "There is no site here",
                "No site uses this address. Check it for a typing error.",
                None,
            ),
            Self::Starting => (
                StatusCode::SERVICE_UNAVAILABLE,
                "site_starting",
                "This site is starting",
                "It will be here in a moment. This page tries again by itself.",
                Some(2),
            ),
            Self::Suspended => (
                StatusCode::SERVICE_UNAVAILABLE,
                "site_suspended",
                "This site is paused",
                "Its owner or its host has paused it. Nothing is lost.",
                Some(3600),
            ),
            Self::Broken => (
                StatusCode::SERVICE_UNAVAILABLE,
                "site_broken",
                "This site has a problem",
                "It cannot be shown right now. Its host has been told.",
                Some(60),
            ),
            Self::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "site_busy",
                "This site is very busy",
                "More people want to see it than it can serve right now. Try again in a moment.",
                Some(5),
            ),
            Self::Failed => (
                StatusCode::BAD_GATEWAY,
                "site_failed",
                "This page could not be made",
                "The site stopped while it was making this page. Try again; if it happens each \
                 time, tell the site's owner.",
                None,
            ),
            Self::TimedOut => (
                StatusCode::GATEWAY_TIMEOUT,
                "site_timed_out",
                "This page took too long",
                "The site did not answer in time. Try again in a moment.",
                None,
            ),
            other => return other.refusal(),
        };
        Words { status, code, title, text, retry_after }
    }

    /// The words for requests that are refused, whatever the site.
    fn refusal(self) -> Words {
        let (status, code, title, text) = match self {
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "not_found",
                "There is nothing here",
                "This address leads to no file of this site.",
            ),
            Self::Forbidden => (
                StatusCode::FORBIDDEN,
                "forbidden",
                "This file is not public",
                "The site does not share it.",
            ),
            Self::PathTooLong => (
                StatusCode::URI_TOO_LONG,
                "path_too_long",
                "This address is too long",
                "No page has an address as long as this.",
            ),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "This cannot be done here",
                "This address can only be read.",
            ),
            Self::Stalled => (
                StatusCode::REQUEST_TIMEOUT,
                "request_stalled",
                "The upload stopped",
                "Nothing more of it arrived. Check the connection and try again.",
            ),
            Self::BodyTooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "This upload is too large",
                "The site does not take files of this size.",
            ),
            Self::HeadersTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "headers_too_large",
                "This request is too large",
                "Deleting this site's cookies often helps.",
            ),
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "Something went wrong",
                "The file could not be read. Try again in a moment.",
            ),
            _ => (
                StatusCode::BAD_REQUEST,
                "bad_request",
                "This request is not understood",
                "The address or its host is not a valid one.",
            ),
        };
        Words { status, code, title, text, retry_after: None }
    }
}

impl Words {
    fn problem(&self, id: Option<&str>) -> String {
        let mut problem = serde_json::json!({
            "type": "about:blank",
            "title": self.title,
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.text,
        });
        if let Some(id) = id {
            problem["requestId"] = id.into();
        }
        problem.to_string()
    }

    /// `id` is what finds the request in the site's log: whoever asks for help can tell it.
    fn page(&self, refreshes: bool, id: Option<&str>) -> String {
        let id = id.map(|id| format!(" · request {}", escape(id))).unwrap_or_default();
        let refresh = match self.retry_after.filter(|_| refreshes) {
            Some(seconds) => format!("<meta http-equiv=\"refresh\" content=\"{seconds}\">\n"),
            None => String::new(),
        };
        PAGE.replace("{refresh}", &refresh)
            .replace("{title}", &escape(self.title))
            .replace("{text}", &escape(self.text))
            .replace("{status}", self.status.as_str())
            .replace("{id}", &id)
    }
}

/// Text as it stands in HTML. The words are ours today; that they need no escaping is not for
/// this file to assume.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speaks_html_or_json() {
        let page = Notice::Starting.words().page(true, Some("0<1"));
        assert!(page.contains("503 · request 0&lt;1</small>"), "{page}");
        assert!(page.contains("content=\"2\""));
        for hole in ["{title}", "{text}", "{status}", "{id}", "{refresh}"] {
            assert!(!page.contains(hole), "{hole}");
        }
        let mut json = HeaderMap::new();
        json.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let response = Notice::Busy.respond(&json);
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["retry-after"], "5");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let problem: serde_json::Value =
            serde_json::from_str(&Notice::Busy.words().problem(Some("01"))).unwrap();
        assert_eq!(problem["requestId"], "01");
        assert_eq!((&problem["status"], &problem["code"]), (&503.into(), &"site_busy".into()));
    }

    #[test]
    fn escapes() {
        assert_eq!(escape("<a href='x'>\"&\""), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;&quot;");
    }
}
