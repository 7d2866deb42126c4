//! The tenant document: put, shown, put again; and its schema.

use serde_json::Value;
use serde_json::json;

use super::harness::Meta;
use super::harness::with_json;

fn document(name: &str, metadata: Value, spec: Value) -> Value {
    let mut document = json!({
        "apiVersion": "aipress.io/v1", "kind": "Tenant", "metadata": { "name": name }, "spec": spec,
    });
    for (key, value) in metadata.as_object().unwrap() {
        document["metadata"][key] = value.clone();
    }
    document
}

#[tokio::test]
async fn a_document_makes_a_site_and_what_is_shown_changes_nothing() {
    let meta = Meta::start(1).await;
    let metadata = json!({ "displayName": "Crumbs Bakery", "labels": { "team": "shops" } });
    let spec = json!({ "tier": "silver", "wordpress": { "title": "Crumbs" } });
    let wanted = document("bakery", metadata.clone(), spec.clone());
    let made = meta.put("/v1/tenants/bakery", wanted.clone()).await.is(202);
    assert_eq!(made.at("/operation/kind"), "tenant.create");
    assert_eq!(meta.ended(made.at("/operation/id")).await.at("/state"), "succeeded");

    let shown = meta.get("/v1/tenants/bakery/document").await.is(200);
    assert_eq!(shown.at("/metadata/displayName"), "Crumbs Bakery");
    assert_eq!(shown.at("/metadata/labels/team"), "shops");
    assert_eq!(shown.body["spec"], json!({ "tier": "silver", "wordpress": { "title": "Crumbs" } }));
    assert_eq!(shown.at("/status/state"), "active");
    assert_eq!(shown.header("etag"), format!("\"{}\"", shown.at("/status/etag")));

    for again in [wanted, shown.body.clone()] {
        let same = meta.put("/v1/tenants/bakery", again).await.is(200);
        assert_eq!(same.at("/operation/state"), "succeeded");
        assert_eq!(same.body["tenant"]["generation"], 1);
        assert_eq!(same.at("/tenant/etag"), shown.at("/status/etag"));
    }
}

#[tokio::test]
async fn a_document_replaces_all_but_what_is_set_once() {
    let meta = Meta::start(1).await;
    let metadata = json!({ "displayName": "Crumbs", "labels": { "team": "shops", "env": "prod" } });
    let spec = json!({ "tier": "gold", "region": "us-central1", "wordpress":
        { "title": "Crumbs", "version": "6.8", "adminEmail": "a@example.org" } });
    let made = meta.put("/v1/tenants/bakery", document("bakery", metadata, spec)).await.is(202);
    meta.ended(made.at("/operation/id")).await;

    let labels = json!({ "labels": { "team": "cakes" } });
    let changed =
        meta.put("/v1/tenants/bakery", document("bakery", labels.clone(), json!({}))).await.is(202);
    assert_eq!(changed.body["tenant"]["metadata"], labels);
    let expected = json!({ "tier": "bronze", "region": "us-central1", "wordpress":
        { "title": "Crumbs", "adminEmail": "a@example.org" } });
    assert_eq!(changed.body["tenant"]["spec"], expected);
    meta.ended(changed.at("/operation/id")).await;

    for (document, pointer) in [
        (document("other", json!({}), json!({})), "/metadata/name"),
        (
            document("bakery", json!({ "account": uuid::Uuid::nil() }), json!({})),
            "/metadata/account",
        ),
        (document("bakery", json!({}), json!({ "region": "europe-west1" })), "/spec/region"),
        (
            document("bakery", json!({}), json!({ "wordpress": { "title": "x" } })),
            "/spec/wordpress/title",
        ),
        (document("bakery", json!({ "labels": { "": "x" } }), json!({})), "/metadata/labels/"),
        (document("bakery", json!({ "lables": {} }), json!({})), "/metadata/lables"),
        (
            json!({ "apiVersion": "aipress.io/v2", "kind": "Tenant", "metadata": { "name": "x" } }),
            "/apiVersion",
        ),
        (
            json!({ "apiVersion": "aipress.io/v1", "kind": "Shop", "metadata": { "name": "x" } }),
            "/kind",
        ),
    ] {
        let answer = meta.put("/v1/tenants/bakery", document.clone()).await;
        answer.is_problem(422, "invalid_fields");
        let found = answer.body["errors"].as_array().unwrap();
        assert!(
            found.iter().any(|error| error["pointer"] == pointer),
            "{document}: {}",
            answer.text
        );
    }
}

