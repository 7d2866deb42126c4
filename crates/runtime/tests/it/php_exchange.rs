//! What becomes of an answer of PHP, whole or broken, and of a request's body: against a FastCGI
//! application that does what php-fpm does on bad days.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::support::{
    LONG, RequestBody, begin,
    fake_fpm::serve,
    finish, full,
    site::{Served, with_host},
    until,
};
use aipress_runtime::{Source, config::HELD_BACK_BYTES, fastcgi::end_request::ProtocolStatus};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, StreamBody};

const HEAD: &str = "Content-Type: text/html\r\n\r\n";

/// A body of unknown length in pieces of 64 KiB.
fn chunked(len: usize) -> RequestBody {
    let piece = Bytes::from(vec![b'x'; 64 * 1024]);
    let frames = (0..len.div_ceil(piece.len())).map(move |index| {
        let left = len - index * piece.len();
        Ok::<_, std::convert::Infallible>(http_body::Frame::data(
            piece.slice(..left.min(piece.len())),
        ))
    });
    BodyExt::boxed(StreamBody::new(futures_util::stream::iter(frames)))
}

#[tokio::test]
async fn a_page() {
    let served = Served::start();
    serve(&served.fpm_socket, async |mut it| {
        it.read().await;
        it.stdout("Status: 201 Created\r\nX-Powered-By: PHP/8\r\nSet-Cookie: a=1\r\n").await;
        it.stdout("Set-Cookie: b=2\r\nConnection: close\r\n\r").await;
        it.stdout("\nhello ").await;
        it.stderr("PHP Warning: x").await;
        it.stdout("world").await;
        it.end().await;
    });
    let answer = served.get("/2024/hello/?x=1").await;
    assert_eq!((answer.status, answer.text().as_str()), (StatusCode::CREATED, "hello world"));
    assert_eq!(answer.header("content-length"), "11");
    assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 2);
    assert!(answer.headers.get("x-powered-by").is_none());
    until("the record is there", || served.records.access.lock().unwrap().len() == 1).await;
    let record = served.records.access.lock().unwrap()[0].clone();
    assert_eq!((record.bytes, record.source, record.complete), (11, Source::Php, true));
    assert_eq!((record.uri.path(), record.uid.as_deref()), ("/2024/hello/", Some("uid-1")));
    let errors = served.records.errors.lock().unwrap();
    assert_eq!(*errors, [("uid-1".to_owned(), b"PHP Warning: x".to_vec(), false)]);
}

/// The same bytes with and without their `END_REQUEST`: only that tells a page from half a page.
#[tokio::test]
async fn a_worker_that_dies_early_is_a_502() {
    let served = Served::start();
    serve(&served.fpm_socket, async |mut it| {
        it.read().await;
        it.stdout(format!("{HEAD}<html>looks whole</html>")).await;
        if it.params["QUERY_STRING"] == "lives" {
            it.end().await;
        }
    });
    let answer = served.get("/?lives").await;
    assert_eq!((answer.status, answer.whole), (StatusCode::OK, true));
    let answer = served.get("/?dies").await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(answer.header("aipress-notice"), "site_failed");
    let failures = served.records.failures.lock().unwrap().clone();
    let reason = "the worker ended in the middle of its answer";
    let first = format!("{reason}; another one was asked");
    assert_eq!(failures, [(String::new(), first), (String::new(), reason.to_owned())]);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(!answer.text().contains("looks whole"));
}

