//! Every field of the tenant document, one by one: the table and the schema are about the same fields;
//! each works, or is refused in those words; and what is shown can be put again.

use std::collections::BTreeSet;

use aipress_types::spec::fields::FIELDS;
use aipress_types::spec::fields::Field;
use aipress_types::spec::fields::Standing;
use aipress_types::strict;
use serde_json::Value;
use serde_json::json;

use super::harness::Meta;

/// Fields of a schema that have no fields of their own, and lists.
fn leaves(schema: &Value, root: &Value, at: &str, into: &mut BTreeSet<String>) {
    let reference = schema.get("$ref").and_then(Value::as_str);
    if let Some(reference) = reference {
        let target = root.pointer(reference.strip_prefix('#').unwrap()).unwrap();
        return leaves(target, root, at, into);
    }
    if let Some(fields) = schema.get("properties").and_then(Value::as_object) {
        for (name, field) in fields {
            leaves(field, root, &format!("{at}/{name}"), into);
        }
        return;
    }
    into.insert(at.to_owned());
    if let Some(items) = schema.get("items") {
        let mut below = BTreeSet::new();
        leaves(items, root, &format!("{at}/*"), &mut below);
        // A list of plain values has no fields below.
        below.remove(&format!("{at}/*"));
        into.extend(below);
    }
}

#[test]
fn the_table_and_the_schema_are_about_the_same_fields() {
    let schema = crate::tenant_schema();
    let mut described = BTreeSet::new();
    leaves(&schema, &schema, "", &mut described);
    assert!(described.remove("/status"), "what is printed and not read");
    let listed: BTreeSet<String> = FIELDS.iter().map(|field| field.pointer.to_owned()).collect();
    assert_eq!(listed.len(), FIELDS.len(), "a field is listed twice");
    let missing: Vec<&String> = described.difference(&listed).collect();
    assert!(missing.is_empty(), "in the schema, and not in the table: {missing:?}");
    let gone: Vec<&String> = listed.difference(&described).collect();
    assert!(gone.is_empty(), "in the table, and not in the schema: {gone:?}");
}

/// Fields that take one of some words, with those words.
fn choices(schema: &Value, root: &Value, at: &str, into: &mut Vec<(String, Vec<Value>)>) {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(reference.strip_prefix('#').unwrap()).unwrap();
        return choices(target, root, at, into);
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        into.push((at.to_owned(), words.clone()));
    }
    // What may be left out is the word or null.
    for one in schema.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
        choices(one, root, at, into);
    }
    for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        choices(field, root, &format!("{at}/{name}"), into);
    }
    if let Some(items) = schema.get("items") {
        choices(items, root, &format!("{at}/*"), into);
    }
}

#[tokio::test]
async fn a_word_that_a_field_does_not_take_is_answered_with_those_that_it_takes() {
    let meta = Meta::start(0).await;
    let schema = crate::tenant_schema();
    let mut fields = Vec::new();
    choices(&schema, &schema, "", &mut fields);
    fields.retain(|(at, _)| !at.starts_with("/status"));
    assert!(fields.len() >= 7, "{fields:?}");
    for (at, words) in fields {
        for wrong in [json!("zzz"), json!(7), json!([]), json!({ "zzz": null })] {
            let mut wanted = document("bakery");
            set(&mut wanted, &at, wrong.clone());
            let refused = meta.put("/v1/tenants/bakery", wanted).await;
            refused.is_problem(422, "invalid_fields");
            let (place, detail) = (refused.at("/errors/0/pointer"), refused.at("/errors/0/detail"));
            assert_eq!(place, at.replace('*', "0"));
            let all = words.iter().map(|word| word.as_str().unwrap()).collect::<Vec<_>>();
            let begin = format!("is one of {}", all.join(", "));
            assert!(detail.starts_with(&begin), "{at} = {wrong}: {detail}");
        }
    }
}

fn document(name: &str) -> Value {
    json!({ "apiVersion": "aipress.io/v1", "kind": "Tenant", "metadata": { "name": name } })
}

/// Sets `value` at a field, in a list with one item.
fn set(document: &mut Value, pointer: &str, value: Value) {
    let mut place = document;
    for part in pointer.split('/').skip(1) {
        place = match part {
            "*" => {
                if !place.is_array() {
                    // An item has a name, whatever is asked of it.
                    *place = json!([{ "name": "akismet" }]);
                }
                &mut place[0]
            }
            name => &mut place[name],
        };
    }
    *place = value;
}

fn pointer(field: &Field) -> String {
    field.pointer.replace('*', "0")
}

/// A value of the field that the platform of the test can give.
async fn value_of(meta: &Meta, field: &Field) -> Value {
    match field.pointer {
        "/metadata/account" => meta.get("/v1/me").await.is(200).body["account"].clone(),
        "/spec/region" | "/spec/residency" => json!("us-central1"),
        _ => serde_json::from_str(field.example).unwrap(),
    }
}

/// As `aipress tenant show -o yaml | aipress apply -f -` has it.
fn through_yaml(document: &Value) -> Value {
    let text = serde_yaml_ng::to_string(document).unwrap();
    strict::read(serde_yaml_ng::Deserializer::from_str(&text)).unwrap()
}

/// Puts a document; what is shown then, put again, changes nothing.
async fn comes_back(meta: &Meta, name: &str, document: Value) -> Value {
    let path = format!("/v1/tenants/{name}");
    let put = meta.put(&path, document.clone()).await;
    assert!([200, 202].contains(&put.status), "{document}: {}", put.text);
    meta.ended(put.at("/operation/id")).await;
    let shown = meta.get(&format!("{path}/document")).await.is(200);
    let again = meta.put(&path, through_yaml(&shown.body)).await.is(200);
    let (before, after) = (&shown.body["status"], &again.body["tenant"]);
    assert_eq!(before["generation"], after["generation"], "{}", shown.text);
    assert_eq!(before["etag"], after["etag"], "{}", shown.text);
    let later = meta.get(&format!("{path}/document")).await.is(200);
    assert_eq!(later.body, shown.body);
    shown.body
}