#[tokio::test]
async fn conditions_strangers_and_deleted_sites() {
    let meta = Meta::start(1).await;
    let plain = document("bakery", json!({}), json!({}));
    let conditional =
        |etag: &str| meta.request("PUT", "/v1/tenants/bakery").header("if-match", etag);
    let absent = meta.call(with_json(conditional("*"), &plain)).await;
    absent.is_problem(412, "etag_mismatch");
    let new = || meta.request("PUT", "/v1/tenants/bakery").header("if-none-match", "*");
    let made = meta.call(with_json(new(), &plain)).await.is(202);
    meta.ended(made.at("/operation/id")).await;
    meta.call(with_json(conditional("\"old\""), &plain)).await.is_problem(412, "etag_mismatch");
    let exists = meta.call(with_json(new(), &plain)).await;
    exists.is_problem(412, "etag_mismatch");
    assert!(exists.at("/detail").contains("it exists"), "{}", exists.text);
    let both = meta.call(with_json(new().header("if-match", "*"), &plain)).await;
    both.is_problem(400, "bad_request");
    for wrong in ["\"an-etag\"", "", "*, *"] {
        let request = meta.request("PUT", "/v1/tenants/bakery").header("if-none-match", wrong);
        meta.call(with_json(request, &plain)).await.is_problem(400, "bad_request");
    }
    // The same holds for whatever changes a site that is there.
    let request = meta.request("POST", "/v1/tenants/bakery/suspend").header("if-none-match", "*");
    meta.call(with_json(request, &json!({}))).await.is_problem(412, "etag_mismatch");

    let stranger = meta.member("stranger").await;
    let request = meta.request_as(&stranger, "PUT", "/v1/tenants/bakery");
    meta.call(with_json(request, &plain)).await.is_problem(409, "name_taken");
    let request = meta.request_as(&stranger, "GET", "/v1/tenants/bakery/document");
    let unseen = meta.call(request.body(bytes::Bytes::new()).unwrap()).await;
    unseen.is_problem(404, "not_found");

    meta.done("bakery", "delete").await;
    meta.put("/v1/tenants/bakery", plain).await.is_problem(409, "invalid_state");
    let wrong = document("console", json!({}), json!({}));
    let wrong = meta.put("/v1/tenants/console", wrong).await;
    wrong.is_problem(422, "invalid_fields");
    assert_eq!(wrong.at("/errors/0/pointer"), "/metadata/name");
}

#[tokio::test]
async fn of_many_who_make_one_name_at_once_one_does() {
    let meta = Meta::start(1).await;
    let titled =
        |title: &str| document("bakery", json!({}), json!({ "wordpress": { "title": title } }));
    let bodies: Vec<Value> = (0..12).map(|number| titled(&format!("Of {number}"))).collect();
    let puts = bodies.iter().map(|body| {
        let new = meta.request("PUT", "/v1/tenants/bakery").header("if-none-match", "*");
        meta.call(with_json(new, body))
    });
    let answers = futures_util::future::join_all(puts).await;
    let made: Vec<_> = answers.iter().filter(|answer| answer.status == 202).collect();
    assert_eq!(made.len(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 202) {
        answer.is_problem(412, "etag_mismatch");
    }
    meta.ended(made[0].at("/operation/id")).await;
    let shown = meta.get("/v1/tenants/bakery/document").await.is(200);
    assert_eq!(
        shown.at("/spec/wordpress/title"),
        made[0].at("/tenant/spec/wordpress/title"),
        "nobody wrote over it"
    );
    assert_eq!(shown.body["status"]["generation"], 1);
}

#[tokio::test]
async fn labels_change_at_once_and_find_sites() {
    let meta = Meta::start(1).await;
    let made = meta
        .post("/v1/tenants", json!({ "name": "one", "metadata": { "labels": { "team": "a" } } }));
    meta.ended(made.await.is(202).at("/operation/id")).await;
    meta.made("two").await;
    let labelled = meta
        .patch("/v1/tenants/two", json!({ "metadata": { "labels": { "team": "b", "x": "" } } }));
    let labelled = labelled.await.is(200);
    assert_eq!(labelled.at("/operation/state"), "succeeded");
    assert_eq!(labelled.body["tenant"]["generation"], 1, "nothing of it reaches the site");
    let names = async |query: &str| {
        let page = meta.get(&format!("/v1/tenants?{query}")).await.is(200);
        let items = page.body["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("label=team=a").await, ["one"]);
    assert_eq!(names("label=team=b,x=").await, ["two"]);
    assert_eq!(names("label=team=a&label=x=").await, [""; 0]);
    meta.get("/v1/tenants?label=team").await.is_problem(400, "invalid_query");
    meta.patch("/v1/tenants/two", json!({})).await.is_problem(422, "invalid_fields");
    let events = meta.get("/v1/audit?action=tenant.update").await;
    assert_eq!(events.at("/items/0/after/metadata/labels/team"), "b");
}

#[tokio::test]
async fn the_schema_is_the_one_that_is_checked_in() {
    let meta = Meta::start(0).await;
    let request = http::Request::get("/v1/schemas/tenant").body(bytes::Bytes::new()).unwrap();
    let served = meta.call(request).await.is(200);
    assert_eq!(served.header("content-type"), "application/schema+json");
    let checked_in: Value =
        serde_json::from_str(include_str!("../../../../schema/tenant.json")).unwrap();
    assert_eq!(served.body, checked_in, "stale: run `make generate`");
    let mut references = Vec::new();
    references_of(&checked_in, &mut references);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(checked_in.pointer(pointer).is_some(), "{reference}");
    }
    assert_eq!(checked_in["additionalProperties"], false);
}

fn references_of(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            into.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| references_of(field, into));
        }
        Value::Array(items) => items.iter().for_each(|item| references_of(item, into)),
        _ => {}
    }
}
