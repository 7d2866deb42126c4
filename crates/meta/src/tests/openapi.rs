//! The document of the API: whole, and true.

use serde_json::Value;

use super::harness::Meta;

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
            for always in ["400", "503"] {
                assert!(responses.contains_key(always), "{at}: {always}");
            }
            assert!(!responses.contains_key("default"), "{at}: every status is said");
            assert!(responses.keys().any(|status| status.starts_with('2')), "{at}");
            let named = |name: &str| {
                operation["parameters"]
                    .as_array()
                    .is_some_and(|all| all.iter().any(|parameter| parameter["name"] == name))
            };
            // Done each time that it is asked for: a look, a command, a piece of an upload.
            let each_time = ["/inventory/refresh", "/wp", "/imports/{id}/data"];
            let keyed = method != "get" && !each_time.iter().any(|end| path.ends_with(end));
            assert_eq!(named("Idempotency-Key"), keyed, "{at}");
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

/// An example of a body is one that the wire type takes, and gives again as it is.
#[test]
fn every_body_has_an_example_that_its_type_reads_and_writes() {
    let document = serde_json::to_value(crate::openapi()).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let taken = &operation["requestBody"]["content"];
            let given = operation["responses"].as_object().unwrap().iter();
            let given = given.filter(|(status, _)| status.starts_with('2'));
            let bodies = given.map(|(_, response)| &response["content"]).chain([taken]);
            for content in bodies {
                for (media_type, content) in content.as_object().into_iter().flatten() {
                    let at = format!("{method} {path} {media_type}");
                    let bytes = ["zip", "zstd", "octet-stream", "schema+json"];
                    if bytes.iter().any(|kind| media_type.ends_with(kind)) {
                        continue;
                    }
                    let example = &content["example"];
                    assert!(!example.is_null(), "{at}: an example in examples.json");
                    let schema = &content["schema"];
                    let form = schema["oneOf"].get(0).or(schema["anyOf"].get(0)).unwrap_or(schema);
                    let Some(name) = form["$ref"].as_str() else { continue };
                    let name = name.rsplit('/').next().unwrap();
                    reads(name, example).unwrap_or_else(|error| panic!("{at}, {name}: {error}"));
                    seen.insert(name.to_owned());
                }
            }
        }
    }
    assert!(seen.len() > 30, "{seen:?}");
}

/// Reads an example as its type, and compares what that writes.
fn reads(name: &str, example: &Value) -> Result<(), String> {
    fn same<T>(example: &Value) -> Result<(), String>
    where
        T: serde::de::DeserializeOwned + serde::Serialize,
    {
        let read: T = serde_json::from_value(example.clone()).map_err(|error| error.to_string())?;
        let written = serde_json::to_value(&read).map_err(|error| error.to_string())?;
        lacks_nothing(example, &written)
    }
    use aipress_api::cron::CronView;
    use aipress_api::inventory::InventoryView;
    use aipress_api::mail::MailChangedView;
    use aipress_api::mail::MailListView;
    use aipress_api::mail::MailSelection;
    use aipress_api::mail::MailView;
    use aipress_api::wp::WpCommand;
    use aipress_api::wp::WpLine;
    use aipress_api::*;
    use aipress_types::PackageSpec;
    macro_rules! of {
        ($($name:ident)*) => {
            match name {
                $(stringify!($name) => same::<$name>(example),)*
                _ => match name.strip_prefix("Page_") {
                    Some(item) => reads(item, &example["items"][0]),
                    None => Err("no type of that name is compared: add it here".to_owned()),
                },
            }
        };
    }
    of! {
        Accepted AuditCheckpointsView AuditVerificationView AuditView CloneCreate CronView DeliveryView EventPage ExportAccepted ExportView HealthView
        ImportComplete ImportCreate ImportView InventoryView LogLine LoginLinkCreate LoginLinkView MailChangedView MailListView
        MailSelection MailView
        MeView OperationView PackageFetch PackageView PlanApplied PlanCreate PlanView ProjectView PackageSpec
        RouteView ServerSentEvent ShardPatch ShardView SitePackageUpdate SitePackageView
        TenantCreate TenantDocument TenantPatch
        TenantView WebhookCreate WebhookPatch WebhookRotate WebhookSecretView WebhookView WpCommand
        RotateSecrets WpLine
    }
}

