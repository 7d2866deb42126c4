//! Wrong requests get the right problem+json through the edge, and nothing is made.

use aipress_testkit::Answer;
use aipress_testkit::Browser;
use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;
use serde_json::Value;
use serde_json::json;

use crate::options;

/// Slots of a shard (`facts.md`).
const SLOTS: usize = 50;

/// The answer is the problem that it should be.
#[track_caller]
fn is_problem(answer: &Answer, status: u16, code: &str, pointer: Option<&str>) {
    let text = answer.text();
    assert_eq!(answer.status.as_u16(), status, "{text}");
    assert_eq!(answer.header("content-type"), "application/problem+json", "{text}");
    let problem = answer.as_json();
    assert_eq!(problem["status"], status, "{text}");
    assert_eq!(problem["code"], code, "{text}");
    for field in ["type", "title", "detail"] {
        assert!(problem[field].as_str().is_some_and(|words| !words.is_empty()), "{field}: {text}");
    }
    let pointers: Vec<&Value> =
        problem["errors"].as_array().into_iter().flatten().map(|e| &e["pointer"]).collect();
    assert!(pointer.is_none_or(|wanted| pointers.iter().any(|p| **p == wanted)), "{text}");
}

/// All that exists, as the API and the inventory show it.
async fn everything(platform: &Platform) -> (Value, Value, Vec<String>) {
    let mut api = platform.api();
    let tenants = api.get("/v1/tenants?limit=500").await.with_status(200).as_json();
    let operations = api.get("/v1/operations?limit=500").await.with_status(200).as_json();
    let told = platform.cli(&["doctor", "--inventory", "-o", "json"]).await;
    let mut things: Vec<String> = told
        .json()
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|place| place["items"].as_array().cloned().unwrap_or_default())
        // Prepared databases and idle workers come and go by themselves.
        .map(|item| format!("{} {}", item["kind"], item["name"]))
        .filter(|thing| !thing.contains("aipress_spare") && !thing.contains("php worker"))
        .collect();
    things.sort();
    (tenants, operations, things)
}

#[tokio::test]
async fn wrong_requests_get_the_right_problem_and_nothing_is_made() {
    let platform = Platform::start(PlatformOptions { shards: 1, ..options() }).await;
    platform.create("bakery").await;
    platform.has_clean_inventory().await;
    let before = everything(&platform).await;

    names_and_fields(&platform).await;
    bodies(&platform).await;
    tokens(&platform).await;
    by_the_command_line(&platform).await;

    let after = everything(&platform).await;
    assert_eq!(before, after, "something was made");
    all_slots_taken(&platform).await;
}

async fn names_and_fields(platform: &Platform) {
    let mut api = platform.api();
    let long = "a".repeat(41);
    for name in ["ab", &long, "Bakery", "bak_ery", "-bakery", "bakery-", "b.c.d", "bäckerei", ""] {
        let answer = api.json("POST", "/v1/tenants", &json!({"name": name})).await;
        is_problem(&answer, 422, "invalid_fields", Some("/name"));
    }
    for reserved in ["console", "www", "admin", "api", "localhost"] {
        let answer = api.json("POST", "/v1/tenants", &json!({"name": reserved})).await;
        is_problem(&answer, 422, "invalid_fields", Some("/name"));
    }
    let taken = api.json("POST", "/v1/tenants", &json!({"name": "bakery"})).await;
    is_problem(&taken, 409, "name_taken", None);
    for (body, pointer) in [
        (json!({"name": "florist", "colour": "red"}), "/colour"),
        (json!({"name": "florist", "spec": {"teir": "gold"}}), "/spec/teir"),
        (
            json!({"name": "florist", "spec": {"wordpress": {"Title": "x"}}}),
            "/spec/wordpress/Title",
        ),
        (json!({"name": 5}), "/name"),
        (json!({"name": "florist", "spec": []}), "/spec"),
        (json!({"name": "florist", "spec": {"tier": 1}}), "/spec/tier"),
        (json!({"name": "florist", "spec": {"tier": "platinum"}}), "/spec/tier"),
        (json!({"name": "florist", "spec": {"region": "moon"}}), "/spec/region"),
    ] {
        let answer = api.json("POST", "/v1/tenants", &body).await;
        is_problem(&answer, 422, "invalid_fields", Some(pointer));
    }
    for (verb, code) in [("undelete", "invalid_state"), ("erase", "invalid_state")] {
        let answer = api.json("POST", &format!("/v1/tenants/bakery/{verb}"), &json!({})).await;
        is_problem(&answer, 409, code, None);
    }
    is_problem(&api.get("/v1/tenants/nobody").await, 404, "not_found", None);
    is_problem(&api.get("/v1/tenants?colour=red").await, 400, "invalid_query", None);
    is_problem(&api.json("PUT", "/v1/tenants", &json!({})).await, 405, "method_not_allowed", None);
}

