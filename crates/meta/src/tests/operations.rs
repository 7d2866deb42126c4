//! Operations: their streams, their ends, and that a change is whole or not there.

use std::collections::BTreeSet;

use aipress_kit::http::Client;
use aipress_kit::http::Endpoint;
use aipress_store::AuditFilter;
use aipress_store::EventFilter;
use aipress_store::OperationFilter;
use aipress_store::PageRequest;
use aipress_store::Store;
use aipress_store::StoreOptions;
use aipress_store::TenantFilter;
use aipress_store::TenantSort;
use aipress_types::ObservedPhase;
use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use super::harness::Meta;
use super::harness::PATIENCE;
use super::harness::START;
use super::shard::Behaviour;
use super::shard::observed;

/// The events of a stream that ends: id, kind, operation.
fn events(text: &str) -> Vec<(u64, String, Value)> {
    text.split("\n\n")
        .filter(|block| block.contains("data:"))
        .map(|block| {
            let field = |name: &str| {
                let line = block.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or_else(|| panic!("{name} in {block}")).trim().to_owned()
            };
            let data: Value = serde_json::from_str(&field("data:")).unwrap();
            let id: u64 = field("id:").parse().unwrap();
            assert_eq!(data["seq"], id);
            assert_eq!(data["kind"], field("event:"));
            (id, field("event:"), data["operation"].clone())
        })
        .collect()
}

#[tokio::test]
async fn a_stream_tells_all_ends_with_the_operation_and_resumes_where_it_broke() {
    let meta = Meta::start(1).await;
    let shard = &meta.shards[0];
    shard.behave(Behaviour::Hold);
    let made = meta.post("/v1/tenants", json!({ "name": "bakery" })).await.is(202);
    let path = format!("/v1/operations/{}/events", made.at("/operation/id"));
    // Followed while it goes on.
    let client = Client::new(Endpoint::Unix(meta.folder.path().join("meta.sock")), PATIENCE);
    let live = client.stream(meta.request("GET", &path).body(Bytes::new()).unwrap()).await.unwrap();
    assert_eq!(live.headers()["content-type"], "text/event-stream");
    let intent = shard.intent("bakery", 1).await;
    shard.report(&[observed(&intent, ObservedPhase::Converging, None)]).await.is(200);
    shard.converge(&intent).await.is(200);
    let body = tokio::time::timeout(PATIENCE, live.into_body().collect()).await.unwrap().unwrap();
    let told = events(std::str::from_utf8(&body.to_bytes()).unwrap());
    let numbers: Vec<u64> = told.iter().map(|(id, _, _)| *id).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert_eq!(told[0].2["state"], "pending");
    let last = told.last().unwrap();
    assert_eq!((last.1.as_str(), &last.2["state"]), ("state", &json!("succeeded")));
    assert_eq!(last.2["url"], "http://bakery.localhost:8080");

    // Followed afterwards: the same, from the beginning and from the middle.
    assert_eq!(events(&meta.get(&path).await.text), told);
    let resume = async |last: &str| {
        let request = meta.request("GET", &path).header("last-event-id", last);
        meta.call(request.body(Bytes::new()).unwrap()).await
    };
    assert_eq!(events(&resume("2").await.text), told[2..]);
    assert!(events(&resume(&last.0.to_string()).await.text).is_empty());
    resume("x").await.is_problem(400, "invalid_query");
}

#[tokio::test]
async fn a_draining_meta_lets_go_of_its_streams() {
    let mut meta = Meta::start(1).await;
    meta.shards[0].behave(Behaviour::Hold);
    let made = meta.post("/v1/tenants", json!({ "name": "bakery" })).await.is(202);
    let path = format!("/v1/operations/{}/events", made.at("/operation/id"));
    let client = Client::new(Endpoint::Unix(meta.folder.path().join("meta.sock")), PATIENCE);
    let request = meta.request("GET", &path).body(Bytes::new()).unwrap();
    let live = client.stream(request).await.unwrap();
    let begun = std::time::Instant::now();
    meta.stop().await;
    assert!(begun.elapsed() < std::time::Duration::from_secs(5));
    live.into_body().collect().await.unwrap();
}

