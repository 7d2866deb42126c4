//! Bytes both ways: as they come, no faster than they are taken, and never a false end.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::routing::any;
use axum::routing::get;
use axum::routing::post;
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::support::DEADLINE;
use super::support::World;
use super::support::eventually;
use super::support::gateway;

type Part = Result<Bytes, Infallible>;

/// A body whose parts the test sends.
fn parts() -> (mpsc::Sender<Part>, Arc<std::sync::Mutex<Option<Body>>>) {
    let (send, receive) = mpsc::channel::<Part>(1);
    let stream = futures_util::stream::unfold(receive, async |mut receive| {
        receive.recv().await.map(|part| (part, receive))
    });
    (send, Arc::new(std::sync::Mutex::new(Some(Body::from_stream(stream)))))
}

fn once(body: Arc<std::sync::Mutex<Option<Body>>>, kind: &'static str) -> Router {
    Router::new().fallback(get(async move || {
        ([("content-type", kind)], body.lock().unwrap().take().unwrap())
    }))
}

#[tokio::test]
async fn an_answer_streams_as_it_comes() {
    let (send, body) = parts();
    let world = World::with_site(once(body, "text/plain")).await;
    let mut visit = world.visit().await;
    visit.send(b"GET / HTTP/1.1\r\nhost: a.localhost\r\n\r\n").await;
    for text in ["first", "second"] {
        send.send(Ok(Bytes::from(text))).await.unwrap();
        visit.until(text).await;
    }
    drop(send);
    visit.until("0\r\n\r\n").await;
}

#[tokio::test]
async fn events_of_the_console_are_not_held_back_and_end_with_the_edge() {
    let (send, body) = parts();
    let world = World::with_site(Router::new()).await;
    gateway(&world.path("meta.sock"), once(body, "text/event-stream"));
    let mut visit = world.visit().await;
    let ask = "GET /v1/operations/x/events HTTP/1.1\r\nhost: console.localhost\r\n\r\n";
    visit.send(ask.as_bytes()).await;
    send.send(Ok(Bytes::from("id: 1\ndata: one\n\n"))).await.unwrap();
    visit.until("data: one\n\n").await;
    let started = std::time::Instant::now();
    world.end().await;
    assert!(started.elapsed() < Duration::from_secs(5), "a stream of events holds nobody up");
}

#[tokio::test]
async fn a_request_streams_as_it_comes() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let router = Router::new().route(
        "/",
        post(async move |body: Body| {
            let mut body = body.into_data_stream();
            while let Some(part) = body.next().await {
                tell.send(part.unwrap()).unwrap();
            }
            "got it"
        }),
    );
    let world = World::with_site(router).await;
    let mut visit = world.visit().await;
    visit.send(b"POST / HTTP/1.1\r\nhost: a.localhost\r\ntransfer-encoding: chunked\r\n\r\n").await;
    for text in ["one", "two"] {
        visit.send(format!("3\r\n{text}\r\n").as_bytes()).await;
        let got = tokio::time::timeout(DEADLINE, told.recv()).await.unwrap().unwrap();
        assert_eq!(got, text);
    }
    visit.send(b"0\r\nx-trailer: 1\r\n\r\n").await;
    assert_eq!(visit.reply().await.text(), "got it");
    // The connection to the gateway and the visitor's are whole.
    visit.send(b"POST / HTTP/1.1\r\nhost: a.localhost\r\ncontent-length: 2\r\n\r\nhi").await;
    assert_eq!(visit.reply().await.text(), "got it");
}

#[tokio::test]
async fn both_ways_at_once() {
    let router = Router::new().fallback(async |body: Body| body);
    let world = World::with_site(router).await;
    let mut visit = world.visit().await;
    visit.send(b"POST / HTTP/1.1\r\nhost: a.localhost\r\ntransfer-encoding: chunked\r\n\r\n").await;
    for text in ["one", "two", "six"] {
        visit.send(format!("3\r\n{text}\r\n").as_bytes()).await;
        visit.until(text).await;
    }
    visit.send(b"0\r\n\r\n").await;
    visit.until("0\r\n\r\n").await;
}

