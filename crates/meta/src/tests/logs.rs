//! A site's log: who reads it, what its shard is asked, pages, and following.

use aipress_api::LogLine;
use aipress_api::LogSource;
use aipress_api::Severity;
use aipress_kit::http::Client;
use aipress_kit::http::Endpoint;
use bytes::Bytes;
use http_body_util::BodyExt;
use uuid::Uuid;

use super::harness::Meta;
use super::harness::START;
use super::shard::Behaviour;

const PATH: &str = "/v1/tenants/bakery/logs";

fn line(number: u32) -> LogLine {
    LogLine {
        id: format!("17952695091234{number:02}-php"),
        time: "2026-11-21T13:58:29.123456Z".to_owned(),
        tenant_id: Uuid::nil(),
        region: "local".to_owned(),
        service: "php".to_owned(),
        severity: Severity::Warning,
        source: LogSource::Php,
        message: format!("line {number}\nof two"),
        request_id: None,
        file: None,
        line: None,
        dropped: None,
        request: None,
    }
}

fn micros(seconds_before: i64) -> u64 {
    u64::try_from((START.unix_timestamp() - seconds_before) * 1_000_000).unwrap()
}

#[tokio::test]
async fn the_shard_is_asked_for_what_the_query_says() {
    let meta = Meta::start(1).await;
    meta.made("bakery").await;
    let query = "since=15m&until=1970-01-01T00:00:01Z&level=error&source=php,slow&source=mail\
                 &contains=a%20b&order=oldest&limit=7";
    meta.get(&format!("{PATH}?{query}")).await.is(200);
    let asked = meta.shards[0].logs_asked().remove(0);
    assert_eq!((asked.since, asked.until), (Some(micros(900)), Some(1_000_000)));
    assert_eq!(asked.sources, [LogSource::Php, LogSource::Slow, LogSource::Mail]);
    assert_eq!((asked.level, asked.contains.as_deref()), (Some(Severity::Error), Some("a b")));
    assert!(asked.oldest_first && asked.limit == 7 && asked.wait_ms == 0);
    for bad in [
        "since=yesterday",
        "level=fatal",
        "source=php,x",
        "limit=0",
        "limit=1001",
        "order=random",
        "follow=maybe",
        "levl=error",
        "follow=true&until=1h",
        "follow=true&cursor=x",
    ] {
        meta.get(&format!("{PATH}?{bad}")).await.is_problem(400, "invalid_query");
    }
    let long = format!("{PATH}?contains={}", "x".repeat(257));
    meta.get(&long).await.is_problem(400, "invalid_query");
    meta.get(&format!("{PATH}?cursor=x")).await.is_problem(400, "invalid_cursor");
}

#[tokio::test]
async fn pages_go_on_where_the_last_one_ended_and_mean_the_same_time() {
    let meta = Meta::start(1).await;
    meta.made("bakery").await;
    (0..5).for_each(|number| meta.shards[0].log(line(number)));
    let path = format!("{PATH}?since=15m&order=oldest&limit=2");
    let mut cursor = String::new();
    let mut found = Vec::new();
    loop {
        let page = meta.get(&format!("{path}{cursor}")).await.is(200);
        for line in page.body["items"].as_array().unwrap() {
            found.push(line["message"].as_str().unwrap().to_owned());
        }
        meta.clock.set(START + time::Duration::minutes(5));
        match page.at("/nextCursor") {
            "" => break,
            next => cursor = format!("&cursor={next}"),
        }
    }
    assert_eq!(found, [0, 1, 2, 3, 4].map(|number| format!("line {number}\nof two")));
    let asked = meta.shards[0].logs_asked();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|asked| asked.since == Some(micros(900))), "{asked:?}");
    let other = format!("{PATH}?since=16m&order=oldest&limit=2{cursor}");
    meta.get(&other).await.is_problem(400, "invalid_cursor");
}

#[tokio::test]
async fn only_the_sites_own_people_read_it_and_a_silent_shard_is_said() {
    let meta = Meta::start(1).await;
    meta.made("bakery").await;
    let stranger = meta.member("ann").await;
    let request = meta.request_as(&stranger, "GET", PATH).body(Bytes::new()).unwrap();
    meta.call(request).await.is_problem(404, "not_found");
    meta.get("/v1/tenants/nobody/logs").await.is_problem(404, "not_found");
    meta.shards[0].behave(Behaviour::Refuse);
    meta.get(PATH).await.is_problem(503, "shard_unavailable");
}

#[tokio::test]
async fn a_followed_log_goes_on_after_the_last_line_seen() {
    let meta = Meta::start(1).await;
    meta.made("bakery").await;
    (0..3).for_each(|number| meta.shards[0].log(line(number)));
    let socket = Endpoint::Unix(meta.folder.path().join("meta.sock"));
    let client = Client::new(socket, std::time::Duration::from_secs(10));
    let request = meta
        .request("GET", PATH)
        .header("accept", "text/event-stream")
        .header("last-event-id", line(0).id)
        .body(Bytes::new())
        .unwrap();
    let answer = client.stream(request).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut body = answer.into_body();
    let mut text = String::new();
    let mut until = async |what: &str| {
        while !text.contains(what) {
            let frame = tokio::time::timeout(std::time::Duration::from_secs(10), body.frame());
            let frame = frame.await.expect("a line in time").unwrap().unwrap();
            text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
        }
        text.clone()
    };
    until("line 2").await;
    meta.shards[0].log(line(3));
    let text = until("line 3").await;
    assert!(!text.contains("line 0"), "{text}");
    let ids: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
    assert_eq!(ids, [1, 2, 3].map(|number| line(number).id));
    assert_eq!(text.matches("event: line\n").count(), 3);
    let bad = meta
        .request("GET", PATH)
        .header("accept", "text/event-stream")
        .header("last-event-id", "7")
        .body(Bytes::new())
        .unwrap();
    meta.call(bad).await.is_problem(400, "invalid_query");
}