/// Every field of the example is in what was written; defaults may be there beside.
fn lacks_nothing(example: &Value, written: &Value) -> Result<(), String> {
    match (example, written) {
        (Value::Object(fields), Value::Object(found)) => {
            for (name, value) in fields {
                let found = found.get(name).ok_or_else(|| format!("`{name}` is no field"))?;
                lacks_nothing(value, found).map_err(|error| format!("{name}: {error}"))?;
            }
            Ok(())
        }
        (Value::Array(items), Value::Array(found)) if items.len() == found.len() => {
            items.iter().zip(found).try_for_each(|(item, found)| lacks_nothing(item, found))
        }
        (example, written) if example == written => Ok(()),
        (example, written) => Err(format!("{example} became {written}")),
    }
}

/// Whoever sends an example of the document gets no complaint about its form.
#[tokio::test]
async fn every_example_of_a_request_is_taken() {
    let document = serde_json::to_value(crate::openapi()).unwrap();
    let meta = Meta::start(2).await;
    meta.made("bakery").await;
    let url = "http://127.0.0.1:9/hook";
    let webhook = meta.post("/v1/webhooks", serde_json::json!({ "url": url })).await.is(201);
    let mut sent = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let example = &operation["requestBody"]["content"]["application/json"]["example"];
            if example.is_null() {
                continue;
            }
            let id = match path.split('/').nth(2).unwrap() {
                "tenants" => "bakery",
                "shards" => "aipress-shard-001",
                "webhooks" => webhook.at("/webhook/id"),
                _ => "886313e1-3b8a-4372-9b90-0c9aee199e5d",
            };
            let path = path.replace("{id}", id).replace("{name}", "akismet");
            let mut example = example.clone();
            if path == "/v1/tenants" {
                example["name"] = "another".into();
            }
            let request = meta.request("POST", &path).method(method.to_uppercase().as_str());
            let answer = meta.call(super::harness::with_json(request, &example)).await;
            let refused =
                matches!(answer.status, 400 | 415) || answer.body["code"] == "invalid_fields";
            assert!(!refused, "{method} {path} {example}: {} {}", answer.status, answer.text);
            sent += 1;
        }
    }
    assert!(sent > 12, "{sent}");
}

/// Links name operations that there are, their parameters, and fields that the answer has.
#[test]
fn every_link_of_the_document_can_be_followed() {
    let document = serde_json::to_value(crate::openapi()).unwrap();
    let items = document["paths"].as_object().unwrap().values();
    let operations: Vec<&Value> =
        items.flat_map(|item| item.as_object().unwrap().values()).collect();
    let of = |id: &Value| operations.iter().find(|operation| operation["operationId"] == *id);
    let mut followed = std::collections::BTreeSet::new();
    for from in &operations {
        for response in from["responses"].as_object().unwrap().values() {
            let links = response["links"].as_object().into_iter().flatten();
            for (name, link) in links {
                let at = format!("{} -> {name}", from["operationId"]);
                let target = of(&link["operationId"]).unwrap_or_else(|| panic!("{at}"));
                let taken = target["parameters"].as_array().unwrap();
                for (parameter, place) in link["parameters"].as_object().unwrap() {
                    assert!(taken.iter().any(|one| one["name"] == *parameter), "{at}: {parameter}");
                    let place = place.as_str().unwrap();
                    if let Some(pointer) = place.strip_prefix("$response.body#") {
                        let schemas: Vec<&Value> = response["content"]
                            .as_object()
                            .unwrap()
                            .values()
                            .map(|content| &content["schema"])
                            .collect();
                        let has = schemas.iter().any(|schema| has(&document, schema, pointer));
                        assert!(has, "{at}: the answer has no {pointer}");
                    }
                }
                followed.insert(target["operationId"].as_str().unwrap());
            }
        }
    }
    assert!(followed.len() >= 40, "{followed:?}");
}

/// Whether a schema has what a pointer into a body means.
fn has(document: &Value, schema: &Value, pointer: &str) -> bool {
    if let Some(reference) = schema["$ref"].as_str() {
        return has(document, document.pointer(&reference[1..]).unwrap(), pointer);
    }
    let either = ["anyOf", "oneOf", "allOf"].iter().filter_map(|word| schema[*word].as_array());
    if either.flatten().any(|one| has(document, one, pointer)) {
        return true;
    }
    let Some(rest) = pointer.strip_prefix('/') else { return true };
    let (field, rest) = match rest.split_once('/') {
        Some((field, _)) => (field, &rest[field.len()..]),
        None => (rest, ""),
    };
    match field.parse::<usize>() {
        Ok(_) => has(document, &schema["items"], rest),
        Err(_) => schema["properties"].get(field).is_some_and(|field| has(document, field, rest)),
    }
}
