//! The server and the client against each other, over a real Unix socket.

use super::*;
use crate::http::Client;
use crate::http::ClientError;
use crate::http::Endpoint;
use crate::listen;
use axum::routing::get;
use bytes::Bytes;

struct Place(std::path::PathBuf);

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn place(name: &str) -> Place {
    Place(std::env::temp_dir().join(format!("aipress-kit-{name}-{}.sock", std::process::id())))
}

fn request(path: &str) -> http::Request<Bytes> {
    http::Request::get(path).body(Bytes::new()).unwrap()
}

#[tokio::test]
async fn a_call_is_answered_and_says_who_called() {
    let place = place("call");
    let listener = listen::bind_unix(&place.0, 0o600).unwrap();
    let router = Router::new().route(
        "/who",
        get(|axum::Extension(peer): axum::Extension<Peer>| async move { format!("{peer:?}") }),
    );
    let lifecycle = Lifecycle::manual();
    let served = crate::tasks::spawn("test", serve(listener, router, lifecycle.clone()));
    let client = Client::new(Endpoint::Unix(place.0.clone()), Duration::from_secs(5));
    let answer = client.call(request("/who")).await.unwrap();
    let uid = rustix::process::geteuid().as_raw();
    assert_eq!(answer.body(), format!("Unix {{ uid: {uid} }}").as_bytes());
    lifecycle.drain.cancel();
    served.await.unwrap();
    assert!(matches!(
        client.call(request("/who")).await,
        Err(ClientError::Connect { .. } | ClientError::Broken { .. })
    ));
}

#[tokio::test]
async fn a_slow_request_survives_the_drain() {
    let place = place("drain");
    let listener = listen::bind_unix(&place.0, 0o600).unwrap();
    let (begun, mut began) = tokio::sync::mpsc::channel::<()>(1);
    let (release, released) = tokio::sync::watch::channel(false);
    let router = Router::new().route(
        "/slow",
        get(move || {
            let (begun, mut released) = (begun.clone(), released.clone());
            async move {
                begun.send(()).await.unwrap();
                released.wait_for(|go| *go).await.unwrap();
                "late but whole"
            }
        }),
    );
    let lifecycle = Lifecycle::manual();
    let served = crate::tasks::spawn("test", serve(listener, router, lifecycle.clone()));
    let client = Client::new(Endpoint::Unix(place.0.clone()), Duration::from_secs(5));
    let call = crate::tasks::spawn("test", async move { client.call(request("/slow")).await });
    began.recv().await.unwrap();
    lifecycle.drain.cancel();
    release.send(true).unwrap();
    let answer = call.await.unwrap().unwrap().unwrap();
    assert_eq!(&answer.body()[..], b"late but whole");
    served.await.unwrap();
}

#[tokio::test]
async fn a_call_that_hangs_ends_at_its_time_out() {
    let place = place("hang");
    let listener = listen::bind_unix(&place.0, 0o600).unwrap();
    let router =
        Router::new().route("/", get(|| async { std::future::pending::<&'static str>().await }));
    let lifecycle = Lifecycle::manual();
    let served = crate::tasks::spawn("test", serve(listener, router, lifecycle.clone()));
    let client = Client::new(Endpoint::Unix(place.0.clone()), Duration::from_millis(50));
    assert!(matches!(client.call(request("/")).await, Err(ClientError::TimedOut { .. })));
    lifecycle.cut.cancel();
    lifecycle.drain.cancel();
    served.await.unwrap();
}

#[test]
fn a_server_without_descriptors_goes_on_when_there_are_some() {
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "http::serve::tests::is_starved", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "run by the test above in a process of its own"]
async fn is_starved() {
    let place = place("starved");
    let listener = listen::bind_unix(&place.0, 0o600).unwrap();
    let router = Router::new().route("/", get(|| async { "served" }));
    let lifecycle = Lifecycle::manual();
    let served = crate::tasks::spawn("test", serve(listener, router, lifecycle.clone()));
    // All descriptors but one, which the caller's end of the connection takes.
    let limit = rustix::process::Rlimit { current: Some(128), maximum: Some(128) };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    let mut hoard = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        hoard.push(file);
    }
    hoard.pop();
    let mut caller = tokio::net::UnixStream::connect(&place.0).await.unwrap();
    let asked = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut caller, asked).await.unwrap();
    let mut answer = String::new();
    let mut read =
        std::pin::pin!(tokio::io::AsyncReadExt::read_to_string(&mut caller, &mut answer));
    let early = tokio::time::timeout(Duration::from_millis(300), read.as_mut()).await;
    assert!(early.is_err(), "it was answered without a descriptor: {early:?}");
    assert!(!served.is_finished(), "the server ended");
    drop(hoard);
    tokio::time::timeout(Duration::from_secs(60), read).await.expect("it goes on").unwrap();
    assert!(answer.ends_with("served"), "{answer}");
}

#[test]
fn connections_leave_descriptors_for_what_is_behind_them() {
    assert_eq!(crate::listen::connections_max(1), 1);
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let most = crate::listen::connections_max(usize::MAX);
    assert!(files.is_none_or(|files| most as u64 * 2 <= files.max(16)), "{most} of {files:?}");
}
