//! What the operator of a site should know of an archive's document: whoever made the archive wrote
//! it, and the new site is made by it.

use serde_json::Value;

use crate::inspect::Finding;
use crate::inspect::Level;

/// Words of a document by which a measure that every site has does not hold.
pub const WEAKER: &[(&str, &str)] = &[
    ("xmlrpc", "full"),
    ("userEnumeration", "true"),
    ("fileEditing", "true"),
    ("unfilteredHtml", "editors"),
    ("headers", "false"),
    ("applicationPasswords", "always"),
    ("phpInUploads", "true"),
];

/// Failed sign-ins that pass by default.
const ATTEMPTS: u64 = 5;

/// The tier of a site that asks for none.
const TIER: &str = "bronze";

/// Findings about a spec, in the words of a tenant's document.
pub fn findings(spec: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    let weaker = weaker(spec.get("security").unwrap_or(&Value::Null));
    if !weaker.is_empty() {
        found.push(Finding::new(
            Level::Warning,
            "document_security",
            format!(
                "its document makes the site weaker than others are: {}; `tenant update` changes it",
                weaker.join(", ")
            ),
        ));
    }
    let taken = taken(spec);
    if !taken.is_empty() {
        found.push(Finding::new(
            Level::Note,
            "document",
            format!("taken from its document: {}", taken.join("; ")),
        ));
    }
    found
}

/// Measures that hold for every site, and not for this one.
fn weaker(asked: &Value) -> Vec<String> {
    let mut weaker: Vec<String> = WEAKER
        .iter()
        .filter(|(key, word)| asked.get(key).is_some_and(|value| said(value) == *word))
        .map(|(key, word)| format!("security.{key} {word}"))
        .collect();
    if let Some(attempts) = asked
        .get("loginAttempts")
        .and_then(Value::as_u64)
        .filter(|count| *count == 0 || *count > ATTEMPTS)
    {
        weaker.push(format!("security.loginAttempts {attempts}"));
    }
    weaker
}

/// A word of a document as its author wrote it.
fn said(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What is otherwise than in a site that asks for nothing. Values of variables may be secrets,
/// whatever they ought to be: their names are told.
fn taken(spec: &Value) -> Vec<String> {
    let mut taken = Vec::new();
    let Value::Object(all) = spec else { return taken };
    let tier = all.get("tier").and_then(Value::as_str).filter(|tier| *tier != TIER);
    taken.extend(tier.map(|tier| format!("tier {tier}")));
    if let Some(env) = all.get("env").and_then(Value::as_object).filter(|env| !env.is_empty()) {
        let names: Vec<&str> = env.keys().map(String::as_str).collect();
        taken.push(format!("env {}", names.join(", ")));
    }
    let told = ["tier", "env", "security", "wordpress"];
    let mut rest: Vec<String> = all
        .iter()
        .filter(|(key, _)| !told.contains(&&***key))
        .map(|(key, value)| match value {
            Value::String(text) => format!("{key} {text}"),
            _ => key.clone(),
        })
        .collect();
    rest.sort();
    taken.append(&mut rest);
    taken
}
