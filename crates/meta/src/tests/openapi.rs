//! The document of the API: whole, and true.

use serde_json::Value;

#[test]
fn the_document_is_openapi_3_1_and_each_endpoint_is_described() {
    let document = serde_json::to_value(crate::openapi()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let mut operations = 0;
    let mut ids = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        assert!(path.starts_with("/v1/"), "{path}");
        for (method, operation) in item.as_object().unwrap() {
            operations += 1;
            let at = format!("{method} {path}");
            assert!(!operation["summary"].as_str().unwrap_or("").is_empty(), "{at}");
            assert!(!operation["tags"].as_array().unwrap().is_empty(), "{at}");
            ids.push(operation["operationId"].as_str().unwrap().to_owned());
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.contains_key("default"), "{at}");
            assert!(responses.keys().any(|status| status.starts_with('2')), "{at}");
            let named = |name: &str| {
                operation["parameters"]
                    .as_array()
                    .is_some_and(|all| all.iter().any(|parameter| parameter["name"] == name))
            };
            assert_eq!(named("Idempotency-Key"), method != "get", "{at}");
            for part in path.split('/').filter_map(|part| part.strip_prefix('{')) {
                assert!(named(part.trim_end_matches('}')), "{at}");
            }
            let open = operation["security"] == serde_json::json!([{}]);
            assert_eq!(
                open,
                path == "/v1/health" || path == "/v1/schemas/tenant",
                "{at}: {}",
                operation["security"]
            );
        }
    }
    assert!(operations >= 25);
    let before = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), before, "operation ids differ");
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    let document = serde_json::to_value(crate::openapi()).unwrap();
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 20);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

fn collect(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                into.push(reference.to_owned());
            }
            fields.values().for_each(|field| collect(field, into));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
        _ => {}
    }
}
