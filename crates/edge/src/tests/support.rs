//! A world around one edge: a meta with a numbered log, gateways, and visitors on raw sockets.

use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aipress_api::internal::RouteChanges;
use aipress_api::internal::RouteEntry;
use aipress_api::internal::RouteState;
use aipress_kit::http::Endpoint;
use aipress_kit::lifecycle::Lifecycle;
use aipress_kit::listen;
use aipress_types::Secret;
use axum::Router;
use axum::extract::Query;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::backoff::Jitter;
use crate::config::EdgeConfig;
use crate::config::Essentials;
use crate::metrics::Metrics;

/// Longest that anything in a test may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
pub(crate) const UID: &str = "f47ac10b-58cc-4372-a567-0e02b2c3d479";

/// Polls until `what` holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = tokio::time::Instant::now() + DEADLINE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A meta. Its log lives in the test, so that it can be stopped and started again.
#[derive(Clone)]
pub(crate) struct Meta(Arc<Log>);

struct Log {
    routes: Mutex<Vec<RouteEntry>>,
    /// Number of the last change; a log with another start is another log.
    seq: watch::Sender<u64>,
    first: AtomicU64,
    hidden: Mutex<HashMap<String, RouteEntry>>,
    questions: AtomicU64,
    question_delay: Mutex<Duration>,
}

impl Meta {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Log {
            routes: Mutex::default(),
            seq: watch::Sender::new(0),
            first: AtomicU64::new(0),
            hidden: Mutex::default(),
            questions: AtomicU64::new(0),
            question_delay: Mutex::default(),
        }))
    }

    /// A change in the log.
    pub(crate) fn tell(&self, entry: RouteEntry) {
        self.0.routes.lock().unwrap().push(entry);
        self.0.seq.send_modify(|seq| *seq += 1);
    }

    /// A route that only a question finds.
    pub(crate) fn hide(&self, entry: RouteEntry) {
        self.0.hidden.lock().unwrap().insert(entry.host.clone(), entry);
    }

    pub(crate) fn questions(&self) -> u64 {
        self.0.questions.load(Ordering::SeqCst)
    }

    pub(crate) fn delay_questions(&self, delay: Duration) {
        *self.0.question_delay.lock().unwrap() = delay;
    }

    /// Starts on `socket`; ends with the lifecycle.
    pub(crate) fn start(&self, socket: &Path) -> Lifecycle {
        let lifecycle = Lifecycle::manual();
        let router = Router::new()
            .route("/internal/v1/routes", get(changes))
            .route("/internal/v1/routes/{host}", get(question))
            .with_state(self.clone());
        let listener = listen::bind_unix(socket, 0o600).unwrap();
        let served = aipress_kit::http::serve(listener, router, lifecycle.clone());
        aipress_kit::tasks::spawn("fake-meta", served);
        lifecycle
    }
}

fn check(headers: &HeaderMap) -> bool {
    headers["authorization"] == "Bearer token"
        && headers["aipress-role"] == "edge"
        && headers["aipress-protocol"] == "1"
}

