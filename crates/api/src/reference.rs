//! The description of the API as a page of HTML: endpoints by their tags, schemas, codes.

mod schema;

use std::fmt::Write;

use serde_json::Value;

/// A code of problems.
#[derive(Debug, Clone, Copy)]
pub struct ProblemCode<'a> {
    /// The HTTP status that it comes with.
    pub status: u16,
    /// The stable word.
    pub code: &'a str,
    /// What kind of problem it is, for people.
    pub title: &'a str,
}

/// Shown by the script that makes it work.
const SEARCH: &str = "<form id=\"search\" role=\"search\" hidden>\
    <label for=\"q\">Search <kbd>/</kbd></label>\
    <input id=\"q\" type=\"search\" autocomplete=\"off\" autocapitalize=\"off\" spellcheck=\"false\" \
    placeholder=\"create, webhook, 412 …\" aria-describedby=\"keys\">\
    <p role=\"status\"></p><p id=\"keys\"><kbd>Enter</kbd> <kbd>↓</kbd> <kbd>↑</kbd> go through, \
    <kbd>Esc</kbd> clears</p></form>";

/// Methods in the order in which people think of them.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Makes text safe within elements and attributes.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A description, with its `code`.
pub(super) fn prose(text: &str) -> String {
    let mut out = String::new();
    for (index, part) in text.split('`').enumerate() {
        if index % 2 == 1 {
            let _ = write!(out, "<code>{}</code>", escape(part));
        } else {
            out.push_str(&escape(part));
        }
    }
    out
}

fn paragraphs(text: &str) -> String {
    text.split("\n\n")
        .filter(|part| !part.trim().is_empty())
        .map(|part| format!("<p>{}</p>", prose(part.trim())))
        .collect()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or("")
}

fn json(value: &Value) -> String {
    let pretty = serde_json::to_string_pretty(value).unwrap_or_default();
    format!("<pre><code>{}</code></pre>", escape(&pretty))
}

/// One endpoint.
struct Endpoint<'a> {
    path: &'a str,
    method: &'static str,
    operation: &'a Value,
}

/// The tags that are described, then those that are only used, each with its words.
fn tags(document: &Value) -> Vec<(&str, &str)> {
    let described = document["tags"].as_array().into_iter().flatten();
    let mut tags: Vec<(&str, &str)> =
        described.map(|tag| (text(tag, "name"), text(tag, "description"))).collect();
    let items = document["paths"].as_object().into_iter().flatten();
    for operation in items.flat_map(|(_, item)| item.as_object().into_iter().flatten()) {
        let Some(used) = operation.1.pointer("/tags/0").and_then(Value::as_str) else { continue };
        if !tags.iter().any(|(name, _)| *name == used) {
            tags.push((used, ""));
        }
    }
    tags
}

fn endpoints<'a>(document: &'a Value, tag: &str) -> Vec<Endpoint<'a>> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for method in METHODS {
            let Some(operation) = item.get(method) else { continue };
            if operation.pointer("/tags/0").and_then(Value::as_str) == Some(tag) {
                found.push(Endpoint { path, method, operation });
            }
        }
    }
    found
}

/// The whole page of an OpenAPI document and these codes of problems.
pub fn render(document: &Value, codes: &[ProblemCode<'_>]) -> String {
    let title = escape(text(&document["info"], "title"));
    let version = escape(text(&document["info"], "version"));
    let (mut nav, mut body) = (String::new(), String::new());
    for (name, about) in tags(document) {
        let all = endpoints(document, name);
        if all.is_empty() {
            continue;
        }
        let shown = escape(name);
        let _ = write!(
            nav,
            "<details open><summary><a href=\"#tag-{shown}\">{shown}</a></summary><ul>"
        );
        let words = prose(about);
        let _ = write!(body, "<section><h2 id=\"tag-{shown}\">{shown}</h2><p>{words}</p>");
        for endpoint in &all {
            let id = escape(text(endpoint.operation, "operationId"));
            let _ = write!(
                nav,
                "<li><a href=\"#{id}\"><b class=\"{0}\">{0}</b> {1}</a></li>",
                endpoint.method,
                escape(endpoint.path.trim_start_matches("/v1"))
            );
            body.push_str(&article(document, endpoint));
        }
        nav.push_str("</ul></details>");
        body.push_str("</section>");
    }
    nav.push_str("<a href=\"#schemas\">schemas</a><a href=\"#problems\">problems</a>");
    body.push_str(&schemas(document));
    body.push_str(&problems(codes));
    let about = paragraphs(text(&document["info"], "description"));
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title} API</title>\
         <link rel=\"stylesheet\" href=\"/docs/style.css\">\
         <script src=\"/docs/search.js\" defer></script></head><body>\
         <a class=\"skip\" href=\"#top\">To the text</a>\
         <nav aria-label=\"Endpoints\"><p class=\"brand\">{title} <small>{version}</small></p>{SEARCH}{nav}</nav>\
         <main id=\"top\"><header><h1>{title} API</h1>{about}\
         <p>Sign in with <code>Authorization: Bearer aip_…</code>. The same as \
         <a href=\"/v1/openapi.json\">OpenAPI 3.1</a>.</p></header>{body}</main></body></html>"
    )
}

