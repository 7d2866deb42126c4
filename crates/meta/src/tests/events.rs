//! The outbox by the API: pages, streams, and who sees what.

use std::time::Duration;

use aipress_api::client::ApiClient;
use aipress_api::client::EventStream;
use aipress_api::client::ListQuery;
use aipress_kit::http::Client;
use aipress_kit::http::Endpoint;
use aipress_store::EventInsert;
use aipress_types::ObservedPhase;
use bytes::Bytes;
use serde_json::Value;
use serde_json::json;

use super::harness::Meta;
use super::harness::PATIENCE;
use super::harness::START;
use super::harness::with_json;
use super::shard::observed;

fn client(meta: &Meta, token: &str) -> ApiClient {
    let socket = Endpoint::Unix(meta.folder.path().join("meta.sock"));
    ApiClient::new(Client::new(socket, PATIENCE), "localhost", Some(token.to_owned()))
}

/// Appends events of a kind behind meta's back.
async fn append(meta: &Meta, kind: &str, count: usize) {
    let store = meta.store().await;
    for _ in 0..count {
        let mut txn = store.begin().await.unwrap();
        let event = EventInsert {
            at: START,
            kind: kind.to_owned(),
            tenant: None,
            shard: None,
            account: None,
            data: json!({}),
        };
        txn.event_append(&event).await.unwrap();
        txn.commit().await.unwrap();
    }
    store.close().await;
}

fn kinds(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["kind"].as_str().unwrap()).collect()
}