async fn changes(
    State(Meta(log)): State<Meta>,
    Query(query): Query<HashMap<String, u64>>,
    headers: HeaderMap,
) -> axum::response::Response {
    if !check(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let first = log.first.load(Ordering::SeqCst);
    let mut seq = log.seq.subscribe();
    let after = query.get("after").copied().filter(|it| (first..=*seq.borrow()).contains(it));
    if let Some(after) = after {
        let wait = Duration::from_millis(query["waitMs"]);
        let _ = tokio::time::timeout(wait, seq.wait_for(|seq| *seq > after)).await;
    }
    let routes = log.routes.lock().unwrap().clone();
    let skip = usize::try_from(after.unwrap_or(first) - first).unwrap();
    let seq = first + routes.len() as u64;
    let routes = routes.into_iter().skip(skip).collect();
    axum::Json(RouteChanges { seq, snapshot: after.is_none(), routes }).into_response()
}

async fn question(
    State(Meta(log)): State<Meta>,
    axum::extract::Path(host): axum::extract::Path<String>,
    headers: HeaderMap,
) -> axum::response::Response {
    if !check(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    log.questions.fetch_add(1, Ordering::SeqCst);
    let delay = *log.question_delay.lock().unwrap();
    tokio::time::sleep(delay).await;
    match log.hidden.lock().unwrap().get(&host) {
        Some(entry) => axum::Json(entry.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// An edge, and where its neighbours are.
pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) meta: Meta,
    pub(crate) meta_life: Lifecycle,
    pub(crate) metrics: Metrics,
    pub(crate) life: Lifecycle,
    pub(crate) running: tokio::task::JoinHandle<Option<Result<(), crate::EdgeError>>>,
}

impl World {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// An edge with a meta, and one serving site `a.localhost` behind `router`.
    pub(crate) async fn with_site(router: Router) -> Self {
        Self::with(router, |_| {}).await
    }

    /// The same, configured.
    pub(crate) async fn with(router: Router, change: impl FnOnce(&mut EdgeConfig)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        gateway(&dir.path().join("gateway.sock"), router);
        Self::around(dir, change).await
    }

    /// An edge around a folder in which somebody else serves `gateway.sock`.
    pub(crate) async fn around(
        dir: tempfile::TempDir,
        change: impl FnOnce(&mut EdgeConfig),
    ) -> Self {
        let meta = Meta::new();
        meta.tell(site(dir.path(), "a.localhost", RouteState::Serving));
        let meta_life = meta.start(&dir.path().join("meta-internal.sock"));
        let world = Self::start(dir, meta, meta_life, change).await;
        let metrics = world.metrics.clone();
        eventually("the route arrives", async || metrics.snapshot().routes > 0).await;
        world
    }

    /// An edge alone.
    pub(crate) async fn start(
        dir: tempfile::TempDir,
        meta: Meta,
        meta_life: Lifecycle,
        change: impl FnOnce(&mut EdgeConfig),
    ) -> Self {
        let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let mut config = EdgeConfig::new(
            "edge-test",
            Essentials {
                listener: listen::Listener::Tcp(tcp),
                meta: Endpoint::Unix(dir.path().join("meta-internal.sock")),
                role_token: Secret::new("token"),
                console_upstream: Endpoint::Unix(dir.path().join("meta.sock")),
                snapshot: dir.path().join("routes.json"),
            },
        );
        config.jitter = Jitter::new(|| 0);
        config.timeouts.snapshot_debounce = Duration::from_millis(10);
        change(&mut config);
        let metrics = config.metrics.clone();
        let life = Lifecycle::manual();
        let running = aipress_kit::tasks::spawn("edge", crate::run(config, life.clone()));
        Self { dir, address, meta, meta_life, metrics, life, running }
    }

    /// A connection of a visitor.
    pub(crate) async fn visit(&self) -> Visit {
        Visit { stream: TcpStream::connect(self.address).await.unwrap(), left: Vec::new() }
    }

    /// Asks once on a connection of its own.
    pub(crate) async fn get(&self, host: &str, path: &str) -> Reply {
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n")).await
    }

    /// Sends `request` on a connection of its own.
    pub(crate) async fn ask(&self, request: &str) -> Reply {
        let mut visit = self.visit().await;
        visit.send(request.as_bytes()).await;
        visit.reply().await
    }

    /// Ends the edge and waits for it.
    pub(crate) async fn end(self) -> tempfile::TempDir {
        self.life.drain.cancel();
        tokio::time::timeout(DEADLINE, self.running).await.unwrap().unwrap().unwrap().unwrap();
        self.dir
    }
}

/// A route of tenant [`UID`] to `gateway.sock` in `dir`.
pub(crate) fn site(dir: &Path, host: &str, state: RouteState) -> RouteEntry {
    RouteEntry {
        host: host.to_owned(),
        tenant: UID.parse().unwrap(),
        name: host.split('.').next().unwrap().to_owned(),
        shard: aipress_types::ShardId::from_number(1).unwrap(),
        upstream: format!("unix:{}", dir.join("gateway.sock").display()),
        state,
        placement_epoch: 1,
    }
}

/// Serves `router` on a Unix socket until the returned lifecycle is cut.
pub(crate) fn gateway(socket: &Path, router: Router) -> Lifecycle {
    let lifecycle = Lifecycle::manual();
    let listener = listen::bind_unix(socket, 0o600).unwrap();
    let served = aipress_kit::http::serve(listener, router, lifecycle.clone());
    aipress_kit::tasks::spawn("fake-gateway", served);
    lifecycle
}

/// One connection of a visitor.
pub(crate) struct Visit {
    pub(crate) stream: TcpStream,
    left: Vec<u8>,
}

/// An answer as it came over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Whether the body came to the end that its framing promised.
    pub(crate) is_whole: bool,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Visit {
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Reads until `mark` came; gives all up to its end. What follows stays.
    pub(crate) async fn until(&mut self, mark: &str) -> String {
        let read = async {
            loop {
                let at = self.left.windows(mark.len()).position(|it| it == mark.as_bytes());
                if let Some(at) = at {
                    let rest = self.left.split_off(at + mark.len());
                    let found = std::mem::replace(&mut self.left, rest);
                    return String::from_utf8_lossy(&found).into_owned();
                }
                assert!(self.more().await, "closed before {mark:?}: {:?}", self.so_far());
            }
        };
        tokio::time::timeout(DEADLINE, read).await.unwrap_or_else(|_| panic!("no {mark:?}"))
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.left).into_owned()
    }

    /// Reads on. False at the end, and when the connection was reset.
    async fn more(&mut self) -> bool {
        self.stream.read_buf(&mut self.left).await.unwrap_or(0) > 0
    }

    /// Reads one answer by its framing.
    pub(crate) async fn reply(&mut self) -> Reply {
        self.reply_to("GET").await
    }

    /// The same for a request of this method.
    pub(crate) async fn reply_to(&mut self, method: &str) -> Reply {
        let head = self.until("\r\n\r\n").await;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut reply = Reply { status, head, body: Vec::new(), is_whole: true };
        if method == "HEAD" || status < 200 || status == 204 || status == 304 {
            return reply;
        }
        let read = async {
            if let Some(length) = reply.header("content-length") {
                let length: usize = length.parse().unwrap();
                while self.left.len() < length {
                    if !self.more().await {
                        reply.is_whole = false;
                        break;
                    }
                }
                let rest = self.left.split_off(length.min(self.left.len()));
                reply.body = std::mem::replace(&mut self.left, rest);
            } else {
                assert_eq!(reply.header("transfer-encoding"), Some("chunked"), "{}", reply.head);
                self.chunks(&mut reply).await;
            }
        };
        tokio::time::timeout(DEADLINE, read).await.expect("the body ends");
        reply
    }

    async fn chunks(&mut self, reply: &mut Reply) {
        loop {
            let Some(at) = self.left.windows(2).position(|it| it == b"\r\n") else {
                if self.more().await {
                    continue;
                }
                reply.is_whole = false;
                return;
            };
            let size = std::str::from_utf8(&self.left[..at]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            while self.left.len() < at + 2 + size + 2 {
                if !self.more().await {
                    reply.is_whole = false;
                    return;
                }
            }
            reply.body.extend_from_slice(&self.left[at + 2..at + 2 + size]);
            self.left.drain(..at + 2 + size + 2);
            if size == 0 {
                return;
            }
        }
    }

    /// Waits until the edge closes; gives what came before.
    pub(crate) async fn closed(&mut self) -> String {
        let read = async { while self.more().await {} };
        tokio::time::timeout(DEADLINE, read).await.expect("the edge closes");
        self.so_far()
    }
}