#[tokio::test]
async fn each_field_works_or_is_refused_as_not_available_yet() {
    let meta = Meta::start(1).await;
    for (index, field) in FIELDS.iter().enumerate() {
        let name = match field.pointer {
            "/metadata/name" => "bakery".to_owned(),
            _ => format!("site-{index}"),
        };
        let value = value_of(&meta, field).await;
        let mut wanted = document(&name);
        set(&mut wanted, field.pointer, value.clone());
        match field.standing {
            Standing::Works => {
                let shown = comes_back(&meta, &name, wanted.clone()).await;
                let seen = shown.pointer(&pointer(field)).unwrap_or(&Value::Null);
                // What is so anyway is left out.
                let plain = json!("production");
                assert!(*seen == value || value == plain, "{}: {seen}", field.pointer);
            }
            Standing::NotYet => {
                let refused = meta.put(&format!("/v1/tenants/{name}"), wanted.clone()).await;
                refused.is_problem(422, "invalid_fields");
                let errors = refused.body["errors"].as_array().unwrap();
                let told = errors.iter().find(|error| error["pointer"] == field.pointer);
                let detail =
                    told.unwrap_or_else(|| panic!("{}: {errors:?}", field.pointer))["detail"]
                        .as_str()
                        .unwrap();
                assert!(detail.contains("is not available yet; leave it out"), "{detail}");
                assert!(detail.contains(field.what), "it says what there is instead: {detail}");
                let gone = meta.get(&format!("/v1/tenants/{name}")).await;
                gone.is_problem(404, "not_found");
            }
        }
        // A misspelt one is refused with the name that was meant.
        if let Some((before, last)) = field.pointer.rsplit_once('/')
            && !field.pointer.contains('*')
        {
            let mut odd = document(&name);
            set(&mut odd, &format!("{before}/{last}s1"), value);
            let refused = meta.put(&format!("/v1/tenants/{name}"), odd).await;
            refused.is_problem(422, "invalid_fields");
            assert!(refused.text.contains(&format!("did you mean `{last}`")), "{}", refused.text);
        }
    }
}

#[tokio::test]
async fn values_that_are_not_here_are_refused_with_what_is() {
    let meta = Meta::start(1).await;
    for (field, value, words) in [
        ("/spec/php/version", json!("7.4"), "PHP 8.2 is: ask for that, or leave it out"),
        ("/spec/wordpress/locale", json!("de_DE"), "in wp-admin under Settings, General"),
        ("/spec/environment/kind", json!("staging"), "`aipress tenant clone`"),
    ] {
        let mut wanted = document("bakery");
        set(&mut wanted, field, value);
        let refused = meta.put("/v1/tenants/bakery", wanted).await;
        refused.is_problem(422, "invalid_fields");
        assert_eq!(refused.at("/errors/0/pointer"), field);
        assert!(refused.at("/errors/0/detail").contains(words), "{}", refused.text);
    }
    meta.made("bakery").await;
    let other = json!({ "spec": { "php": { "version": "8.4" } } });
    let refused = meta.patch("/v1/tenants/bakery", other).await;
    refused.is_problem(422, "invalid_fields");
    let same = json!({ "spec": { "php": { "version": "8.2" } } });
    meta.patch("/v1/tenants/bakery", same).await.is(202);
}

/// Values that another reader of YAML may take for something else.
const TEXTS: &[&str] = &[
    "on",
    "no",
    "null",
    "~",
    "1e3",
    "0x10",
    "007",
    "8.20",
    "-1",
    "true",
    "",
    " lead",
    "a: b",
    "#x",
    "'",
    "\"",
    "- a",
    "&a",
    "*a",
    "!t",
    "%",
    "@",
    "`",
    "2026-11-21",
    "1_000",
    ".inf",
    "é\u{301}",
    "line\nline",
    "tab\there",
    "{a}",
    "[a]",
    "|",
    ">",
    "?",
];

#[tokio::test]
async fn documents_of_many_fields_come_back_as_they_were() {
    let meta = Meta::start(1).await;
    let works: Vec<&Field> = FIELDS
        .iter()
        .filter(|field| field.standing == Standing::Works && field.pointer.matches('/').count() > 1)
        .filter(|field| field.pointer != "/metadata/name")
        .collect();
    // The same at each run: a linear congruential generator (Knuth, MMIX).
    let mut seed = 42_u64;
    let mut draw = |most: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % most
    };
    for round in 0..40 {
        let name = format!("many-{round}");
        let mut wanted = document(&name);
        for field in &works {
            if draw(3) > 0 {
                let value = value_of(&meta, field).await;
                set(&mut wanted, field.pointer, value);
            }
        }
        let (text, other) = (TEXTS[draw(TEXTS.len())], TEXTS[round % TEXTS.len()]);
        wanted["spec"]["env"] = json!({ "A": text, "SHOP_MODE": other });
        if !text.is_empty() && !text.contains(['\n', '\t']) {
            wanted["metadata"]["displayName"] = json!(text);
        }
        // Gold has workers to ask for.
        wanted["spec"]["tier"] = json!("gold");
        wanted["spec"]["runtime"] =
            json!({ "minInstances": draw(3), "maxInstances": 2 + draw(15) });
        let shown = comes_back(&meta, &name, wanted.clone()).await;
        assert_eq!(shown["spec"]["env"], wanted["spec"]["env"]);
    }
}
