//! The JSON Schema (2020-12) of the tenant document, made from the wire types themselves: what the
//! API takes and what editors are told cannot differ.

use std::collections::BTreeSet;

use aipress_api::TenantDocument;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use utoipa::PartialSchema;
use utoipa::ToSchema;

/// Where the schema says it lives; a name, nothing is fetched from there.
const ID: &str = "https://aipress.io/schemas/v1/tenant.json";
/// How OpenAPI refers to a schema, and how a JSON Schema does.
const REFERENCES: (&str, &str) = ("#/components/schemas/", "#/$defs/");

/// The schema of the tenant document.
pub fn tenant_schema() -> Value {
    let mut named = Vec::new();
    TenantDocument::schemas(&mut named);
    let mut all: Map<String, Value> = named
        .into_iter()
        .map(|(name, schema)| (name, serde_json::to_value(schema).unwrap_or_default()))
        .collect();
    let mut root = serde_json::to_value(TenantDocument::schema()).unwrap_or_default();
    rewrite(&mut root);
    all.values_mut().for_each(rewrite);
    let mut used = BTreeSet::new();
    collect(&root, &all, &mut used);
    let definitions: Map<String, Value> = used
        .into_iter()
        .filter_map(|name| all.remove(&name).map(|schema| (name, schema)))
        .collect();
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "AIPress tenant",
    });
    if let (Some(schema), Value::Object(root)) = (schema.as_object_mut(), root) {
        schema.extend(root);
        schema.insert("$defs".to_owned(), Value::Object(definitions));
    }
    schema
}

/// Makes references lead to `$defs`.
fn rewrite(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get_mut("$ref") {
                *reference = reference.replace(REFERENCES.0, REFERENCES.1);
            }
            fields.values_mut().for_each(rewrite);
        }
        Value::Array(items) => items.iter_mut().for_each(rewrite),
        _ => {}
    }
}

/// The names of all definitions that `schema` needs.
fn collect(schema: &Value, all: &Map<String, Value>, used: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            let name = fields
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|reference| reference.strip_prefix(REFERENCES.1));
            if let Some(name) = name
                && used.insert(name.to_owned())
                && let Some(definition) = all.get(name)
            {
                collect(definition, all, used);
            }
            fields.values().for_each(|field| collect(field, all, used));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, all, used)),
        _ => {}
    }
}