#[tokio::test]
async fn a_slow_visitor_slows_the_gateway_down() {
    const CHUNK: usize = 64 * 1024;
    let sent = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&sent);
    let router = Router::new().fallback(get(async move || {
        let stream = futures_util::stream::repeat_with(move || {
            counted.fetch_add(CHUNK as u64, Ordering::SeqCst);
            Ok::<_, Infallible>(Bytes::from_static(&[b'x'; CHUNK]))
        });
        Body::from_stream(stream.take(100 * 1024 * 1024 / CHUNK))
    }));
    let world = World::with_site(router).await;
    let mut visit = world.visit().await;
    visit.send(b"GET / HTTP/1.1\r\nhost: a.localhost\r\n\r\n").await;
    visit.until("\r\n\r\n").await;
    // Sent as far as sockets and buffers take it, then no more.
    let mut before = 0;
    eventually("the gateway stops", async || {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = sent.load(Ordering::SeqCst);
        std::mem::replace(&mut before, now) == now && now > 0
    })
    .await;
    assert!(before < 20 * 1024 * 1024, "{before} bytes are on their way to nobody");
    drop(visit);
    eventually("leaving frees the place", async || world.metrics.snapshot().aborted == 1).await;
    assert_eq!(world.metrics.snapshot().connections, 0);
}

#[tokio::test]
async fn a_visitor_who_takes_nothing_is_let_go() {
    let router = Router::new().fallback(get(async || {
        Body::from_stream(futures_util::stream::repeat_with(|| {
            Ok::<_, Infallible>(Bytes::from_static(&[0; 65_536]))
        }))
    }));
    let world = World::with(router, |config| {
        config.timeouts.write_stall = Duration::from_millis(50);
    })
    .await;
    let mut visit = world.visit().await;
    visit.send(b"GET / HTTP/1.1\r\nhost: a.localhost\r\n\r\n").await;
    visit.until("\r\n\r\n").await;
    eventually("it is closed", async || world.metrics.snapshot().connections == 0).await;
}