/// The next event of a stream, however often it breaks.
async fn next(stream: &mut EventStream) -> aipress_api::EventView {
    let patient = async {
        loop {
            match stream.next().await {
                Ok(Some(event)) => return event,
                // Meta restarts.
                Ok(None) | Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, patient).await.expect("an event")
}

#[tokio::test]
async fn what_happens_is_told_in_pages_and_filtered() {
    let meta = Meta::start(2).await;
    let made = meta.made("bakery").await;
    meta.made("florist").await;
    let of_bakery = meta.get("/v1/events?tenant=bakery").await.is(200);
    assert_eq!(
        kinds(&of_bakery.body),
        ["operation.created", "tenant.create", "tenant.state", "operation.succeeded"]
    );
    assert_eq!(of_bakery.body["items"][1]["tenant"], made.body["tenant"]["uid"]);
    assert_eq!(of_bakery.body["items"][1]["data"]["name"], "bakery");
    assert_eq!(of_bakery.body["items"][3]["data"]["kind"], "tenant.create");
    let all = meta.get("/v1/events?limit=500").await.is(200);
    let everything = kinds(&all.body);
    assert!(everything.len() >= 8, "{everything:?}");
    let states = meta.get("/v1/events?kind=tenant.*,shard.health&limit=500").await.is(200);
    let wanted = |kind: &&&str| kind.starts_with("tenant.") || **kind == "shard.health";
    assert_eq!(kinds(&states.body), everything.iter().filter(wanted).copied().collect::<Vec<_>>());

    // Page by page it is the same, and the last cursor goes on.
    let mut paged = Vec::new();
    let mut after = "oldest".to_owned();
    loop {
        let page = meta.get(&format!("/v1/events?limit=3&after={after}")).await.is(200);
        paged.extend(page.body["items"].as_array().unwrap().clone());
        after = page.at("/nextCursor").to_owned();
        if page.body["more"] == false {
            break;
        }
    }
    assert_eq!(json!(paged), all.body["items"]);
    append(&meta, "later", 1).await;
    let later = meta.get(&format!("/v1/events?after={after}")).await.is(200);
    assert_eq!(kinds(&later.body), ["later"]);
    let latest = meta.get("/v1/events?latest=2").await.is(200);
    assert_eq!(kinds(&latest.body)[1], "later");
    assert_eq!(latest.body["nextCursor"], latest.body["items"][1]["id"]);
}

#[tokio::test]
async fn a_cursor_that_is_wrong_or_too_old_says_what_to_do() {
    let meta = Meta::start(1).await;
    append(&meta, "x", 3).await;
    for (query, code) in [
        ("after=999999", "invalid_cursor"),
        ("after=-1", "invalid_cursor"),
        ("after=%2B1", "invalid_cursor"),
        ("after=nonsense", "invalid_cursor"),
        ("after=", "invalid_cursor"),
        ("latest=0", "invalid_query"),
        ("latest=3&after=1", "invalid_query"),
        ("kind=Tenant%20x", "invalid_query"),
        ("kind=", "invalid_query"),
        ("shard=x", "invalid_query"),
        ("tenent=x", "invalid_query"),
    ] {
        meta.get(&format!("/v1/events?{query}")).await.is_problem(400, code);
    }
    meta.get("/v1/events?tenant=nobody").await.is_problem(404, "not_found");
    let store = meta.store().await;
    let mut txn = store.begin().await.unwrap();
    txn.events_sweep(START + time::Duration::days(1), 2).await.unwrap();
    txn.commit().await.unwrap();
    let floor = store.events_floor().await.unwrap();
    store.close().await;
    meta.get("/v1/events?after=1").await.is_problem(410, "cursor_expired");
    let stream = meta.request("GET", "/v1/events").header("accept", "text/event-stream");
    let expired = stream.header("last-event-id", "1").body(Bytes::new()).unwrap();
    meta.call(expired).await.is_problem(410, "cursor_expired");
    meta.get(&format!("/v1/events?after={floor}")).await.is(200);
}

#[tokio::test]
async fn a_stream_misses_nothing_and_tells_nothing_twice_over_restarts() {
    let mut meta = Meta::start(1).await;
    let query = ListQuery::default().with("kind", Some("x.*"));
    let mut stream = client(&meta, &meta.admin).event_stream(&query.with("after", Some("oldest")));
    let mut told = Vec::new();
    let mut said = 0;
    for round in 0..4 {
        append(&meta, &format!("x.live{round}"), 5).await;
        append(&meta, "y", 3).await;
        for _ in 0..5 {
            told.push(next(&mut stream).await);
        }
        meta.stop().await;
        // Longer than the ring has it, or meanwhile: the registry has it.
        append(&meta, &format!("x.down{round}"), 5).await;
        meta.restart().await;
        said += 10;
    }
    while told.len() < said {
        told.push(next(&mut stream).await);
    }
    let page = meta.get("/v1/events?kind=x.*&limit=500").await.is(200);
    assert_eq!(serde_json::to_value(&told).unwrap(), page.body["items"]);
    assert_eq!(stream.cursor(), told.last().map(|event| event.id.as_str()));
}

#[tokio::test]
async fn a_stream_begins_with_what_comes_unless_it_is_told_where() {
    let meta = Meta::start(1).await;
    append(&meta, "old", 3).await;
    let admin = client(&meta, &meta.admin);
    // Without the shard's health: meta looks at it every two seconds and tells of it when it has
    // reported, which may be at any moment of a test.
    let query = || ListQuery::default().with("kind", Some("old,operation.*"));
    let mut fresh = admin.event_stream(&query());
    let mut newest = admin.event_stream(&query().with("latest", Some(1)));
    assert_eq!(next(&mut newest).await.kind, "old");
    // The first frame tells the place, so that the stream is known to be open.
    let opened = async {
        while fresh.cursor().is_none() {
            let opening = tokio::time::timeout(Duration::from_millis(100), fresh.next()).await;
            assert!(opening.is_err(), "what was before is told: {opening:?}");
        }
    };
    tokio::time::timeout(PATIENCE, opened).await.expect("the place of a stream");
    meta.made("bakery").await;
    assert_eq!(next(&mut fresh).await.kind, "operation.created");
    assert_eq!(next(&mut newest).await.kind, "operation.created");
}

#[tokio::test]
async fn nobody_sees_events_of_others() {
    let meta = Meta::start(1).await;
    let owner = meta.member("owner").await;
    let stranger = meta.member("stranger").await;
    let mut streams = Vec::new();
    for token in [&owner, &stranger] {
        let query = ListQuery::default().with("after", Some("oldest"));
        streams.push(client(&meta, token).event_stream(&query));
    }
    let create = meta.request_as(&owner, "POST", "/v1/tenants");
    let made = meta.call(with_json(create, &json!({ "name": "bakery" }))).await.is(202);
    meta.ended(made.at("/operation/id")).await;
    assert_eq!(next(&mut streams[0]).await.data["name"], "bakery");
    let seen = |token: String| {
        let request = meta.request_as(&token, "GET", "/v1/events");
        meta.call(request.body(Bytes::new()).unwrap())
    };
    assert_eq!(seen(owner).await.is(200).body["items"].as_array().unwrap().len(), 4);
    assert_eq!(seen(stranger.clone()).await.is(200).body["items"], json!([]));
    let request = meta.request_as(&stranger, "GET", "/v1/events?tenant=bakery");
    meta.call(request.body(Bytes::new()).unwrap()).await.is_problem(404, "not_found");
    let quiet = tokio::time::timeout(Duration::from_millis(200), streams[1].next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
}

#[tokio::test]
async fn one_caller_cannot_hold_all_streams() {
    let meta = Meta::start(1).await;
    let member = meta.member("greedy").await;
    let open = async |token: &str| {
        let client = Client::new(Endpoint::Unix(meta.folder.path().join("meta.sock")), PATIENCE);
        let request = meta.request_as(token, "GET", "/v1/events");
        let request = request.header("accept", "text/event-stream").body(Bytes::new()).unwrap();
        client.stream(request).await.unwrap()
    };
    let mut held = Vec::new();
    for _ in 0..crate::StreamLimits::default().per_caller {
        let answer = open(&member).await;
        assert_eq!(answer.status(), 200);
        held.push(answer);
    }
    let refused = open(&member).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "5");
    assert_eq!(open(&meta.admin).await.status(), 200);
    // What is closed can be opened again.
    held.clear();
    super::harness::until("a free stream", || async {
        (open(&member).await.status() == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_limit_that_a_site_meets_is_told_once_and_when_it_is_over() {
    let meta = Meta::start(1).await;
    meta.made("bakery").await;
    let shard = &meta.shards[0];
    let intent = shard.intent("bakery", 1).await;
    let report = async |limits: &[&str]| {
        let mut seen = observed(&intent, ObservedPhase::Converged, None);
        seen.limits = limits.iter().map(|words| (*words).to_owned()).collect();
        shard.report(&[seen]).await.is(200);
    };
    let told = async |kind: &str| {
        let page = meta.get(&format!("/v1/events?kind=tenant.limit.{kind}")).await.is(200);
        let items = page.body["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["data"]["message"].as_str().unwrap().to_owned()).collect()
    };
    let told = async || -> (Vec<String>, Vec<String>) { (told("met").await, told("over").await) };
    report(&[]).await;
    assert_eq!(told().await, (vec![], vec![]));
    report(&["disk full"]).await;
    report(&["disk full"]).await;
    report(&["disk full", "out of memory"]).await;
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    assert_eq!(told().await, (words(&["disk full", "out of memory"]), vec![]));
    assert_eq!(meta.get("/v1/tenants/bakery").await.at("/message"), "disk full out of memory");
    report(&["out of memory"]).await;
    report(&[]).await;
    let all = words(&["disk full", "out of memory"]);
    assert_eq!(told().await, (all.clone(), all));
}
