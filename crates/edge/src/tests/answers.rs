//! The edge's own answers, and framing of answers without bodies.

use std::time::Duration;

use aipress_api::internal::RouteState;
use axum::Router;
use axum::http::StatusCode;
use axum::http::header;
use axum::routing::get;

use super::support::World;
use super::support::eventually;
use super::support::site;

#[tokio::test]
async fn pages_tell_nothing_and_are_not_kept() {
    let world = World::with_site(Router::new()).await;
    let reply = world.get("<script>.localhost", "/").await;
    assert_eq!(reply.status, 400);
    assert!(!reply.text().contains("<script"), "{}", reply.text());
    let reply = world.get("none.localhost", "/").await;
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert!(reply.text().contains(reply.header("x-request-id").unwrap()));
    assert!(!reply.text().contains(world.dir.path().to_str().unwrap()));
    let json = "GET / HTTP/1.1\r\nhost: none.localhost\r\naccept: application/json\r\n\r\n";
    let reply = world.ask(json).await;
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    assert!(reply.text().contains("\"code\":\"site_unknown\""), "{}", reply.text());
}

#[tokio::test]
async fn a_site_being_made_looks_again_by_itself() {
    let world = World::with_site(Router::new()).await;
    world.meta.tell(site(world.dir.path(), "new.localhost", RouteState::Starting));
    eventually("the route arrives", async || world.metrics.snapshot().routes == 2).await;
    let reply = world.get("new.localhost", "/").await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("2")));
    assert!(reply.text().contains("http-equiv=\"refresh\" content=\"2\""));
}

#[tokio::test]
async fn a_head_is_answered_without_a_body_and_the_connection_goes_on() {
    let world = World::with_site(Router::new().route("/", get(async || "hello"))).await;
    let mut visit = world.visit().await;
    for host in ["a.localhost", "none.localhost"] {
        visit.send(format!("HEAD / HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes()).await;
        let reply = visit.reply_to("HEAD").await;
        assert_ne!(reply.header("content-length"), Some("0"), "{}", reply.head);
    }
    visit.send(b"GET / HTTP/1.1\r\nhost: a.localhost\r\n\r\n").await;
    assert_eq!(visit.reply().await.text(), "hello");
}

#[tokio::test]
async fn answers_without_content_keep_their_form() {
    let router = Router::new()
        .route("/204", get(async || StatusCode::NO_CONTENT))
        .route("/304", get(async || (StatusCode::NOT_MODIFIED, [(header::ETAG, "\"a\"")])))
        .route("/empty", get(async || ""));
    let world = World::with_site(router).await;
    let mut visit = world.visit().await;
    for (path, status) in [("/204", 204), ("/304", 304), ("/empty", 200), ("/none", 404)] {
        visit.send(format!("GET {path} HTTP/1.1\r\nhost: a.localhost\r\n\r\n").as_bytes()).await;
        let reply = visit.reply().await;
        assert_eq!((reply.status, reply.body.len()), (status, 0), "{path}");
        assert!(status != 204 || reply.header("content-length").is_none());
    }
    assert_eq!(world.metrics.snapshot().answers[1], 2);
}

#[tokio::test]
async fn what_is_too_large_or_unknown_is_refused_with_a_page() {
    let world = World::with_site(Router::new().fallback(async || "hello")).await;
    let long = "a".repeat(17 * 1024);
    let wide = "b".repeat(70 * 1024);
    let many = "x: y\r\n".repeat(140);
    for (request, status) in [
        (format!("GET /{long} HTTP/1.1\r\nhost: a.localhost\r\n\r\n"), 414),
        (format!("GET / HTTP/1.1\r\nhost: a.localhost\r\ncookie: {wide}\r\n\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nhost: a.localhost\r\n{many}\r\n"), 431),
        ("TRACE / HTTP/1.1\r\nhost: a.localhost\r\n\r\n".to_owned(), 405),
        ("GET / HTTP/1.1\r\nhost: a.localhost\r\nexpect: tea\r\n\r\n".to_owned(), 417),
        (
            format!("POST / HTTP/1.1\r\nhost: a.localhost\r\ncontent-length: {}\r\n\r\n", 1 << 30),
            413,
        ),
    ] {
        let reply = world.ask(&request).await;
        assert_eq!(reply.status, status);
        assert!(reply.text().contains("<title>"), "{status}");
    }
    // Far beyond: hyper closes with a bare 431.
    let endless = "c".repeat(300 * 1024);
    let mut visit = world.visit().await;
    let head = format!("GET / HTTP/1.1\r\nhost: a.localhost\r\ncookie: {endless}\r\n\r\n");
    let _ = tokio::io::AsyncWriteExt::write_all(&mut visit.stream, head.as_bytes()).await;
    let text = visit.closed().await;
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 431"), "{text}");
}

#[tokio::test]
async fn an_upload_that_is_too_large_gets_its_page_though_it_is_being_sent() {
    let world = World::with_site(Router::new()).await;
    let mut visit = world.visit().await;
    let head = "POST / HTTP/1.1\r\nhost: a.localhost\r\ncontent-length: 200000000\r\n\r\n";
    visit.send(head.as_bytes()).await;
    let chunk = vec![b'x'; 1 << 20];
    // As a browser: the answer is read only after a good part was sent.
    for _ in 0..20 {
        if tokio::io::AsyncWriteExt::write_all(&mut visit.stream, &chunk).await.is_err() {
            break;
        }
    }
    let reply = visit.reply().await;
    assert_eq!((reply.status, reply.is_whole), (413, true));
    assert_eq!(reply.header("connection"), Some("close"));
}

#[tokio::test]
async fn too_many_requests_are_refused_and_places_come_back() {
    let (hold, held) = tokio::sync::watch::channel(false);
    let router = Router::new().fallback(async move || {
        let mut held = held.clone();
        held.wait_for(|free| *free).await.map(|_| "done").unwrap_or("lost")
    });
    let world = World::with(router, |config| config.limits.requests_per_host = 2).await;
    let mut first = world.visit().await;
    let mut second = world.visit().await;
    for visit in [&mut first, &mut second] {
        visit.send(b"GET / HTTP/1.1\r\nhost: a.localhost\r\n\r\n").await;
    }
    eventually("a third is refused", async || {
        let third = tokio::time::timeout(Duration::from_millis(100), world.get("a.localhost", "/"));
        third.await.is_ok_and(|reply| reply.status == 503)
    })
    .await;
    assert!(world.metrics.snapshot().overloaded > 0);
    hold.send(true).unwrap();
    assert_eq!(first.reply().await.text(), "done");
    assert_eq!(second.reply().await.text(), "done");
    assert_eq!(world.get("a.localhost", "/").await.status, 200);
}