#[tokio::test]
async fn a_change_is_whole_or_not_there() {
    let mut meta = Meta::start_with(&[50]).await;
    meta.shards[0].behave(Behaviour::Hold);
    meta.stop().await;
    // A registry that fills up in the middle of some change: the fault is the disk's.
    let path = meta.folder.path().join("registry.db");
    let mut options = StoreOptions::new(&path, Uuid::new_v4());
    let pages = u32::try_from(std::fs::metadata(&path).unwrap().len() / 4096).unwrap();
    options.max_pages = Some(pages + 12);
    let store = Store::open(options).await.unwrap();
    let plane = super::plane::over(store.clone(), &meta).await;
    let admin = store.user_list(None).await.unwrap().remove(0);
    let account = store.account_fetch(admin.account).await.unwrap().unwrap();
    let token = store.token_list(admin.id).await.unwrap().remove(0);
    let caller = crate::policy::Caller { user: admin, account, token };
    let (mut made, mut refused) = (BTreeSet::new(), 0);
    for number in 0..40 {
        let name = format!("site-{number}");
        let scope = super::plane::scope(&plane, &caller);
        let body = serde_json::from_value(json!({ "name": name })).unwrap();
        match crate::app::tenant::create::create(&scope, body).await {
            Ok(_) => {
                made.insert(name);
            }
            Err(error) => {
                assert_eq!(error.code(), "registry_unavailable", "{error:?}");
                refused += 1;
            }
        }
    }
    assert!(!made.is_empty() && refused > 0, "{} made, {refused} refused", made.len());
    let count = made.len();
    let tenants = store
        .tenant_list(&TenantFilter::default(), TenantSort::default(), &PageRequest::first(100))
        .await
        .unwrap();
    let found: BTreeSet<String> = tenants.items.iter().map(|t| t.name.to_string()).collect();
    assert_eq!(found, made);
    let operations =
        store.operation_list(&OperationFilter::default(), &PageRequest::first(100)).await.unwrap();
    assert_eq!(operations.items.len(), count);
    let audit = store.audit_list(&AuditFilter::default(), &PageRequest::first(100)).await.unwrap();
    assert_eq!(audit.items.len(), count);
    let filter = EventFilter { kinds: vec!["tenant.create".to_owned()], ..EventFilter::default() };
    assert_eq!(store.events_after(0, &filter, 100).await.unwrap().len(), count);
    assert_eq!(store.routes_snapshot().await.unwrap().routes.len(), count);
    store.close().await;
}

#[tokio::test]
async fn an_operation_waits_for_living_edges_and_not_for_dead_ones() {
    let meta = Meta::start(1).await;
    let socket = meta.folder.path().join("internal.sock");
    let poll = async |after: u64, wait: u64| {
        let path = format!("/internal/v1/routes?after={after}&waitMs={wait}");
        let request = super::harness::role_request("edge", "GET", &path);
        super::harness::send(&socket, request.body(Bytes::new()).unwrap()).await.unwrap().is(200)
    };
    // The edge is there and has nothing.
    poll(0, 0).await;
    let shard = &meta.shards[0];
    shard.behave(Behaviour::Hold);
    let made = meta.post("/v1/tenants", json!({ "name": "bakery" })).await.is(202);
    let intent = shard.intent("bakery", 1).await;
    let starting = poll(0, 5_000).await;
    assert_eq!(starting.at("/routes/0/state"), "starting");
    shard.converge(&intent).await.is(200);
    let operation = format!("/v1/operations/{}", made.at("/operation/id"));
    let waiting = meta.get(&operation).await;
    assert_eq!(waiting.at("/state"), "running", "{}", waiting.text);
    let serving = poll(starting.body["seq"].as_u64().unwrap(), 5_000).await;
    assert_eq!(serving.at("/routes/0/state"), "serving");
    // Its next question acknowledges.
    poll(serving.body["seq"].as_u64().unwrap(), 0).await;
    assert_eq!(meta.ended(made.at("/operation/id")).await.at("/state"), "succeeded");

    // It asks no more: a second at most.
    shard.behave(Behaviour::Converge);
    let begun = std::time::Instant::now();
    meta.made("florist").await;
    assert!(begun.elapsed() >= std::time::Duration::from_secs(1));
    meta.clock.set(START);
}
