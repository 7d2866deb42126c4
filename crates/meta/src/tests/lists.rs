//! Lists: filtered, sorted, paged by cursors that belong to their list.

use serde_json::Value;
use serde_json::json;

use super::harness::Answer;
use super::harness::Meta;

fn names(answer: &Answer) -> Vec<&str> {
    answer.body["items"].as_array().unwrap().iter().filter_map(|i| i["name"].as_str()).collect()
}

#[tokio::test]
async fn tenants_are_filtered_sorted_and_paged() {
    let meta = Meta::start(2).await;
    for (index, name) in ["ccc", "aaa", "bbb", "baker"].iter().enumerate() {
        let at = super::harness::START + time::Duration::seconds(index as i64);
        meta.clock.set(at);
        let tier = if index == 0 { "gold" } else { "bronze" };
        let body = json!({ "name": name, "spec": { "tier": tier } });
        let made = meta.post("/v1/tenants", body).await.is(202);
        meta.ended(made.at("/operation/id")).await;
    }
    meta.clock.set(super::harness::START + time::Duration::seconds(4));
    meta.done("bbb", "suspend").await;
    let list = async |query: &str| meta.get(&format!("/v1/tenants?{query}")).await.is(200);
    assert_eq!(names(&list("").await), ["aaa", "baker", "bbb", "ccc"]);
    assert_eq!(names(&list("sort=-name").await), ["ccc", "bbb", "baker", "aaa"]);
    assert_eq!(names(&list("sort=createdAt").await), ["ccc", "aaa", "bbb", "baker"]);
    assert_eq!(names(&list("sort=-createdAt").await), ["baker", "bbb", "aaa", "ccc"]);
    assert_eq!(names(&list("sort=-updatedAt&limit=1").await), ["bbb"]);
    assert_eq!(names(&list("state=suspended").await), ["bbb"]);
    assert_eq!(names(&list("state=suspended,active&q=b").await), ["baker", "bbb"]);
    assert_eq!(names(&list("tier=gold").await), ["ccc"]);
    assert_eq!(names(&list("region=us-central1").await).len(), 4);
    assert_eq!(names(&list("region=europe-west1").await).len(), 0);
    let on = |shard: &str| format!("shard=aipress-shard-00{shard}");
    let both = names(&list(&on("1")).await).len() + names(&list(&on("2")).await).len();
    assert_eq!(both, 4);

    let mut seen: Vec<String> = Vec::new();
    let mut query = "sort=-name&limit=3".to_owned();
    let cursor = loop {
        let page = list(&query).await;
        seen.extend(names(&page).into_iter().map(str::to_owned));
        match page.body["nextCursor"].as_str() {
            Some(cursor) => query = format!("sort=-name&limit=3&cursor={cursor}"),
            None => break query,
        }
    };
    assert_eq!(seen, ["ccc", "bbb", "baker", "aaa"]);
    let foreign = cursor.replace("sort=-name", "sort=name");
    let answer = meta.get(&format!("/v1/tenants?{foreign}")).await;
    answer.is_problem(400, "invalid_cursor");
    let filtered = meta.get(&format!("/v1/tenants?{cursor}&state=active")).await;
    filtered.is_problem(400, "invalid_cursor");
    let other = cursor.replace("sort=-name&", "");
    meta.get(&format!("/v1/operations?{other}")).await.is_problem(400, "invalid_cursor");
}

#[tokio::test]
async fn shards_projects_operations_and_audit() {
    let meta = Meta::start(3).await;
    meta.made("bakery").await;
    meta.done("bakery", "suspend").await;
    let ids = |answer: &Answer| -> Vec<Value> {
        answer.body["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect()
    };
    let first = meta.get("/v1/shards?limit=2").await.is(200);
    assert_eq!(ids(&first), ["aipress-shard-001", "aipress-shard-002"]);
    let cursor = first.at("/nextCursor");
    let second = meta.get(&format!("/v1/shards?limit=2&cursor={cursor}")).await.is(200);
    assert_eq!(ids(&second), ["aipress-shard-003"]);
    assert_eq!(second.body.get("nextCursor"), None);
    assert!(ids(&meta.get("/v1/shards?health=unhealthy").await.is(200)).is_empty());
    let projects = meta.get("/v1/projects").await.is(200);
    assert_eq!(ids(&projects).len(), 5);
    let shards = meta.get("/v1/projects?kind=shard").await.is(200);
    assert_eq!(shards.at("/items/0/shard"), "aipress-shard-001");

    let operations = meta.get("/v1/operations?tenant=bakery").await.is(200);
    let kinds: Vec<&str> = operations.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|item| item["kind"].as_str())
        .collect();
    assert_eq!(kinds.len(), 2);
    let failed = meta.get("/v1/operations?state=failed,superseded").await.is(200);
    assert!(ids(&failed).is_empty());
    let audit = meta.get("/v1/audit?tenant=bakery").await.is(200);
    assert_eq!(audit.at("/items/0/action"), "tenant.suspend");
    assert_eq!(audit.at("/items/0/before/desired"), "active");
    assert_eq!(audit.at("/items/0/after/desired"), "suspended");
    assert!(!audit.at("/items/0/requestId").is_empty());
    assert_eq!(ids(&meta.get("/v1/audit?action=tenant.create").await.is(200)).len(), 1);
    assert!(ids(&meta.get("/v1/audit?since=2030-01-01T00:00:00Z").await.is(200)).is_empty());
    meta.get("/v1/audit?since=yesterday").await.is_problem(400, "invalid_query");
    let metrics = meta.get("/v1/metrics").await.is(200);
    for line in [
        "aipress_meta_tenants{state=\"suspended\"} 1",
        "aipress_meta_shards{state=\"healthy\"} 3",
        "aipress_meta_operations_total{kind=\"tenant.create\",outcome=\"succeeded\"} 1",
    ] {
        assert!(metrics.text.contains(line), "{line}\n{}", metrics.text);
    }
}
