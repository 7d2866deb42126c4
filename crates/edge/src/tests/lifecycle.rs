//! Patience with slow visitors, and the edge's own end.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::sync::watch;

use super::support::World;
use super::support::eventually;

#[tokio::test]
async fn who_sends_no_head_is_let_go() {
    let world = World::with(Router::new(), |config| {
        config.timeouts.head = Duration::from_millis(100);
        config.timeouts.keep_alive = Duration::from_millis(100);
    })
    .await;
    let mut silent = world.visit().await;
    let mut slow = world.visit().await;
    slow.send(b"GET / HTTP/1.1\r\nhost: a.loc").await;
    let mut half_preface = world.visit().await;
    half_preface.send(b"PRI * HT").await;
    let mut idle = world.visit().await;
    idle.send(b"GET / HTTP/1.1\r\nhost: a.localhost\r\n\r\n").await;
    assert_eq!(idle.reply().await.status, 404);
    for visit in [&mut silent, &mut slow, &mut half_preface, &mut idle] {
        assert_eq!(visit.closed().await, "");
    }
}

#[tokio::test]
async fn who_pauses_within_a_body_gets_a_408() {
    let router = Router::new().fallback(async |body: String| body);
    let world = World::with(router, |config| {
        config.timeouts.request_body_idle = Duration::from_millis(50);
    })
    .await;
    let reply =
        world.ask("POST / HTTP/1.1\r\nhost: a.localhost\r\ncontent-length: 9\r\n\r\nhalf").await;
    assert_eq!(reply.status, 408);
}

#[tokio::test]
async fn what_is_under_way_is_finished_and_nothing_new_taken() {
    let (free, freed) = watch::channel(false);
    let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
    let router = Router::new().fallback(get(async move || {
        begun.send(()).unwrap();
        let mut freed = freed.clone();
        let _ = freed.wait_for(|it| *it).await;
        "finished"
    }));
    let world = World::with_site(router).await;
    let mut idle = world.visit().await;
    let mut busy = world.visit().await;
    busy.send(b"GET / HTTP/1.1\r\nhost: a.localhost\r\n\r\n").await;
    begins.recv().await.unwrap();
    world.life.drain.cancel();
    assert_eq!(idle.closed().await, "");
    free.send(true).unwrap();
    let reply = busy.reply().await;
    assert_eq!((reply.status, reply.text().as_str()), (200, "finished"));
    assert_eq!(reply.header("connection"), Some("close"));
    world.end().await;
}

#[tokio::test]
async fn cutting_ends_at_once() {
    let router = Router::new().fallback(get(async || std::future::pending::<&str>().await));
    let world = World::with_site(router).await;
    let mut visit = world.visit().await;
    visit.send(b"GET / HTTP/1.1\r\nhost: a.localhost\r\n\r\n").await;
    let metrics = world.metrics.clone();
    eventually("it is there", async || metrics.snapshot().connections == 1).await;
    world.life.cut.cancel();
    assert_eq!(visit.closed().await, "");
    world.end().await;
}

#[tokio::test]
async fn connections_beyond_the_bound_wait() {
    let router = Router::new().fallback(async || "hello");
    let world = World::with(router, |config| {
        config.limits.connections = 1;
        config.limits.accept_tasks = 1;
    })
    .await;
    let mut first = world.visit().await;
    first.send(b"GET / HTTP/1.1\r\nhost: a.localhost\r\n\r\n").await;
    assert_eq!(first.reply().await.status, 200);
    let mut second = world.visit().await;
    second.send(b"GET / HTTP/1.1\r\nhost: a.localhost\r\n\r\n").await;
    let waits = tokio::time::timeout(Duration::from_millis(50), second.stream.readable()).await;
    assert!(waits.is_err());
    drop(first);
    assert_eq!(second.reply().await.status, 200);
}
