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