fn article(document: &Value, endpoint: &Endpoint<'_>) -> String {
    let operation = endpoint.operation;
    let id = escape(text(operation, "operationId"));
    let mut out = format!(
        "<article id=\"{id}\"><h3><b class=\"{0}\">{0}</b> <code>{1}</code></h3>\
         <p class=\"summary\">{2}</p>{3}",
        endpoint.method,
        escape(endpoint.path),
        prose(text(operation, "summary")),
        paragraphs(text(operation, "description")),
    );
    out.push_str(&parameters(document, operation));
    for (kind, media) in
        operation.pointer("/requestBody/content").and_then(Value::as_object).into_iter().flatten()
    {
        let _ = write!(out, "<h4>Body <small>{}</small></h4>", escape(kind));
        out.push_str(&sample(document, media));
    }
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        // The problems of all endpoints have a section of their own.
        if status == "default" || status.starts_with(['4', '5']) {
            continue;
        }
        let words = prose(text(response, "description"));
        let _ = write!(out, "<h4><span class=\"status\">{status}</span> {words}</h4>");
        for (kind, media) in response["content"].as_object().into_iter().flatten() {
            let _ = write!(out, "<p><small>{}</small></p>", escape(kind));
            out.push_str(&sample(document, media));
        }
    }
    out + "</article>"
}

fn parameters(document: &Value, operation: &Value) -> String {
    let Some(parameters) = operation["parameters"].as_array().filter(|all| !all.is_empty()) else {
        return String::new();
    };
    let mut out =
        "<table><thead><tr><th>Parameter</th><th>In</th><th>Type</th><th></th></tr></thead><tbody>"
            .to_owned();
    for parameter in parameters {
        let must = parameter["required"] == true;
        let mark = if must { " <span class=\"must\">always</span>" } else { "" };
        let _ = write!(
            out,
            "<tr><td><code>{}</code>{mark}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(text(parameter, "name")),
            escape(text(parameter, "in")),
            schema::kind(document, &parameter["schema"]),
            prose(text(parameter, "description")),
        );
    }
    out + "</tbody></table>"
}

/// The type of a body, and an example to unfold.
fn sample(document: &Value, media: &Value) -> String {
    let Some(described) = media.get("schema") else { return String::new() };
    let example = match media.get("example") {
        Some(given) => given.clone(),
        None => schema::example(document, described, 0),
    };
    format!(
        "<p>{}</p><details><summary>Example</summary>{}</details>",
        schema::kind(document, described),
        json(&example)
    )
}

fn schemas(document: &Value) -> String {
    let mut out = "<section><h2 id=\"schemas\">schemas</h2>".to_owned();
    let all = document.pointer("/components/schemas").and_then(Value::as_object);
    for (name, described) in all.into_iter().flatten() {
        let shown = escape(name);
        let _ = write!(out, "<article id=\"schema-{shown}\"><h3><code>{shown}</code></h3>");
        out.push_str(&paragraphs(text(described, "description")));
        out.push_str(&schema::fields(document, described));
        out.push_str("</article>");
    }
    out + "</section>"
}

fn problems(codes: &[ProblemCode<'_>]) -> String {
    let mut out = "<section><h2 id=\"problems\">problems</h2><p>Every refusal is \
        <code>application/problem+json</code> (RFC 9457). Compare <code>code</code>: it has one \
        status and is never renamed.</p><table id=\"problems-table\"><thead><tr><th>Status</th><th>Code</th><th></th>\
        </tr></thead><tbody>"
        .to_owned();
    let mut all: Vec<&ProblemCode<'_>> = codes.iter().collect();
    all.sort_by_key(|code| code.status);
    for code in all {
        let _ = write!(
            out,
            "<tr id=\"problem-{1}\"><td>{0}</td><td><code>{1}</code></td><td>{2}</td></tr>",
            code.status,
            escape(code.code),
            escape(code.title)
        );
    }
    out + "</tbody></table></section>"
}