async fn bodies(platform: &Platform) {
    let mut api = platform.api();
    let mut post = async |kind: &str, body: Vec<u8>| {
        let headers = [("content-type", kind)];
        api.send("POST", "/v1/tenants", &headers, body).await.unwrap()
    };
    let large = format!("{{\"name\":\"{}\"}}", "a".repeat(10_000_000)).into_bytes();
    is_problem(&post("application/json", large).await, 413, "body_too_large", None);
    is_problem(&post("application/json", b"{".to_vec()).await, 400, "invalid_json", None);
    let form = post("application/x-www-form-urlencoded", b"name=florist".to_vec()).await;
    is_problem(&form, 415, "unsupported_media_type", None);
}

async fn tokens(platform: &Platform) {
    let body = json!({"name": "florist"});
    let wrong = |text: &str| platform.visitor("console").with("authorization", text);
    let admin = std::fs::read_to_string(platform.path("meta/admin-token")).unwrap();
    let cut = format!("Bearer {}", &admin.trim()[1..]);
    let basic = format!("Basic {}", admin.trim());
    let callers: [Browser; 5] = [
        platform.visitor("console"),
        wrong("Bearer"),
        wrong("Bearer aipress_wrong"),
        wrong(&cut),
        wrong(&basic),
    ];
    for mut caller in callers {
        let answer = caller.json("POST", "/v1/tenants", &body).await;
        is_problem(&answer, 401, "unauthenticated", None);
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{:?}", answer.headers);
        is_problem(&caller.get("/v1/tenants/bakery").await, 401, "unauthenticated", None);
    }
}

async fn by_the_command_line(platform: &Platform) {
    platform.cli(&["tenant", "create", "ab"]).await.ended(4);
    platform.cli(&["tenant", "create", "bakery"]).await.ended(4);
    platform.cli(&["tenant", "create", "florist", "--tier", "tin"]).await.ended(2);
    platform.cli(&["tenant", "show", "nobody"]).await.ended(3);
    let told = platform.cli_in(&["tenant", "list"], &[("AIPRESS_TOKEN", "wrong")]).await.ended(5);
    assert!(told.err.contains("--token-file"), "{}", told.err);
}

/// Asked for all at once, which is also a burst: each is made, and one more is refused.
async fn all_slots_taken(platform: &Platform) {
    let begun = std::time::Instant::now();
    let names: Vec<String> = (1..SLOTS).map(|number| format!("site-{number}")).collect();
    for name in &names {
        platform.ask_for(name).await;
    }
    let one_more = json!({"name": "one-more"});
    is_problem(
        &platform.api().json("POST", "/v1/tenants", &one_more).await,
        409,
        "no_capacity",
        None,
    );
    for name in &names {
        platform.reaches(name, "active").await;
    }
    println!("{} sites after {:?}", names.len(), begun.elapsed());
    let told = platform.cli(&["tenant", "create", "one-more"]).await.ended(4);
    assert!(told.err.contains("no"), "{}", told.err);
    assert_eq!(platform.tenant("one-more").await, Value::Null);
    platform.has_clean_inventory().await;
    // A slot that is freed can be had.
    platform.cli(&["tenant", "delete", "site-1", "--yes"]).await.good();
    platform.cli(&["tenant", "create", "one-more"]).await.good();
    platform.visitor("one-more").get("/").await.with_status(200);
    platform.has_clean_inventory().await;
}
