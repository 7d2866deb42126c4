//! Schemas in words: what type a value has, which fields, and an example of it.

use std::fmt::Write;

use serde_json::Map;
use serde_json::Value;

use super::escape;
use super::prose;

/// Levels of an example that is made up.
const DEPTH: u32 = 6;

/// Where a reference leads, and its name.
fn named<'a>(document: &'a Value, schema: &'a Value) -> Option<(&'a str, &'a Value)> {
    let reference = schema.get("$ref")?.as_str()?;
    let target = document.pointer(reference.strip_prefix('#')?)?;
    Some((reference.rsplit('/').next()?, target))
}

/// The type of a value, with links to schemas.
pub(super) fn kind(document: &Value, schema: &Value) -> String {
    if let Some((name, _)) = named(document, schema) {
        return format!("<a href=\"#schema-{0}\">{0}</a>", escape(name));
    }
    for word in ["oneOf", "anyOf", "allOf"] {
        if let Some(several) = schema.get(word).and_then(Value::as_array) {
            let mut kinds: Vec<String> =
                several.iter().map(|schema| kind(document, schema)).collect();
            kinds.dedup();
            return kinds.join(" or ");
        }
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        let words = words.iter().map(|word| format!("<code>{}</code>", escape(&plain(word))));
        return words.collect::<Vec<_>>().join(" ");
    }
    let names: Vec<&str> = match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => return "anything".to_owned(),
    };
    let mut out: Vec<String> = Vec::new();
    for name in names {
        out.push(match name {
            "array" => match schema.get("items") {
                Some(items) => format!("list of {}", kind(document, items)),
                None => "list".to_owned(),
            },
            "string" => match schema.get("format").and_then(Value::as_str) {
                Some(format) => format!("string ({})", escape(format)),
                None => "string".to_owned(),
            },
            other => escape(other),
        });
    }
    out.join(" or ")
}

/// A table of an object's fields; the type alone of anything else.
pub(super) fn fields(document: &Value, schema: &Value) -> String {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return format!("<p>{}</p>", kind(document, schema));
    };
    let required = schema.get("required").and_then(Value::as_array);
    let is_required =
        |name: &str| required.is_some_and(|all| all.iter().any(|other| other == name));
    let mut out =
        "<table><thead><tr><th>Field</th><th>Type</th><th></th></tr></thead><tbody>".to_owned();
    for (name, field) in properties {
        let mark = if is_required(name) { " <span class=\"must\">always</span>" } else { "" };
        let words = field.get("description").and_then(Value::as_str).unwrap_or("");
        let _ = write!(
            out,
            "<tr><td><code>{}</code>{mark}</td><td>{}</td><td>{}</td></tr>",
            escape(name),
            kind(document, field),
            prose(words)
        );
    }
    out + "</tbody></table>"
}

/// An example of a value: the one that is given, or one made up.
pub(super) fn example(document: &Value, schema: &Value, depth: u32) -> Value {
    if let Some(given) = schema.get("example").or_else(|| schema.pointer("/examples/0")) {
        return given.clone();
    }
    if depth >= DEPTH {
        return Value::Null;
    }
    if let Some((_, target)) = named(document, schema) {
        return example(document, target, depth + 1);
    }
    for word in ["oneOf", "anyOf", "allOf"] {
        let several = schema.get(word).and_then(Value::as_array);
        let told = |schema: &&Value| schema.get("type").and_then(Value::as_str) != Some("null");
        if let Some(first) = several.and_then(|several| several.iter().find(told)) {
            return example(document, first, depth + 1);
        }
    }
    if let Some(word) = schema.pointer("/enum/0").or_else(|| schema.get("default")) {
        return word.clone();
    }
    let name = match schema.get("type") {
        Some(Value::Array(names)) => names.first().and_then(Value::as_str),
        Some(name) => name.as_str(),
        None => None,
    };
    match (name, schema.get("format").and_then(Value::as_str)) {
        (Some("string"), Some("uuid")) => "0b7d1c5e-52a9-4c1c-9a6c-6c1d1f7a3b10".into(),
        (Some("string"), Some("date-time")) => "2026-11-21T12:00:00Z".into(),
        (Some("string"), _) => "…".into(),
        (Some("integer" | "number"), _) => 1.into(),
        (Some("boolean"), _) => true.into(),
        (Some("array"), _) => {
            let items = schema.get("items").map(|items| example(document, items, depth + 1));
            Value::Array(items.into_iter().collect())
        }
        (Some("object") | None, _) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let made = |(name, field): (&String, &Value)| {
                (name.clone(), example(document, field, depth + 1))
            };
            Value::Object(properties.map_or_else(Map::new, |all| all.iter().map(made).collect()))
        }
        _ => Value::Null,
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
