//! Requests that want two servers to disagree, and gateways that break.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;

use super::support::World;
use super::support::eventually;

/// Answers with method, path and body of what it got, and remembers the paths.
fn recorder() -> (Router, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let router = Router::new().fallback(async move |request: Request<Body>| {
        let (parts, body) = request.into_parts();
        kept.lock().unwrap().push(parts.uri.to_string());
        let body = axum::body::to_bytes(body, usize::MAX).await;
        format!("{} {:?}", parts.uri, body.ok())
    });
    (router, seen)
}

#[tokio::test]
async fn ambiguous_framing_smuggles_nothing() {
    let (router, seen) = recorder();
    let world = World::with_site(router).await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: a.localhost\r\n\r\n";
    let length = smuggled.len();
    for (case, head, body) in [
        ("two lengths", "content-length: 5\r\ncontent-length: 0".to_owned(), smuggled),
        ("list of lengths", "content-length: 0, 5".to_owned(), smuggled),
        ("signed length", format!("content-length: +{length}"), smuggled),
        ("coding unknown", "transfer-encoding: xchunked".to_owned(), smuggled),
        ("coding list", "transfer-encoding: gzip, chunked".to_owned(), "0\r\n\r\n"),
        ("coding folded", "transfer-encoding:\r\n chunked".to_owned(), "0\r\n\r\n"),
        ("fold", "x: y\r\n z: w".to_owned(), ""),
        ("space before colon", "content-length : 5".to_owned(), "hello"),
        ("bad name", "con tent: 5".to_owned(), ""),
        ("nul", "x: a\0b".to_owned(), ""),
        ("bare cr", "x: a\rb".to_owned(), ""),
    ] {
        let mut visit = world.visit().await;
        let request = format!("POST /p HTTP/1.1\r\nhost: a.localhost\r\n{head}\r\n\r\n{body}");
        visit.send(request.as_bytes()).await;
        let text = visit.closed().await;
        assert!(
            text.starts_with("HTTP/1.1 400") || text.starts_with("HTTP/1.1 501"),
            "{case}: {text}"
        );
        assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{case}: {text}");
    }
    assert!(seen.lock().unwrap().is_empty(), "{seen:?}");
}

#[tokio::test]
async fn with_length_and_coding_the_coding_counts_and_the_connection_ends() {
    let (router, seen) = recorder();
    let world = World::with_site(router).await;
    for order in [
        "content-length: 3\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 3",
    ] {
        let mut visit = world.visit().await;
        let request = format!(
            "POST /p HTTP/1.1\r\nhost: a.localhost\r\n{order}\r\n\r\n0\r\n\r\n\
             GET /smuggled HTTP/1.1\r\nhost: a.localhost\r\n\r\n"
        );
        visit.send(request.as_bytes()).await;
        let text = visit.closed().await;
        assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{text}");
    }
    assert!(seen.lock().unwrap().iter().all(|path| path == "/p"), "{seen:?}");
}

#[tokio::test]
async fn a_bad_chunk_breaks_the_request_and_nothing_follows() {
    let (router, seen) = recorder();
    let world = World::with_site(router).await;
    for body in [
        "zz\r\nhi\r\n0\r\n\r\n",
        "2;\nhi\r\n0\r\n\r\n",
        "2\r\nhiX0\r\n\r\n",
        "FFFFFFFFFFFFFFFFF\r\n",
    ] {
        let mut visit = world.visit().await;
        let request = format!(
            "POST /p HTTP/1.1\r\nhost: a.localhost\r\ntransfer-encoding: chunked\r\n\r\n{body}\
             GET /smuggled HTTP/1.1\r\nhost: a.localhost\r\n\r\n"
        );
        visit.send(request.as_bytes()).await;
        let text = visit.closed().await;
        assert!(!text.contains("HTTP/1.1 200"), "{body:?}: {text}");
    }
    assert!(seen.lock().unwrap().iter().all(|path| path == "/p"), "{seen:?}");
}

#[tokio::test]
async fn a_get_with_a_body_is_framed_for_the_gateway() {
    let (router, seen) = recorder();
    let world = World::with_site(router).await;
    let mut visit = world.visit().await;
    let request = "GET /p HTTP/1.1\r\nhost: a.localhost\r\ntransfer-encoding: chunked\r\n\r\n\
                   5\r\nhello\r\n0\r\n\r\n";
    visit.send(request.as_bytes()).await;
    assert_eq!(visit.reply().await.text(), "/p Some(b\"hello\")");
    visit.send(b"GET /q HTTP/1.1\r\nhost: a.localhost\r\n\r\n").await;
    assert_eq!(visit.reply().await.text(), "/q Some(b\"\")");
    assert_eq!(*seen.lock().unwrap(), ["/p", "/q"]);
}