/// What the first worker wrote is in no answer; what may not be done twice is not (RFC 9110 section 9.2.2).
#[tokio::test]
async fn what_is_safe_is_asked_of_another_worker_once() {
    let served = Served::start();
    served.write("core/wp-cron.php", "<?php");
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    serve(&served.fpm_socket, move |mut it| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        async move {
            it.read().await;
            if number == 0 {
                if it.params["QUERY_STRING"] == "halfway" {
                    it.stdout(format!("{HEAD}<html>of the first")).await;
                }
                return;
            }
            it.stdout(format!("{HEAD}<html>of the second")).await;
            it.end().await;
        }
    });
    let request = |method: Method, path: &str, body: &str| {
        Request::builder().method(method).uri(path).body(full(body.to_owned())).unwrap()
    };
    for (method, path, body, times) in [
        (Method::GET, "/?at-once", "", 2),
        (Method::GET, "/?halfway", "", 2),
        (Method::HEAD, "/", "", 2),
        (Method::POST, "/", "", 1),
        (Method::PUT, "/", "", 1),
        (Method::DELETE, "/", "", 1),
        (Method::GET, "/", "with a body", 1),
        // Its caller may be gone, its work half done.
        (Method::GET, "/wp-cron.php?x=1", "", 1),
    ] {
        asked.store(0, Ordering::Relaxed);
        let answer = served.send(request(method.clone(), path, body)).await;
        let status = if times == 2 { StatusCode::OK } else { StatusCode::BAD_GATEWAY };
        assert_eq!((answer.status, answer.whole), (status, true), "{method} {path}");
        assert_eq!(asked.load(Ordering::Relaxed), times, "{method} {path}");
        if times == 2 && method == Method::GET {
            assert_eq!(answer.text(), "<html>of the second", "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_worker_that_dies_late_breaks_the_connection() {
    let served = Served::start();
    serve(&served.fpm_socket, async |mut it| {
        it.read().await;
        it.stdout(HEAD).await;
        it.stdout(vec![b'x'; HELD_BACK_BYTES + 5000]).await;
        match it.params["QUERY_STRING"].as_str() {
            "lives" => it.end().await,
            "refused" => it.end_with(ProtocolStatus::Overloaded).await,
            _ => {}
        }
    });
    let answer = served.get("/?lives").await;
    assert_eq!((answer.body.len(), answer.whole), (HELD_BACK_BYTES + 5000, true));
    for how in ["dies", "refused"] {
        let answer = served.get(&format!("/?{how}")).await;
        assert_eq!((answer.status, answer.whole), (StatusCode::OK, false), "{how}");
    }
    until("all are told", || served.records.access.lock().unwrap().len() == 3).await;
    let complete: Vec<bool> =
        served.records.access.lock().unwrap().iter().map(|record| record.complete).collect();
    assert_eq!(complete, [true, false, false]);
}

#[tokio::test]
async fn the_first_mib_is_held_back_and_no_more() {
    let served = Served::start();
    let go_on = Arc::new(tokio::sync::Semaphore::new(0));
    let gate = Arc::clone(&go_on);
    serve(&served.fpm_socket, move |mut it| {
        let gate = Arc::clone(&gate);
        async move {
            it.read().await;
            it.stdout(HEAD).await;
            it.stdout(vec![b'x'; HELD_BACK_BYTES]).await;
            gate.acquire().await.unwrap().forget();
            it.stdout("the end").await;
            it.end().await;
        }
    });
    let mut request = Request::get("/").body(full("")).unwrap();
    with_host(&mut request);
    // The head comes while the worker still waits: streaming works from the first MiB on.
    let response = begin(&served.socket, request).await;
    assert!(!response.headers().contains_key("content-length"));
    go_on.add_permits(1);
    let answer = finish(response).await;
    assert_eq!((answer.body.len(), answer.whole), (HELD_BACK_BYTES + 7, true));
}

#[tokio::test]
async fn an_answer_before_the_body_is_read() {
    let served = Served::start();
    serve(&served.fpm_socket, async |mut it| {
        it.read_params().await;
        // Far more than both sockets' buffers hold, without reading a byte.
        it.stdout(HEAD).await;
        it.stdout(vec![b'y'; 5_000_000]).await;
        it.end().await;
    });
    let request = Request::post("/").body(full(vec![b'x'; 20_000_000])).unwrap();
    let answer = served.send(request).await;
    assert_eq!((answer.body.len(), answer.whole), (5_000_000, true));
}

#[tokio::test]
async fn bodies_arrive_whole_with_their_length() {
    let served = Served::start();
    serve(&served.fpm_socket, async |mut it| {
        it.read().await;
        let sum: u64 = it.stdin.iter().map(|&byte| u64::from(byte)).sum();
        it.stdout(format!("{HEAD}{} {} {sum}", it.params["CONTENT_LENGTH"], it.stdin.len())).await;
        it.end().await;
    });
    for len in [0, 1, 65_528, 65_529, 256 * 1024 + 1, 30_000_000] {
        for body in [full(vec![b'x'; len]), chunked(len)] {
            let answer = served.send(Request::post("/").body(body).unwrap()).await;
            assert_eq!(answer.text(), format!("{len} {len} {}", len * usize::from(b'x')));
        }
    }
}

#[tokio::test]
async fn bodies_that_are_too_large_never_reach_php() {
    let asked = Arc::new(AtomicUsize::new(0));
    let served = Served::start_with(|_| {}, |site| site.max_body_bytes = 1_000_000);
    let count = Arc::clone(&asked);
    serve(&served.fpm_socket, move |mut it| {
        count.fetch_add(1, Ordering::Relaxed);
        async move {
            it.read().await;
            it.stdout(HEAD).await;
            it.end().await;
        }
    });
    for body in [full(vec![0; 1_000_001]), chunked(1_000_001)] {
        let answer = served.send(Request::post("/").body(body).unwrap()).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    let answer = served.send(Request::post("/").body(chunked(1_000_000)).unwrap()).await;
    assert_eq!((answer.status, asked.load(Ordering::Relaxed)), (StatusCode::OK, 1));
}

#[tokio::test]
async fn files_for_bodies_have_an_allowance() {
    let served = Served::start_with(|config| config.site_spool_bytes = 1_000_000, |_| {});
    serve(&served.fpm_socket, async |mut it| {
        it.read().await;
        it.stdout(HEAD).await;
        it.end().await;
    });
    for _ in 0..3 {
        let answer = served.send(Request::post("/").body(chunked(900_000)).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "the allowance comes back");
    }
    let answer = served.send(Request::post("/").body(chunked(2_000_000)).unwrap()).await;
    assert_eq!(answer.header("aipress-notice"), "site_busy");
}

#[tokio::test]
async fn a_client_that_stops_sending() {
    let short = Duration::from_millis(50);
    let served = Served::start_with(|config| config.body_idle_timeout = short, |_| {});
    let first = futures_util::stream::once(async {
        Ok::<_, std::convert::Infallible>(http_body::Frame::data(Bytes::from_static(b"a=")))
    });
    let body =
        StreamBody::new(futures_util::StreamExt::chain(first, futures_util::stream::pending()));
    let answer = served.send(Request::post("/").body(BodyExt::boxed(body)).unwrap()).await;
    assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT);
}

#[tokio::test]
async fn answers_that_are_none() {
    let served = Served::start();
    serve(&served.fpm_socket, async |mut it| {
        it.read().await;
        match it.params["QUERY_STRING"].as_str() {
            "huge" => {
                it.stdout(format!("X: {}\r\n\r\n", "x".repeat(70_000))).await;
            }
            "endless" => while it.stdout(vec![b'x'; 10_000]).await {},
            "none" => {}
            "text" => {
                it.stdout("<html>no header</html>\n\n").await;
            }
            "overloaded" => it.end_with(ProtocolStatus::Overloaded).await,
            "multiplex" => it.end_with(ProtocolStatus::CannotMultiplex).await,
            other => panic!("{other}"),
        }
        it.end().await;
    });
    for (query, status) in [
        ("huge", 502),
        ("endless", 502),
        ("none", 502),
        ("text", 502),
        ("overloaded", 503),
        ("multiplex", 502),
    ] {
        let answer = served.get(&format!("/?{query}")).await;
        assert_eq!(answer.status.as_u16(), status, "{query}");
        assert!(!answer.text().contains("fpm"), "{query}");
    }
}

#[tokio::test]
async fn time_is_bounded() {
    let short = Duration::from_millis(100);
    let served = Served::start_with(
        |config| {
            config.header_timeout = short;
            config.total_timeout = short * 3;
        },
        |_| {},
    );
    serve(&served.fpm_socket, async |mut it| {
        it.read().await;
        if it.params["QUERY_STRING"] == "late" {
            it.stdout(HEAD).await;
            it.stdout(vec![b'x'; HELD_BACK_BYTES]).await;
        }
        it.gone().await;
    });
    assert_eq!(served.get("/?silent").await.status, StatusCode::GATEWAY_TIMEOUT);
    let answer = served.get("/?late").await;
    assert_eq!((answer.status, answer.whole), (StatusCode::OK, false));
}

#[tokio::test]
async fn a_client_who_leaves_frees_the_worker() {
    let (began, left) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let served = Served::start_with(|_| {}, |site| site.max_workers = 1);
    let counters = (Arc::clone(&began), Arc::clone(&left));
    serve(&served.fpm_socket, move |mut it| {
        let (began, left) = (Arc::clone(&counters.0), Arc::clone(&counters.1));
        async move {
            it.read().await;
            began.fetch_add(1, Ordering::Relaxed);
            it.gone().await;
            left.fetch_add(1, Ordering::Relaxed);
        }
    });
    let mut request = Request::get("/").body(full("")).unwrap();
    with_host(&mut request);
    let socket = served.socket.clone();
    let client = tokio::spawn(async move {
        let stream = tokio::net::UnixStream::connect(socket).await.unwrap();
        let io = hyper_util::rt::TokioIo::new(stream);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        let _ = tokio::join!(connection, sender.send_request(request));
    });
    until("php works", || began.load(Ordering::Relaxed) == 1).await;
    assert_eq!(served.table.load()[0].1, 1);
    client.abort();
    until("php is told", || left.load(Ordering::Relaxed) == 1).await;
    until("the worker is free", || served.table.load()[0].1 == 0).await;
}

#[tokio::test]
async fn workers_are_bounded_before_connecting() {
    let connections = Arc::new(AtomicUsize::new(0));
    let go_on = Arc::new(tokio::sync::Semaphore::new(0));
    let served = Served::start_with(|config| config.queue_len = 1, |site| site.max_workers = 2);
    let (count, gate) = (Arc::clone(&connections), Arc::clone(&go_on));
    serve(&served.fpm_socket, move |mut it| {
        count.fetch_add(1, Ordering::Relaxed);
        let gate = Arc::clone(&gate);
        async move {
            it.read().await;
            gate.acquire().await.unwrap().forget();
            it.stdout(HEAD).await;
            it.end().await;
        }
    });
    let served = Arc::new(served);
    let ask = || {
        let served = Arc::clone(&served);
        tokio::spawn(async move { served.get("/").await })
    };
    let mut asked = vec![ask(), ask()];
    until("two run", || served.table.load()[0].1 == 2).await;
    asked.push(ask());
    until("one waits", || served.table.load()[0].2 == 1).await;
    let answer = served.get("/").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!((answer.header("retry-after"), answer.header("aipress-notice")), ("5", "site_busy"));
    assert_eq!(connections.load(Ordering::Relaxed), 2);
    go_on.add_permits(3);
    for asked in asked {
        assert_eq!(asked.await.unwrap().status, StatusCode::OK);
    }
}

#[tokio::test]
async fn php_fpm_may_come_back_meanwhile() {
    let served = Served::start_with(|config| config.connect_timeout = LONG, |_| {});
    let socket = served.fpm_socket.clone();
    // Nobody listens: a socket that a killed php-fpm left.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let asking = served.get("/");
    tokio::pin!(asking);
    tokio::select! {
        answer = &mut asking => panic!("{answer:?}"),
        () = tokio::time::sleep(Duration::from_millis(50)) => {}
    }
    std::fs::remove_file(&socket).unwrap();
    serve(&socket, async |mut it| {
        it.read().await;
        it.stdout(HEAD).await;
        it.end().await;
    });
    assert_eq!(asking.await.status, StatusCode::OK);
}

#[tokio::test]
async fn who_waits_at_a_pool_that_ends_is_answered_by_the_next_one() {
    let served = Served::start();
    // Nobody is taken here: connections wait in the queue until the master ends.
    let ending = tokio::net::UnixListener::bind(&served.fpm_socket).unwrap();
    let waiting = served.send(Request::post("/").body(full("a=1")).unwrap());
    let next = served.dir.path().join("next.sock");
    serve(&next, async |mut it| {
        it.read().await;
        it.stdout(HEAD).await;
        let body = String::from_utf8(it.stdin.clone()).unwrap();
        it.stdout(&format!("the next one got {body}")).await;
        it.end().await;
    });
    let moving = async {
        let listed = || std::fs::read_to_string("/proc/net/unix").unwrap();
        let path = served.fpm_socket.display().to_string();
        // And perhaps what looks for a worker for it.
        until("a request waits", || listed().matches(&path).count() >= 2).await;
        served.change(|site| site.fpm_socket = next);
        drop(ending);
    };
    let (answer, ()) = tokio::join!(waiting, moving);
    assert_eq!(answer.text(), "the next one got a=1");
}

#[tokio::test]
async fn who_was_heard_is_not_asked_for_twice() {
    let served = Served::start();
    let next = served.dir.path().join("next.sock");
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    serve(&next, move |mut it| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move { it.read().await }
    });
    let listener = tokio::net::UnixListener::bind(&served.fpm_socket).unwrap();
    let waiting = served.send(Request::post("/").body(full("")).unwrap());
    let dying = async {
        let (mut heard, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        while !bytes.ends_with(&[1, 5, 0, 1, 0, 0, 0, 0]) {
            tokio::io::AsyncReadExt::read_buf(&mut heard, &mut bytes).await.unwrap();
        }
        served.change(|site| site.fpm_socket = next);
    };
    let (answer, ()) = tokio::join!(waiting, dying);
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn php_fpm_may_stay_away() {
    let short = Duration::from_millis(50);
    let served = Served::start_with(|config| config.connect_timeout = short, |_| {});
    assert_eq!(served.get("/").await.status, StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn standard_error_is_bounded() {
    let served = Served::start_with(|config| config.max_stderr_bytes = 1000, |_| {});
    serve(&served.fpm_socket, async |mut it| {
        it.read().await;
        for _ in 0..100 {
            it.stderr([b'e'; 90]).await;
        }
        it.stdout(HEAD).await;
        it.end().await;
    });
    served.get("/").await;
    let errors = served.records.errors.lock().unwrap();
    assert_eq!(*errors, [("uid-1".to_owned(), vec![b'e'; 1000], true)]);
}

#[tokio::test]
async fn heads_and_empty_answers() {
    let served = Served::start();
    serve(&served.fpm_socket, async |mut it| {
        it.read().await;
        let status = it.params["QUERY_STRING"].clone();
        it.stdout(format!("Status: {status}\r\nContent-Length: 99\r\n{HEAD}")).await;
        if it.params["REQUEST_METHOD"] != "HEAD" {
            it.stdout("body").await;
        }
        it.end().await;
    });
    let head = Request::builder().method(Method::HEAD);
    let answer = served.ask(head.uri("/?200")).await;
    assert_eq!((answer.header("content-length"), answer.body.len()), ("99", 0));
    for status in ["204", "304"] {
        let answer = served.get(&format!("/?{status}")).await;
        assert_eq!((answer.status.as_str(), answer.body.len()), (status, 0));
        assert!(answer.whole && !answer.headers.contains_key("content-length"));
    }
    // PHP may count wrong; the page is what came.
    let answer = served.get("/?200").await;
    assert_eq!((answer.header("content-length"), answer.text().as_str()), ("4", "body"));
}

#[tokio::test]
async fn headers_that_are_too_large() {
    let served = Served::start();
    let answer = served.ask(Request::get("/").header("cookie", "x".repeat(70_000))).await;
    assert_eq!(answer.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}