#[tokio::test]
async fn a_visitor_who_leaves_ends_the_gateways_work() {
    struct Tell(mpsc::UnboundedSender<()>);
    impl Drop for Tell {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    let (tell, mut told) = mpsc::unbounded_channel();
    let (begun, mut begins) = mpsc::unbounded_channel();
    let router = Router::new().fallback(get(async move || {
        let _tell = Tell(tell.clone());
        begun.send(()).unwrap();
        std::future::pending::<&'static str>().await
    }));
    let world = World::with_site(router).await;
    let mut visit = world.visit().await;
    visit.send(b"GET / HTTP/1.1\r\nhost: a.localhost\r\n\r\n").await;
    tokio::time::timeout(DEADLINE, begins.recv()).await.unwrap().unwrap();
    drop(visit);
    tokio::time::timeout(DEADLINE, told.recv()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_body_is_asked_for_only_when_the_gateway_wants_it() {
    let router = Router::new()
        .route("/yes", post(async |body: String| format!("got {body}")))
        .route("/no", post(async || (axum::http::StatusCode::FORBIDDEN, "no")));
    let world = World::with(router, |config| {
        config.timeouts.expect_continue = Duration::from_secs(60);
    })
    .await;
    let head = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: a.localhost\r\nexpect: 100-continue\r\n\
             content-length: 4\r\n\r\n"
        )
    };
    let mut visit = world.visit().await;
    visit.send(head("/yes").as_bytes()).await;
    assert_eq!(visit.reply().await.status, 100);
    visit.send(b"body").await;
    assert_eq!(visit.reply().await.text(), "got body");

    let mut visit = world.visit().await;
    visit.send(head("/no").as_bytes()).await;
    let reply = visit.reply().await;
    assert_eq!((reply.status, reply.text().as_str()), (403, "no"));

    let reply = world.ask(&head("/yes").replace("a.localhost", "none.localhost")).await;
    assert_eq!(reply.status, 404, "an unknown host is not sent a body");
}

#[tokio::test]
async fn websockets_pass() {
    let router = Router::new().route(
        "/ws",
        any(async |upgrade: WebSocketUpgrade| {
            upgrade.on_upgrade(async |mut socket| {
                while let Some(Ok(message)) = socket.recv().await {
                    if socket.send(message).await.is_err() {
                        break;
                    }
                }
            })
        }),
    );
    let world = World::with(router, |config| {
        config.timeouts.tunnel_idle = Duration::from_millis(300);
    })
    .await;
    let mut visit = world.visit().await;
    visit
        .send(
            b"GET /ws HTTP/1.1\r\nhost: a.localhost\r\nconnection: keep-alive, Upgrade\r\n\
              upgrade: websocket\r\nsec-websocket-version: 13\r\n\
              sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .await;
    let head = visit.until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    // A masked text frame "hi" with the key 0, and its echo.
    visit.send(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']).await;
    let mut echo = [0; 4];
    visit.stream.read_exact(&mut echo).await.unwrap();
    assert_eq!(echo, [0x81, 0x02, b'h', b'i']);
    assert_eq!(world.metrics.snapshot().tunnels, 1);
    // Silence ends it.
    assert_eq!(visit.closed().await, "");
    eventually("its place is free", async || world.metrics.snapshot().tunnels == 0).await;

    let refused = world
        .ask(
            "GET /none HTTP/1.1\r\nhost: a.localhost\r\nconnection: upgrade\r\n\
             upgrade: websocket\r\n\r\n",
        )
        .await;
    assert_eq!(refused.status, 404);
}

#[tokio::test]
async fn trailers_are_for_who_asks() {
    let dir = tempfile::tempdir().unwrap();
    let listener = tokio::net::UnixListener::bind(dir.path().join("gateway.sock")).unwrap();
    let server = aipress_kit::tasks::spawn("trailers", async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 4_096];
            let _ = stream.read(&mut head).await.unwrap();
            let answer = b"HTTP/1.1 200 OK\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\
                connection: close\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 7\r\n\r\n";
            stream.write_all(answer).await.unwrap();
        }
    });
    let world = World::around(dir, |_| {}).await;
    let mut visit = world.visit().await;
    visit.send(b"GET / HTTP/1.1\r\nhost: a.localhost\r\n\r\n").await;
    visit.until("0\r\n\r\n").await;
    visit
        .send(b"GET / HTTP/1.1\r\nhost: a.localhost\r\nte: trailers\r\nconnection: te\r\n\r\n")
        .await;
    visit.until("0\r\nx-sum: 7\r\n\r\n").await;
    server.abort();
}

/// More parts than tokio lets a task have in one go, over connections that are used again and
/// again: whoever is put off must be woken.
#[tokio::test]
async fn long_answers_of_many_parts_arrive_whole() {
    let router = Router::new().fallback(get(async || {
        let part = || Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 1_000]));
        Body::from_stream(futures_util::stream::repeat_with(part).take(2_000))
    }));
    let world = World::with_site(router).await;
    let visits = (0..8).map(async |_| {
        let mut visit = world.visit().await;
        for _ in 0..4 {
            // Two at once: the second waits in the connection while the first is answered.
            let ask = "GET / HTTP/1.1\r\nhost: a.localhost\r\n\r\n";
            visit.send(ask.repeat(2).as_bytes()).await;
            for _ in 0..2 {
                let reply = visit.reply().await;
                assert_eq!((reply.body.len(), reply.is_whole), (2_000_000, true));
            }
        }
    });
    futures_util::future::join_all(visits).await;
}

#[tokio::test]
async fn many_pipelined_requests_are_all_answered() {
    let world = World::with_site(Router::new().fallback(get(async || "hello"))).await;
    let mut visit = world.visit().await;
    let ask = "GET / HTTP/1.1\r\nhost: a.localhost\r\n\r\n";
    visit.send(ask.repeat(500).as_bytes()).await;
    for _ in 0..500 {
        assert_eq!(visit.reply().await.text(), "hello");
    }
}