/// A gateway that answers each connection's first request with these bytes, then closes.
fn raw(dir: &std::path::Path, answers: Vec<&'static [u8]>) -> Arc<Mutex<usize>> {
    let listener = tokio::net::UnixListener::bind(dir.join("gateway.sock")).unwrap();
    let count = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&count);
    aipress_kit::tasks::spawn("raw-gateway", async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            *counted.lock().unwrap() += 1;
            let mut head = [0; 16_384];
            let _ = stream.read(&mut head).await.unwrap();
            stream.write_all(answer).await.unwrap();
        }
    });
    count
}

#[tokio::test]
async fn an_answer_that_breaks_never_looks_whole() {
    let dir = tempfile::tempdir().unwrap();
    let answers: Vec<&[u8]> = vec![
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n50\r\nshort",
    ];
    raw(dir.path(), answers);
    let world = World::around(dir, |_| {}).await;
    for _ in 0..3 {
        let reply = world.get("a.localhost", "/").await;
        assert_eq!((reply.status, reply.is_whole), (200, false), "{reply:?}");
        assert_eq!(reply.text(), "short");
    }
    eventually("they are counted", async || world.metrics.snapshot().aborted == 3).await;
}

#[tokio::test]
async fn an_answer_without_an_end_or_a_head_is_a_502() {
    let dir = tempfile::tempdir().unwrap();
    let answers: Vec<&[u8]> = vec![
        b"HTTP/1.1 200 OK\r\n\r\nframed by closing only",
        b"HTTP/1.0 200 OK\r\n\r\nold",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 O",
    ];
    let all = answers.len();
    raw(dir.path(), answers);
    let world = World::around(dir, |_| {}).await;
    for case in 0..all {
        // A POST, which is never sent twice.
        let request = "POST / HTTP/1.1\r\nhost: a.localhost\r\ncontent-length: 2\r\n\r\nhi";
        let reply = world.ask(request).await;
        assert_eq!((reply.status, reply.is_whole), (502, true), "{case}: {reply:?}");
    }
}

#[tokio::test]
async fn what_can_do_no_harm_is_tried_again_once() {
    let dir = tempfile::tempdir().unwrap();
    let ok = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let count = raw(dir.path(), vec![b"", ok, b"", b"", b"", ok]);
    let world = World::around(dir, |_| {}).await;
    let reply = world.get("a.localhost", "/").await;
    assert_eq!((reply.status, reply.text().as_str()), (200, "ok"));
    assert_eq!(*count.lock().unwrap(), 2);
    assert_eq!(world.get("a.localhost", "/").await.status, 502, "once only");
    assert_eq!(*count.lock().unwrap(), 4);
    let post = "POST / HTTP/1.1\r\nhost: a.localhost\r\ncontent-length: 2\r\n\r\nhi";
    assert_eq!(world.ask(post).await.status, 502);
    assert_eq!(*count.lock().unwrap(), 5, "a POST is never sent twice");
    assert_eq!(world.get("a.localhost", "/").await.status, 200);
}

#[tokio::test]
async fn a_stale_connection_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("gateway.sock");
    let hello = || Router::new().fallback(async || "hello");
    let life = super::support::gateway(&socket, hello());
    let world = World::around(dir, |_| {}).await;
    let post = "POST / HTTP/1.1\r\nhost: a.localhost\r\ncontent-length: 2\r\n\r\nhi";
    assert_eq!(world.ask(post).await.status, 200);
    for _ in 0..3 {
        life.drain.cancel();
        life.cut.cancel();
        let _life = super::support::gateway(&socket, hello());
        assert_eq!(world.ask(post).await.status, 200);
    }
    assert_eq!(world.metrics.snapshot().upstream_broken, 0);
}

#[tokio::test]
async fn a_gateway_that_is_away_for_a_moment_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::around(dir, |_| {}).await;
    let socket = world.path("gateway.sock");
    let (reply, ()) = tokio::join!(world.get("a.localhost", "/"), async {
        tokio::time::sleep(Duration::from_millis(60)).await;
        super::support::gateway(&socket, Router::new().fallback(async || "back"));
    });
    assert_eq!((reply.status, reply.text().as_str()), (200, "back"));
}

#[tokio::test]
async fn a_gateway_that_is_away_is_a_503_and_a_silent_one_a_504() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::around(dir, |config| {
        config.timeouts.response_head = Duration::from_millis(100);
    })
    .await;
    let reply = world.get("a.localhost", "/").await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("5")));
    let listener = tokio::net::UnixListener::bind(world.path("gateway.sock")).unwrap();
    let reply = world.get("a.localhost", "/").await;
    assert_eq!(reply.status, 504);
    drop(listener);
    let metrics = world.metrics.snapshot();
    assert_eq!((metrics.upstream_connect_errors, metrics.upstream_timeouts), (1, 1));
}
