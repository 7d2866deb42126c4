//! An endpoint of webhooks: remembers what it was sent, and answers as it is told.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use aipress_kit::lifecycle::Lifecycle;
use aipress_kit::listen::Listener;
use aipress_kit::tasks;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use http::HeaderMap;
use http::StatusCode;
use tokio::net::TcpListener;

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Sent {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// The event's kind.
    pub(super) fn kind(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        body["type"].as_str().unwrap().to_owned()
    }
}

#[derive(Debug)]
struct Mood {
    status: u16,
    delay: Duration,
    sent: Vec<Sent>,
}

/// The endpoint. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    pub(super) url: String,
    mood: Arc<Mutex<Mood>>,
    lifecycle: Lifecycle,
}

impl Endpoint {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Self {
            url: format!("http://{}/hook", listener.local_addr().unwrap()),
            mood: Arc::new(Mutex::new(Mood {
                status: 204,
                delay: Duration::ZERO,
                sent: Vec::new(),
            })),
            lifecycle: Lifecycle::manual(),
        };
        let router =
            Router::new().route("/hook", axum::routing::post(take)).with_state(endpoint.clone());
        tasks::spawn(
            "endpoint",
            aipress_kit::http::serve(Listener::Tcp(listener), router, endpoint.lifecycle.clone()),
        );
        endpoint
    }

    /// Answers with this from now on, after a while.
    pub(super) fn answer(&self, status: u16, delay: Duration) {
        let mut mood = self.mood.lock().unwrap();
        (mood.status, mood.delay) = (status, delay);
    }

    pub(super) fn sent(&self) -> Vec<Sent> {
        self.mood.lock().unwrap().sent.clone()
    }
}

async fn take(
    State(endpoint): State<Endpoint>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let (status, delay) = {
        let mut mood = endpoint.mood.lock().unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        mood.sent.push(Sent { headers, body });
        (mood.status, mood.delay)
    };
    tokio::time::sleep(delay).await;
    (StatusCode::from_u16(status).unwrap(), format!("said {status} {}", "x".repeat(5_000)))
}
