//! Which host leads where, with meta up, down, slow and restarted.

use std::time::Duration;

use aipress_api::internal::RouteState;
use axum::Router;
use axum::routing::get;

use super::support::Meta;
use super::support::World;
use super::support::eventually;
use super::support::gateway;
use super::support::site;

fn hello() -> Router {
    Router::new().fallback(get(async || "hello"))
}

#[tokio::test]
async fn hosts_lead_to_their_sites() {
    let world = World::with_site(hello()).await;
    for host in ["a.localhost", "A.LocalHost:8080", "a.localhost.", "a.localhost.:99"] {
        let reply = world.get(host, "/").await;
        assert_eq!((reply.status, reply.text().as_str()), (200, "hello"), "{host}");
    }
    let absolute = "GET http://a.localhost:8080/x HTTP/1.1\r\nhost: other\r\n\r\n";
    assert_eq!(world.ask(absolute).await.status, 200);
    for host in ["b.localhost", "localhost", "127.0.0.1", "[::1]", "x.a.localhost"] {
        let reply = world.get(host, "/").await;
        assert_eq!(reply.status, 404, "{host}");
        assert!(reply.text().contains(&format!("{host}</title>")), "{}", reply.text());
    }
    for head in ["host: a b", "host: ", "host: a\r\nhost: b", "x: y"] {
        let reply = world.ask(&format!("GET / HTTP/1.1\r\n{head}\r\n\r\n")).await;
        assert_eq!(reply.status, 400, "{head}");
    }
    assert_eq!(world.ask("GET / HTTP/1.0\r\n\r\n").await.status, 400);
}

#[tokio::test]
async fn changes_arrive_and_tombstones_take_away() {
    let world = World::with_site(hello()).await;
    let dir = world.dir.path().to_owned();
    for (state, status) in [
        (RouteState::Suspended, 503),
        (RouteState::Starting, 503),
        (RouteState::Broken, 502),
        (RouteState::Serving, 200),
        (RouteState::Gone, 404),
    ] {
        world.meta.tell(site(&dir, "a.localhost", state));
        eventually(&format!("{state:?}"), async || {
            let reply = world.get("a.localhost", "/").await;
            reply.status == status
        })
        .await;
    }
}

#[tokio::test]
async fn a_hundred_visitors_of_an_unknown_host_are_one_question() {
    let world = World::with_site(hello()).await;
    world.meta.delay_questions(Duration::from_millis(100));
    let visits = (0..100).map(|_| world.get("nobody.localhost", "/"));
    let replies = futures_util::future::join_all(visits).await;
    assert!(replies.iter().all(|reply| reply.status == 404));
    assert_eq!(world.meta.questions(), 1);
    assert_eq!(world.get("nobody.localhost", "/").await.status, 404);
    assert_eq!(world.meta.questions(), 1, "the answer is remembered");
}

#[tokio::test]
async fn a_scan_does_not_reach_meta() {
    let world = World::with(hello(), |config| config.limits.questions_per_second = 5).await;
    for number in 0..60 {
        assert_eq!(world.get(&format!("n{number}.localhost"), "/").await.status, 404);
    }
    let asked = world.meta.questions();
    // 5 at once, and 5 for each second that the test took.
    assert!((5..30).contains(&asked), "{asked} questions");
    assert!(world.metrics.snapshot().questions_refused >= 30);
    assert_eq!(world.get("127.0.0.1", "/").await.status, 404);
}

#[tokio::test]
async fn a_question_finds_a_new_site_and_then_the_table_has_it() {
    let world = World::with_site(hello()).await;
    world.meta.hide(site(world.dir.path(), "new.localhost", RouteState::Serving));
    assert_eq!(world.get("new.localhost", "/").await.status, 200);
    assert_eq!(world.get("new.localhost", "/").await.status, 200);
    assert_eq!(world.meta.questions(), 1);
}

#[tokio::test]
async fn a_slow_meta_costs_a_moment_only() {
    let world = World::with(hello(), |config| {
        config.timeouts.question = Duration::from_millis(50);
    })
    .await;
    world.meta.delay_questions(Duration::from_secs(60));
    assert_eq!(world.get("slow.localhost", "/").await.status, 404);
}

#[tokio::test]
async fn with_meta_down_from_the_start_the_snapshot_routes() {
    let world = World::with_site(hello()).await;
    let metrics = world.metrics.clone();
    let path = world.path("routes.json");
    eventually("the snapshot is there", async || path.exists()).await;
    assert!(metrics.snapshot().table_heard_at_ms > 0);
    let (meta, meta_life) = (world.meta.clone(), world.meta_life.clone());
    meta_life.drain.cancel();
    meta_life.cut.cancel();
    let dir = world.end().await;
    std::fs::remove_file(dir.path().join("meta-internal.sock")).unwrap();

    let world = World::start(dir, meta, meta_life, |_| {}).await;
    assert_eq!(world.get("a.localhost", "/").await.status, 200);
    assert_eq!(world.get("nobody.localhost", "/").await.status, 404);
    assert_eq!(world.get("console.localhost", "/v1/health").await.status, 503);

    // Meta comes back, and its log goes on where the snapshot ends.
    world.meta.tell(site(world.dir.path(), "late.localhost", RouteState::Serving));
    let _life = world.meta.start(&world.path("meta-internal.sock"));
    eventually("meta is heard again", async || world.metrics.snapshot().routes == 2).await;
    assert_eq!(world.get("late.localhost", "/").await.status, 200);
}

#[tokio::test]
async fn without_any_table_nobody_is_told_that_a_site_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir, Meta::new(), Default::default(), |_| {}).await;
    let reply = world.get("a.localhost", "/").await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")));
}

#[tokio::test]
async fn a_corrupt_snapshot_is_set_aside_and_meta_asked() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("routes.json"), "{\"version\":1,\"seq\":4,\"rou").unwrap();
    gateway(&dir.path().join("gateway.sock"), hello());
    let world = World::around(dir, |_| {}).await;
    assert_eq!(world.get("a.localhost", "/").await.status, 200);
    assert!(world.path("routes.json.corrupt").exists());
}

#[tokio::test]
async fn another_log_of_meta_replaces_the_table() {
    let world = World::with_site(hello()).await;
    for number in 0..5 {
        world.meta.tell(site(
            world.dir.path(),
            &format!("s{number}.localhost"),
            RouteState::Serving,
        ));
    }
    eventually("all are there", async || world.metrics.snapshot().routes == 6).await;
    world.meta_life.drain.cancel();
    world.meta_life.cut.cancel();
    // Restored from an older backup: fewer changes than the edge has seen.
    let meta = Meta::new();
    meta.tell(site(world.dir.path(), "only.localhost", RouteState::Serving));
    let _life = meta.start(&world.path("meta-internal.sock"));
    eventually("the table is replaced", async || world.metrics.snapshot().routes == 1).await;
    assert_eq!(world.get("only.localhost", "/").await.status, 200);
    assert_eq!(world.get("a.localhost", "/").await.status, 404);
}

#[tokio::test]
async fn the_console_goes_to_meta() {
    let world = World::with_site(hello()).await;
    let problem = world.get("console.localhost:8080", "/v1/tenants").await;
    assert_eq!(problem.status, 503);
    assert_eq!(problem.header("content-type"), Some("application/problem+json"));
    let api = Router::new().fallback(get(async |uri: axum::http::Uri| format!("api {uri}")));
    gateway(&world.path("meta.sock"), api);
    let reply = world.get("Console.localhost:8080", "/v1/health?x=1").await;
    assert_eq!((reply.status, reply.text().as_str()), (200, "api /v1/health?x=1"));
}
