//! The pages that the edge shows by itself: one small template, no script, no outside resource,
//! readable in light and dark. Programs that prefer JSON get problem+json. Pure.

mod accept;

use std::fmt::Write;

use aipress_api::Problem;
use aipress_api::problem::MEDIA_TYPE;
use bytes::Bytes;
use http::HeaderMap;
use http::HeaderValue;
use http::StatusCode;
use http::header;

use crate::phases::refusal::Refusal;

/// What a page is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page<'a> {
    pub(crate) refusal: Refusal,
    /// Host as the visitor wrote it; empty when there is none.
    pub(crate) host: &'a str,
    pub(crate) request_id: &'a str,
    /// Whether programs are who mostly asks here: then it takes a wish for HTML to get it.
    pub(crate) is_api: bool,
}

/// A page, ready to be sent.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Page<'_> {
    /// Makes the page in the form that `accept`, the request's fields of that name, prefers.
    pub(crate) fn render(&self, request: &HeaderMap) -> Rendered {
        let accept = request.get_all(header::ACCEPT);
        let is_json = accept::prefers_json(accept.iter(), self.is_api);
        let (kind, body) = if is_json {
            (MEDIA_TYPE, self.json())
        } else {
            ("text/html; charset=utf-8", self.html())
        };
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::VARY, HeaderValue::from_static("accept"));
        if let Some(after) = self.refusal.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs()));
        }
        if self.refusal == Refusal::Method {
            let allowed = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
            headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
        }
        if self.refusal.closes() {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Rendered { status: self.refusal.status(), headers, body }
    }

    fn json(&self) -> Bytes {
        let refusal = self.refusal;
        let mut problem = Problem::new(
            refusal.status().as_u16(),
            refusal.code(),
            refusal.title(),
            refusal.detail(),
        );
        problem.request_id = Some(self.request_id.to_owned());
        // Strings and numbers always serialize.
        serde_json::to_vec(&problem).unwrap_or_default().into()
    }

    fn html(&self) -> Bytes {
        let refusal = self.refusal;
        let mut page = String::with_capacity(2_048);
        let refresh = match refusal.retry_after() {
            Some(after) if refusal.looks_again() => {
                format!("<meta http-equiv=\"refresh\" content=\"{}\">\n", after.as_secs())
            }
            _ => String::new(),
        };
        let host = escaped(self.host);
        let separator = if host.is_empty() { "" } else { " · " };
        let title = escaped(refusal.title());
        let detail = escaped(refusal.detail());
        let place =
            if host.is_empty() { String::new() } else { format!("<p class=\"host\">{host}</p>\n") };
        // Writing to a string never fails.
        let _ = write!(
            page,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"robots\" content=\"noindex\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n{refresh}\
             <title>{title}{separator}{host}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
             <main>\n{place}<h1>{title}</h1>\n<p>{detail}</p>\n\
             <p class=\"id\">{status} · <span>request {id}</span></p>\n</main>\n</body>\n</html>\n",
            status = refusal.status().as_u16(),
            id = escaped(self.request_id),
        );
        page.into()
    }
}

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1d2327;--soft:#50575e;--paper:#f6f7f7;--card:#fff}\
@media(prefers-color-scheme:dark){:root{--ink:#f0f0f1;--soft:#a7aaad;--paper:#101517;--card:#1d2327}}\
body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--paper);\
color:var(--ink);font:1.0625rem/1.6 system-ui,sans-serif}\
main{max-width:34rem;margin:1.5rem;padding:2rem;border-radius:.75rem;background:var(--card)}\
h1{margin:.25rem 0 1rem;font-size:1.6rem;line-height:1.25}\
.host{margin:0;color:var(--soft);overflow-wrap:anywhere}\
.id{margin:2rem 0 0;color:var(--soft);font-size:.8rem;overflow-wrap:anywhere}";

/// Text within HTML, in elements and quoted attributes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Refusal; 18] = [
        Refusal::BadRequest("the request names no host"),
        Refusal::Method,
        Refusal::RequestTimeout,
        Refusal::BodyTooLarge,
        Refusal::UriTooLong,
        Refusal::Expectation,
        Refusal::HeadersTooLarge,
        Refusal::TransferCoding,
        Refusal::UnknownHost,
        Refusal::NoRoutes,
        Refusal::Suspended,
        Refusal::Starting,
        Refusal::Broken,
        Refusal::Overloaded,
        Refusal::Unreachable,
        Refusal::Lost,
        Refusal::Nonsense,
        Refusal::TimedOut,
    ];

    fn page(refusal: Refusal, host: &str) -> Page<'_> {
        Page { refusal, host, request_id: "0123", is_api: false }
    }

    fn html(refusal: Refusal, host: &str) -> String {
        let rendered = page(refusal, host).render(&HeaderMap::new());
        String::from_utf8(rendered.body.to_vec()).unwrap()
    }

    #[test]
    fn every_page_is_whole_and_never_kept() {
        for refusal in ALL {
            let rendered = page(refusal, "a.localhost").render(&HeaderMap::new());
            assert_eq!(rendered.headers["cache-control"], "no-store");
            assert!(rendered.status.is_client_error() || rendered.status.is_server_error());
            let text = String::from_utf8(rendered.body.to_vec()).unwrap();
            assert!(text.ends_with("</html>\n") && text.contains("a.localhost</title>"), "{text}");
            assert!(!text.contains("http://") && !text.contains("<script"), "{text}");
        }
    }

    #[test]
    fn the_host_is_escaped() {
        let text = html(Refusal::UnknownHost, "<script>'\"&");
        assert!(text.contains("&lt;script&gt;&#39;&quot;&amp;</title>"), "{text}");
        assert!(!text.contains("<script"));
        assert!(html(Refusal::UnknownHost, "").contains("<title>There is no site here</title>"));
    }

    #[test]
    fn only_a_site_being_made_is_looked_at_again() {
        assert!(html(Refusal::Starting, "a").contains("http-equiv=\"refresh\" content=\"2\""));
        assert!(ALL.into_iter().filter(|it| html(*it, "a").contains("http-equiv")).count() == 1);
        let rendered = page(Refusal::Suspended, "a").render(&HeaderMap::new());
        assert_eq!(rendered.headers["retry-after"], "3600");
    }

    #[test]
    fn programs_get_a_problem() {
        let mut request = HeaderMap::new();
        request.insert("accept", HeaderValue::from_static("application/json"));
        let rendered = page(Refusal::UnknownHost, "a").render(&request);
        assert_eq!(rendered.headers["content-type"], "application/problem+json");
        let problem: Problem = serde_json::from_slice(&rendered.body).unwrap();
        assert_eq!((problem.status, problem.code.as_str()), (404, "site_unknown"));
        assert_eq!(problem.request_id.as_deref(), Some("0123"));
    }
}
