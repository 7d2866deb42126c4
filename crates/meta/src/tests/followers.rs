//! Many followers at once, over real sockets, while much changes: none misses anything, and
//! memory stays bounded. `make bench-events` does it with a thousand.

use std::time::Duration;
use std::time::Instant;

use aipress_kit::http::Client;
use aipress_kit::http::Endpoint;
use aipress_kit::tasks;
use aipress_types::ObservedPhase;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;
use serde_json::json;

use super::harness::Meta;
use super::shard::Behaviour;
use super::shard::observed;

/// Changes a second.
const RATE: u32 = 100;
/// One in so many changes is of the operation that some follow.
const OF_OPERATION: u32 = 10;
/// Longest time for everything to arrive once the last change was made.
const ARRIVES_WITHIN: Duration = Duration::from_secs(60);

/// The ids of the events with data, up to the last one wanted, or the stream's end.
async fn ids(mut body: Incoming, until: impl Fn(&[u64]) -> bool) -> Vec<u64> {
    let (mut ids, mut buffer) = (Vec::new(), Vec::<u8>::new());
    while !until(&ids) {
        let Some(Ok(frame)) = body.frame().await else { break };
        buffer.extend_from_slice(frame.data_ref().map_or(b"", |data| data));
        while let Some(end) = buffer.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = buffer.drain(..end + 2).collect();
            let text = String::from_utf8(block).unwrap();
            if text.contains("\ndata: ") {
                let id = text.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
                ids.push(id.parse().unwrap());
            }
        }
    }
    ids
}

/// This process's resident memory, in MiB.
fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

async fn followed(meta: &Meta, token: &str, path: &str) -> Incoming {
    let client =
        Client::new(Endpoint::Unix(meta.folder.path().join("meta.sock")), Duration::from_secs(60));
    let request = meta.request_as(token, "GET", path).header("accept", "text/event-stream");
    let answer = client.stream(request.body(Bytes::new()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.into_body()
}

/// `followers` streams, half of them of one operation, while 100 changes a second are made by the
/// API for some `seconds`. Some followers read nothing at all until it is over.
async fn follow(followers: usize, seconds: u32) {
    let meta = Meta::start(1).await;
    let shard = &meta.shards[0];
    shard.behave(Behaviour::Hold);
    let made = meta.post("/v1/tenants", json!({ "name": "bakery" })).await.is(202);
    let intent = shard.intent("bakery", 1).await;
    let of_operation = format!("/v1/operations/{}/events", made.at("/operation/id"));
    let changes = RATE * seconds;
    let (of_shard, of_steps) = (changes - changes / OF_OPERATION, changes / OF_OPERATION);

    // As many callers as their bound asks for; all see all.
    let mut callers = vec![meta.admin.clone()];
    while callers.len() * 400 < followers {
        callers.push(meta.administrator(&format!("operator-{}", callers.len())).await);
    }
    let before_mib = resident_mib();
    let (mut fast, mut slow, mut stepwise) = (Vec::new(), Vec::new(), Vec::new());
    let wanted = usize::try_from(of_shard).unwrap();
    let enough = move |ids: &[u64]| ids.len() >= wanted;
    for number in 0..followers {
        let token = &callers[number % callers.len()];
        if number % 2 == 1 {
            let body = followed(&meta, token, &of_operation).await;
            stepwise.push(tasks::spawn("follower", ids(body, |_| false)));
        } else {
            let body = followed(&meta, token, "/v1/events?kind=shard.update").await;
            if number % 20 == 0 {
                slow.push(body);
            } else {
                fast.push(tasks::spawn("follower", ids(body, enough)));
            }
        }
    }

    let begun = Instant::now();
    let mut cordoned = false;
    for change in 0..changes {
        let due = begun + Duration::from_secs(1) * change / RATE;
        tokio::time::sleep_until(due.into()).await;
        if change % OF_OPERATION == 0 {
            let mut step = observed(&intent, ObservedPhase::Converging, None);
            step.steps[1].message = Some(format!("try {change}"));
            shard.report(&[step]).await.is(200);
        } else {
            cordoned = !cordoned;
            let word = if cordoned { "cordoned" } else { "open" };
            meta.patch("/v1/shards/aipress-shard-001", json!({ "schedulability": word }))
                .await
                .is(200);
        }
    }
    let wrote = begun.elapsed();
    shard.converge(&intent).await.is(200);
    let memory_mib = resident_mib().saturating_sub(before_mib);

    let told = every_event(&meta).await;
    assert_eq!(told.len(), wanted, "every change tells one event");
    let late: Vec<_> =
        slow.into_iter().map(|body| tasks::spawn("follower", ids(body, enough))).collect();
    let all = async {
        for follower in fast.into_iter().chain(late) {
            assert_eq!(follower.await.unwrap().unwrap(), told);
        }
        for follower in stepwise {
            let seen = follower.await.unwrap().unwrap();
            // Without gaps and twice nothing; with its begin, its steps and its end.
            assert_eq!(seen, (1..=seen.len() as u64).collect::<Vec<_>>());
            assert!(seen.len() >= of_steps as usize + 2, "{} of {of_steps}", seen.len());
        }
    };
    tokio::time::timeout(ARRIVES_WITHIN, all).await.expect("all followers have everything");
    let achieved = f64::from(changes) / wrote.as_secs_f64();
    println!(
        "{followers} followers, {changes} changes at {achieved:.0} a second, {memory_mib} MiB \
         more (both ends), all told {:.1} s after the first change",
        begun.elapsed().as_secs_f64()
    );
    // Both ends are in this process: what a follower may cost, and the ring.
    let bound_mib = 64 + followers as u64 / 4;
    assert!(memory_mib < bound_mib, "{memory_mib} MiB for {followers} followers");
}

/// The ids of all changes of shards, as pages tell them.
async fn every_event(meta: &Meta) -> Vec<u64> {
    let mut told = Vec::new();
    let mut after = "oldest".to_owned();
    loop {
        let path = format!("/v1/events?kind=shard.update&limit=500&after={after}");
        let page = meta.get(&path).await.is(200);
        let id = |event: &Value| event["id"].as_str().unwrap().parse::<u64>().unwrap();
        told.extend(page.body["items"].as_array().unwrap().iter().map(id));
        if page.body["more"] == false {
            return told;
        }
        after = page.at("/nextCursor").to_owned();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_followers_miss_nothing() {
    follow(200, 3).await;
}
